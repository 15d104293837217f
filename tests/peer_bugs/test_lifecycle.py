"""Bugs that peers had with sub-orchestrations and the life of an instance, end to end."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bindings import (
    FunctionApp,
    InstanceNotFoundError,
    OrchestrationContext,
    OrchestrationQuery,
    RetryPolicy,
    RuntimeStatus,
)
from host.errors import StorageError
from tests.kit.hub import Hub, until
from tests.kit.seams import RedeliveringQueues

SECOND = timedelta(seconds=1)


class Lives:
    """Parents and their children."""

    def __init__(self) -> None:
        self.app = FunctionApp()
        self.cancelled = 0

        @self.app.activity_trigger()
        async def works() -> None:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.cancelled += 1
                raise

        @self.app.orchestration_trigger()
        async def ends(context: OrchestrationContext) -> Any:
            return context.get_input()

        @self.app.orchestration_trigger()
        async def own_parent(context: OrchestrationContext) -> Any:
            return await context.call_sub_orchestrator(ends, instance_id=context.instance_id)

        @self.app.orchestration_trigger()
        async def generations(context: OrchestrationContext, number: int) -> list[Any]:
            result = await context.call_sub_orchestrator(ends, number)
            if number < 3:
                context.continue_as_new(number + 1)
            return [number, result]

        @self.app.orchestration_trigger()
        async def busy(context: OrchestrationContext) -> None:
            await context.call_activity(works)

        @self.app.orchestration_trigger()
        async def parent(context: OrchestrationContext) -> None:
            await context.call_sub_orchestrator(busy, instance_id="child")

        self.ends, self.own_parent = ends, own_parent
        self.generations, self.parent = generations, parent


class Leaving:
    """A parent whose generations leave children behind."""

    def __init__(self) -> None:
        self.app = FunctionApp()

        @self.app.orchestration_trigger()
        async def listens(context: OrchestrationContext) -> Any:
            return await context.wait_for_external_event("go")

        @self.app.orchestration_trigger()
        async def leaves_children(context: OrchestrationContext, number: int) -> Any:
            child = context.call_sub_orchestrator(listens)
            if number < 3:
                context.continue_as_new(number + 1)
                return None
            return await child

        self.leaves_children = leaves_children


class FailingAtFirst:
    """A child that fails twice, and a parent that tries it again."""

    def __init__(self) -> None:
        self.app = FunctionApp()
        self.attempts = 0

        @self.app.activity_trigger()
        async def fails_twice() -> int:
            self.attempts += 1
            if self.attempts < 3:
                raise ValueError(f"attempt {self.attempts}")
            return self.attempts

        @self.app.orchestration_trigger()
        async def fragile(context: OrchestrationContext) -> int:
            return await context.call_activity(fails_twice)

        @self.app.orchestration_trigger()
        async def retries(context: OrchestrationContext) -> int:
            policy = RetryPolicy(SECOND, 5)
            return await context.call_sub_orchestrator(
                fragile, instance_id="child", retry_policy=policy
            )

        self.retries = retries


async def test_bug_41_children_of_several_generations_do_not_collide(each_hub: Hub) -> None:
    lives = Lives()
    host = await each_hub.start(lives.app)
    assert (await host.run(lives.generations, 0)).output == [3, 3]


async def test_bug_41_children_that_outlive_their_generation_do_not_stop_the_next_one(
    each_hub: Hub,
) -> None:
    leaving = Leaving()
    host = await each_hub.start(leaving.app)
    parent = await host.begin(leaving.leaves_children, 0)
    await host.started(parent)
    await host.rest()
    found = [state async for state in host.client.get_all_instances()]
    children = [state.instance_id for state in found if state.parent_instance_id == parent]
    assert len(children) == 4
    for child in children:
        await host.client.raise_event(child, "go", "heard")
    assert (await host.finished(parent)).output == "heard"


async def test_bug_42_a_child_cannot_have_its_parents_id(each_hub: Hub) -> None:
    lives = Lives()
    host = await each_hub.start(lives.app)
    state = await host.run(lives.own_parent, instance_id="it")
    assert state.runtime_status is RuntimeStatus.FAILED
    assert state.failure_details is not None
    assert "parent's instance id" in state.failure_details.message
    assert (await host.history("it")).count("ExecutionStarted") == 1


async def test_bug_43_the_children_and_activities_of_a_terminated_parent_end(
    each_hub: Hub,
) -> None:
    lives = Lives()
    host = await each_hub.start(lives.app)
    await host.begin(lives.parent, instance_id="parent")
    await until(lambda: len(host.engine.parts.pool) == 1)
    await host.client.terminate_instance("parent")
    await host.finished("parent")
    assert (await host.finished("child")).runtime_status is RuntimeStatus.TERMINATED
    await until(lambda: lives.cancelled == 1)


async def test_bug_44_a_child_that_is_tried_again_under_its_id_starts_afresh(
    each_hub: Hub,
) -> None:
    failing = FailingAtFirst()
    host = await each_hub.start(failing.app)
    instance_id = await host.begin(failing.retries)
    for attempts in (1, 2):
        await host.rest()
        assert failing.attempts == attempts
        await each_hub.clock.advance(SECOND)
    assert (await host.finished(instance_id)).output == 3
    assert (await host.history("child")).count("TaskScheduled") == 1
    assert "TaskFailed" not in await host.history("child")


async def test_bug_45_a_pending_instance_can_be_terminated(each_hub: Hub) -> None:
    lives = Lives()
    host = await each_hub.start(lives.app)
    await host.begin(lives.ends, instance_id="it", start_at=timedelta(days=1))
    assert await host.status("it") is RuntimeStatus.PENDING
    await host.client.terminate_instance("it", "not needed")
    state = await host.finished("it")
    assert (state.runtime_status, state.output) == (RuntimeStatus.TERMINATED, "not needed")
    await each_hub.clock.advance(timedelta(days=2))
    assert await host.status("it") is RuntimeStatus.TERMINATED


async def test_bug_47_a_purge_of_more_than_a_page_removes_all_and_can_be_done_again(
    hub: Hub,
) -> None:
    lives = Lives()
    host = await hub.start(lives.app)
    for number in range(1050):
        await host.begin(lives.ends, number)
    await host.rest()
    assert await host.client.purge_instances(OrchestrationQuery()) == 1050
    assert await host.client.purge_instances(OrchestrationQuery()) == 0
    assert [state async for state in host.client.get_all_instances()] == []


async def test_bug_47_a_purge_leaves_nothing_behind(each_hub: Hub) -> None:
    lives = Lives()
    host = await each_hub.start(lives.app)
    state = await host.run(lives.generations, 0)
    assert await host.client.purge_instances(OrchestrationQuery()) == 5
    with pytest.raises(InstanceNotFoundError):
        await host.client.get_instance_history(state.instance_id)
    await host.begin(lives.ends, "new", instance_id=state.instance_id)
    assert (await host.finished(state.instance_id)).output == "new"
    snapshot = await each_hub.store.load(state.instance_id)
    assert snapshot is not None
    assert len({batch.execution_id for batch in snapshot.batches}) == 1
    assert snapshot.inbox == ()


async def test_bug_47_a_purge_that_breaks_off_is_finished_by_the_next_one(
    each_hub: Hub, tmp_path: Path
) -> None:
    lives = Lives()
    host = await each_hub.start(lives.app)
    for _ in range(3):
        await host.run(lives.generations, 0)
    purged = 0

    async def break_off(name: str, _: tuple[Any, ...]) -> None:
        nonlocal purged
        purged += name == "purge"
        if purged >= 8:  # they go side by side
            raise StorageError("a blip")

    host.store.before = break_off
    with pytest.raises(StorageError, match="a blip"):
        await host.client.purge_instances(OrchestrationQuery())
    host.store.before = None
    assert len([state async for state in host.client.get_all_instances()]) == 15 - 7
    assert await host.client.purge_instances(OrchestrationQuery()) == 15 - 7
    assert _rows_of(tmp_path / "hub.db") == 0


def _rows_of(path: Path) -> int:
    """All rows of all instances in a SQLite hub; none where there is no file."""
    if not path.exists():
        return 0
    tables = ("instances", "batches", "inbox", "alarms", "leases")
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as file:
        found = [file.execute(f"SELECT count(*) FROM {table}").fetchone() for table in tables]
    return sum(rows for (rows,) in found)


async def test_bug_48_a_purge_does_not_hit_a_run_that_was_started_meanwhile(
    each_hub: Hub,
) -> None:
    lives = Lives()
    host = await each_hub.start(lives.app)
    await host.run(lives.ends, "old", instance_id="it")
    other = await each_hub.start(lives.app)

    async def restart_first(name: str, _: tuple[Any, ...]) -> None:
        if name == "purge":
            await other.run(lives.ends, "new", instance_id="it")

    host.store.before = restart_first
    assert await host.client.purge_instances(OrchestrationQuery()) == 0
    assert (await other.finished("it")).output == "new"


async def test_bug_49_a_crash_between_history_and_status_is_repaired_at_the_next_touch(
    hub: Hub,
) -> None:
    lives, queues = Lives(), RedeliveringQueues()
    first = await hub.start(lives.app, queues=queues)
    first.store.tears_commits = True
    await first.begin(lives.ends, "done", instance_id="it")
    await until(lambda: first.store.is_severed)
    await first.crash()
    second = await hub.start(lives.app, queues=queues)
    await queues.redeliver()
    await second.rest()
    row = await hub.store.get("it")  # what is stored: no host's memory has a say in it
    assert row is not None
    assert (row.status, row.output) == (RuntimeStatus.COMPLETED, '"done"')
    unfinished = OrchestrationQuery(runtime_status=[RuntimeStatus.PENDING, RuntimeStatus.RUNNING])
    assert [state async for state in second.client.get_all_instances(unfinished)] == []
