"""Bodies that become the argument of a function, by its annotation: in both styles of declaring."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from pydantic import BaseModel, model_validator

from bindings import AuthLevel, FunctionApp, HttpRequest
from host.functions.model import App
from host.functions.registry import plan_calls
from tests.http.hosting import Host, host_functions, running_host
from tests.kit.served_app import served

MakeApp = Callable[[Mapping[str, str]], Path]

BODIES = """
    from dataclasses import dataclass
    from typing import Annotated, Any, Optional
    from typing_extensions import TypedDict
    from pydantic import BaseModel, Field

    class Line(BaseModel):
        article: str
        count: Annotated[int, Field(gt=0)] = 1

    class Order(BaseModel):
        customer: str
        lines: list[Line] = []

    @dataclass
    class Point:
        x: int
        y: int

    class Size(TypedDict):
        width: int

    NOBODY = Order(customer="nobody")

    def model(order: Order): return order
    async def optional(order: Order | None): return order
    def default(order: Order = NOBODY): return order
    def many(lines: list[Line]): return lines
    def point(point: Point): return point
    def size(size: Size): return size
    def strict(size: Annotated[Optional[Size], Field(description="how large")]): return size
    def either(order: Order | list[Line]): return order
    def number(number: int): return number
    def anything(data: dict[str, Any]): return data
    def text(text: str): return text
    def raw(raw: bytes): return raw
    def short(text: Annotated[str, Field(max_length=3)]): return text
    def maybe(text: str | None): return {"text": text}
"""
NAMES = {
    "model": "order",
    "optional": "order",
    "default": "order",
    "many": "lines",
    "point": "point",
    "size": "size",
    "strict": "size",
    "either": "order",
    "number": "number",
    "anything": "data",
    "text": "text",
    "raw": "raw",
    "short": "text",
    "maybe": "text",
}
DECORATED = {
    "bodies.py": BODIES,
    "function_app.py": "\n".join(
        [
            "from bindings import FunctionApp",
            "import bodies",
            'app = FunctionApp(http_auth_level="anonymous")',
            *(f"app.route()(bodies.{name})" for name in NAMES),
        ]
    ),
}
FOLDERS = {
    "bodies.py": BODIES,
    **{
        f"{name}/function.json": json.dumps(
            {
                "scriptFile": "../bodies.py",
                "entryPoint": name,
                "bindings": [
                    {"type": "httpTrigger", "name": parameter, "authLevel": "anonymous"},
                    {"type": "http", "direction": "out", "name": "$return"},
                ],
            }
        )
        for name, parameter in NAMES.items()
    },
}


@dataclass(frozen=True)
class Case:
    function: str
    body: bytes
    status: int
    answer: str
    """All of the answer, or of a refusal a part."""
    kind: str | None = "application/json"


FORM = "application/x-www-form-urlencoded"
PARTS = (
    b'--x\r\nContent-Disposition: form-data; name="customer"\r\n\r\nA\r\n'
    b'--x\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\nz\r\n--x--\r\n'
)
CASES = [
    Case("model", b'{"customer":"A"}', 200, '{"customer":"A","lines":[]}'),
    Case("model", b'\xef\xbb\xbf{"customer":"A"}', 200, '{"customer":"A","lines":[]}'),
    Case("model", b'{"customer":"A"}', 200, '{"customer":"A","lines":[]}', None),
    Case("model", b'{"customer":"A"}', 200, '{"customer":"A","lines":[]}', "Text/JSON; charset=x"),
    Case("model", b'{"customer":"A"}', 200, '{"customer":"A","lines":[]}', "application/hal+json"),
    Case("model", b' {"customer":"A"}', 200, '{"customer":"A","lines":[]}', FORM),
    Case("model", b"customer=A+b", 200, '{"customer":"A b","lines":[]}', FORM),
    Case("model", PARTS, 200, '{"customer":"A","lines":[]}', "multipart/form-data; boundary=x"),
    Case("model", PARTS, 400, "names no boundary", "multipart/form-data"),
    Case("model", b"customer=A&lines=1", 400, "lines: Input should be a valid array", FORM),
    Case("model", b"customer=A&customer=B", 400, "customer: Input should be a valid string", FORM),
    Case("model", b"other=A", 400, "customer: Field required", FORM),
    Case("model", b"{}", 400, "customer: Field required"),
    Case("model", b'{"customer":1}', 400, "customer: Input should be a valid string"),
    Case(
        "model",
        b'{"customer":"A","lines":[{"article":"a","count":0},{}]}',
        400,
        "lines.0.count: Input should be greater than 0; lines.1.article: Field required",
    ),
    Case("model", b"[]", 400, "the whole: "),
    Case("model", b"null", 400, "the whole: "),
    Case("model", b"{", 400, "body is not JSON"),
    Case("model", b'{"customer":"\xff"}', 400, "body is not JSON"),
    Case("model", b'{"customer":"\\ud800"}', 400, "body is not JSON"),
    Case("model", b"[" * 5000, 400, "body is not JSON"),
    Case("model", b"", 400, "The request has no body"),
    Case("model", b" \n", 400, "The request has no body"),
    Case("model", b"<a/>", 415, "'text/xml' cannot be read here", "text/xml"),
    Case("model", b'{"customer":"A"}', 415, "application/json", "text/plain"),
    Case("model", b"\x00", 415, "application/json", "x" * 3000),
    Case("optional", b"", 204, ""),
    Case("optional", b"null", 204, ""),
    Case("optional", b'{"customer":"A"}', 200, '{"customer":"A","lines":[]}'),
    Case("optional", b"customer=A", 200, '{"customer":"A","lines":[]}', FORM),
    Case("optional", b"{}", 400, "customer: Field required"),
    Case("default", b"", 200, '{"customer":"nobody","lines":[]}'),
    Case("default", b'{"customer":"A"}', 200, '{"customer":"A","lines":[]}'),
    Case("default", b"{}", 400, "customer: Field required"),
    Case("many", b'[{"article":"a"}]', 200, '[{"article":"a","count":1}]'),
    Case("many", b'[{"article":"a"},2]', 400, "1: Input should be"),
    Case("many", b"article=a", 415, "send it as application/json.", FORM),
    Case("point", b'{"x":1,"y":2}', 200, '{"x":1,"y":2}'),
    Case("point", b"x=1&y=2", 200, '{"x":1,"y":2}', FORM),
    Case("point", b'{"x":1}', 400, "y: Field required"),
    Case("size", b'{"width":1}', 200, '{"width":1}'),
    Case("size", b'{"width":"w"}', 400, "width: Input should be a valid integer"),
    Case("strict", b"", 204, ""),
    Case("strict", b"width=5", 200, '{"width":5}', FORM),
    Case("either", b'[{"article":"a"}]', 200, '[{"article":"a","count":1}]'),
    Case("either", b'{"customer":"A"}', 200, '{"customer":"A","lines":[]}'),
    Case("number", b"7", 200, "7"),
    Case("number", b"1e999", 400, "body is not JSON"),
    Case("number", b"NaN", 400, "body is not JSON"),
    Case("number", b"7.5", 400, "the whole: Input should be a valid integer"),
    Case("anything", b'{"a":[1]}', 200, '{"a":[1]}'),
    Case("anything", b"a=1&a=2&b=", 200, '{"a":["1","2"],"b":""}', FORM),
    Case("text", "hé".encode(), 200, "hé", "text/plain"),
    Case("text", "hé".encode("latin-1"), 200, "hé", "text/plain; Charset=ISO-8859-1"),
    Case("text", b'{"a":1}', 200, '{"a":1}'),
    Case("text", b"", 200, ""),
    Case("text", b"\xff", 400, "body is no text"),
    Case("text", b"x", 415, "'no-such' is not known", "text/plain; charset=no-such"),
    Case("text", b"78", 415, "'hex' is not known", "text/plain; charset=hex"),
    Case("text", b"xn--a", 415, "'idna' is not known", 'text/plain; charset="idna"'),
    Case("raw", b"\x00\x01", 200, "\x00\x01", "image/png"),
    Case("raw", b"", 200, ""),
    Case("short", b"abc", 200, "abc", "text/plain"),
    Case("short", b"abcd", 400, "the whole: String should have at most 3"),
    Case("maybe", b"", 200, '{"text":null}'),
    Case("maybe", b"x", 200, '{"text":"x"}'),
]


@pytest.fixture(params=[DECORATED, FOLDERS], ids=["decorators", "function.json"])
async def session(
    request: pytest.FixtureRequest, make_app: MakeApp
) -> AsyncIterator[aiohttp.ClientSession]:
    async with served(make_app(request.param)) as (_, session):
        yield session


async def test_a_body_becomes_what_its_parameter_is_annotated_with(
    session: aiohttp.ClientSession,
) -> None:
    assert {case.function for case in CASES} == set(NAMES)
    for case in CASES:
        headers = {} if case.kind is None else {"Content-Type": case.kind}
        async with session.post(
            f"/api/{case.function}",
            data=case.body,
            headers=headers,
            skip_auto_headers=["Content-Type"],
        ) as response:
            body = await response.text()
            assert response.status == case.status, (case, body)
            if case.status < 300:
                assert body == case.answer, case
            else:
                assert case.answer in json.loads(body)["Message"], (case, body)


async def read(host: Host, path: str, **options: Any) -> tuple[int, Any]:
    response = await host.call("POST", path, **options)
    return response.status, await response.json()


def annotated(hint: Any, default: Any = ...) -> FunctionApp:
    app = FunctionApp(http_auth_level=AuthLevel.ANONYMOUS)

    def give(req: Any) -> Any:
        return type(req).__name__

    give.__annotations__["req"] = hint
    if default is not ...:
        give.__defaults__ = (default,)
    app.route()(give)
    return app


class OfTheApp(HttpRequest):
    """An annotation that says more to editors."""


@pytest.mark.parametrize(
    "hint",
    [HttpRequest, Any, object, HttpRequest | None, OfTheApp, "NoSuchName", HttpRequest | int],
)
async def test_the_request_itself_is_given_to_who_asks_for_it_or_does_not_say(hint: Any) -> None:
    async with running_host(app=annotated(hint)) as host:
        response = await host.call("POST", "/api/give", data=b"{")
        assert await response.text() == "HttpRequest"


class NoJson:
    """Nothing that JSON could be read as."""


@pytest.mark.parametrize("hint", [NoJson, list[NoJson], NoJson | None])
def test_what_no_body_can_be_read_as_breaks_its_function_with_the_reason(hint: Any) -> None:
    app, _ = plan_calls(App(functions=host_functions(annotated(hint))))
    assert app.functions == ()
    assert "annotate it with HttpRequest, or with a pydantic model" in app.broken[0].error


async def test_a_type_whose_own_code_fails_is_the_functions_fault(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Failing(BaseModel):
        @model_validator(mode="before")
        @classmethod
        def look(cls, data: Any) -> Any:
            raise ZeroDivisionError("no luck")

    async with running_host(app=annotated(Failing)) as host:
        status, body = await read(host, "/api/give", json={})
        assert (status, body["Message"]) == (500, "The function failed. The host's log says how.")
    assert "no luck" in caplog.text


async def test_numbers_with_one_hash_are_no_way_to_keep_the_host_busy() -> None:
    modulus = 2**61 - 1
    numbers = [modulus * number for number in range(1000)]
    async with running_host(app=annotated(set[int])) as host:
        status, body = await read(host, "/api/give", json=numbers)
        assert status == 400
        assert "numbers have one hash" in body["Message"]


async def test_a_function_run_by_hand_gets_the_text_of_its_input_as_its_body() -> None:
    app = FunctionApp()
    came: asyncio.Queue[dict[str, int]] = asyncio.Queue()

    @app.route()
    async def take(numbers: dict[str, int]) -> None:
        await came.put(numbers)

    async with running_host(app=app) as host:
        response = await host.call("POST", "/admin/functions/take", json={"input": '{"a": 1}'})
        assert response.status == 202
        assert await came.get() == {"a": 1}
