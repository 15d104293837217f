"""A run is the life of an instance until it is purged or replaced: no other changes its row."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from bindings.client import ReusePolicy, RuntimeStatus
from bindings.errors import InstanceAlreadyExistsError, InstanceNotFoundError
from host.core.records import Effects, Instance
from host.storage.protocol import Created, HubStore
from tests.contract import builders as b

FIRST, NEXT = "e1", "e1-later"


def continued(generation: int = 3, execution_id: str = NEXT, **fields: Any) -> Instance:
    """The row of a run that was started as `e1` and has continued as new."""
    values: dict[str, Any] = {
        "generation": generation,
        "first_execution_id": FIRST,
        "status": b.RUNNING,
        "last_number": 2,
        "updated_at": b.at(4),
        "input": '"old input"',
    }
    return b.instance("i", execution_id, **(values | fields))


def newcomer(**fields: Any) -> Instance:
    """The row of the run that took the place of the other."""
    values: dict[str, Any] = {
        "created_at": b.at(5),
        "updated_at": b.at(5),
        "input": '"new input"',
    }
    return b.instance("i", "e2", **(values | fields))


async def replaced(store: HubStore, old: Instance, new: Instance, how: str) -> None:
    """`old` was stored, then made room for `new`."""
    await store.create(b.instance("i", FIRST), ReusePolicy.NEVER)
    await store.apply(b.effects(row=old))
    if how == "replaced":
        await store.create(new, ReusePolicy.REPLACE)
    else:
        ended = msgspec.structs.replace(old, status=b.COMPLETED, updated_at=b.at(4.5))
        await store.apply(b.effects(row=ended))
        assert await store.purge("i")
        await store.create(new, ReusePolicy.NEVER)


LATE = {
    "a park": {"updated_at": b.at(6)},
    "a later turn": {"updated_at": b.at(6), "last_number": 9},
    "a later generation": {"updated_at": b.at(6), "last_number": 9, "generation": 4},
    "a count of tries": {"updated_at": b.at(6), "tries": 2},
    "a quarantine": {"updated_at": b.at(6), "is_quarantined": True, "blocked_reason": "Q"},
    "an end": {"updated_at": b.at(6), "last_number": 9, "status": RuntimeStatus.COMPLETED},
}


@pytest.mark.parametrize("late", LATE.values(), ids=list(LATE))
@pytest.mark.parametrize("how", ["replaced", "purged"])
@pytest.mark.parametrize("is_of_an_older_version", [False, True], ids=["", "of an older version"])
async def test_found_a20_a_late_row_of_another_run_changes_nothing(
    store: HubStore, late: dict[str, Any], how: str, is_of_an_older_version: bool
) -> None:
    told: dict[str, Any] = {"first_execution_id": "" if is_of_an_older_version else FIRST}
    await replaced(store, continued(**told), newcomer(), how)
    await store.send("i", b.message("m1"))
    await store.apply(
        b.effects(
            row=continued(**told, **late),
            wake_at=b.at(99),
            leases=(b.lease(execution_id=NEXT),),
            consumed=("m1",),
        )
    )
    snapshot = await store.load("i")
    assert snapshot is not None
    assert snapshot.instance == newcomer()
    assert snapshot.wake_at is None
    assert snapshot.leases == ()
    assert [each.message_id for each in snapshot.inbox] == ["m1"]


async def test_found_a20_two_runs_of_one_moment_are_told_apart(store: HubStore) -> None:
    new = newcomer(created_at=b.NOW)
    await replaced(store, continued(), new, "replaced")
    await store.apply(b.effects(row=continued(updated_at=b.at(6)), wake_at=b.at(99)))
    snapshot = await store.load("i")
    assert snapshot is not None
    assert (snapshot.instance, snapshot.wake_at) == (new, None)


async def test_found_a20_effects_without_a_row_say_which_run_they_are_of(store: HubStore) -> None:
    await replaced(store, continued(), newcomer(), "replaced")
    await store.send("i", b.message("m1"))
    await store.apply(b.effects(run_id=FIRST, wake_at=b.at(99), consumed=("m1",)))
    snapshot = await store.load("i")
    assert snapshot is not None
    assert snapshot.wake_at is None
    assert len(snapshot.inbox) == 1
    await store.apply(b.effects(run_id="e2", wake_at=b.at(99), consumed=("m1",)))
    snapshot = await store.load("i")
    assert snapshot is not None
    assert snapshot.wake_at == b.at(99)
    assert snapshot.inbox == ()


async def test_found_a20_a_lease_of_an_execution_that_is_over_is_not_stored(
    store: HubStore,
) -> None:
    await replaced(store, continued(), newcomer(), "replaced")
    await store.apply(b.effects(leases=(b.lease(execution_id=NEXT),)))
    snapshot = await store.load("i")
    assert snapshot is not None
    assert snapshot.leases == ()


@pytest.mark.parametrize("is_of_an_older_version", [False, True], ids=["", "of an older version"])
async def test_found_a20_the_rows_of_one_run_go_on_through_its_executions(
    store: HubStore, is_of_an_older_version: bool
) -> None:
    told: dict[str, Any] = {"first_execution_id": "" if is_of_an_older_version else FIRST}
    await store.create(b.instance("i", FIRST), ReusePolicy.NEVER)
    for generation in (1, 2, 5):
        row = continued(generation, f"e-{generation}", **told)
        await store.apply(b.effects(row=row, wake_at=b.at(50 + generation)))
        snapshot = await store.load("i")
        assert snapshot is not None
        assert (snapshot.instance, snapshot.wake_at) == (row, b.at(50 + generation))


@pytest.mark.parametrize(
    "change", [{"last_number": 3}, {"updated_at": b.at(7)}, {"execution_id": "e9", "generation": 4}]
)
async def test_found_a21_a_row_is_changed_only_while_it_is_the_one_that_was_seen(
    store: HubStore, change: dict[str, Any]
) -> None:
    await store.create(b.instance("i", FIRST), ReusePolicy.NEVER)
    seen = continued(is_quarantined=True, blocked_reason="Q")
    await store.apply(b.effects(row=seen))
    new = continued(updated_at=b.at(8))
    if change:
        later = msgspec.structs.replace(seen, **change)
        await store.apply(b.effects(row=later))
        assert not await store.change_row(seen, new)
        assert await store.get("i") == later
        assert await store.change_row(later, new)
    assert await store.get("i") == new


async def test_found_a21_a_changed_row_is_changed_once(store: HubStore) -> None:
    await store.create(b.instance("i", FIRST), ReusePolicy.NEVER)
    seen = continued(input='"' + "long " * 100_000 + '"')
    await store.apply(b.effects(row=seen))
    await store.apply(b.effects(wake_at=b.at(70)))
    new = msgspec.structs.replace(seen, tries=1, updated_at=b.at(8))
    assert await store.change_row(seen, new)
    other = msgspec.structs.replace(seen, tries=2, updated_at=b.at(9))
    assert not await store.change_row(seen, other)
    snapshot = await store.load("i")
    assert snapshot is not None
    assert (snapshot.instance, snapshot.wake_at) == (new, b.at(70))


async def test_found_a21_nobody_changes_the_row_of_what_is_gone_finished_or_another(
    store: HubStore,
) -> None:
    seen = continued()
    new = msgspec.structs.replace(seen, updated_at=b.at(8))
    assert not await store.change_row(seen, new)
    await replaced(store, seen, newcomer(), "replaced")
    assert not await store.change_row(seen, new)
    await store.apply(b.effects(row=newcomer(status=b.COMPLETED, updated_at=b.at(6))))
    row = await store.get("i")
    assert row is not None
    assert not await store.change_row(row, msgspec.structs.replace(row, status=b.RUNNING))


@pytest.mark.parametrize("reuse", [ReusePolicy.WHEN_FINISHED, ReusePolicy.REPLACE])
async def test_found_a21_a_restart_replaces_only_the_run_that_was_read(
    store: HubStore, reuse: ReusePolicy
) -> None:
    with pytest.raises(InstanceNotFoundError):
        await store.create(newcomer(), reuse, replaces="e1")
    await store.create(b.finished("i", "e1"), ReusePolicy.NEVER)
    with pytest.raises(InstanceAlreadyExistsError):
        await store.create(newcomer(), reuse, replaces="e0")
    assert await store.create(newcomer(), reuse, replaces="e1") is Created.NEW
    assert await store.create(newcomer(), reuse, replaces="e1") is Created.BEFORE
    with pytest.raises(InstanceAlreadyExistsError):
        await store.create(b.instance("i", "e3"), reuse, replaces="e1")
    assert await store.get("i") == newcomer()


async def test_a_message_for_one_run_reaches_no_other(store: HubStore) -> None:
    await store.create(b.instance(), ReusePolicy.NEVER)
    await store.send("i", b.message("m1"), of=FIRST)
    await store.apply(Effects(instance_id="i", row=continued()))
    await store.send("i", b.message("m2"), of=FIRST)
    assert [each.message_id for each in await store.read_inbox("i")] == ["m1", "m2"]
    await store.create(newcomer(), ReusePolicy.REPLACE)
    with pytest.raises(InstanceNotFoundError):
        await store.send("i", b.message("m3"), of=FIRST)
    await store.send("i", b.message("m4"), of="e2")
    assert [each.message_id for each in await store.read_inbox("i")] == ["m4"]
