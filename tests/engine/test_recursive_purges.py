"""A purge takes the finished sub-orchestrations along, the children first."""

from __future__ import annotations

from typing import Any

import pytest

from bindings import FunctionApp, InstanceStateError, OrchestrationContext, when_all
from bindings.client import OrchestrationQuery
from host.engine.job_records import JobAction
from host.errors import StorageError
from host.storage.protocol import InstanceFilter
from tests.kit.hub import Host, Hub, until

app = FunctionApp()


@app.orchestration_trigger()
async def leaf(context: OrchestrationContext) -> None:
    pass


@app.orchestration_trigger()
async def waits(context: OrchestrationContext) -> None:
    await context.wait_for_external_event("go")


@app.orchestration_trigger()
async def branch(context: OrchestrationContext) -> None:
    await when_all([context.call_sub_orchestrator(leaf) for _ in range(2)])


@app.orchestration_trigger()
async def tree(context: OrchestrationContext) -> None:
    calls = [context.call_sub_orchestrator(branch, instance_id=f"branch-{n}") for n in range(3)]
    await when_all(calls)


@app.orchestration_trigger()
async def holds(context: OrchestrationContext) -> None:
    await context.call_sub_orchestrator(leaf, instance_id="leaf")
    await context.call_sub_orchestrator(waits, instance_id="waits")


@app.orchestration_trigger()
async def rounds(context: OrchestrationContext, number: int) -> None:
    await context.call_sub_orchestrator(leaf, instance_id=f"leaf-{number}")
    if number:
        context.continue_as_new(number - 1)


TREE = 1 + 3 + 3 * 2


async def listed(host: Host) -> list[str]:
    page = await host.client.query_instances(OrchestrationQuery())
    return sorted(state.instance_id for state in page.items)


async def test_a_tree_is_purged_whole(each_hub: Hub) -> None:
    host = await each_hub.start(app)
    await host.run(leaf, instance_id="other")
    await host.run(tree, instance_id="i")
    assert len(await listed(host)) == TREE + 1
    assert await host.client.purge_instance("i") == TREE
    assert await listed(host) == ["other"]


async def test_children_stay_if_that_is_asked(each_hub: Hub) -> None:
    host = await each_hub.start(app)
    await host.run(tree, instance_id="i")
    assert await host.client.purge_instance("i", recursive=False) == 1
    assert len(await listed(host)) == TREE - 1


async def test_what_is_active_stays(each_hub: Hub) -> None:
    host = await each_hub.start(app)
    await host.begin(holds, instance_id="i")
    await host.rest()
    with pytest.raises(InstanceStateError):
        await host.client.purge_instance("i")
    assert await listed(host) == ["i", "leaf", "waits"]
    await host.client.terminate_instance("i", recursive=False)
    await host.finished("i")
    assert await host.client.purge_instance("i") == 2
    assert await listed(host) == ["waits"]


async def test_what_has_a_childs_id_by_now_stays(each_hub: Hub) -> None:
    host = await each_hub.start(app)
    await host.run(tree, instance_id="i")
    await host.run(leaf, instance_id="branch-1")
    assert await host.client.purge_instance("i") == TREE - 3
    assert "branch-1" in await listed(host)


async def test_of_what_continued_as_new_the_children_of_the_last_execution_go(
    each_hub: Hub,
) -> None:
    host = await each_hub.start(app)
    await host.run(rounds, 2, instance_id="i")
    assert await host.client.purge_instance("i") == 2
    assert await listed(host) == ["leaf-1", "leaf-2"]


@pytest.mark.parametrize(("recursive", "deleted"), [(False, 1), (True, TREE)])
async def test_many_leave_their_children_unless_they_are_meant(
    each_hub: Hub, *, recursive: bool, deleted: int
) -> None:
    """A child is an instance: filters find it by itself, by its own name and time."""
    host = await each_hub.start(app)
    await host.run(leaf, instance_id="other")
    await host.run(tree, instance_id="i")
    query = OrchestrationQuery(name="tree")
    assert await host.client.purge_instances(query, recursive=recursive) == deleted
    assert len(await listed(host)) == TREE + 1 - deleted
    assert "other" in await listed(host)


async def test_many_that_are_each_others_children_are_deleted_once(each_hub: Hub) -> None:
    host = await each_hub.start(app)
    await host.run(tree, instance_id="i")
    assert await host.client.purge_instances(OrchestrationQuery(), recursive=True) == TREE
    assert await listed(host) == []


@pytest.mark.parametrize("recursive", [False, True])
async def test_a_job_leaves_the_children_unless_they_are_meant(
    each_hub: Hub, *, recursive: bool
) -> None:
    host = await each_hub.start(app)
    await host.run(tree, instance_id="i")
    filter_ = InstanceFilter(names=frozenset({"tree"}))
    job = await host.engine.jobs.start(JobAction.PURGE, filter_, recursive=recursive)
    ended = job

    async def is_over() -> bool:
        nonlocal ended
        ended = await host.engine.jobs.find(job.job_id)
        return not ended.is_running

    await until(is_over)
    assert (ended.matched, ended.done, ended.failed) == (1, 1, 0)
    assert len(await listed(host)) == (0 if recursive else TREE - 1)


@pytest.mark.parametrize("nth", range(1, TREE + 1))
async def test_a_purge_that_was_cut_short_is_finished_by_the_next(each_hub: Hub, nth: int) -> None:
    host = await each_hub.start(app)
    await host.run(tree, instance_id="i")
    purges = 0

    async def cut_short(name: str, _: tuple[Any, ...]) -> None:
        nonlocal purges
        purges += name == "purge"
        if purges >= nth:
            raise StorageError("the disk is away")

    host.store.before = cut_short
    with pytest.raises(StorageError):
        await host.client.purge_instance("i")
    host.store.before = None
    assert "i" in await listed(host)
    await host.client.purge_instance("i")
    assert await listed(host) == []
