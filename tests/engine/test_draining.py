"""Stopping: what runs may end, nothing new begins, and the next start goes on from there."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from functools import partial
from typing import Any

from bindings import FunctionApp, OrchestrationContext
from host.core.records import ANYBODY
from host.errors import StorageError
from host.storage.local_queues import LocalQueues
from tests.engine.long_work import LEASE_S, SECONDS, LongWork
from tests.engine.wide_work import Wide
from tests.kit.hub import Host, Hub, until
from tests.kit.manual_clock import PATIENCE_S
from tests.kit.seams import RedeliveringQueues

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


async def test_stop_waits_for_a_short_activity_and_starts_no_other(each_hub: Hub) -> None:
    work = TwoSteps()
    host = await each_hub.start(work.app)
    instance_id = await host.begin(work.steps)
    await until(lambda: work.runs == ["first"])
    stopping = asyncio.create_task(host.stop(GRACE_S))
    await until(partial(_is_given_up, each_hub, instance_id))
    assert not stopping.done()
    work.gate.set()
    await stopping
    assert [type(each.event).__name__ for each in await each_hub.store.read_inbox(instance_id)] == [
        "TaskCompleted"
    ]
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
    await each_hub.clock.until_quiet()
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


async def test_a_lease_is_renewed_while_stop_waits_for_what_runs_at_most_once(hub: Hub) -> None:
    work = LongWork(at_most_once=True)
    host = await hub.start(work.app)
    instance_id = await work.park(host, hub)
    stopping = asyncio.create_task(host.stop(GRACE_S))
    await hub.clock.advance(5 * SECONDS, steps=int(LEASE_S / 5) + 4)
    snapshot = await hub.store.load(instance_id)
    assert snapshot is not None
    assert snapshot.leases[0].expires_at > hub.clock.now()
    assert not stopping.done()
    work.gate.set()
    await stopping
    following = await hub.start(work.app)
    await following.client.raise_event(instance_id, "answer", 1)
    assert (await following.finished(instance_id)).output == [1, "done"]
    assert work.runs == 1


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
    await hub.clock.until_quiet()
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


async def test_found_a14_a_stop_hands_long_work_over_instead_of_waiting_for_it(
    each_hub: Hub,
) -> None:
    work, queues = LongWork(), LocalQueues()
    first = await each_hub.start(work.app, queues=queues)
    instance_id = await work.park(first, each_hub)
    second = await each_hub.start(work.app, queues=queues)
    await _stopped(each_hub, first)
    await until(lambda: work.runs == 2)
    assert work.cancelled == 1
    row = await each_hub.store.get(instance_id)
    assert row is not None
    assert row.tries == 0
    work.gate.set()
    await second.client.raise_event(instance_id, "answer", 1)
    assert (await second.finished(instance_id)).output == [1, "done"]


async def test_found_a14_what_has_not_begun_is_handed_over_at_once(each_hub: Hub) -> None:
    wide, queues = Wide(), LocalQueues()
    first = await each_hub.start(wide.app, queues=queues, max_concurrent_activities=2)
    instance_id = await first.begin(wide.fans_out, 6)
    await until(lambda: len(wide.runs) == 2)
    second = await each_hub.start(wide.app, queues=queues, max_concurrent_activities=10)
    stopping = asyncio.create_task(first.stop(GRACE_S))
    await until(lambda: len(wide.runs) == 6)  # the clock stands still
    assert not stopping.done()
    wide.gate.set()
    await stopping
    assert (await second.finished(instance_id)).output == list(range(6))
    assert set(wide.runs.values()) == {1}


async def test_found_a14_an_orchestration_that_goes_on_for_ever_does_not_hold_up_a_stop(
    each_hub: Hub,
) -> None:
    app, rounds = FunctionApp(), list[int]()

    @app.activity_trigger()
    async def works(number: int) -> int:
        return number

    @app.orchestration_trigger()
    async def goes_round(context: OrchestrationContext, number: int) -> None:
        rounds.append(await context.call_activity(works, number))
        context.continue_as_new(number + 1)

    host = await each_hub.start(app)
    await host.begin(goes_round, 0)
    await until(lambda: len(rounds) > 3)
    await host.stop(GRACE_S)
    before = len(rounds)
    following = await each_hub.start(app)
    await until(lambda: len(rounds) > before + 3)
    await following.stop(GRACE_S)


async def test_found_a14_suspects_that_wait_for_their_turn_do_not_hold_up_a_stop(
    each_hub: Hub,
) -> None:
    work, ids = TwoSteps(), ["a", "b", "c"]
    host = await each_hub.start(work.app)
    for instance_id in ids:
        await host.begin(work.steps, instance_id=instance_id)
    await until(lambda: len(work.runs) == 3)
    await host.crash()
    queues = LocalQueues()
    await queues.send_wakeups(ids)
    await queues.release(await queues.receive_wakeups(3))
    second = await each_hub.start(work.app, queues=queues, max_deliveries=1)
    await until(lambda: second.engine.parts.quarantine.waiting == 2 and len(work.runs) == 4)
    await _stopped(each_hub, second)
    rows = [await each_hub.store.get(each) for each in ids]
    assert sorted(row.tries for row in rows if row is not None) == [0, 0, 1]
    hints = await queues.receive_wakeups(len(ids))
    assert {each.instance_id: each.is_recovery for each in hints} == dict.fromkeys(ids, True)


async def _stopped(hub: Hub, host: Host) -> None:
    """Stop a host, and let the time pass that it gives to what it could hand over: no more."""
    await _ended(hub, asyncio.create_task(host.stop(GRACE_S)))


async def _ended(hub: Hub, stopping: asyncio.Task[None]) -> None:
    begun_s = hub.clock.monotonic()
    async with asyncio.timeout(PATIENCE_S):
        while not stopping.done():
            await hub.clock.advance(SECONDS / 10)
    assert hub.clock.monotonic() - begun_s < GRACE_S / 2
    await stopping


async def _is_given_up(hub: Hub, instance_id: str) -> bool:
    snapshot = await hub.store.load(instance_id)
    return snapshot is not None and [each.owner for each in snapshot.leases] == [ANYBODY]


async def test_found_g7_a_host_that_is_killed_while_it_stops_is_no_vanished_host(
    each_hub: Hub,
) -> None:
    work = LongWork()
    instance_id = ""
    for lives in range(1, 8):
        host = await each_hub.start(work.app, max_deliveries=3)
        instance_id = instance_id or await host.begin(work.leads)
        await until(lambda: work.runs == lives)  # noqa: B023 - awaited at once
        await each_hub.clock.advance(3 * SECONDS)
        await until(lambda: len(host.engine.parts.parked) == 1)  # noqa: B023
        stopping = asyncio.create_task(host.stop(GRACE_S))

        await until(partial(_is_given_up, each_hub, instance_id))
        host.store.sever()
        await _ended(each_hub, stopping)
        await each_hub.clock.advance(timedelta(seconds=LEASE_S))
    row = await each_hub.store.get(instance_id)
    assert row is not None
    assert (row.tries, row.is_quarantined) == (0, False)


async def test_found_g7_a_short_activity_does_not_count_either_if_the_stop_is_cut_short(
    each_hub: Hub,
) -> None:
    work, queues = TwoSteps(), RedeliveringQueues()
    host = await each_hub.start(work.app, queues=queues)
    instance_id = await host.begin(work.steps)
    await until(lambda: work.runs == ["first"])
    stopping = asyncio.create_task(host.stop(GRACE_S))
    await until(
        lambda: not queues.counts().wakeups_held
    )  # its session ended, and gave its hint back
    host.store.sever()
    await _ended(each_hub, stopping)
    await queues.redeliver()
    await queues.send_wakeups([instance_id])
    await each_hub.clock.advance(timedelta(seconds=LEASE_S + 1))
    work.gate.set()
    second = await each_hub.start(work.app, queues=queues)
    assert (await second.finished(instance_id)).output == "one, two"
    assert second.engine.counters()["redeliveries"] == 0
