"""The contract of a rewind: the one commit that lets a failed instance go on."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from bindings.client import ReusePolicy, RuntimeStatus
from bindings.errors import InstanceStateError
from host.core.history import Batch, ExecutionRewound, TaskScheduled
from host.core.records import Commit, Instance
from host.errors import Conflict
from host.storage.protocol import HubStore, InstanceFilter, Sought
from tests.contract.builders import (
    NOW,
    RUNNING,
    at,
    commit,
    effects,
    instance,
    lease,
    message,
    unawaited,
)

REUSE = ReusePolicy.WHEN_FINISHED
FAILED = RuntimeStatus.FAILED
LARGE = f'"{"x" * 450_000}"'


def failed(**fields: Any) -> Instance:
    values: dict[str, Any] = {"status": FAILED, "last_number": 0, "updated_at": at(5)}
    return instance(**(values | fields))


def revived(rewinds: int = 1, **fields: Any) -> Instance:
    values: dict[str, Any] = {
        "status": RUNNING,
        "last_number": 2 * rewinds - 1,
        "updated_at": at(5 + rewinds),
    }
    return instance(**(values | fields), rewinds=rewinds)


def rewind(rewinds: int = 1, *, asked: str = '"x"', **fields: Any) -> Commit:
    number = 2 * rewinds - 1
    rewound = ExecutionRewound(timestamp=NOW, cut=0, last_task_id=number, again={0: number})
    again = TaskScheduled(timestamp=NOW, task_id=number, name="f", input=asked)
    values: dict[str, Any] = {"row": revived(rewinds), "wake_at": at(60)}
    batch = Batch(events=(rewound, again))
    return commit(number, batch=batch, open_activities=1, **(values | fields))


async def fails(store: HubStore, **fields: Any) -> None:
    """A failed instance `i`, and a host that looked at it."""
    await store.create(instance(input=fields.get("input", "1")), REUSE)
    await store.commit(commit(0, row=failed(**fields), wake_at=None))


async def row(store: HubStore) -> Instance:
    found = await store.get("i")
    assert found is not None
    return found


async def recoverable(store: HubStore, sought: Sought = Sought.ALL) -> list[str]:
    found: list[str] = []
    after: str | None = ""
    while after is not None:
        page = await store.recoverable(after=after, sought=sought)
        found += page.instance_ids
        after = page.rest
    return found


async def due(store: HubStore, moment: datetime) -> list[str]:
    return [each.instance_id for each in await store.due_alarms(moment, 9)]


async def listed(store: HubStore, status: RuntimeStatus) -> list[str]:
    page = await store.query(InstanceFilter(statuses=frozenset({status})), limit=9)
    return [each.instance_id for each in page.instances]


async def test_a_failed_instance_goes_on(store: HubStore) -> None:
    await fails(store)
    with pytest.raises(InstanceStateError):
        await store.send("i", message())
    await store.commit(rewind())
    assert await row(store) == revived()
    assert await listed(store, RUNNING) == ["i"]
    assert await listed(store, FAILED) == []
    await store.send("i", message())
    with pytest.raises(InstanceStateError):
        await store.purge("i")
    snapshot = await store.load("i")
    assert snapshot is not None
    assert [each.number for each in snapshot.batches] == [0, 1]
    assert snapshot.wake_at == at(60)
    assert [each.message_id for each in snapshot.inbox] == ["m1"]
    assert await due(store, at(60)) == ["i"]
    await store.apply(effects(run_id="e1", leases=(lease(1),)))
    assert await store.renew_lease(lease(1, expires_s=50))


@pytest.mark.parametrize("sought", list(Sought))
async def test_whoever_looks_for_lost_hints_finds_what_was_rewound(
    store: HubStore, sought: Sought
) -> None:
    await fails(store)
    assert await recoverable(store, sought) == []
    await store.commit(rewind())
    if sought is not Sought.BLOCKED:
        assert await recoverable(store, sought) == ["i"]


async def test_of_a_rewind_that_asks_for_nothing_the_work_is_found_too(store: HubStore) -> None:
    await fails(store)
    rewound = ExecutionRewound(timestamp=NOW, cut=0, last_task_id=0)
    batch = Batch(events=(rewound,))
    await store.commit(commit(1, batch=batch, row=revived(), wake_at=None))
    assert await recoverable(store) == ["i"]


async def test_what_was_rewound_ends_and_is_rewound_again(store: HubStore) -> None:
    await fails(store)
    for rewinds in (1, 2, 3):
        await store.commit(rewind(rewinds))
        await store.send("i", message(f"m{rewinds}"))
        ends = failed(rewinds=rewinds, last_number=2 * rewinds, updated_at=at(20 * rewinds))
        await store.commit(commit(2 * rewinds, row=ends, wake_at=None))
        assert await row(store) == ends
        assert await store.read_inbox("i") == ()
        assert await recoverable(store) == []
        assert await due(store, at(1000)) == []
    assert await store.purge("i")
    assert await store.load("i") is None


async def test_a_late_row_of_before_the_rewind_changes_nothing(store: HubStore) -> None:
    await fails(store)
    await store.commit(rewind())
    await store.apply(effects(row=failed()))
    await store.apply(effects(row=failed(), wake_at=None))
    await store.apply(effects(row=failed(updated_at=at(99), last_number=9), wake_at=at(99)))
    await store.apply(effects(row=instance(status=RUNNING, updated_at=at(99), last_number=9)))
    assert await row(store) == revived()
    assert await due(store, at(60)) == ["i"]


async def test_a_rewind_twice_is_a_rewind_once(store: HubStore) -> None:
    await fails(store)
    await store.commit(rewind())
    with pytest.raises(Conflict):
        await store.commit(rewind())
    ends = failed(rewinds=1, last_number=2, updated_at=at(20))
    await store.commit(commit(2, row=ends, wake_at=None))
    await store.apply(rewind().effects)
    assert await row(store) == ends
    assert await due(store, at(1000)) == []


async def test_the_row_of_a_rewind_may_be_stored_later_than_its_batch(store: HubStore) -> None:
    await fails(store)
    await store.commit(commit(1, batch=rewind().batch, open_activities=1, run_id="e1"))
    assert (await row(store)).status is FAILED
    for _ in range(2):
        await store.apply(rewind().effects)
        assert await row(store) == revived()
        assert await recoverable(store) == ["i"]


@pytest.mark.parametrize("status", [RuntimeStatus.COMPLETED, RuntimeStatus.TERMINATED])
async def test_only_a_failed_instance_goes_on(store: HubStore, status: RuntimeStatus) -> None:
    await fails(store, status=status)
    await store.apply(rewind().effects)
    assert (await row(store)).status is status
    assert await due(store, at(1000)) == []


async def test_a_rewind_is_of_one_run(store: HubStore) -> None:
    await fails(store)
    await store.create(instance(execution_id="e2", created_at=at(8)), REUSE)
    with pytest.raises(Conflict):
        await store.commit(rewind())
    await store.apply(rewind().effects)
    assert (await row(store)).execution_id == "e2"


async def test_what_nobody_waits_for_runs_on_through_a_rewind(store: HubStore) -> None:
    await store.create(instance(), REUSE)
    left = unawaited(3, owner="host-a", expires_s=30)
    await store.commit(commit(0, row=failed(), unawaited=(left,), wake_at=at(30)))
    await store.commit(rewind(wake_at=at(30)))
    snapshot = await store.load("i")
    assert snapshot is not None
    assert [each.scheduled for each in snapshot.leases] == [left.lease.scheduled]
    assert await due(store, at(30)) == ["i"]
    assert not await store.finish_lease(lease(3), message("result"))
    assert await store.read_inbox("i") == ()


async def test_a_rewind_may_be_larger_than_an_item(store: HubStore) -> None:
    await fails(store, input=LARGE)
    await store.commit(rewind(asked=LARGE, row=revived(input=LARGE)))
    assert await row(store) == revived(input=LARGE)
    snapshot = await store.load("i")
    assert snapshot is not None
    assert snapshot.batches[1].batch == rewind(asked=LARGE).batch
    ends = failed(rewinds=1, last_number=2, updated_at=at(20), input=LARGE)
    await store.commit(commit(2, row=ends, wake_at=None))
    assert await store.purge("i")
