"""An app that changes under a running host: who waited for a function that comes goes on."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from bindings import FunctionApp, OrchestrationContext, when_all
from host.engine.observer import InstanceTakenOver, Observer
from host.errors import DamagedDataError, StorageError
from tests.kit.hub import Host, Hub, until

SHARES: dict[str, Any] = {"max_backlog_s": 10.0, "sweep_s": 3600.0}
"""The options of a host that is not alone."""


class Functions:
    """Orchestrators and activities, of which each version of an app has some."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.runs: list[str] = []

    def app(self, *lacking: str) -> FunctionApp:
        app = FunctionApp()
        for orchestrator in (self.both, self.waits, self.parent):
            if orchestrator.__name__ not in lacking:
                app.orchestration_trigger()(orchestrator)
        for activity in (self.held, self.new):
            if activity.__name__ not in lacking:
                app.activity_trigger()(activity)
        return app

    async def held(self) -> str:
        self.runs.append("held")
        await self.gate.wait()
        return "held"

    async def new(self) -> str:
        self.runs.append("new")
        return "new"

    @staticmethod
    async def both(context: OrchestrationContext) -> list[str]:
        return await when_all([context.call_activity(name) for name in ("held", "new")])

    @staticmethod
    async def waits(context: OrchestrationContext) -> str:
        return str(await context.wait_for_external_event("go"))

    @staticmethod
    async def parent(context: OrchestrationContext) -> str:
        return str(await context.call_sub_orchestrator("waits", instance_id="child"))


async def is_blocked(host: Host, instance_id: str) -> bool:
    state = await host.client.get_instance(instance_id)
    return state is not None and state.blocked_reason is not None


async def blocked(host: Host, instance_id: str) -> None:
    await until(lambda: is_blocked(host, instance_id))


async def a_blocked_child(hub: Hub, code: Functions, **options: Any) -> Host:
    """A host on which a child waits for its function, with an event in its inbox."""
    host = await hub.start(code.app("waits"), **options)
    await host.begin(code.parent, instance_id="it")
    await blocked(host, "child")
    await host.client.raise_event("child", "go", "went")
    await host.rest()
    return host


@pytest.mark.parametrize("options", [{}, SHARES], ids=["alone", "one of several"])
async def test_an_instance_whose_function_comes_with_a_new_app_goes_on(
    each_hub: Hub, options: dict[str, Any]
) -> None:
    code = Functions()
    host = await each_hub.start(code.app())
    await host.begin(code.waits, instance_id="it")
    await host.client.raise_event("it", "go", "too early")
    await host.finished("it")
    await host.begin(code.waits, instance_id="waits")
    await host.started("waits")
    await host.stop()

    host = await each_hub.start(code.app("waits"), **options)
    await host.client.raise_event("waits", "go", "nobody hears it")
    while not await is_blocked(host, "waits"):  # hosts of a hub pass it on to each other first
        await each_hub.clock.advance(timedelta(seconds=1))
    await host.rest()
    host.swap(code.app())
    assert (await host.finished("waits")).output == "nobody hears it"


async def test_a_child_whose_function_comes_with_a_new_app_goes_on(each_hub: Hub) -> None:
    code = Functions()
    host = await a_blocked_child(each_hub, code)
    host.swap(code.app())
    assert (await host.finished("it")).output == "went"


async def test_an_activity_whose_function_comes_with_a_new_app_runs(each_hub: Hub) -> None:
    code = Functions()
    code.gate.set()
    host = await each_hub.start(code.app("new"))
    await host.begin(code.both, instance_id="it")
    await blocked(host, "it")
    await host.rest()
    host.swap(code.app())
    assert (await host.finished("it")).output == ["held", "new"]
    assert sorted(code.runs) == ["held", "new"]


async def test_one_that_is_led_while_the_app_changes_misses_no_function(each_hub: Hub) -> None:
    code = Functions()
    host = await each_hub.start(code.app("new"))
    await host.begin(code.both, instance_id="it")
    await until(lambda: code.runs == ["held"])
    host.swap(code.app())
    await host.client.get_instance("it")
    code.gate.set()
    assert (await host.finished("it")).output == ["held", "new"]
    assert sorted(code.runs) == ["held", "new"]


async def test_a_new_app_leaves_those_alone_that_wait_for_no_function(hub: Hub) -> None:
    code, taken_over = Functions(), list[InstanceTakenOver]()
    watching = Observer(name="watching", sees={InstanceTakenOver: taken_over.append})
    host = await hub.start(code.app(), observers=[watching])
    for orchestrator, instance_id in ((code.both, "busy"), (code.waits, "waiting")):
        await host.begin(orchestrator, instance_id=instance_id)
        await host.started(instance_id)
    await hub.clock.advance(timedelta(seconds=1), steps=5)  # what runs on is parked by now
    loads = host.store.calls["load"]
    host.swap(code.app())
    await hub.clock.advance(timedelta(seconds=1), steps=5)
    assert host.store.calls["load"] == loads
    assert taken_over == []
    code.gate.set()
    assert (await host.finished("busy")).output == ["held", "new"]


@pytest.mark.parametrize("method", ["recoverable", "get"])
async def test_a_store_that_fails_is_asked_again_after_a_swap(each_hub: Hub, method: str) -> None:
    code = Functions()
    host = await a_blocked_child(each_hub, code)
    host.store.fail(method, StorageError("away"))
    host.swap(code.app())
    await until(lambda: not host.store.pending_faults(method))
    await each_hub.clock.advance(timedelta(seconds=1))
    assert (await host.finished("it")).output == "went"


async def test_one_that_cannot_be_read_keeps_no_other_waiting(each_hub: Hub) -> None:
    code = Functions()
    host = await a_blocked_child(each_hub, code)

    async def damage(name: str, args: tuple[Any, ...]) -> None:
        if name == "get" and args == ("it",):
            raise DamagedDataError("no row")

    host.store.before = damage
    host.swap(code.app())
    assert (await host.finished("child")).output == "went"


async def test_an_activity_that_waits_for_room_runs_though_the_app_is_swapped_for_one_without_it(
    each_hub: Hub,
) -> None:
    code = Functions()
    host = await each_hub.start(code.app(), max_concurrent_activities=1)
    await host.begin(code.both, instance_id="it")
    await until(lambda: code.runs == ["held"])
    host.swap(code.app("new"))
    code.gate.set()
    assert (await host.finished("it")).output == ["held", "new"]
