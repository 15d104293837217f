"""The contract of `commit`, and of the inbox."""

import asyncio

import pytest

from bindings.client import ReusePolicy
from bindings.errors import InstanceNotFoundError, InstanceStateError
from host.core.history import Batch
from host.core.records import StoredBatch
from host.errors import Conflict
from host.storage.protocol import Applied, HubStore
from tests.contract.builders import (
    at,
    commit,
    continue_as_new,
    effects,
    events,
    finished,
    instance,
    lease,
    message,
)

REUSE = ReusePolicy.WHEN_FINISHED


async def inbox_ids(store: HubStore, instance_id: str = "i") -> list[str]:
    return [each.message_id for each in await store.read_inbox(instance_id)]


async def test_batches_are_loaded_in_order_of_number(store: HubStore) -> None:
    await store.create(instance(), REUSE)
    commits = [commit(n, batch=Batch(events=events(), consumed=(f"m{n}",))) for n in range(12)]
    for each in commits:
        assert await store.commit(each) == Applied()
    snapshot = await store.load("i")
    assert snapshot is not None
    assert snapshot.batches == tuple(
        StoredBatch(execution_id="e1", number=each.number, batch=each.batch) for each in commits
    )


async def test_the_same_commit_again_is_a_conflict_and_does_nothing(store: HubStore) -> None:
    await store.create(instance(), REUSE)
    await store.create(instance("other"), REUSE)
    await store.commit(commit())
    before = await store.load("i")
    with pytest.raises(Conflict):
        await store.commit(commit(row=finished(), wake_at=at(1), leases=(lease(),)))
    assert await store.load("i") == before


async def test_of_two_turns_at_once_one_wins(store: HubStore) -> None:
    await store.create(instance(), REUSE)
    turns = [
        commit(
            batch=Batch(events=events(), consumed=(f"m{n}",)), row=instance(custom_status=str(n))
        )
        for n in range(5)
    ]
    answers = await asyncio.gather(*(store.commit(t) for t in turns), return_exceptions=True)
    assert sum(isinstance(answer, Conflict) for answer in answers) == 4
    (winner,) = [n for n, answer in enumerate(answers) if answer == Applied()]
    snapshot = await store.load("i")
    assert snapshot is not None
    assert [stored.batch for stored in snapshot.batches] == [turns[winner].batch]
    assert snapshot.instance.custom_status == str(winner)


async def test_a_losing_turn_does_not_harm_the_turns_of_others(store: HubStore) -> None:
    ids = [f"i{n}" for n in range(10)]
    for instance_id in ids:
        await store.create(instance(instance_id), REUSE)
    await store.commit(commit(instance_id="i3"))
    answers = await asyncio.gather(
        *(store.commit(commit(instance_id=id_)) for id_ in ids), return_exceptions=True
    )
    assert [type(answer) for answer in answers] == [Applied] * 3 + [Conflict] + [Applied] * 6


async def test_a_commit_without_a_row_is_a_conflict(store: HubStore) -> None:
    with pytest.raises(Conflict):
        await store.commit(commit())
    assert await store.load("i") is None


async def test_a_commit_of_a_run_that_was_purged_and_made_again_is_a_conflict(
    store: HubStore,
) -> None:
    await store.create(instance(), REUSE)
    await store.commit(commit(row=finished()))
    await store.purge("i")
    await store.create(instance(execution_id="e9"), REUSE)
    before = await store.load("i")
    with pytest.raises(Conflict):
        await store.commit(commit(1, execution_id="e1"))
    assert await store.load("i") == before


async def test_the_row_may_be_behind_the_history(store: HubStore) -> None:
    await store.create(instance(), REUSE)
    await store.commit(commit(batch=Batch(events=events(continue_as_new()))))
    await store.commit(commit(execution_id="e2", row_execution_id="e1", drop_execution="e1"))
    snapshot = await store.load("i")
    assert snapshot is not None
    assert [stored.execution_id for stored in snapshot.batches] == ["e2"]
    row = instance(execution_id="e2", generation=1, updated_at=at(3))
    await store.commit(commit(1, execution_id="e2", row_execution_id="e1", row=row))
    with pytest.raises(Conflict):
        await store.commit(commit(2, execution_id="e2", row_execution_id="e1"))
    await store.commit(commit(2, execution_id="e2"))


async def test_a_key_is_instance_and_execution_and_number(store: HubStore) -> None:
    await store.create(instance(), REUSE)
    await store.create(instance("j"), REUSE)
    await store.commit(commit())
    await store.commit(commit(instance_id="j"))
    await store.commit(commit(execution_id="e2", row_execution_id="e1"))
    await store.commit(commit(1))
    snapshot = await store.load("i")
    assert snapshot is not None
    assert [(stored.execution_id, stored.number) for stored in snapshot.batches] == [
        ("e1", 0),
        ("e1", 1),
        ("e2", 0),
    ]


async def test_messages_are_read_in_order_of_arrival(store: HubStore) -> None:
    await store.create(instance(), REUSE)
    for name in ("m3", "m1", "m2"):
        await store.send("i", message(name))
    await asyncio.gather(*(store.send("i", message(f"n{n}")) for n in range(9, 0, -1)))
    expected = ["m3", "m1", "m2", *(f"n{n}" for n in range(9, 0, -1))]
    assert await inbox_ids(store) == expected


async def test_the_same_message_id_again_has_no_effect(store: HubStore) -> None:
    await store.create(instance(), REUSE)
    first = message("m1", "1")
    await store.send("i", first)
    await store.send("i", message("m2"))
    await asyncio.gather(*(store.send("i", message("m1", str(n))) for n in range(3)))
    assert list(await store.read_inbox("i")) == [first, message("m2")]


async def test_message_ids_are_per_instance(store: HubStore) -> None:
    await store.create(instance(), REUSE)
    await store.create(instance("j"), REUSE)
    await store.send("i", message())
    await store.send("j", message())
    assert await inbox_ids(store) == await inbox_ids(store, "j") == ["m1"]


async def test_nobody_receives_what_is_sent_to_nobody(store: HubStore) -> None:
    with pytest.raises(InstanceNotFoundError):
        await store.send("i", message())
    await store.create(instance(), REUSE)
    assert await inbox_ids(store) == []


async def test_a_finished_instance_receives_nothing(store: HubStore) -> None:
    await store.create(instance(), REUSE)
    await store.commit(commit(row=finished()))
    with pytest.raises(InstanceStateError) as raised:
        await store.send("i", message())
    assert raised.value.finished
    assert await inbox_ids(store) == []


async def test_consumed_messages_are_deleted_and_others_stay(store: HubStore) -> None:
    await store.create(instance(), REUSE)
    for name in ("m1", "m2", "m3"):
        await store.send("i", message(name))
    await store.commit(commit(consumed=("m1", "m3", "unknown")))
    assert await inbox_ids(store) == ["m2"]
    await store.commit(commit(1, consumed=("m2", "m1")))
    assert await inbox_ids(store) == []
    await store.send("i", message("m4"))
    assert await inbox_ids(store) == ["m4"]


async def test_a_message_that_returns_after_it_was_deleted_is_there_again(
    store: HubStore,
) -> None:
    await store.create(instance(), REUSE)
    await store.send("i", message())
    await store.commit(commit(consumed=("m1",)))
    await store.send("i", message("m0"))
    await store.send("i", message("m1"))
    assert await inbox_ids(store) == ["m0", "m1"]


async def test_an_instance_that_finishes_while_messages_arrive_has_none_left(
    store: HubStore,
) -> None:
    await store.create(instance(), REUSE)
    await store.send("i", message("m1"))
    await asyncio.gather(
        store.send("i", message("m2")),
        store.commit(commit(consumed=("gone", "gone too"), row=finished())),
        store.send("i", message("m3")),
        return_exceptions=True,
    )
    assert await inbox_ids(store) == []
    snapshot = await store.load("i")
    assert snapshot is not None
    assert snapshot.inbox == ()
    await store.apply(effects(consumed=("m1",)))
    assert await store.purge("i") is True


async def test_found_a10_an_inbox_is_read_only_for_the_run_that_the_reader_believes_in(
    store: HubStore,
) -> None:
    await store.create(instance(), REUSE)
    await store.send("i", message())
    assert list(await store.read_inbox("i", of="e1")) == [message()]
    with pytest.raises(Conflict):
        await store.read_inbox("i", of="e2")
    with pytest.raises(Conflict):
        await store.read_inbox("nobody", of="e1")
    await store.apply(effects(consumed=("m1",)))
    with pytest.raises(Conflict):
        await store.read_inbox("i", of="e2")
    await store.commit(commit(row=finished()))
    with pytest.raises(Conflict):
        await store.read_inbox("i", of="e1")
    await store.purge("i")
    with pytest.raises(Conflict):
        await store.read_inbox("i", of="e1")


async def test_found_a22_the_store_says_whether_a_batch_is_the_latest(store: HubStore) -> None:
    assert await store.is_latest("i", "e1", -1)
    assert not await store.is_latest("i", "e1", 0)
    await store.create(instance(), REUSE)
    assert await store.is_latest("i", "e1", -1)
    for number in range(12):
        await store.commit(commit(number))
        assert await store.is_latest("i", "e1", number)
        assert not await store.is_latest("i", "e1", number - 1)
        assert not await store.is_latest("i", "e1", number + 1)
    assert await store.is_latest("i", "e2", -1)
    last = Batch(events=events(continue_as_new()))
    await store.commit(commit(12, batch=last))
    row = instance(execution_id="e1.2", generation=1)
    await store.commit(
        commit(execution_id="e1.2", row_execution_id="e1", row=row, drop_execution="e1")
    )
    assert not await store.is_latest("i", "e1", 12)
    assert await store.is_latest("i", "e1.2", 0)
