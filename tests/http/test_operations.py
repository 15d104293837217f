"""The records of operations: they agree with each other, and one record is all that one needs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from bindings.errors import InvalidArgumentError
from host.clock import SystemClock
from host.http.access import Access, Need
from host.http.bodies import BodyBudget, BodyLimits, HeldBody
from host.http.calls import Call, open_call
from host.http.functions.routes import RESERVED
from host.http.management.links import LINKS, WEBHOOKS, ManagementLinks
from host.http.management.operations import OPERATIONS as OF_WEBHOOKS
from host.http.openapi import document
from host.http.operations import Asked, Operation, answer
from host.http.origins import Origins
from host.http.parameters import Place, flag, in_path, positive
from host.http.routing import OperationTable
from host.http.server import OPERATIONS
from host.http.shapes import Shape, object_of

IN_BRACES = re.compile(r"\{\*?([^}]*)\}")


# ---- the records of the host ---------------------------------------------------------


def shapes_in(part: Any) -> Iterator[Shape]:
    match part:
        case Shape():
            yield part
            yield from shapes_in(part.schema)
        case dict():
            for each in part.values():
                yield from shapes_in(each)
        case list():
            for each in part:
                yield from shapes_in(each)


def all_shapes() -> Iterator[Shape]:
    for operation in OPERATIONS:
        for each in operation.answers.values():
            yield from shapes_in(dict(each.content))
        if operation.body is not None:
            yield from shapes_in(operation.body.form)


@pytest.mark.parametrize(
    ("what", "name"),
    [
        (OPERATIONS, lambda each: each.id),
        (OPERATIONS, lambda each: (each.verb, each.path)),
        (set(all_shapes()), lambda each: each.name),
        (
            {each for one in OPERATIONS for each in one.parameters if each.place is not Place.PATH},
            lambda each: each.key or each.name,
        ),
    ],
    ids=["ids", "verbs and paths", "shapes", "parameters"],
)
def test_no_two_have_one_name(what: Any, name: Callable[[Any], object]) -> None:
    names = [name(each) for each in what]
    assert sorted(map(str, names)) == sorted({str(each) for each in names})


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: each.id)
def test_the_parameters_of_a_path_are_declared(operation: Operation[Any]) -> None:
    declared = [each.name for each in operation.parameters_in(Place.PATH)]
    assert declared == IN_BRACES.findall(operation.path)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: each.id)
def test_no_function_can_take_the_path_of_an_operation(operation: Operation[Any]) -> None:
    first = operation.path.strip("/").partition("/")[0]
    assert first in RESERVED or operation.path == "/"


def test_each_link_of_an_instance_leads_to_an_operation_that_it_opens() -> None:
    links = ManagementLinks(hub_name="H", clock=SystemClock())
    urls = links.management_urls("ID", None)
    for name, use, _ in LINKS:
        path = urls[name].partition("?")[0]
        path = path.replace("ID", "{instance_id}").replace("{eventName}", "{event_name}")
        assert use in {each.link for each in OF_WEBHOOKS if each.path == path}, name


@pytest.mark.parametrize("operation", OF_WEBHOOKS, ids=lambda each: each.id)
def test_links_open_what_is_done_with_one_instance(operation: Operation[Any]) -> None:
    is_on_instance = operation.path.startswith(f"{WEBHOOKS}/instances/{{instance_id}}")
    # The children come with an export; a fork is another instance.
    is_of_others = operation.id in {"exportInstance", "moveInstance", "forkInstance"}
    assert (operation.link is not None) == (is_on_instance and not is_of_others)


# ---- a new one ------------------------------------------------------------------------


class Toys:
    """A room."""

    price = 5


COLOUR = in_path("colour", "Its colour.")
COUNT = positive("count", "How many.")
GIFT = flag("gift", "Whether it is wrapped.", default=False)
PRICE = Shape("Price", object_of({"price": {"type": "integer"}}))


async def price_of(here: Toys, asked: Asked) -> web.Response:
    return web.json_response({"price": here.price * (asked[COUNT] or 1), "of": asked[COLOUR]})


async def reads_too_much(_here: Toys, asked: Asked) -> web.Response:
    return web.json_response(asked[GIFT])


def toy(**more: Any) -> Operation[Toys]:
    record: dict[str, Any] = {
        "id": "getPrice",
        "verb": "GET",
        "path": "/toys/{colour}",
        "summary": "The price of toys.",
        "access": Need.READ,
        "parameters": (COLOUR, COUNT),
        "answers": {200: answer("The price.", PRICE)},
        "handler": price_of,
    }
    return Operation(**record | more)


async def call_of(verb: str, target: str) -> Call:
    request = make_mocked_request(verb, target, headers={"Host": "localhost"})
    held = HeldBody(request, BodyBudget(BodyLimits(bytes_in_flight=1000, timeout_s=1.0)))
    return open_call(request, held, Origins(public_url=None, trusted_proxies=()))


async def ask(operation: Operation[Toys], verb: str, target: str) -> web.Response:
    table = OperationTable(Toys(), [operation])
    access = Access(None, SystemClock())
    return await table.answer_by_key(await call_of(verb, target), access, Need.NOTHING)


def text_of(response: web.Response) -> str:
    assert isinstance(response.body, bytes)
    return response.body.decode()


async def test_a_record_and_its_handler_answer() -> None:
    response = await ask(toy(), "GET", "/Toys/red?COUNT=3")
    assert (response.status, text_of(response)) == (200, '{"price": 15, "of": "red"}')


async def test_a_value_that_cannot_be_read_is_refused() -> None:
    response = await ask(toy(), "GET", "/toys/red?count=none")
    assert response.status == HTTPStatus.BAD_REQUEST
    assert InvalidArgumentError.__name__ in text_of(response)


@pytest.mark.parametrize(
    ("verb", "target", "status"), [("POST", "/toys/red", 405), ("GET", "/toys", 404)]
)
async def test_another_verb_or_path_is_refused(verb: str, target: str, status: int) -> None:
    response = await ask(toy(), verb, target)
    assert response.status == status
    assert response.headers.get("Allow") == ("GET, HEAD" if status == 405 else None)


async def test_other_verbs_do_the_same_if_the_record_says_so() -> None:
    assert (await ask(toy(takes_any_verb=True), "PUT", "/toys/red")).status == 200


async def test_a_handler_reads_what_its_record_declares_and_nothing_else(
    caplog: pytest.LogCaptureFixture,
) -> None:
    response = await ask(toy(handler=reads_too_much), "GET", "/toys/red?gift=true")
    assert response.status == 500
    assert "getPrice does not declare gift" in caplog.text


def test_a_record_is_described() -> None:
    described = document("1", [toy()], has_keys=True)
    operation = described["paths"]["/toys/{colour}"]["get"]
    assert operation["operationId"] == "getPrice"
    assert [each.get("name") or each["$ref"] for each in operation["parameters"]] == [
        "colour",
        "#/components/parameters/count",
    ]
    content = operation["responses"]["200"]["content"]["application/json"]
    assert content["schema"] == {"$ref": "#/components/schemas/Price"}
    assert described["components"]["schemas"]["Price"] == PRICE.schema
