"""Code that changes under running instances: who fits goes over, who does not keeps what he has."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from bindings import FunctionApp, OrchestrationContext
from tests.kit.hub import Host, Hub, until

Ctx = OrchestrationContext
CACHED = [{}, {"cached_instances": 0}]
IDS = ["in memory", "loaded each time"]


def app_of(*orchestrators: Callable[..., Any], activities: Any = ()) -> FunctionApp:
    """Orchestrators, all named `order`, and activities by name."""
    app = FunctionApp()
    for each in orchestrators:
        app.orchestration_trigger(orchestration="order")(each)
    for name, function in dict(activities).items():
        app.activity_trigger(activity=name)(function)
    return app


class Runs:
    """Activities that note what they were called as, in which version."""

    def __init__(self) -> None:
        self.noted: list[str] = []

    def of(self, version: str, *names: str) -> dict[str, Callable[..., Any]]:
        return {name: self._activity(f"{name} {version}") for name in names}

    def _activity(self, label: str) -> Callable[..., Any]:
        async def run() -> str:
            self.noted.append(label)
            return label

        return run


async def first(context: Ctx) -> str:
    await context.call_activity("reserve")
    await context.wait_for_external_event("go")
    return f"first {await context.call_activity('ship')}"


async def fitting(context: Ctx) -> str:
    await context.call_activity("reserve")
    await context.wait_for_external_event("go")
    return f"second {await context.call_activity('send')}"


async def other(context: Ctx) -> str:
    await context.call_activity("check")
    await context.wait_for_external_event("go")
    return f"other {await context.call_activity('send')}"


async def waiting(host: Host, instance_id: str) -> None:
    """It has begun, and waits for its event."""
    await host.begin("order", instance_id=instance_id)
    await until(lambda: is_waiting(host, instance_id))
    await host.rest()


async def is_waiting(host: Host, instance_id: str) -> bool:
    return "TaskCompleted" in await host.history(instance_id)


async def ended(host: Host, instance_id: str) -> Any:
    await host.client.raise_event(instance_id, "go")
    return (await host.finished(instance_id)).output


@pytest.mark.parametrize("options", CACHED, ids=IDS)
async def test_who_fits_goes_on_with_the_new_code(each_hub: Hub, options: dict[str, Any]) -> None:
    runs = Runs()
    names = ("reserve", "ship", "send")
    host = await each_hub.start(app_of(first, activities=runs.of("1", *names)), **options)
    await waiting(host, "it")
    assert await host.change(app_of(fitting, activities=runs.of("2", *names))) == {}
    assert await ended(host, "it") == "second send 2"
    assert runs.noted == ["reserve 1", "send 2"]


@pytest.mark.parametrize("options", CACHED, ids=IDS)
async def test_who_does_not_fit_keeps_his_code_and_its_activities(
    each_hub: Hub, options: dict[str, Any]
) -> None:
    runs = Runs()
    host = await each_hub.start(
        app_of(first, activities=runs.of("1", "reserve", "ship", "send")), **options
    )
    await waiting(host, "it")
    second = app_of(other, activities=runs.of("2", "check", "send", "ship"))
    assert await host.change(second) == {"order": ["it"]}
    await waiting(host, "new")
    third = app_of(other, activities=runs.of("3", "check", "send"))
    assert await host.change(third) == {"order": ["it"]}
    assert await ended(host, "it") == "first ship 1"
    assert await ended(host, "new") == "other send 3"
    assert runs.noted == ["reserve 1", "check 2", "ship 1", "send 3"]


async def test_a_change_that_is_taken_back_leaves_nobody_behind(hub: Hub) -> None:
    runs = Runs()
    names = ("reserve", "ship", "check", "send")
    host = await hub.start(app_of(first, activities=runs.of("1", *names)))
    await waiting(host, "it")
    assert await host.change(app_of(other, activities=runs.of("2", *names))) == {"order": ["it"]}
    assert await host.change(app_of(first, activities=runs.of("3", *names))) == {}
    assert await ended(host, "it") == "first ship 3"


async def test_each_keeps_the_version_that_fits(hub: Hub) -> None:
    runs = Runs()
    versions = {"first": first, "other": other}
    names = ("reserve", "ship", "check", "send")
    host = await hub.start(app_of(first, activities=runs.of("1", *names)))
    await waiting(host, "first")
    await host.change(app_of(other, activities=runs.of("2", *names)))
    await waiting(host, "other")

    async def third(context: Ctx) -> str:
        await context.wait_for_external_event("go")
        return "third"

    found = await host.change(app_of(third, activities=runs.of("3", *names)))
    assert found == {"order": ["first", "other"]}
    for name in versions:
        assert str(await ended(host, name)).startswith(name)
    await host.begin("order", instance_id="third")
    await host.client.raise_event("third", "go")
    assert (await host.finished("third")).output == "third"


async def test_one_that_is_led_just_then_goes_on_and_what_it_runs_is_not_run_again(
    hub: Hub,
) -> None:
    gate, begun = asyncio.Event(), list[str]()

    async def slow() -> str:
        begun.append("slow")
        await gate.wait()
        return "slow"

    async def before(context: Ctx) -> str:
        return f"before {await context.call_activity('slow')}"

    async def after(context: Ctx) -> str:
        return f"after {await context.call_activity('slow')}"

    host = await hub.start(app_of(before, activities={"slow": slow}))
    await host.begin("order", instance_id="it")
    await until(lambda: begun == ["slow"])
    assert await host.change(app_of(after, activities={"slow": slow})) == {}
    gate.set()
    assert (await host.finished("it")).output == "after slow"
    assert begun == ["slow"]


async def test_an_activity_that_somebody_waits_for_and_that_is_gone_runs(hub: Hub) -> None:
    runs = Runs()

    async def retries(context: Ctx) -> str:
        await context.wait_for_external_event("go")
        return str(await context.call_activity("ship"))

    async def fails_at_first() -> str:
        runs.noted.append("begun")
        await never.wait()
        return "shipped"

    never = asyncio.Event()
    host = await hub.start(app_of(retries, activities={"ship": fails_at_first}))
    await host.begin("order", instance_id="it")
    await host.client.raise_event("it", "go")
    await until(lambda: runs.noted == ["begun"])
    assert await host.change(app_of(retries)) == {"order": ["it"]}
    never.set()
    assert (await host.finished("it")).output == "shipped"


async def test_an_orchestrator_that_is_gone_is_waited_for(hub: Hub) -> None:
    runs = Runs()
    activities = runs.of("1", "reserve", "ship")
    host = await hub.start(app_of(first, activities=activities))
    await waiting(host, "it")
    assert await host.change(app_of(activities=activities)) == {}
    await host.client.raise_event("it", "go")
    await until(lambda: is_blocked(host, "it"))
    await host.change(app_of(first, activities=activities))
    assert (await host.finished("it")).output == "first ship 1"


async def is_blocked(host: Host, instance_id: str) -> bool:
    state = await host.client.get_instance(instance_id)
    return state is not None and state.blocked_reason is not None


async def test_the_next_execution_begins_with_the_new_code(hub: Hub) -> None:
    async def before(context: Ctx, turn: int = 0) -> Any:
        await context.call_activity("reserve")
        await context.wait_for_external_event("go")
        context.continue_as_new(turn + 1)

    async def after(context: Ctx, turn: int = 0) -> Any:
        await context.call_activity("check")
        return f"after {turn}"

    runs = Runs()
    host = await hub.start(app_of(before, activities=runs.of("1", "reserve")))
    await waiting(host, "it")
    assert await host.change(app_of(after, activities=runs.of("2", "check"))) == {"order": ["it"]}
    assert await ended(host, "it") == "after 1"
    assert runs.noted == ["reserve 1", "check 2"]


async def test_code_that_fits_no_version_fails(hub: Hub) -> None:
    names = iter(("one", "two", "three", "four", "five", "six"))

    async def random(context: Ctx) -> None:
        await context.call_activity(next(names))
        await context.wait_for_external_event("go")

    runs = Runs()
    activities = runs.of("1", "one", "two", "three")
    host = await hub.start(app_of(random, activities=activities))
    await waiting(host, "it")
    assert await host.change(app_of(random, activities=activities)) == {}
    await host.client.raise_event("it", "go")
    failure = (await host.finished("it")).failure_details
    assert failure is not None
    assert failure.error_type == "NonDeterminismError"


async def test_a_former_version_goes_with_the_last_who_needs_it(hub: Hub) -> None:
    runs = Runs()

    async def kept(context: Ctx) -> str:
        return await first(context)

    async def dropped(context: Ctx) -> str:
        return await first(context)

    left = weakref.ref(kept)
    gone = weakref.ref(dropped)
    names = ("reserve", "ship", "send", "check")
    host = await hub.start(app_of(dropped, activities=runs.of("1", *names)))
    await host.change(app_of(kept, activities=runs.of("1", *names)))
    del dropped
    gc.collect()
    assert gone() is None
    await waiting(host, "it")
    del kept
    await host.change(app_of(other, activities=runs.of("2", *names)))
    gc.collect()
    assert left() is not None
    assert await ended(host, "it") == "first ship 1"
    await host.rest()
    gc.collect()
    assert left() is None


async def test_sleepers_that_are_not_in_memory_are_found(hub: Hub) -> None:
    runs = Runs()

    async def sleeps(context: Ctx) -> str:
        await context.call_activity("reserve")
        await context.create_timer(timedelta(days=30))
        return "slept"

    async def sleeps_longer(context: Ctx) -> str:
        await context.create_timer(timedelta(days=60))
        return "slept longer"

    activities = runs.of("1", "reserve")
    host = await hub.start(app_of(sleeps, activities=activities), cached_instances=3)
    for number in range(250):
        await host.begin("order", instance_id=f"{number:03}")
    await until(lambda: len(runs.noted) == 250)
    await host.rest()
    found = await host.change(app_of(sleeps_longer, activities=activities))
    assert len(found["order"]) == 250
    await hub.clock.advance(timedelta(days=31))
    for number in (0, 100, 249):
        assert (await host.finished(f"{number:03}")).output == "slept"
