"""Orchestrations whose function is not there: they wait, say why, and go on by themselves."""

from __future__ import annotations

from datetime import timedelta

from bindings import FunctionApp, OrchestrationContext, RuntimeStatus
from tests.kit.hub import Host, Hub, until


class Complete:
    """An app with an orchestrator that waits for an event and for a child."""

    def __init__(self) -> None:
        self.app = FunctionApp()

        @self.app.orchestration_trigger()
        async def child(context: OrchestrationContext) -> str:
            return "child"

        @self.app.orchestration_trigger()
        async def waits(context: OrchestrationContext) -> list[str]:
            return [
                await context.wait_for_external_event("go"),
                await context.call_sub_orchestrator(child),
            ]

        self.waits, self.child = waits, child


async def _blocked(host: Host, instance_id: str) -> str:
    """Wait until the instance says why it does not go on."""
    reason: str | None = None

    async def has_reason() -> bool:
        nonlocal reason
        state = await host.client.get_instance(instance_id)
        reason = None if state is None else state.blocked_reason
        return reason is not None

    await until(has_reason)
    assert reason is not None
    return reason


async def test_an_instance_waits_for_its_function_and_goes_on_when_it_is_back(
    each_hub: Hub,
) -> None:
    complete = Complete()
    first = await each_hub.start(complete.app)
    instance_id = await first.begin(complete.waits)
    await first.started(instance_id)
    await first.stop()

    second = await each_hub.start(FunctionApp())
    await second.client.raise_event(instance_id, "go", "came meanwhile")
    assert "'waits' is missing" in await _blocked(second, instance_id)
    assert await second.status(instance_id) is RuntimeStatus.RUNNING
    await second.stop()

    third = await each_hub.start(complete.app)
    state = await third.finished(instance_id)
    assert state.output == ["came meanwhile", "child"]
    assert state.blocked_reason is None


async def test_a_blocked_instance_costs_nothing_while_it_waits(each_hub: Hub) -> None:
    complete = Complete()
    first = await each_hub.start(complete.app)
    instance_id = await first.begin(complete.waits, start_at=timedelta(seconds=1))
    await first.stop()
    second = await each_hub.start(FunctionApp())
    await each_hub.clock.advance(timedelta(seconds=1))
    await _blocked(second, instance_id)
    await second.rest()
    loads = second.store.calls["load"]
    await each_hub.clock.advance(timedelta(minutes=1), steps=10)
    await second.rest()
    assert second.store.calls["load"] == loads


async def test_a_blocked_instance_can_be_terminated(each_hub: Hub) -> None:
    complete = Complete()
    first = await each_hub.start(complete.app)
    instance_id = await first.begin(complete.waits)
    await first.stop()
    second = await each_hub.start(FunctionApp())
    await second.client.raise_event(instance_id, "go", "nobody hears it")
    await _blocked(second, instance_id)
    await second.client.terminate_instance(instance_id, "gone")
    state = await second.finished(instance_id)
    assert state.runtime_status is RuntimeStatus.TERMINATED
    assert state.blocked_reason is None


async def test_a_child_whose_function_is_missing_blocks_and_its_parent_waits(
    each_hub: Hub,
) -> None:
    complete, without_child = Complete(), FunctionApp()

    @without_child.orchestration_trigger()
    async def waits(context: OrchestrationContext) -> list[str]:
        return [
            await context.wait_for_external_event("go"),
            await context.call_sub_orchestrator("child"),
        ]

    first = await each_hub.start(without_child)
    instance_id = await first.begin(waits)
    await first.client.raise_event(instance_id, "go", "went")
    await first.started(instance_id)
    await first.rest()
    (child,) = [
        state.instance_id
        async for state in first.client.get_all_instances()
        if state.parent_instance_id == instance_id
    ]
    await _blocked(first, child)
    await first.stop()
    second = await each_hub.start(complete.app)
    assert (await second.finished(instance_id)).output == ["went", "child"]
