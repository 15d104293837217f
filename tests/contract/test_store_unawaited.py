"""The contract of the leases of unawaited activities, which outlive their execution."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any

import msgspec
import pytest

from bindings.client import ReusePolicy, RuntimeStatus
from host.core.ledger import BEFORE_ALL
from host.core.records import ANYBODY, UNCHANGED, Lease, Snapshot, Unawaited
from host.storage.protocol import HubStore, Sought
from tests.contract.builders import (
    ManualClock,
    at,
    commit,
    effects,
    finished,
    instance,
    lease,
    message,
    unawaited,
)
from tests.kit.recoverable import recoverable

LONG = '"' + "".join(hashlib.sha256(bytes([n])).hexdigest() for n in range(256)) * 4 + '"'
"""An input that no store keeps beside what changes often."""


@pytest.fixture(autouse=True)
async def running(store: HubStore) -> None:
    """The instance `i`, which took a turn."""
    await store.create(instance(), ReusePolicy.WHEN_FINISHED)
    await store.commit(commit(open_activities=1))


async def snapshot(store: HubStore) -> Snapshot:
    found = await store.load("i")
    assert found is not None
    return found


LATER = at(10)


async def end(store: HubStore, *left: Unawaited, wake_at: datetime | None = LATER) -> None:
    await store.commit(commit(1, row=finished(), unawaited=left, wake_at=wake_at))


def held(left: Unawaited, **changes: Any) -> Lease:
    return msgspec.structs.replace(left.lease, **changes)


@pytest.mark.parametrize("input_", ['"x"', LONG])
async def test_it_outlives_the_end_with_what_is_to_be_run(store: HubStore, input_: str) -> None:
    left = unawaited(input_=input_)
    await end(store, left)
    found = await snapshot(store)
    assert (found.leases, found.wake_at) == ((left.lease,), at(10))
    assert [each.instance_id for each in await store.due_alarms(at(10), 9)] == ["i"]


async def test_it_outlives_its_execution(store: HubStore) -> None:
    left = unawaited()
    await store.commit(commit(1, unawaited=(left,), wake_at=at(10)))
    row = instance(execution_id="e2", status=RuntimeStatus.RUNNING, generation=1)
    changes = effects(row=row, drop_execution="e1", leases=(lease(1),))
    following = commit(0, execution_id="e2", row_execution_id="e1")
    await store.commit(msgspec.structs.replace(following, effects=changes))
    assert left.lease in (await snapshot(store)).leases
    await store.apply(effects(drop_execution="e1"))
    assert left.lease in (await snapshot(store)).leases


async def test_stored_again_it_changes_nothing(store: HubStore) -> None:
    left = unawaited()
    await store.commit(commit(1, unawaited=(left,)))
    await store.apply(effects(unawaited=(left,)))
    assert (await snapshot(store)).leases == (left.lease,)
    assert await store.take_lease(held(left, owner="host-b", expires_at=at(60)), at(1))
    await store.apply(effects(unawaited=(left,)))
    assert (await snapshot(store)).leases == (held(left, owner="host-b", expires_at=at(60)),)


async def test_whoever_has_it_keeps_it(store: HubStore) -> None:
    await store.apply(effects(leases=(lease(),)))
    left = unawaited(was_leased=True, owner="host-a", expires_s=30)
    assert await store.renew_lease(lease(expires_s=60))
    await end(store, left)
    assert (await snapshot(store)).leases == (held(left, expires_at=at(60)),)
    assert await store.renew_lease(lease(expires_s=90))
    assert (await snapshot(store)).leases == (held(left, expires_at=at(90)),)


async def test_one_whose_lease_has_ended_has_run(store: HubStore) -> None:
    await store.apply(effects(leases=(lease(),)))
    assert await store.finish_lease(lease(), message())
    await end(store, unawaited(was_leased=True, owner="host-a"), wake_at=at(30))
    found = await snapshot(store)
    assert (found.leases, found.wake_at) == ((), None)


@pytest.mark.parametrize("is_finished", [True, False])
async def test_one_of_several_hosts_takes_it_over(store: HubStore, is_finished: bool) -> None:
    left = unawaited()
    if is_finished:
        await end(store, left)
    else:
        await store.commit(commit(1, unawaited=(left,)))
    taken = held(left, owner="host-a", expires_at=at(40))
    assert await store.take_lease(taken, at(1))
    assert await store.take_lease(taken, at(1))
    assert not await store.take_lease(held(left, owner="host-b"), at(1))
    assert (await snapshot(store)).leases == (taken,)
    again = held(left, owner="host-b", expires_at=at(90), tries=1)
    assert await store.take_lease(again, at(40))
    assert (await snapshot(store)).leases == (again,)


async def test_with_a_time_before_all_it_is_taken_from_nobody_else(store: HubStore) -> None:
    left = unawaited(expires_s=-60)
    await end(store, left)
    taken = held(left, owner="host-a", expires_at=at(-30))
    assert await store.take_lease(taken, BEFORE_ALL)
    assert not await store.take_lease(held(left, owner="host-b"), BEFORE_ALL)
    assert (await snapshot(store)).leases == (taken,)


@pytest.mark.parametrize("is_finished", [True, False])
@pytest.mark.parametrize("input_", ['"x"', LONG])
async def test_its_end_ends_the_lease_and_nobody_hears_of_it(
    store: HubStore, input_: str, is_finished: bool
) -> None:
    left = unawaited(input_=input_)
    if is_finished:
        await end(store, left)
    else:
        await store.commit(commit(1, unawaited=(left,), wake_at=at(10)))
    taken = held(left, owner="host-a", expires_at=at(40))
    assert await store.take_lease(taken, at(1))
    assert not await store.finish_lease(msgspec.structs.replace(taken, owner="host-b"), message())
    assert (await snapshot(store)).leases == (taken,)
    assert not await store.finish_lease(taken, message())
    found = await snapshot(store)
    assert (found.leases, found.inbox, found.wake_at) == ((), (), at(10))


async def test_kept_it_says_that_it_was_begun(store: HubStore) -> None:
    left = unawaited()
    await end(store, left)
    taken = held(left, owner="host-a", expires_at=at(40))
    assert await store.take_lease(taken, at(1))
    assert not await store.finish_lease(taken, message(), keep=True)
    assert (await snapshot(store)).leases == (taken,)


async def test_the_alarm_is_moved_and_cleared_and_never_set_anew(store: HubStore) -> None:
    await end(store, unawaited())
    await store.apply(effects(wake_at=at(50)))
    assert (await snapshot(store)).wake_at == at(50)
    await store.apply(effects(wake_at=UNCHANGED, consumed=("m9",)))
    assert (await snapshot(store)).wake_at == at(50)
    await store.apply(effects(wake_at=None))
    assert (await snapshot(store)).wake_at is None
    await store.apply(effects(wake_at=at(60)))
    assert (await snapshot(store)).wake_at is None
    assert list(await store.due_alarms(at(99), 9)) == []


@pytest.mark.parametrize("how", ["earlier", "now"])
async def test_a_termination_ends_it(store: HubStore, how: str) -> None:
    left: tuple[Unawaited, ...] = (unawaited(), unawaited(1, execution_id="e0"))
    if how == "earlier":
        await store.commit(commit(1, unawaited=left, wake_at=at(10)))
        left = ()
    row = finished(status=RuntimeStatus.TERMINATED)
    await store.apply(effects(row=row, unawaited=left, wake_at=at(10)))
    found = await snapshot(store)
    assert (found.leases, found.wake_at) == ((), None)
    assert not await store.take_lease(held(unawaited(), owner="host-a"), at(99))


async def test_what_earlier_executions_left_outlives_the_end(store: HubStore) -> None:
    left = unawaited(1, execution_id="e0")
    await store.apply(effects(unawaited=(left,), leases=(lease(),), wake_at=at(10)))
    await end(store)
    found = await snapshot(store)
    assert (found.leases, found.wake_at) == ((left.lease,), at(10))


async def test_what_comes_after_the_end_is_not_stored(store: HubStore) -> None:
    await end(store, wake_at=None)
    await store.apply(effects(unawaited=(unawaited(),), leases=(lease(1),), wake_at=at(10)))
    found = await snapshot(store)
    assert (found.leases, found.wake_at) == ((), None)


async def test_a_purge_and_a_new_life_end_it(store: HubStore) -> None:
    await end(store, unawaited(input_=LONG))
    assert await store.purge("i")
    assert await store.load("i") is None
    assert not await store.take_lease(held(unawaited(), owner="host-a"), at(99))
    await store.create(instance(execution_id="e7"), ReusePolicy.NEVER)
    assert (await snapshot(store)).leases == ()
    left = unawaited(execution_id="e7")
    await store.apply(effects(row=finished(execution_id="e7"), unawaited=(left,), wake_at=at(1)))
    await store.create(instance(execution_id="e8"), ReusePolicy.WHEN_FINISHED)
    found = await snapshot(store)
    assert (found.leases, found.wake_at) == ((), None)


async def test_recovery_finds_it_when_nobody_has_it(store: HubStore, clock: ManualClock) -> None:
    left = unawaited()
    await end(store, left)
    assert await recoverable(store) == []
    clock.jump_to(at(10))
    assert await recoverable(store) == ["i"]
    assert await store.take_lease(held(left, owner="host-a", expires_at=at(40)), at(10))
    assert await recoverable(store) == []
    clock.jump_to(at(40))
    assert await recoverable(store) == ["i"]
    assert not await store.finish_lease(held(left, owner="host-a"), message())
    await store.apply(effects(wake_at=None))
    assert await recoverable(store) == []


@pytest.mark.parametrize("sought", [Sought.UNLED, Sought.BLOCKED])
async def test_who_looks_for_work_of_new_functions_finds_it_when_nobody_has_it(
    store: HubStore, clock: ManualClock, sought: Sought
) -> None:
    await end(store, unawaited())
    clock.jump_to(at(10))
    assert await recoverable(store, sought=sought) == ["i"]


async def test_recovery_finds_what_waits_for_anybody_of_an_instance_that_goes_on(
    store: HubStore, clock: ManualClock
) -> None:
    assert unawaited().lease.owner == ANYBODY
    await store.commit(commit(1, unawaited=(unawaited(),), wake_at=at(10)))
    clock.jump_to(at(10))
    assert [each.instance_id for each in await store.due_alarms(at(10), 9)] == ["i"]
