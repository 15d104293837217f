"""Bugs that peers had with events and continue-as-new, end to end."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from bindings import (
    FunctionApp,
    InstanceNotFoundError,
    OrchestrationContext,
    RuntimeStatus,
    when_any,
)
from host.storage.local_queues import LocalQueues
from tests.kit.hub import Hub, until
from tests.kit.seams import EchoQueues

SECOND = timedelta(seconds=1)


class Events:
    """Orchestrators that take events in every way that went wrong for somebody."""

    def __init__(self) -> None:
        self.app = FunctionApp()
        self.gate = asyncio.Event()

        @self.app.activity_trigger()
        async def works() -> None:
            await self.gate.wait()

        @self.app.orchestration_trigger()
        async def one_each(context: OrchestrationContext, seen: list[int]) -> list[int]:
            seen = [*seen, await context.wait_for_external_event("number")]
            if len(seen) < 10:
                context.continue_as_new(seen)
            return seen

        @self.app.orchestration_trigger()
        def one_each_generator(context: OrchestrationContext) -> Any:
            number = yield context.wait_for_external_event("number")
            seen = [*context.get_input(), number]
            if len(seen) < 10:
                context.continue_as_new(seen)
            return seen

        @self.app.orchestration_trigger()
        async def after_work(context: OrchestrationContext) -> Any:
            await context.call_activity(works)
            return await context.wait_for_external_event("go")

        @self.app.orchestration_trigger()
        async def with_deadlines(context: OrchestrationContext) -> list[Any]:
            seen: list[Any] = []
            while len(seen) < 10:
                deadline = context.create_timer(60 * SECOND)
                event = context.wait_for_external_event("number")
                winner = await when_any([event, deadline])
                loser = deadline if winner is event else event
                loser.cancel()
                seen.append(event.result if winner is event else "timer")
            return seen

        @self.app.orchestration_trigger()
        async def waits(context: OrchestrationContext) -> Any:
            return await context.wait_for_external_event("go")

        self.one_each, self.one_each_generator = one_each, one_each_generator
        self.after_work, self.with_deadlines, self.waits = after_work, with_deadlines, waits


@pytest.mark.parametrize("style", ["one_each", "one_each_generator"])
async def test_bug_01_and_02_events_raised_around_continue_as_new_are_seen_once_and_in_order(
    each_hub: Hub, style: str
) -> None:
    events = Events()
    host = await each_hub.start(events.app)
    instance_id = await host.begin(getattr(events, style), [])
    for number in range(10):
        await host.client.raise_event(instance_id, "number", number)
        await asyncio.sleep(0)
    assert (await host.finished(instance_id)).output == list(range(10))


async def test_bug_01_events_of_a_burst_survive_a_crash_between_generations(each_hub: Hub) -> None:
    events = Events()
    first = await each_hub.start(events.app)
    instance_id = await first.begin(events.one_each, [])
    await first.started(instance_id)
    for number in range(10):
        await first.client.raise_event(instance_id, "number", number)
    await until(lambda: first.store.calls["commit"] >= 3)
    await first.crash()
    second = await each_hub.start(events.app)
    assert (await second.finished(instance_id)).output == list(range(10))


async def test_bug_03_an_event_that_comes_before_its_wait_is_kept(each_hub: Hub) -> None:
    events = Events()
    host = await each_hub.start(events.app)
    instance_id = await host.begin(events.after_work)
    await host.started(instance_id)
    await host.client.raise_event(instance_id, "GO", "early")
    await until(lambda: host.store.calls["commit"] >= 2)
    events.gate.set()
    assert (await host.finished(instance_id)).output == "early"


async def test_bug_04_every_raise_is_handled_and_none_looks_like_a_timer(each_hub: Hub) -> None:
    events = Events()
    host = await each_hub.start(events.app)
    instance_id = await host.begin(events.with_deadlines)
    for number in range(8):
        await host.client.raise_event(instance_id, "number", number)
    await host.started(instance_id)
    await host.rest()
    await each_hub.clock.advance(61 * SECOND)
    await host.rest()
    await host.client.raise_event(instance_id, "number", 9)  # whoever waits now gets it
    assert (await host.finished(instance_id)).output == [*range(8), "timer", 9]


async def test_bug_05_events_that_are_older_than_the_start_of_a_reused_id_do_no_harm(
    each_hub: Hub,
) -> None:
    events = Events()
    first = await each_hub.start(events.app)
    await first.begin(events.waits, instance_id="it")
    await first.client.raise_event("it", "go", "first")
    await first.finished("it")
    await first.stop()
    await first.begin(events.waits, instance_id="it")
    await first.client.raise_event("it", "other", 1)  # both wait when the next host starts
    second = await each_hub.start(events.app)
    await second.started("it")
    assert await second.status("it") is RuntimeStatus.RUNNING
    await second.client.terminate_instance("it")
    assert (await second.finished("it")).runtime_status is RuntimeStatus.TERMINATED
    assert (await second.history("it")).count("ExecutionStarted") == 1


async def test_bug_06_a_message_for_an_instance_between_generations_is_not_put_off_for_ever(
    each_hub: Hub,
) -> None:
    events, group = Events(), list[LocalQueues]()
    hosts = [await each_hub.start(events.app, queues=EchoQueues(group)) for _ in range(2)]
    instance_id = await hosts[0].begin(events.one_each, [])
    for number in range(10):
        await hosts[number % 2].client.raise_event(instance_id, "number", number)
    await until(lambda: sum(each.store.calls["commit"] for each in hosts) >= 10)
    for host in hosts:
        await host.rest()
    assert (await hosts[0].finished(instance_id)).output == list(range(10))


async def test_bug_07_an_accepted_event_is_durable_and_equal_ones_are_not_duplicates(
    each_hub: Hub,
) -> None:
    events = Events()
    first = await each_hub.start(events.app)
    instance_id = await first.begin(events.one_each, [])
    await first.started(instance_id)
    await first.stop()
    for _ in range(10):
        await first.client.raise_event(instance_id, "number", 7)  # nobody takes them now
    second = await each_hub.start(events.app)
    assert (await second.finished(instance_id)).output == [7] * 10


async def test_bug_08_an_event_for_nobody_is_refused_and_keeps_nobody_busy(each_hub: Hub) -> None:
    events = Events()
    host = await each_hub.start(events.app)
    with pytest.raises(InstanceNotFoundError):
        await host.client.raise_event("nobody", "go")
    await host.rest()
    assert host.store.calls["load"] == 0


async def test_bug_08_an_event_that_an_orchestrator_sends_to_nobody_is_dropped(
    each_hub: Hub,
) -> None:
    app = FunctionApp()

    @app.orchestration_trigger()
    async def sends(context: OrchestrationContext) -> str:
        context.send_event("nobody", "go", 1)
        return "sent"

    host = await each_hub.start(app)
    assert (await host.run(sends)).output == "sent"
    await host.rest()
    assert host.store.calls["load"] <= 2
