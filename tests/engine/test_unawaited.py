"""What an orchestration has scheduled runs, also if it ends without waiting for it."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from bindings import FunctionApp, ReusePolicy, RuntimeStatus
from host.core.records import LET_GO
from host.engine.recovery import wake_recoverable
from host.engine.work import work_item
from host.errors import StorageError
from host.storage.local_queues import LocalQueues
from tests.engine.late_claims import LateClaim
from tests.engine.long_work import LEASE_S
from tests.engine.unawaited_work import Unawaited, nothing_is_left, snapshot_of
from tests.engine.wide_work import SHARES
from tests.kit.hub import Hub, until
from tests.kit.manual_clock import ManualClock
from tests.kit.recoverable import recoverable
from tests.kit.seams import RefusingWork
from tests.kit.simulated_dynamo import SimulatedDynamo

GRACE_S = 600.0
SECOND = timedelta(seconds=1)
ENDS: list[dict[str, Any]] = [{}, {"fails": True}, {"steps": True}, {"steps": True, "fails": True}]


@pytest.mark.parametrize("end", ENDS)
async def test_found_a1_what_is_left_by_an_end_runs_once(
    each_hub: Hub, end: dict[str, Any]
) -> None:
    work = Unawaited()
    host = await each_hub.start(work.app)
    instance_id = await host.begin(work.leaves, {"count": 4, **end})
    state = await host.finished(instance_id)
    assert state.runtime_status in {RuntimeStatus.COMPLETED, RuntimeStatus.FAILED}
    work.gate.set()
    await until(lambda: work.all_ran(4))
    await nothing_is_left(each_hub, host, instance_id)
    assert set(work.runs.values()) == {1}
    assert "TaskCompleted" not in (await host.history(instance_id))[-1]


@pytest.mark.parametrize("once", [False, True])
async def test_found_a1_what_every_generation_leaves_runs_once(each_hub: Hub, once: bool) -> None:
    work = Unawaited()
    host = await each_hub.start(work.app)
    instance_id = await host.begin(work.leaves, {"count": 2, "left": 2, "once": once})
    await host.finished(instance_id)
    work.gate.set()
    await until(lambda: work.all_ran(6))
    await nothing_is_left(each_hub, host, instance_id)
    assert set(work.runs.values()) == {1}


async def test_found_a1_an_activity_that_may_run_once_begins(each_hub: Hub) -> None:
    work = Unawaited()
    host = await each_hub.start(work.app)
    instance_id = await host.begin(work.leaves, {"count": 1, "once": True})
    await host.finished(instance_id)
    work.gate.set()
    await until(lambda: work.all_ran(1))
    await nothing_is_left(each_hub, host, instance_id)
    assert work.runs == {"0.0": 1}


@pytest.mark.parametrize("plan", [{}, {"left": 1}, {"once": True}, {"steps": True}])
async def test_found_a1_a_stop_waits_for_what_nobody_else_waits_for(
    each_hub: Hub, plan: dict[str, Any]
) -> None:
    work = Unawaited()
    host = await each_hub.start(work.app)
    instance_id = await host.begin(work.leaves, {"count": 2, **plan})
    await host.finished(instance_id)
    await until(lambda: len(work.runs) == (4 if "left" in plan else 2))
    stopping = asyncio.create_task(host.stop(GRACE_S))
    await each_hub.clock.until_quiet()
    assert not stopping.done()
    work.gate.set()
    await stopping
    assert work.ended == work.runs
    assert set(work.runs.values()) == {1}


@pytest.mark.parametrize("plan", [{}, {"left": 1}, {"fails": True}, {"steps": True}])
async def test_found_a1_what_does_not_end_within_the_grace_runs_again(
    each_hub: Hub, plan: dict[str, Any]
) -> None:
    work = Unawaited()
    host = await each_hub.start(work.app)
    instance_id = await host.begin(work.leaves, {"count": 2, **plan})
    await host.finished(instance_id)
    count = 4 if "left" in plan else 2
    await until(lambda: len(work.runs) == count)
    await host.stop(0.0)
    assert not work.ended
    work.gate.set()
    following = await each_hub.start(work.app)
    await until(lambda: work.all_ran(count))
    await nothing_is_left(each_hub, following, instance_id)
    assert set(work.runs.values()) == {2}


async def test_found_a1_what_may_run_once_and_was_begun_is_let_go_after_a_stop(
    each_hub: Hub,
) -> None:
    work = Unawaited()
    host = await each_hub.start(work.app)
    instance_id = await host.begin(work.leaves, {"count": 1, "once": True})
    await until(lambda: work.runs == {"0.0": 1})
    await host.stop(0.0)
    (lease,) = (await snapshot_of(each_hub, instance_id)).leases
    assert lease.owner == LET_GO
    following = await each_hub.start(work.app)
    await following.rest()
    await nothing_is_left(each_hub, following, instance_id)
    assert work.runs == {"0.0": 1}


@pytest.mark.parametrize("plan", [{}, {"left": 1}, {"fails": True}])
async def test_found_a1_what_a_dead_host_ran_for_nobody_runs_again(
    each_hub: Hub, plan: dict[str, Any]
) -> None:
    work = Unawaited()
    host = await each_hub.start(work.app)
    instance_id = await host.begin(work.leaves, {"count": 2, **plan})
    await host.finished(instance_id)
    count = 4 if "left" in plan else 2
    await until(lambda: len(work.runs) == count)
    await host.crash()
    work.gate.set()
    following = await each_hub.start(work.app)
    await each_hub.clock.advance(timedelta(seconds=LEASE_S))
    await until(lambda: work.all_ran(count))
    await nothing_is_left(each_hub, following, instance_id)
    assert set(work.runs.values()) == {2}


async def test_found_a1_what_a_dead_host_began_once_is_let_go(each_hub: Hub) -> None:
    work = Unawaited()
    host = await each_hub.start(work.app)
    instance_id = await host.begin(work.leaves, {"count": 1, "once": True})
    await until(lambda: work.runs == {"0.0": 1})
    await host.crash()
    following = await each_hub.start(work.app)
    await nothing_is_left(each_hub, following, instance_id)
    assert work.runs == {"0.0": 1}


@pytest.mark.parametrize("plan", [{}, {"left": 2}, {"fails": True}, {"once": True}])
async def test_found_a1_what_was_handed_out_runs(each_hub: Hub, plan: dict[str, Any]) -> None:
    work = Unawaited()
    queues = LocalQueues()
    first = await each_hub.start(work.app, queues=queues, **SHARES)
    second = await each_hub.start(work.app, queues=queues, **SHARES)
    instance_id = await first.begin(work.leaves, {"count": 6, **plan})
    await first.finished(instance_id)
    work.gate.set()
    await until(lambda: work.all_ran(18 if "left" in plan else 6))
    await second.rest()
    await nothing_is_left(each_hub, first, instance_id)
    assert set(work.runs.values()) == {1}


async def test_found_a1_what_could_not_be_handed_out_is_handed_out_later(each_hub: Hub) -> None:
    work = Unawaited()
    work.gate.set()
    queues = RefusingWork()
    host = await each_hub.start(work.app, queues=queues, **SHARES)
    instance_id = await host.begin(work.leaves, {"count": 6})
    await until(lambda: queues.refusals == 1)
    queues.is_away = False
    await host.finished(instance_id)

    async def has_run() -> bool:
        await each_hub.clock.advance(SECOND)
        return work.all_ran(6)

    await until(has_run)
    await nothing_is_left(each_hub, host, instance_id)


async def test_found_a1_a_parked_activity_outlives_its_execution(each_hub: Hub) -> None:
    work = Unawaited()
    host = await each_hub.start(work.app)
    instance_id = await host.begin(work.leaves, {"count": 1, "waits": True})
    await until(lambda: work.runs == {"0.0": 1})
    await each_hub.clock.advance(3 * SECOND)
    await until(lambda: len(host.engine.parts.parked) == 1)
    await host.client.raise_event(instance_id, "go")
    await host.finished(instance_id)
    await each_hub.clock.advance(timedelta(seconds=LEASE_S / 3), steps=9)
    assert len(host.engine.parts.parked) == 1
    work.gate.set()
    await until(lambda: work.all_ran(1))
    await nothing_is_left(each_hub, host, instance_id)
    assert work.runs == {"0.0": 1}


@pytest.mark.parametrize("once", [False, True])
async def test_found_a1_a_termination_ends_what_earlier_executions_left(
    each_hub: Hub, once: bool
) -> None:
    work = Unawaited()
    host = await each_hub.start(work.app)
    plan = {"count": 1, "waits": True, "left": 1, "once": once}
    instance_id = await host.begin(work.leaves, plan)
    await until(lambda: len(work.runs) == 1)
    await host.client.raise_event(instance_id, "go")
    await until(lambda: len(work.runs) == 2)
    await host.client.terminate_instance(instance_id)
    await host.finished(instance_id)
    await until(lambda: len(work.cancelled) == 2)
    snapshot = await snapshot_of(each_hub, instance_id)
    assert (snapshot.leases, snapshot.wake_at) == ((), None)
    await host.stop(0.0)
    following = await each_hub.start(work.app)
    await following.rest()
    assert set(work.runs.values()) == {1}


async def test_what_a_termination_left_as_its_host_died_never_begins() -> None:
    clock = ManualClock()
    table = SimulatedDynamo(now=clock.now)
    hub, work = Hub(table.store(), clock), Unawaited()
    host = await hub.start(work.app)
    plan = {"count": 1, "waits": True, "left": 1}
    instance_id = await host.begin(work.leaves, plan)
    await until(lambda: len(work.runs) == 1)
    await host.client.raise_event(instance_id, "go")
    await until(lambda: len(work.runs) == 2)

    table.away.add("BatchWriteItem")  # the row is written, and the leases stay
    await host.client.terminate_instance(instance_id)
    await host.finished(instance_id)
    await host.crash()
    table.away.clear()
    assert (await snapshot_of(hub, instance_id)).leases

    clock.jump(timedelta(seconds=2 * LEASE_S))
    following = await hub.start(work.app)
    await following.queues.send_wakeups([instance_id])  # the dead host's hint comes again
    await nothing_is_left(hub, following, instance_id)
    assert set(work.runs.values()) == {1}
    await hub.close()


async def test_found_a1_a_purge_ends_it(each_hub: Hub) -> None:
    work = Unawaited()
    host = await each_hub.start(work.app)
    instance_id = await host.begin(work.leaves, {"count": 2})
    await host.finished(instance_id)
    await until(lambda: len(work.runs) == 2)
    assert await host.client.purge_instance(instance_id)
    await each_hub.clock.advance(timedelta(seconds=LEASE_S / 3))
    await until(lambda: len(work.cancelled) == 2)
    await host.stop(0.0)
    following = await each_hub.start(work.app)
    await following.rest()
    assert set(work.runs.values()) == {1}


async def test_found_a1_a_replacement_ends_it(each_hub: Hub) -> None:
    work = Unawaited()
    host = await each_hub.start(work.app)
    instance_id = await host.begin(work.leaves, {"count": 1}, instance_id="same")
    await host.finished(instance_id)
    await until(lambda: work.runs == {"0.0": 1})
    plan = {"count": 0}
    await host.begin(work.leaves, plan, instance_id="same", reuse=ReusePolicy.WHEN_FINISHED)
    await each_hub.clock.advance(timedelta(seconds=LEASE_S / 3))
    await until(lambda: len(work.cancelled) == 1)
    assert work.runs == {"0.0": 1}


async def test_found_a1_a_sweep_finds_what_a_finished_instance_left(each_hub: Hub) -> None:
    work = Unawaited()
    host = await each_hub.start(work.app)
    instance_id = await host.begin(work.leaves, {"count": 1})
    await until(lambda: work.runs == {"0.0": 1})
    await host.crash()
    await each_hub.clock.advance(timedelta(seconds=LEASE_S))
    assert await wake_recoverable(each_hub.store, LocalQueues()) == 1
    assert await recoverable(each_hub.store) == [instance_id]


async def test_found_a1_an_activity_that_ends_its_hosts_is_let_go_in_the_end(hub: Hub) -> None:
    work = Unawaited()
    instance_id = ""
    for _ in range(12):
        host = await hub.start(work.app)
        if not instance_id:
            instance_id = await host.begin(work.leaves, {"count": 1})
        await hub.clock.until_quiet()
        await host.crash()
        await hub.clock.advance(timedelta(seconds=LEASE_S))
    limit = host.engine.parts.options.max_deliveries
    assert work.runs == {"0.0": limit + 1}
    last = await hub.start(work.app)
    await nothing_is_left(hub, last, instance_id)


@pytest.mark.parametrize("method", ["take_lease", "commit", "apply"])
async def test_found_a1_it_runs_although_the_store_fails_at_the_end(
    each_hub: Hub, method: str
) -> None:
    work = Unawaited()
    work.gate.set()
    host = await each_hub.start(work.app)
    host.store.fail(method, StorageError("busy"), times=2)
    instance_id = await host.begin(work.leaves, {"count": 3, "left": 1})

    async def has_run() -> bool:
        await each_hub.clock.advance(SECOND)
        return work.all_ran(6)

    await until(has_run)
    await nothing_is_left(each_hub, host, instance_id)


async def test_what_was_left_waits_for_a_swap_that_brings_its_function(each_hub: Hub) -> None:
    work = Unawaited()
    host = await each_hub.start(work.app)
    instance_id = await host.begin(work.leaves, {"count": 2})
    await host.finished(instance_id)
    await until(lambda: len(work.runs) == 2)
    await host.stop(0.0)
    work.gate.set()
    other = await each_hub.start(FunctionApp())
    await other.rest()
    assert not work.ended
    other.swap(work.app)
    await until(lambda: work.all_ran(2))
    await nothing_is_left(each_hub, other, instance_id)


async def test_what_was_lost_and_may_run_once_keeps_its_lease_from_who_offers_it_again(
    each_hub: Hub,
) -> None:
    work, queues = Unawaited(), LocalQueues()
    first = await each_hub.start(work.app)
    instance_id = await first.begin(work.leaves, {"count": 1, "once": True})
    await first.finished(instance_id)
    await until(lambda: work.runs == {"0.0": 1})
    await first.crash()
    (lost,) = (await snapshot_of(each_hub, instance_id)).leases
    assert lost.scheduled is not None
    other = await each_hub.start(Unawaited().app, queues=queues, **SHARES)
    await other.rest()
    each_hub.clock.jump_to(lost.expires_at)  # no alarm rings: only the work item speaks of it
    await queues.send_work([work_item(instance_id, lost.execution_id, lost.scheduled)])
    await until(lambda: not queues.counts().work_waiting)
    await other.rest()
    (kept,) = (await snapshot_of(each_hub, instance_id)).leases
    assert kept.owner != lost.owner
    await nothing_is_left(each_hub, other, instance_id)
    assert work.runs == {"0.0": 1}


async def test_what_a_late_request_claims_that_was_given_back_is_given_back_again(
    hub: Hub,
) -> None:
    work = Unawaited()
    work.gate.set()
    host = await hub.start(work.app)
    late = LateClaim(host, "take_lease")
    await host.begin(work.leaves, {"count": 1, "once": True})
    await hub.clock.advance(SECOND, steps=70)
    assert late.has_landed
    assert work.all_ran(1)
