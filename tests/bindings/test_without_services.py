"""The kinds that need nothing besides the hub, from both styles, on a host that serves.

Of each: good input, bad input, a function that fails, and an output that fails.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.kit.served_app import served

PATIENCE_S = 40
MakeApp = Callable[[Mapping[str, str]], Path]

BODIES = """
    from __future__ import annotations

    from dataclasses import dataclass
    from typing import Any

    from funchost import (
        DurableClient, HttpRequest, HttpResponse, OrchestrationContext, Out, TimerRequest
    )

    seen: list[Any] = []

    @dataclass
    class Order:
        item: str
        count: int = 1

    def lead(context: OrchestrationContext):
        return (yield context.call_activity("pack", context.get_input()))

    def pack(order: Order) -> str:
        if order.item == "bomb":
            raise ValueError("not that")
        return f"{order.count} {order.item}"

    def answer(req: HttpRequest) -> HttpResponse:
        if "fail" in req.params:
            raise ValueError("no")
        return HttpResponse(f"{req.route_params['what']} {req.get_json()}")

    def answer_unsendable(req: HttpRequest):
        return HttpResponse("x", headers={"a\\nb": "c"})

    def by_hand(text: dict, begin: Out[Any]) -> None:
        seen.append(text)
        if text.get("fail"):
            raise ValueError("no")
        begin.set({"FunctionName": text["start"], "InstanceId": "by-hand", "Input": {"item": "x"}})

    def tick(timer: TimerRequest) -> dict:
        seen.append("ticked")
        if timer.past_due:
            raise ValueError("late")
        name = "lead" if seen == ["ticked"] else "nobody"
        return {"FunctionName": name, "InstanceId": "by-timer", "Input": {"item": "y"}}

    async def begin(req: HttpRequest, client: DurableClient) -> HttpResponse:
        started = await client.schedule_new_orchestration("lead", input=req.json())
        return HttpResponse(started, status_code=202)
"""


@dataclass(frozen=True)
class Declared:
    """A function of `bodies`: its bindings as function.json has them, the trigger first."""

    name: str
    bindings: tuple[dict[str, Any], ...]

    @property
    def decorators(self) -> list[str]:
        """The same as calls of decorators; the last one is the lowest."""
        return [_decorator(each) for each in self.bindings]


OWN_DECORATORS = {
    "orchestrationTrigger": "orchestration_trigger",
    "activityTrigger": "activity_trigger",
    "timerTrigger": "timer_trigger",
}


def _decorator(binding: Mapping[str, Any]) -> str:
    """The call that makes it; nothing for the reply, which comes with the route."""
    given = dict(binding)
    type_name, name = given.pop("type"), given.pop("name")
    direction = given.pop("direction", "in")
    properties = "".join(f", {key}={value!r}" for key, value in given.items())
    if type_name == "http":
        return ""
    if type_name == "httpTrigger":
        return f"app.route(trigger_arg_name={name!r}{properties})"
    if type_name in OWN_DECORATORS:
        return f"app.{OWN_DECORATORS[type_name]}({name!r}{properties})"
    if type_name == "durableClient" and direction == "in":
        return f"app.durable_client_input({name!r})"
    generic = "generic_trigger" if direction == "in" else "generic_output_binding"
    return f"app.{generic}({name!r}, {type_name!r}{properties})"


REPLY = {"type": "http", "name": "$return", "direction": "out"}
FUNCTIONS = (
    Declared("lead", ({"type": "orchestrationTrigger", "name": "context"},)),
    Declared("pack", ({"type": "activityTrigger", "name": "order"},)),
    Declared("answer", ({"type": "httpTrigger", "name": "req", "route": "about/{what}"}, REPLY)),
    Declared("answer_unsendable", ({"type": "httpTrigger", "name": "req"}, REPLY)),
    Declared(
        "by_hand",
        (
            {"type": "manualTrigger", "name": "text"},
            {"type": "orchestrationClient", "name": "begin", "direction": "out"},
        ),
    ),
    Declared(
        "tick",
        (
            {"type": "timerTrigger", "name": "timer", "schedule": "0 0 0 1 1 *"},
            {"type": "durableClient", "name": "$return", "direction": "out"},
        ),
    ),
    Declared(
        "begin",
        (
            {"type": "httpTrigger", "name": "req", "methods": ["POST"]},
            {"type": "durableClient", "name": "client"},
            REPLY,
        ),
    ),
)


def _decorated() -> dict[str, str]:
    lines = ["from funchost import FunctionApp", "import bodies", "app = FunctionApp()"]
    for each in FUNCTIONS:
        called = f"bodies.{each.name}"
        for decorator in filter(None, reversed(each.decorators)):
            called = f"{decorator}({called})"
        lines.append(f"app.function_name({each.name!r})({called})")
    return {"bodies.py": BODIES, "function_app.py": "\n".join(lines)}


def _folders() -> dict[str, str]:
    files = {"bodies.py": BODIES}
    for each in FUNCTIONS:
        content = {
            "scriptFile": "../bodies.py",
            "entryPoint": each.name,
            "bindings": each.bindings,
        }
        files[f"{each.name}/function.json"] = json.dumps(content)
    return files


@pytest.fixture(params=[_decorated, _folders], ids=["decorators", "function.json"])
def app(request: pytest.FixtureRequest, make_app: MakeApp, monkeypatch: Any) -> Path:
    monkeypatch.setenv("WEBSITE_HOSTNAME", "")
    folder: Path = make_app(request.param())
    return folder


@asynccontextmanager
async def session_of(app: Path) -> AsyncIterator[aiohttp.ClientSession]:
    async with served(app) as (host, session):
        assert [str(each) for each in host.app.broken] == []
        yield session


async def ended(session: aiohttp.ClientSession, id_: str) -> dict[str, Any]:
    """The instance when it is over."""
    url = f"/runtime/webhooks/durabletask/instances/{id_}"
    async with asyncio.timeout(PATIENCE_S):
        while True:
            async with session.get(url, params={"timeout": "20"}) as answer:
                found: dict[str, Any] = await answer.json()
                if answer.status == HTTPStatus.OK:
                    return found


async def run(session: aiohttp.ClientSession, name: str, text: str) -> int:
    async with session.post(f"/admin/functions/{name}", json={"input": text}) as answer:
        return answer.status


async def until(is_so: Callable[[], bool], session: aiohttp.ClientSession) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not is_so():
            async with session.get("/healthz"):
                pass


async def test_an_http_function_answers(app: Path) -> None:
    async with session_of(app) as session:
        async with session.post("/api/about/cats", json=[1]) as answer:
            assert (answer.status, await answer.text()) == (200, "cats [1]")
        async with session.post("/api/about/cats", data=b"{") as answer:
            assert answer.status == HTTPStatus.BAD_REQUEST
        async with session.post("/api/about/cats?fail", json=[1]) as answer:
            assert answer.status == HTTPStatus.INTERNAL_SERVER_ERROR
        async with session.get("/api/answer_unsendable") as answer:
            assert answer.status == HTTPStatus.INTERNAL_SERVER_ERROR


@pytest.mark.parametrize(
    ("order", "status", "output"),
    [
        ({"item": "cup", "count": 2}, "Completed", "2 cup"),
        ({"count": 2}, "Failed", "does not fit"),
        ({"item": "bomb"}, "Failed", "not that"),
    ],
    ids=["good", "bad", "failing"],
)
async def test_a_client_starts_what_calls_an_activity(
    app: Path, order: Any, status: str, output: str
) -> None:
    async with session_of(app) as session, session.post("/api/begin", json=order) as answer:
        assert answer.status == HTTPStatus.ACCEPTED
        state = await ended(session, await answer.text())
    assert state["runtimeStatus"] == status
    assert output in state["output"]


async def test_a_person_runs_a_function_whose_output_starts_an_orchestration(
    app: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with session_of(app) as session:
        assert await run(session, "by_hand", '{"start": "lead"}') == HTTPStatus.ACCEPTED
        assert (await ended(session, "by-hand"))["output"] == "1 x"
        for text, logged in [
            ("no json", "does not fit"),
            ('{"fail": true}', "ValueError: no"),
            ('{"start": "nobody"}', "'nobody'"),
        ]:
            assert await run(session, "by_hand", text) == HTTPStatus.ACCEPTED
            await until(lambda logged=logged: logged in caplog.text, session)  # type: ignore[misc]


async def test_a_timer_whose_output_starts_an_orchestration(
    app: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with session_of(app) as session:
        assert await run(session, "tick", "") == HTTPStatus.ACCEPTED
        assert (await ended(session, "by-timer"))["output"] == "1 y"
        assert await run(session, "tick", "2001-01-01T00:00:00Z") == HTTPStatus.ACCEPTED
        await until(lambda: "ValueError: late" in caplog.text, session)
        assert await run(session, "tick", "yesterday") == HTTPStatus.BAD_REQUEST
        assert await run(session, "tick", "") == HTTPStatus.ACCEPTED
        await until(lambda: "'nobody'" in caplog.text, session)
