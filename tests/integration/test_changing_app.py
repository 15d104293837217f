"""An app that changes while a real host runs it: what has begun goes on as it began."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from host.app import RunningHost
from host.wiring.options import HostOptions, read_settings
from host.wiring.versions import load_version
from tests.kit.app_folders import make_app
from tests.kit.served_app import served

__all__ = ["make_app"]

WEBHOOKS = "/runtime/webhooks/durabletask"
COUNT = 500

STEADY = """
    from dataclasses import dataclass
    from funchost import AuthLevel, FunctionApp, OrchestrationContext

    app = FunctionApp(http_auth_level=AuthLevel.ANONYMOUS)

    @dataclass
    class Total:
        amount: int

    @app.activity_trigger()
    def add(one: int, two: int) -> Total:
        return Total(one + two)

    @app.orchestration_trigger()
    async def steady(context: OrchestrationContext, number: int) -> int:
        first = await context.call_activity(add, [number, 1])
        event = await context.wait_for_external_event("go", int)
        second = await context.call_activity(add, [first.amount, event])
        third = await context.call_sub_orchestrator(twice, second)
        assert isinstance(second, Total) and isinstance(third, Total)
        return third.amount

    @app.orchestration_trigger()
    async def twice(context: OrchestrationContext, total: Total) -> Total:
        return await context.call_activity(add, [total.amount, total.amount])

    @app.orchestration_trigger()
    async def hopeful(context: OrchestrationContext) -> str:
        return await context.call_sub_orchestrator("also_added", instance_id="child")
"""
BEFORE = """
    import asyncio

    begun, go_on = asyncio.Event(), asyncio.Event()

    @app.route("version")
    def version(req) -> str:
        return "before"

    @app.route("removed")
    def removed(req) -> str:
        return "still here"

    @app.route("slow")
    @app.orchestration_client()
    async def slow(req, client) -> str:
        begun.set()
        await go_on.wait()
        return await client.schedule_new_orchestration(twice, input={"amount": 4})

    @app.route("begun")
    async def has_begun(req) -> str:
        await begun.wait()
        return "yes"
"""
AFTER = """
    @app.route("version")
    def version(req) -> str:
        return "after"

    @app.route("added")
    def added(req) -> str:
        return "new here"

    @app.orchestration_trigger()
    async def also_added(context) -> str:
        return "done"
"""


@pytest.fixture
def app(make_app: Callable[[Mapping[str, str]], Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WEBSITE_HOSTNAME", "")
    return make_app({"function_app.py": STEADY + BEFORE})


def change(app: Path, host: RunningHost, make: Callable[[Mapping[str, str]], Path]) -> None:
    make({"function_app.py": STEADY + AFTER})
    options = HostOptions(app_dir=app)
    host.registry.swap(load_version(options, read_settings(options)))


async def get(session: aiohttp.ClientSession, path: str) -> tuple[int, str]:
    async with session.get(path) as answer:
        return answer.status, await answer.text()


async def start(session: aiohttp.ClientSession, name: str, instance: str, value: Any) -> None:
    path = f"{WEBHOOKS}/orchestrators/{name}/{instance}"
    async with session.post(path, json=value) as answer:
        assert answer.status == 202, await answer.text()


async def status_when(
    session: aiohttp.ClientSession, instance: str, is_reached: Callable[[Any], bool]
) -> Any:
    while True:
        async with session.get(f"{WEBHOOKS}/instances/{instance}?showHistory=true") as answer:
            status = await answer.json()
        if is_reached(status):
            return status


def has_first_result(status: Any) -> bool:
    return any(each["EventType"] == "TaskCompleted" for each in status["historyEvents"])


def is_ended(status: Any) -> bool:
    return status["runtimeStatus"] in {"Completed", "Failed"}


async def test_a_change_disturbs_no_orchestration_whose_functions_stay(
    app: Path, make_app: Callable[[Mapping[str, str]], Path]
) -> None:
    async with served(app) as (host, session):
        names = [f"steady-{number}" for number in range(COUNT)]
        for number, name in enumerate(names):
            await start(session, "steady", name, number)
        for name in names:
            await status_when(session, name, has_first_result)
        half = COUNT // 2
        for name in names[:half]:  # some are at work while the app changes
            await session.post(f"{WEBHOOKS}/instances/{name}/raiseEvent/go", json=10)

        change(app, host, make_app)

        for name in names[half:]:
            await session.post(f"{WEBHOOKS}/instances/{name}/raiseEvent/go", json=10)
        for number, name in enumerate(names):
            status = await status_when(session, name, is_ended)
            assert (status["runtimeStatus"], status["output"]) == ("Completed", 2 * (number + 11))
        await start(session, "also_added", "new", None)
        assert (await status_when(session, "new", is_ended))["output"] == "done"


async def test_what_waits_for_a_function_goes_on_when_a_change_brings_it(
    app: Path, make_app: Callable[[Mapping[str, str]], Path]
) -> None:
    async with served(app) as (host, session):
        await start(session, "hopeful", "hopeful", None)
        await status_when(session, "child", lambda status: bool(status.get("blockedReason")))

        change(app, host, make_app)

        assert (await status_when(session, "hopeful", is_ended))["output"] == "done"


async def test_requests_find_the_functions_of_the_version_that_counts(
    app: Path, make_app: Callable[[Mapping[str, str]], Path]
) -> None:
    async with served(app) as (host, session):
        assert await get(session, "/api/version") == (200, "before")
        assert await get(session, "/api/removed") == (200, "still here")
        assert (await get(session, "/api/added"))[0] == 404

        change(app, host, make_app)

        assert await get(session, "/api/version") == (200, "after")
        assert (await get(session, "/api/removed"))[0] == 404
        assert await get(session, "/api/added") == (200, "new here")
        async with session.get("/admin/functions") as answer:
            names = {each["name"] for each in await answer.json()}
        assert "added" in names
        assert "removed" not in names


async def test_a_request_that_has_begun_ends_on_its_own_version(
    app: Path, make_app: Callable[[Mapping[str, str]], Path]
) -> None:
    async with served(app) as (host, session):
        slow = asyncio.create_task(get(session, "/api/slow"))
        assert await get(session, "/api/begun") == (200, "yes")
        former = host.registry.version

        change(app, host, make_app)

        (slow_one,) = (each for each in former.app.functions if each.name == "slow")
        slow_one.declaration.function.__globals__["go_on"].set()
        status, instance = await slow
        assert status == 200
        assert (await status_when(session, instance, is_ended))["output"] == {"amount": 8}


async def test_a_former_version_takes_no_room_when_nothing_of_it_runs(
    app: Path, make_app: Callable[[Mapping[str, str]], Path]
) -> None:
    async with served(app) as (host, session):
        assert await get(session, "/api/version") == (200, "before")
        await start(session, "steady", "one", 1)
        await session.post(f"{WEBHOOKS}/instances/one/raiseEvent/go", json=10)
        assert (await status_when(session, "one", is_ended))["output"] == 24
        functions = [
            weakref.ref(each.declaration.function) for each in host.registry.version.app.functions
        ]

        change(app, host, make_app)

        gc.collect()
        assert [each() for each in functions] == [None] * len(functions)
