"""Stopping: what runs may end, nothing new begins, and the next start goes on from there."""

from __future__ import annotations

import asyncio
from typing import Any

from bindings import FunctionApp, OrchestrationContext
from host.errors import StorageError
from tests.engine.long_work import LEASE_S, SECONDS, LongWork
from tests.kit.hub import Hub, until

GRACE_S = 600.0


class TwoSteps:
    """Two activities in a row; the first runs until the test lets it end."""

    def __init__(self) -> None:
        self.app = FunctionApp()
        self.gate = asyncio.Event()
        self.runs: list[str] = []

        @self.app.activity_trigger()
        async def first() -> str:
            self.runs.append("first")
            await self.gate.wait()
            return "one"

        @self.app.activity_trigger()
        async def second(text: str) -> str:
            self.runs.append("second")
            return f"{text}, two"

        @self.app.orchestration_trigger()
        async def steps(context: OrchestrationContext) -> str:
            return await context.call_activity(second, await context.call_activity(first))

        self.steps = steps


async def test_stop_waits_for_a_running_activity_and_starts_no_other(each_hub: Hub) -> None:
    work = TwoSteps()
    host = await each_hub.start(work.app)
    instance_id = await host.begin(work.steps)
    await until(lambda: work.runs == ["first"])
    stopping = asyncio.create_task(host.stop(GRACE_S))
    await each_hub.clock.settle()
    assert not stopping.done()
    work.gate.set()
    await stopping
    assert "TaskCompleted" in await host.history(instance_id)
    assert work.runs == ["first"]

    following = await each_hub.start(work.app)
    assert (await following.finished(instance_id)).output == "one, two"
    assert work.runs == ["first", "second"]


async def test_an_activity_that_does_not_end_within_the_grace_runs_again_after_the_next_start(
    each_hub: Hub,
) -> None:
    work = TwoSteps()
    host = await each_hub.start(work.app)
    instance_id = await host.begin(work.steps)
    await until(lambda: work.runs == ["first"])
    await host.stop(0.0)
    work.gate.set()
    following = await each_hub.start(work.app)
    assert (await following.finished(instance_id)).output == "one, two"
    assert work.runs == ["first", "first", "second"]


async def test_stop_waits_for_a_parked_activity_too(each_hub: Hub) -> None:
    work = LongWork()
    host = await each_hub.start(work.app)
    instance_id = await work.park(host, each_hub)
    stopping = asyncio.create_task(host.stop(GRACE_S))
    await each_hub.clock.settle()
    assert not stopping.done()
    work.gate.set()
    await stopping

    following = await each_hub.start(work.app)
    await following.client.raise_event(instance_id, "answer", 1)
    assert (await following.finished(instance_id)).output == [1, "done"]
    assert work.runs == 1


async def test_a_parked_activity_that_was_stopped_runs_again_at_once_at_the_next_start(
    each_hub: Hub,
) -> None:
    work = LongWork()
    host = await each_hub.start(work.app)
    instance_id = await work.park(host, each_hub)
    await host.stop(0.0)
    following = await each_hub.start(work.app)
    await until(lambda: work.runs == 2)  # without waiting for the lease to expire
    work.gate.set()
    await following.client.raise_event(instance_id, "answer", 1)
    assert (await following.finished(instance_id)).output == [1, "done"]


async def test_a_lease_is_renewed_while_stop_waits_for_its_activity(hub: Hub) -> None:
    work = LongWork()
    host = await hub.start(work.app)
    instance_id = await work.park(host, hub)
    stopping = asyncio.create_task(host.stop(GRACE_S))
    await hub.clock.advance(5 * SECONDS, steps=int(LEASE_S / 5) + 4)
    snapshot = await hub.store.load(instance_id)
    assert snapshot is not None
    assert snapshot.leases[0].expires_at > hub.clock.now()
    work.gate.set()
    await stopping


async def test_stop_ends_although_the_store_is_away(hub: Hub) -> None:
    work = LongWork()
    host = await hub.start(work.app)
    await work.park(host, hub)
    for method in ("finish_lease", "renew_lease"):
        host.store.fail(method, StorageError("the disk is away"), times=1000)
    work.gate.set()
    await until(lambda: host.store.calls["finish_lease"] == 1)
    await host.stop(0.0)


async def test_stop_twice_is_stop_once(hub: Hub) -> None:
    host = await hub.start(FunctionApp())
    await host.stop()
    await host.stop()


async def test_a_stopped_host_leaves_no_task_and_no_waiter_behind(hub: Hub) -> None:
    before = asyncio.all_tasks()
    work = TwoSteps()
    host = await hub.start(work.app)
    await host.begin(work.steps)
    await until(lambda: work.runs == ["first"])
    await host.stop(0.0)
    await hub.clock.settle()
    assert asyncio.all_tasks() == before


async def test_queued_work_waits_for_the_next_start(each_hub: Hub) -> None:
    app, runs, gate = FunctionApp(), list[int](), asyncio.Event()

    @app.activity_trigger()
    async def works(number: int) -> int:
        runs.append(number)
        await gate.wait()
        return number

    @app.orchestration_trigger()
    async def fans_out(context: OrchestrationContext) -> Any:
        return await context.task_all([context.call_activity(works, n) for n in range(10)])

    host = await each_hub.start(app, max_concurrent_activities=2)
    instance_id = await host.begin(fans_out)
    await until(lambda: len(runs) == 2)
    await host.stop(0.0)
    assert len(runs) == 2
    gate.set()
    following = await each_hub.start(app)
    assert (await following.finished(instance_id)).output == list(range(10))
