"""Entities that are removed while somebody sends to them, step by step."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, TypeAlias

import pytest

from host.core.records import Envelope, Instance
from host.errors import Conflict, StorageError
from host.storage.aws.table.store import DynamoStore
from host.storage.protocol import REMOVED_AFTER, HubStore, Removal
from tests.contract.builders import effects
from tests.contract.test_store_entities import COUNTER, idle, signal, whole
from tests.kit.simulated_dynamo import Before, DiedError, SimulatedDynamo, at_once

Send: TypeAlias = Callable[[HubStore], Awaitable[Any]]


async def by_client(store: HubStore) -> None:
    await store.send(COUNTER, signal("s2"))


async def by_turn(store: HubStore) -> None:
    sent = tuple(Envelope(COUNTER, signal(each)) for each in ("s2", "s3"))
    await store.apply(effects(messages=sent))


SENDERS = pytest.mark.parametrize("send", [by_client, by_turn])


def once(operation: str, deed: Callable[[], None]) -> Before:
    """Do something right before the first request of this kind."""
    left = [deed]

    def before(name: str, _: dict[str, Any]) -> None:
        if name == operation and left:
            left.pop()()

    return before


async def mail(store: HubStore) -> list[str]:
    return [each.message_id for each in await store.read_inbox(COUNTER)]


async def run(store: HubStore) -> str | None:
    """Which one of its lives the entity is in."""
    row = await store.get(COUNTER)
    return None if row is None else row.execution_id


def remove(hub: SimulatedDynamo, store: DynamoStore, row: Instance) -> None:
    """Both steps of a removal, by another host."""
    at_once(store.remove_entity(COUNTER, row.execution_id, 0))
    hub.pass_time(REMOVED_AFTER)
    at_once(store.remove_entity(COUNTER, row.execution_id, 0))


@SENDERS
async def test_who_was_too_slow_makes_the_entity_anew(send: Send) -> None:
    hub = SimulatedDynamo()
    other = hub.store()
    row = await idle(other)
    slow = hub.store(once("PutItem", lambda: remove(hub, other, row)))
    await send(slow)
    assert await run(other) not in {None, row.execution_id}
    assert (await mail(other))[0] == "s2"
    assert len(await mail(other)) == len(set(await mail(other)))
    await other.load(COUNTER)
    assert not any(key.startswith("x#") for key in hub.keys(COUNTER))


@SENDERS
async def test_who_was_slow_before_the_second_step_keeps_the_entity(send: Send) -> None:
    hub = SimulatedDynamo()
    other = hub.store()
    row = await idle(other)

    def mark() -> None:
        at_once(other.remove_entity(COUNTER, row.execution_id, 0))
        hub.pass_time(REMOVED_AFTER)

    await send(hub.store(once("PutItem", mark)))
    assert await run(other) == row.execution_id
    assert (await mail(other))[0] == "s2"
    assert hub.row_item(COUNTER) is not None
    assert "lv" not in (hub.row_item(COUNTER) or {})


@SENDERS
async def test_who_sends_right_before_the_removal_keeps_the_entity(send: Send) -> None:
    hub = SimulatedDynamo()
    other = hub.store()
    row = await idle(other)
    cleaner = hub.store(once("TransactWriteItems", lambda: at_once(send(other))))
    assert await cleaner.remove_entity(COUNTER, row.execution_id, 0) is Removal.MARKED
    hub.pass_time(REMOVED_AFTER)
    assert await cleaner.remove_entity(COUNTER, row.execution_id, 0) is Removal.KEPT
    assert await run(other) == row.execution_id
    assert (await mail(other))[0] == "s2"


@SENDERS
async def test_a_mark_that_is_set_again_while_somebody_takes_it_away_counts_anew(
    send: Send,
) -> None:
    hub = SimulatedDynamo()
    other = hub.store()
    row = await idle(other)
    await other.remove_entity(COUNTER, row.execution_id, 0)
    hub.pass_time(REMOVED_AFTER)

    def mark() -> None:
        at_once(other.remove_entity(COUNTER, row.execution_id, 0))
        hub.pass_time(timedelta(seconds=1))

    await send(hub.store(once("PutItem", mark)))
    assert (await mail(other))[0] == "s2"
    assert await run(other) == row.execution_id


async def test_a_turn_right_before_the_removal_keeps_the_entity() -> None:
    hub = SimulatedDynamo()
    other = hub.store()
    row = await idle(other)
    turn = whole(row, 1, "5")
    cleaner = hub.store(once("TransactWriteItems", lambda: at_once(other.commit(turn))))
    await cleaner.remove_entity(COUNTER, row.execution_id, 0)
    hub.pass_time(REMOVED_AFTER)
    assert await cleaner.remove_entity(COUNTER, row.execution_id, 0) is Removal.KEPT
    snapshot = await other.load(COUNTER)
    assert snapshot is not None
    assert [each.batch for each in snapshot.batches] == [turn.batch]


async def test_after_a_removal_no_turn_of_before_is_stored() -> None:
    hub = SimulatedDynamo()
    other = hub.store()
    row = await idle(other)
    late = hub.store(once("PutItem", lambda: remove(hub, other, row)))
    with pytest.raises(Conflict):
        await late.commit(whole(row, 1, "5"))
    assert hub.keys(COUNTER) == []


async def test_a_removal_whose_answer_is_lost_is_done() -> None:
    hub = SimulatedDynamo()
    store = hub.store()
    row = await idle(store)
    await store.remove_entity(COUNTER, row.execution_id, 0)
    hub.pass_time(REMOVED_AFTER)
    hub.unheard.add("TransactWriteItems")
    with pytest.raises(StorageError):
        await store.remove_entity(COUNTER, row.execution_id, 0)
    assert hub.keys(COUNTER) == []


async def test_who_removes_and_dies_leaves_the_entity_as_it_was() -> None:
    hub = SimulatedDynamo()
    store = hub.store()
    row = await idle(store)

    def die() -> None:
        raise DiedError

    await store.remove_entity(COUNTER, row.execution_id, 0)
    hub.pass_time(REMOVED_AFTER)
    with pytest.raises(DiedError):
        await hub.store(once("TransactWriteItems", die)).remove_entity(COUNTER, row.execution_id, 0)
    await by_client(store)
    assert await run(store) == row.execution_id
    assert await mail(store) == ["s2"]


async def test_the_young_mark_of_another_host_is_left_to_age() -> None:
    hub = SimulatedDynamo()
    row = await idle(hub.store())
    answers = [await hub.store().remove_entity(COUNTER, row.execution_id, 0) for _ in range(3)]
    assert answers == [Removal.MARKED] * 3
    hub.pass_time(REMOVED_AFTER)
    assert await hub.store().remove_entity(COUNTER, row.execution_id, 0) is Removal.GONE
    assert hub.keys(COUNTER) == []
