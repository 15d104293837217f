"""The contract of entities: made by their first message, and stored whole with each batch."""

import asyncio
from typing import Any

import msgspec
import pytest

from bindings.client import ReusePolicy, RuntimeStatus
from bindings.errors import InstanceAlreadyExistsError, InstanceNotFoundError
from host.core.history import (
    Batch,
    EntityCheckpoint,
    EntityOperationCalled,
    EntityOperationSignaled,
    OrchestratorStarted,
)
from host.core.records import (
    Commit,
    EntityView,
    Envelope,
    Instance,
    Message,
    Snapshot,
    Start,
    StoredBatch,
)
from host.errors import Conflict
from host.storage.protocol import REMOVED_AFTER, Applied, HubStore, InstanceFilter, Removal
from tests.contract.builders import (
    NOW,
    ManualClock,
    at,
    commit,
    effects,
    instance,
    message,
    parent,
)

COUNTER = "@counter@a"
ENTITIES = InstanceFilter(entities=True)


def signal(message_id: str = "s1", instance_id: str = COUNTER, **fields: Any) -> Message:
    event = EntityOperationSignaled(
        timestamp=NOW, task_id=0, instance_id=instance_id, operation="add", **fields
    )
    return Message(message_id=message_id, event=event)


def call(message_id: str = "c1") -> Message:
    event = EntityOperationCalled(
        timestamp=NOW, task_id=1, instance_id=COUNTER, operation="get", parent=parent(1)
    )
    return Message(message_id=message_id, event=event)


def whole(entity: Instance, number: int, state: str | None = "1", **fields: Any) -> Commit:
    """A batch of the entity that says all that it is."""
    checkpoint = EntityCheckpoint(timestamp=NOW, number=number, state=state)
    plain = commit(
        number,
        instance_id=entity.instance_id,
        execution_id=entity.execution_id,
        batch=Batch(events=(OrchestratorStarted(timestamp=NOW), checkpoint)),
        **fields,
    )
    return msgspec.structs.replace(plain, is_whole=True)


async def born(store: HubStore, message_id: str = "s1") -> Instance:
    await store.send(COUNTER, signal(message_id))
    row = await store.get(COUNTER)
    assert row is not None
    return row


async def stored(store: HubStore) -> tuple[StoredBatch, ...]:
    snapshot = await store.load(COUNTER)
    assert snapshot is not None
    return snapshot.batches


async def test_an_entity_is_made_by_its_first_message(store: HubStore) -> None:
    row = await born(store)
    assert (row.name, row.status, row.created_at) == ("@counter", RuntimeStatus.PENDING, NOW)
    assert row.entity is None
    assert [each.message_id for each in await store.read_inbox(COUNTER)] == ["s1"]


async def test_all_messages_go_to_one_entity(store: HubStore) -> None:
    row = await born(store)
    await store.send(COUNTER, signal("s2"))
    await store.send(COUNTER, signal("s1"))
    assert await store.get(COUNTER) == row
    assert [each.message_id for each in await store.read_inbox(COUNTER)] == ["s1", "s2"]


async def test_messages_at_once_make_one_entity_and_none_is_lost(store: HubStore) -> None:
    await asyncio.gather(*(store.send(COUNTER, signal(f"s{n}")) for n in range(8)))
    found = {each.message_id for each in await store.read_inbox(COUNTER)}
    assert found == {f"s{n}" for n in range(8)}


async def test_what_a_turn_sends_makes_entities_too(store: HubStore) -> None:
    await store.create(instance(), ReusePolicy.WHEN_FINISHED)
    sent = (Envelope(COUNTER, call()), Envelope(COUNTER, signal()), Envelope("@b@", signal("b")))
    assert await store.commit(commit(messages=sent)) == Applied()
    assert [each.message_id for each in await store.read_inbox(COUNTER)] == ["c1", "s1"]
    assert [each.message_id for each in await store.read_inbox("@b@")] == ["b"]
    assert await store.apply(effects(messages=sent)) == Applied()
    assert [each.message_id for each in await store.read_inbox(COUNTER)] == ["c1", "s1"]


async def test_what_is_no_operation_makes_none(store: HubStore) -> None:
    with pytest.raises(InstanceNotFoundError):
        await store.send(COUNTER, message())
    applied = await store.apply(effects(messages=(Envelope(COUNTER, message("m")),)))
    assert applied == Applied(dropped=("m",))
    assert await store.get(COUNTER) is None


async def test_no_message_makes_an_orchestration(store: HubStore) -> None:
    with pytest.raises(InstanceNotFoundError):
        await store.send("counter", signal(instance_id="counter"))
    assert await store.get("counter") is None


async def test_a_whole_batch_takes_the_place_of_the_one_before(store: HubStore) -> None:
    row = await born(store)
    for number in range(4):
        each = whole(row, number, str(number))
        await store.commit(each)
        assert await stored(store) == (
            StoredBatch(execution_id=row.execution_id, number=number, batch=each.batch),
        )
        assert await store.is_latest(COUNTER, row.execution_id, number)
    assert not await store.is_latest(COUNTER, row.execution_id, 2)
    assert not await store.is_latest(COUNTER, row.execution_id, -1)


async def test_before_the_first_batch_there_is_none(store: HubStore) -> None:
    row = await born(store)
    assert await store.is_latest(COUNTER, row.execution_id, -1)
    assert not await store.is_latest(COUNTER, row.execution_id, 0)


@pytest.mark.parametrize("number", [0, 1, 2, 3, 5], ids="number {}".format)
async def test_only_the_next_batch_is_stored(store: HubStore, number: int) -> None:
    row = await born(store)
    for each in range(4):
        await store.commit(whole(row, each))
    before = await stored(store)
    late = whole(row, number, "99", consumed=("s1",))
    with pytest.raises(Conflict):
        await store.commit(late)
    assert await stored(store) == before
    assert len(await store.read_inbox(COUNTER)) == 1


async def test_of_two_batches_at_once_one_wins(store: HubStore) -> None:
    row = await born(store)
    await store.commit(whole(row, 0))
    turns = [whole(row, 1, str(n)) for n in range(5)]
    answers = await asyncio.gather(*(store.commit(t) for t in turns), return_exceptions=True)
    assert sum(isinstance(answer, Conflict) for answer in answers) == 4
    (winner,) = [n for n, answer in enumerate(answers) if answer == Applied()]
    assert [each.batch for each in await stored(store)] == [turns[winner].batch]


async def test_a_state_of_many_chunks_is_replaced_as_a_whole(store: HubStore) -> None:
    row = await born(store)
    for number, size in enumerate((500_000, 700_000, 3)):
        text = "".join(chr(33 + (n * 7919 + number) % 90) for n in range(size))
        each = whole(row, number, f'"{text}"')
        await store.commit(each)
        assert [found.batch for found in await stored(store)] == [each.batch]


async def test_consumed_messages_go_and_the_row_says_what_it_is_told(store: HubStore) -> None:
    row = await born(store)
    await store.send(COUNTER, signal("s2"))
    shown = instance(
        COUNTER,
        row.execution_id,
        name=row.name,
        status=RuntimeStatus.RUNNING,
        updated_at=at(1),
        last_number=0,
        input=None,
        entity=EntityView(has_state=True),
    )
    await store.commit(whole(row, 0, consumed=("s1",), row=shown, wake_at=at(60)))
    assert [each.message_id for each in await store.read_inbox(COUNTER)] == ["s2"]
    assert await store.get(COUNTER) == shown
    assert [each.instance_id for each in await store.due_alarms(at(61), 9)] == [COUNTER]


async def test_entities_are_in_lists_of_entities_only(store: HubStore) -> None:
    await store.create(instance("i"), ReusePolicy.WHEN_FINISHED)
    for each in ("@counter@a", "@counter@b", "@other@a"):
        await store.send(each, signal(instance_id=each))
    plain = await store.query(InstanceFilter(), limit=10)
    assert [each.instance_id for each in plain.instances] == ["i"]
    assert await store.count(InstanceFilter()) == {RuntimeStatus.PENDING: 1}
    assert await ids(store, ENTITIES) == ["@counter@a", "@counter@b", "@other@a"]
    named = InstanceFilter(entities=True, names=frozenset({"@counter"}))
    assert await ids(store, named) == ["@counter@a", "@counter@b"]
    prefixed = InstanceFilter(entities=True, id_prefix="@counter@b")
    assert await ids(store, prefixed) == ["@counter@b"]
    running = InstanceFilter(statuses=frozenset({RuntimeStatus.PENDING}))
    assert await ids(store, running) == ["i"]
    assert sum((await store.count(ENTITIES)).values()) == 3


async def ids(store: HubStore, filter_: InstanceFilter) -> list[str]:
    found: list[str] = []
    token = None
    while True:
        page = await store.query(filter_, limit=2, token=token)
        found += [each.instance_id for each in page.instances]
        token = page.token
        if token is None:
            return sorted(set(found))


async def test_an_entity_with_mail_is_found_by_recovery_and_without_it_is_not(
    store: HubStore,
) -> None:
    row = await born(store)
    assert COUNTER in (await store.recoverable()).instance_ids
    await store.commit(whole(row, 0, consumed=("s1",)))
    assert COUNTER not in (await store.recoverable()).instance_ids


async def test_a_start_that_nobody_wants_to_hear_of_is_refused_in_silence(store: HubStore) -> None:
    await store.create(instance("taken"), ReusePolicy.WHEN_FINISHED)
    row = await born(store)
    start = Start(instance("taken", "e9"))
    applied = await store.commit(whole(row, 0, starts=(start, Start(instance("new", "e8")))))
    assert applied.refused_starts == ("taken",)
    assert [each.message_id for each in await store.read_inbox(COUNTER)] == ["s1"]
    assert await store.get("new") is not None


# ---- removal ---------------------------------------------------------------------------------


async def removed(
    store: HubStore, clock: ManualClock, row: Instance, number: int, *, steps: int = 2
) -> Removal:
    """Ask for the removal as who cleans does: twice, if the store wants it."""
    answer = await store.remove_entity(row.instance_id, row.execution_id, number)
    for _ in range(steps - 1):
        if answer is Removal.MARKED:
            clock.jump(REMOVED_AFTER)
            answer = await store.remove_entity(row.instance_id, row.execution_id, number)
    return answer


async def idle(store: HubStore, *, number: int = 0) -> Instance:
    """An entity that has done all that was asked of it, in so many batches and one."""
    row = await born(store)
    for each in range(number + 1):
        await store.commit(whole(row, each, None, consumed=("s1",), wake_at=at(9)))
    return row


@pytest.mark.parametrize("number", [0, 3])
async def test_an_idle_entity_is_removed_with_all_that_it_has(
    store: HubStore, clock: ManualClock, number: int
) -> None:
    row = await idle(store, number=number)
    assert await removed(store, clock, row, number) is Removal.GONE
    assert await store.get(COUNTER) is None
    assert await store.load(COUNTER) is None
    assert await store.due_alarms(at(99), 9) == []
    assert await ids(store, ENTITIES) == []
    assert await removed(store, clock, row, number) is Removal.KEPT


async def test_an_entity_that_never_did_anything_is_removed(
    store: HubStore, clock: ManualClock
) -> None:
    row = await born(store)
    await store.apply(effects(COUNTER, run_id=row.execution_id, consumed=("s1",)))
    assert await removed(store, clock, row, -1) is Removal.GONE
    assert await store.get(COUNTER) is None


async def test_an_entity_that_is_not_as_it_was_thought_to_be_stays(
    store: HubStore, clock: ManualClock
) -> None:
    row = await idle(store, number=2)
    other = msgspec.structs.replace(row, execution_id="another")
    for wrong in (-1, 0, 1, 3):
        assert await removed(store, clock, row, wrong) is Removal.KEPT
    assert await removed(store, clock, other, 2) is Removal.KEPT
    assert await removed(store, clock, instance("@counter@z", "e1"), 2) is Removal.KEPT
    assert len(await stored(store)) == 1


async def test_an_orchestration_is_not_removed(store: HubStore, clock: ManualClock) -> None:
    await store.create(instance(), ReusePolicy.WHEN_FINISHED)
    assert await removed(store, clock, instance(), -1) is Removal.KEPT
    assert await store.get("i") is not None


async def test_an_entity_with_mail_stays_and_the_mail_with_it(
    store: HubStore, clock: ManualClock
) -> None:
    row = await idle(store)
    await store.send(COUNTER, signal("s2"))
    assert await removed(store, clock, row, 0) is Removal.KEPT
    assert [each.message_id for each in await store.read_inbox(COUNTER)] == ["s2"]


async def test_a_message_between_the_steps_of_a_removal_keeps_the_entity(
    store: HubStore, clock: ManualClock
) -> None:
    row = await idle(store)
    if await store.remove_entity(COUNTER, row.execution_id, 0) is Removal.MARKED:
        await store.apply(effects(messages=(Envelope(COUNTER, signal("s2")),)))
        clock.jump(2 * REMOVED_AFTER)
        assert await store.remove_entity(COUNTER, row.execution_id, 0) is Removal.KEPT
        assert [each.message_id for each in await store.read_inbox(COUNTER)] == ["s2"]
        await store.commit(whole(row, 1, None, consumed=("s2",)))
        # who sent has taken the mark away
        assert await store.remove_entity(COUNTER, row.execution_id, 1) is Removal.MARKED


async def test_a_message_after_a_removal_makes_the_entity_anew(
    store: HubStore, clock: ManualClock
) -> None:
    row = await idle(store, number=1)
    assert await removed(store, clock, row, 1) is Removal.GONE
    await store.send(COUNTER, signal("s9"))
    new = await store.get(COUNTER)
    assert new is not None
    assert new.execution_id != row.execution_id
    assert [each.message_id for each in await store.read_inbox(COUNTER)] == ["s9"]
    with pytest.raises(Conflict):  # a host that knows of nothing
        await store.commit(whole(row, 2))
    await store.commit(whole(new, 0, "9", consumed=("s9",)))
    assert [each.execution_id for each in await stored(store)] == [new.execution_id]


async def test_messages_and_removals_at_once_lose_nothing(
    store: HubStore, clock: ManualClock
) -> None:
    row = await idle(store)
    await store.remove_entity(COUNTER, row.execution_id, 0)
    clock.jump(REMOVED_AFTER)
    sent = [store.send(COUNTER, signal(f"t{n}")) for n in range(4)]
    removals = [store.remove_entity(COUNTER, row.execution_id, 0) for _ in range(2)]
    await asyncio.gather(*removals, *sent)
    found = {each.message_id for each in await store.read_inbox(COUNTER)}
    assert found == {f"t{n}" for n in range(4)}


# ---- from elsewhere ----------------------------------------------------------------------------


async def test_an_entity_from_elsewhere_goes_on_after_its_last_batch(
    store: HubStore, clock: ManualClock
) -> None:
    row = instance(
        COUNTER, "e7", name="@counter", status=RuntimeStatus.RUNNING, input=None, last_number=41
    )
    last = whole(row, 41, '"old"').batch
    planted = Snapshot(
        instance=row,
        batches=(StoredBatch(execution_id="e7", number=41, batch=last),),
        inbox=(signal("s1"), signal("s2")),
        wake_at=at(5),
    )
    await store.plant(planted, leaves_work=False)
    assert await store.load(COUNTER) == planted
    assert await store.is_latest(COUNTER, "e7", 41)
    assert COUNTER in (await store.recoverable()).instance_ids
    with pytest.raises(InstanceAlreadyExistsError):
        await store.plant(planted, leaves_work=False)
    with pytest.raises(Conflict):
        await store.commit(whole(row, 41))
    await store.commit(whole(row, 42, "1", consumed=("s1", "s2"), wake_at=None))
    assert [each.number for each in await stored(store)] == [42]
    assert await removed(store, clock, row, 42) is Removal.GONE
