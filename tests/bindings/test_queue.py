"""Queue functions and messages that functions send; in both styles, on the hub's own store."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from yarl import URL

from bindings.kinds.queue_rules import MAX_BYTES
from tests.kit.queue_apps import queue_app
from tests.kit.served_app import served

MakeApp = Callable[[Mapping[str, str]], Path]


@dataclass
class Served:
    """A host with these functions."""

    session: aiohttp.ClientSession

    async def post(self, path: str, body: Any, status: int = 200) -> str:
        data = body if isinstance(body, str | bytes) else json.dumps(body)
        async with self.session.post(path, data=data) as answer:
            text = await answer.text()
            assert answer.status == status, text
            return text

    async def messages(self, queue: str, count: int) -> list[dict[str, Any]]:
        """What lies in a queue, as soon as there are so many messages."""
        found: list[dict[str, Any]] = []
        while len(found) < count:
            async with self.session.get(f"/admin/queues/{queue}/messages") as answer:
                found = await answer.json()
        assert len(found) == count
        return found

    async def empty(self, queue: str) -> None:
        """Wait until nothing is in a queue."""
        while await self.messages_now(queue):
            pass

    async def messages_now(self, queue: str) -> list[dict[str, Any]]:
        async with self.session.get(f"/admin/queues/{queue}/messages") as answer:
            found: list[dict[str, Any]] = await answer.json()
            return found


@pytest.fixture(params=[True, False], ids=["decorated", "function.json"])
async def host(
    request: pytest.FixtureRequest, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Served]:
    monkeypatch.setenv("WEBSITE_HOSTNAME", "")
    async with served(make_app(queue_app(is_decorated=request.param))) as (_, session):
        yield Served(session)


def bodies(messages: list[dict[str, Any]]) -> list[str]:
    return [each["body"] for each in messages]


async def test_what_one_function_sends_another_one_takes_and_sends_on(host: Served) -> None:
    await host.post(
        "/api/send", [{"id": "1", "total": 2}, {"id": "2", "total": 3, "country": "se"}]
    )
    assert bodies(await host.messages("taken-se", 1)) == ['{"taken":"2"}']
    # the first one names no country, and an expression asks for it: its output fails, and with it
    # the run, again and again
    (poisoned,) = await host.messages("orders-poison", 1)
    assert poisoned["body"] == '{"id":"1","total":2}'
    error = poisoned["attributes"]["funchost-error"]
    assert error == "InvalidArgumentError: No value for named parameter 'country'."
    await host.empty("orders")


async def test_what_fails_and_what_does_not_fit_is_poisoned_with_the_reason(host: Served) -> None:
    bad = ["no JSON", '{"id": "1"}', '{"id": "1", "total": -1, "country": "no"}', "[1]"]
    for body in bad:
        await host.post("/admin/queues/orders", body, status=201)
    await host.post("/admin/queues/orders", {"id": "2", "total": 3, "country": "no"}, status=201)
    poisoned = await host.messages("orders-poison", 4)
    assert sorted(bodies(poisoned)) == sorted(bad)
    errors = {each["body"]: each["attributes"]["funchost-error"] for each in poisoned}
    assert errors[bad[2]] == "ValueError: a negative total"
    for body in (bad[0], bad[1], bad[3]):
        assert "A message for 'order' does not fit" in errors[body]
    assert {each["attributes"]["funchost-function"] for each in poisoned} == {"take"}
    assert {each["attributes"]["funchost-tries"] for each in poisoned} == {"5"}
    assert bodies(await host.messages("taken-no", 1)) == ['{"taken":"2"}']
    seen = [each.id for each in sys.modules["models"].seen]
    assert seen.count("2") == 1


async def test_poisoned_messages_can_be_tried_anew_and_removed(host: Served) -> None:
    await host.post("/admin/queues/orders", "bad", status=201)
    await host.messages("orders-poison", 1)
    async with host.session.get("/admin/queues") as answer:
        (queue,) = await answer.json()
    assert (queue["name"], queue["poisoned"], queue["messages"]) == ("orders", 1, 0)
    assert json.loads(await host.post("/admin/queues/orders/redrive", "")) == {"messages": 1}
    await host.messages("orders-poison", 1)
    async with host.session.delete("/admin/queues/orders-poison/messages") as answer:
        assert (answer.status, await answer.json()) == (200, {"messages": 1})
    assert await host.messages_now("orders-poison") == []


async def test_messages_of_fifo_queues_have_the_group_that_an_expression_says(host: Served) -> None:
    await host.post("/api/ordered?group=a", b"one")
    (message,) = await host.messages("work.fifo", 1)
    assert (message["groupId"], message["attributes"]) == ("a", {"kind": "new"})
    refused = await host.post("/api/ordered", "two", status=400)
    assert "No value for named parameter 'Query.group'" in refused
    refused = await host.post("/api/ordered?group=a%20b", "three", status=400)
    assert "its group id 'a b' is not 1 to 128" in refused
    refused = await host.post("/api/ordered?group=a", b"\xff", status=400)
    assert "is not UTF-8" in refused
    assert len(await host.messages_now("work.fifo")) == 1


@pytest.mark.parametrize(
    ("path", "body", "why"),
    [
        ("orders", "", "it is empty"),
        ("orders", b"\x00", "the character U+0000"),
        ("orders", b"\xff", "is not UTF-8"),
        ("orders?delay=901", "a", "its delay is 901 s"),
        ("orders?delay=soon", "a", "seconds"),
        ("work.fifo", "a", "need a group"),
        ("a%20b", "a", "cannot be a queue's name"),
        ("orders?groupId=%C3%A4", "a", "its group id"),
    ],
)
async def test_bad_messages_are_refused_with_the_reason(
    host: Served, path: str, body: str | bytes, why: str
) -> None:
    assert why in await host.post(f"/admin/queues/{path}", body, status=400)


@pytest.mark.parametrize("name", ["a%20b", "..%2Fa", "a" * 81, "a%3Ab"])
async def test_a_name_that_no_queue_can_have_is_refused(host: Served, name: str) -> None:
    path = f"/admin/queues/{name}"
    asked = [("GET", f"{path}/messages"), ("DELETE", f"{path}/messages"), ("POST", path)]
    for verb, each in (*asked, ("POST", f"{path}/redrive")):
        async with host.session.request(verb, URL(each, encoded=True), data=b"a") as answer:
            assert answer.status == 400
            assert " name" in (await answer.json())["ExceptionMessage"]


async def test_a_message_that_is_too_large_is_told_the_most_that_a_message_has(
    host: Served,
) -> None:
    for size in (MAX_BYTES + 1, 3 * MAX_BYTES):
        body = BytesIO(b"a" * size)
        async with host.session.post("/admin/queues/orders", data=body) as answer:
            assert answer.status == 413
            assert f"the limit is {MAX_BYTES:,} bytes" in await answer.text()
    async with host.session.post("/admin/queues/letters", data=BytesIO(b"a" * MAX_BYTES)) as answer:
        assert answer.status == 201


async def test_a_function_is_run_by_hand_for_a_message(host: Served) -> None:
    order = json.dumps({"id": "7", "total": 1, "country": "by-hand"})
    await host.post("/admin/functions/take", {"input": order}, status=202)
    assert bodies(await host.messages("taken-by-hand", 1)) == ['{"taken":"7"}']
