"""After a crash: the next start takes up everything that has something to do, and nothing twice."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from bindings import FunctionApp, OrchestrationContext, RuntimeStatus
from tests.kit.hub import Hub, until

MINUTE = timedelta(minutes=1)


class Mixed:
    """An app whose orchestrators wait for every kind of thing."""

    def __init__(self) -> None:
        self.app = FunctionApp()
        self.gate = asyncio.Event()
        self.runs: list[str] = []

        @self.app.activity_trigger()
        async def works(label: str) -> str:
            self.runs.append(label)
            await self.gate.wait()
            return label

        @self.app.orchestration_trigger()
        async def chain(context: OrchestrationContext) -> list[str]:
            return [await context.call_activity(works, label) for label in "abc"]

        @self.app.orchestration_trigger()
        async def timer(context: OrchestrationContext) -> str:
            await context.create_timer(MINUTE)
            return "rang"

        @self.app.orchestration_trigger()
        async def event(context: OrchestrationContext) -> str:
            answer: str = await context.wait_for_external_event("go")
            return answer

        @self.app.orchestration_trigger()
        async def parent(context: OrchestrationContext) -> str:
            return await context.call_sub_orchestrator(timer)

        self.chain, self.timer, self.event, self.parent = chain, timer, event, parent


async def test_every_kind_of_wait_survives_a_crash(each_hub: Hub) -> None:
    mixed = Mixed()
    first = await each_hub.start(mixed.app)
    chain, timer = await first.begin(mixed.chain), await first.begin(mixed.timer)
    event, parent = await first.begin(mixed.event), await first.begin(mixed.parent)
    await until(lambda: mixed.runs == ["a"])
    for instance_id in (timer, event, parent):
        await first.started(instance_id)
    await first.crash()

    mixed.gate.set()
    second = await each_hub.start(mixed.app)
    await second.client.raise_event(event, "go", "heard")
    await second.finished(chain)
    await each_hub.clock.advance(2 * MINUTE)
    outputs = [(await second.finished(each)).output for each in (chain, timer, event, parent)]
    assert outputs == [["a", "b", "c"], "rang", "heard", "rang"]
    assert mixed.runs == ["a", "a", "b", "c"]


async def test_an_instance_that_was_only_created_is_started(each_hub: Hub) -> None:
    mixed = Mixed()
    first = await each_hub.start(mixed.app, max_concurrent_orchestrators=1)
    await first.stop()
    instance_id = await first.begin(mixed.event)  # durable, although nobody takes it up
    assert await first.status(instance_id) is RuntimeStatus.PENDING
    second = await each_hub.start(mixed.app)
    await second.started(instance_id)


async def test_an_event_sent_just_before_the_crash_is_taken_up(each_hub: Hub) -> None:
    mixed = Mixed()
    first = await each_hub.start(mixed.app)
    instance_id = await first.begin(mixed.event)
    await first.started(instance_id)
    await first.rest()
    await first.stop()
    await first.client.raise_event(instance_id, "go", "late")
    second = await each_hub.start(mixed.app)
    assert (await second.finished(instance_id)).output == "late"


async def test_what_waits_for_nothing_due_is_left_alone_at_the_start(each_hub: Hub) -> None:
    mixed = Mixed()
    first = await each_hub.start(mixed.app)
    for orchestrator in (mixed.timer, mixed.event):
        await first.started(await first.begin(orchestrator))
    await first.rest()
    await first.crash()
    second = await each_hub.start(mixed.app)
    await second.rest()
    assert second.store.calls["load"] == 0


async def test_more_instances_than_a_page_are_all_taken_up(hub: Hub) -> None:
    app = FunctionApp()

    @app.orchestration_trigger()
    async def ends(context: OrchestrationContext) -> str:
        return context.instance_id

    first = await hub.start(app)
    await first.stop()
    ids = [await first.begin(ends, instance_id=f"i{number:04}") for number in range(2100)]
    second = await hub.start(app)
    await second.rest()
    assert [await second.status(each) for each in ids] == [RuntimeStatus.COMPLETED] * len(ids)
