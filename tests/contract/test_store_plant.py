"""A whole instance that comes from elsewhere is stored at once, where its id is free."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from bindings.client import ReusePolicy
from bindings.errors import InstanceAlreadyExistsError
from host.core.history import Batch, TaskScheduled
from host.core.records import LET_GO, Instance, Message, Snapshot, StoredBatch
from host.storage.protocol import HubStore, InstanceFilter
from tests.contract import builders as b
from tests.kit.recoverable import recoverable

SCHEDULED = TaskScheduled(timestamp=b.at(1), task_id=3, name="act", input='"x"')


def batch(number: int, *, execution_id: str = "e1", size: int = 0) -> StoredBatch:
    event = TaskScheduled(timestamp=b.at(number), task_id=number, name="act", input="1" * size)
    events = b.events(event, execution_id=execution_id) if number == 0 else (event,)
    return StoredBatch(execution_id=execution_id, number=number, batch=Batch(events=events))


def running(**fields: Any) -> Instance:
    return b.instance("i", "e1", status=b.RUNNING, last_number=1, updated_at=b.at(2), **fields)


def whole(row: Instance | None = None, **fields: Any) -> Snapshot:
    values: dict[str, Any] = {
        "batches": (batch(0), batch(1)),
        "inbox": (b.message("m2"), b.message("m1")),
        "leases": (b.lease(1, LET_GO, 0),),
        "wake_at": b.at(3),
    }
    return Snapshot(instance=row or running(), **(values | fields))


async def test_what_is_planted_is_there(store: HubStore) -> None:
    planted = whole()
    await store.plant(planted, leaves_work=True)
    assert await store.load("i") == planted
    assert await store.get("i") == planted.instance
    assert await store.read_inbox("i") == planted.inbox
    assert await store.is_latest("i", "e1", 1)
    (alarm,) = await store.due_alarms(b.at(3), 10)
    assert (alarm.instance_id, alarm.due) == ("i", b.at(3))
    page = await store.query(InstanceFilter(), limit=10)
    assert page.instances == (planted.instance,)


async def test_what_is_planted_goes_on(store: HubStore) -> None:
    await store.plant(whole(), leaves_work=True)
    await store.commit(b.commit(number=2, row=running(custom_status='"on"')))
    await store.send("i", b.message("m3"))
    assert [each.message_id for each in await store.read_inbox("i")] == ["m2", "m1", "m3"]
    assert await store.take_lease(b.lease(1, "host-a", 60), b.at(1))
    ended = b.finished("i", "e1", last_number=3, updated_at=b.at(9))
    await store.commit(b.commit(number=3, row=ended))
    loaded = await store.load("i")
    assert loaded is not None
    assert (loaded.inbox, loaded.leases, loaded.wake_at) == ((), (), None)
    assert await store.purge("i")
    assert await store.load("i") is None


@pytest.mark.parametrize("leaves_work", [True, False])
async def test_what_it_leaves_to_do_is_found(store: HubStore, leaves_work: bool) -> None:
    await store.plant(whole(inbox=(), leases=()), leaves_work=leaves_work)
    assert await recoverable(store) == (["i"] if leaves_work else [])


@pytest.mark.parametrize("policy", ["active", "finished"])
async def test_an_id_that_exists_is_refused(store: HubStore, policy: str) -> None:
    await store.create(b.instance("i", "e9"), ReusePolicy.NEVER)
    if policy == "finished":
        await store.apply(b.effects(row=b.finished("i", "e9")))
    before = await store.load("i")
    with pytest.raises(InstanceAlreadyExistsError):
        await store.plant(whole(), leaves_work=True)
    assert await store.load("i") == before


async def test_the_same_again_is_refused(store: HubStore) -> None:
    await store.plant(whole(), leaves_work=True)
    with pytest.raises(InstanceAlreadyExistsError):
        await store.plant(whole(inbox=()), leaves_work=True)
    assert await store.load("i") == whole()


async def test_an_id_that_was_purged_is_free(store: HubStore) -> None:
    row = b.finished("i", "e1", last_number=1, updated_at=b.at(2))
    ended = whole(row, inbox=(), leases=(), wake_at=None)
    await store.plant(ended, leaves_work=False)
    assert await store.load("i") == ended
    assert await store.purge("i")
    again = msgspec.structs.replace(whole(), batches=(batch(0),))
    await store.plant(again, leaves_work=True)
    assert await store.load("i") == again


async def test_a_pending_one_and_one_that_starts_later(store: HubStore) -> None:
    pending = Snapshot(instance=b.instance("i", "e1"), wake_at=b.at(0))
    later = b.instance("j", "e2", scheduled_start_at=b.at(90))
    scheduled = Snapshot(instance=later, wake_at=b.at(90))
    await store.plant(pending, leaves_work=False)
    await store.plant(scheduled, leaves_work=False)
    assert await store.load("i") == pending
    assert await store.load("j") == scheduled
    assert await recoverable(store) == ["i"]
    assert [each.instance_id for each in await store.due_alarms(b.at(90), 10)] == ["i", "j"]


async def test_a_finished_one_with_an_unawaited_activity(store: HubStore) -> None:
    left = msgspec.structs.replace(b.lease(3, LET_GO, 5), scheduled=SCHEDULED)
    row = b.finished("i", "e1", last_number=1, updated_at=b.at(2))
    await store.plant(whole(row, inbox=(), leases=(left,), wake_at=b.at(5)), leaves_work=False)
    loaded = await store.load("i")
    assert loaded is not None
    assert (loaded.leases, loaded.wake_at) == ((left,), b.at(5))
    assert await store.take_lease(b.lease(3, "host-a", 60), b.at(6))


async def test_one_that_continued_as_new_with_the_batches_of_two_executions(
    store: HubStore,
) -> None:
    first = msgspec.structs.replace(batch(0).batch, events=(b.continue_as_new(),))
    batches = (
        StoredBatch(execution_id="e1", number=0, batch=first),
        batch(0, execution_id="e2"),
    )
    row = running(generation=0)
    planted = whole(row, batches=batches, inbox=(), leases=())
    await store.plant(planted, leaves_work=True)
    loaded = await store.load("i")
    assert loaded is not None
    assert loaded.batches == batches


async def test_a_large_one(store: HubStore) -> None:
    long = Message(message_id="long", event=b.message("m", '"' + "x" * 500_000 + '"').event)
    batches = tuple(batch(number, size=9_000) for number in range(150))
    planted = whole(batches=batches, inbox=(long,))
    await store.plant(planted, leaves_work=True)
    assert await store.load("i") == planted
