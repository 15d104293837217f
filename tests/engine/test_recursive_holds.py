"""To suspend or resume an instance with all below it: the order goes to children that are open."""

from __future__ import annotations

from typing import Any

from bindings import FunctionApp, OrchestrationContext, RuntimeStatus, when_all
from tests.kit.hub import Host, Hub, until

SUSPENDED = RuntimeStatus.SUSPENDED


def app_of_trees() -> FunctionApp:
    """A parent with two children, each with a child of its own that waits for an event."""
    app = FunctionApp()

    @app.orchestration_trigger()
    async def leaf(context: OrchestrationContext) -> Any:
        return await context.wait_for_external_event("go")

    @app.orchestration_trigger()
    async def branch(context: OrchestrationContext) -> Any:
        return await context.call_sub_orchestrator(leaf, instance_id=f"{context.instance_id}.leaf")

    @app.orchestration_trigger()
    async def tree(context: OrchestrationContext) -> Any:
        names = [f"{context.instance_id}.{side}" for side in ("left", "right")]
        return await when_all(
            [context.call_sub_orchestrator(branch, instance_id=name) for name in names]
        )

    return app


ALL = ["it", "it.left", "it.right", "it.left.leaf", "it.right.leaf"]


async def a_tree(hub: Hub) -> Host:
    host = await hub.start(app_of_trees())
    await host.client.schedule_new_orchestration("tree", instance_id="it")
    await until(lambda: are_all(host, RuntimeStatus.RUNNING, ALL))
    return host


async def are_all(host: Host, status: RuntimeStatus, ids: list[str]) -> bool:
    states = [await host.client.get_instance(each) for each in ids]
    return all(state is not None and state.runtime_status is status for state in states)


async def test_all_below_are_held_and_go_on(each_hub: Hub) -> None:
    host = await a_tree(each_hub)
    await host.client.suspend_instance("it", "stop", recursive=True)
    await until(lambda: are_all(host, SUSPENDED, ALL))
    for leaf in ALL[3:]:
        await host.client.raise_event(leaf, "go", leaf)
    await host.rest()
    assert await are_all(host, SUSPENDED, ALL)
    await host.client.resume_instance("it", recursive=True)
    assert (await host.finished("it")).output == ALL[3:]


async def test_without_the_word_only_the_instance_itself_is_held(each_hub: Hub) -> None:
    host = await a_tree(each_hub)
    await host.client.suspend_instance("it", "stop")
    await until(lambda: are_all(host, SUSPENDED, ["it"]))
    await host.rest()
    assert await are_all(host, RuntimeStatus.RUNNING, ALL[1:])


async def test_each_order_counts_however_often_it_is_given(each_hub: Hub) -> None:
    host = await a_tree(each_hub)
    for _ in range(3):
        await host.client.suspend_instance("it", recursive=True)
        await until(lambda: are_all(host, SUSPENDED, ALL))
        await host.client.resume_instance("it", recursive=True)
        await until(lambda: are_all(host, RuntimeStatus.RUNNING, ALL))


async def test_a_child_that_has_answered_is_left_alone(each_hub: Hub) -> None:
    host = await a_tree(each_hub)
    await host.client.raise_event("it.left.leaf", "go", 1)
    await host.finished("it.left")
    await host.client.suspend_instance("it", recursive=True)
    await until(lambda: are_all(host, SUSPENDED, ["it", "it.right", "it.right.leaf"]))
    assert await are_all(host, RuntimeStatus.COMPLETED, ["it.left", "it.left.leaf"])
