"""Terminate: it wins over everything, stops what runs, and reaches the children."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from bindings import FunctionApp, InstanceStateError, OrchestrationContext, RuntimeStatus
from tests.kit.hub import Hub, until

HOUR = timedelta(hours=1)


class Family:
    """A parent with a child with a grandchild, whose activity runs until it is cancelled."""

    def __init__(self) -> None:
        self.app = FunctionApp()
        self.running, self.cancelled = 0, 0

        @self.app.activity_trigger()
        async def works() -> None:
            self.running += 1
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.cancelled += 1
                raise

        @self.app.orchestration_trigger()
        async def grandchild(context: OrchestrationContext) -> None:
            await context.call_activity(works)

        @self.app.orchestration_trigger()
        async def child(context: OrchestrationContext) -> None:
            await context.call_sub_orchestrator(
                grandchild, instance_id=f"{context.instance_id}-child"
            )

        @self.app.orchestration_trigger()
        async def parent(context: OrchestrationContext) -> None:
            await context.call_sub_orchestrator(child, instance_id="child")

        self.parent = parent


async def test_terminate_stops_running_activities_of_the_whole_family(each_hub: Hub) -> None:
    family = Family()
    host = await each_hub.start(family.app)
    await host.begin(family.parent, instance_id="parent")
    await until(lambda: family.running == 1)
    await host.client.terminate_instance("parent", {"why": "enough"})
    for instance_id in ("parent", "child", "child-child"):
        state = await host.finished(instance_id)
        assert state.runtime_status is RuntimeStatus.TERMINATED
        assert state.output == {"why": "enough"}
    await until(lambda: family.cancelled == 1)
    await host.rest()


async def test_terminate_without_recursion_leaves_the_children_alone(each_hub: Hub) -> None:
    family = Family()
    host = await each_hub.start(family.app)
    await host.begin(family.parent, instance_id="parent")
    await until(lambda: family.running == 1)
    await host.client.terminate_instance("parent", recursive=False)
    await host.finished("parent")
    assert await host.status("child-child") is RuntimeStatus.RUNNING
    assert family.cancelled == 0


async def test_a_terminated_child_fails_its_parents_task(each_hub: Hub) -> None:
    family = Family()
    host = await each_hub.start(family.app)
    await host.begin(family.parent, instance_id="parent")
    await until(lambda: family.running == 1)
    await host.client.terminate_instance("child", "no more")
    state = await host.finished("parent")
    assert state.runtime_status is RuntimeStatus.FAILED
    assert state.failure_details is not None
    assert "terminated" in state.failure_details.message


async def test_a_terminated_instance_takes_no_more_messages(each_hub: Hub) -> None:
    app = FunctionApp()

    @app.orchestration_trigger()
    async def waits(context: OrchestrationContext) -> None:
        await context.wait_for_external_event("go")

    host = await each_hub.start(app)
    instance_id = await host.begin(waits)
    await host.client.terminate_instance(instance_id)
    await host.finished(instance_id)
    with pytest.raises(InstanceStateError):
        await host.client.raise_event(instance_id, "go")
    with pytest.raises(InstanceStateError):
        await host.client.terminate_instance(instance_id)


async def test_a_terminate_that_waited_for_a_dead_host_gives_the_activities_place_free(
    hub: Hub,
) -> None:
    family, app = Family(), FunctionApp()
    first = await hub.start(family.app)
    await first.begin(family.parent, instance_id="parent")
    await until(lambda: family.running == 1)
    bystander = await hub.start(app)
    await bystander.stop()
    await first.crash()
    await bystander.client.terminate_instance("child-child")
    second = await hub.start(family.app, max_concurrent_activities=1)
    await second.finished("parent")
    await second.begin(family.parent, instance_id="next")
    await until(lambda: family.running == 2)


async def test_a_terminated_instance_has_no_alarm_left(each_hub: Hub) -> None:
    app = FunctionApp()

    @app.orchestration_trigger()
    async def sleeps(context: OrchestrationContext) -> None:
        await context.create_timer(HOUR)

    host = await each_hub.start(app)
    instance_id = await host.begin(sleeps)
    await host.started(instance_id)
    await host.client.terminate_instance(instance_id)
    await host.finished(instance_id)
    before = await host.history(instance_id)
    assert await each_hub.store.next_alarm(each_hub.clock.now()) is None
    await each_hub.clock.advance(2 * HOUR)
    await host.rest()
    assert await host.history(instance_id) == before
