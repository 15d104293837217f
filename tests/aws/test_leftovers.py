"""What hosts leave in the table as they die, or are late: who reads or purges next removes it."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from bindings.client import ReusePolicy
from host.errors import Conflict, StorageError
from host.storage.aws.table.store import DynamoStore
from host.storage.aws.wire.transport import Failure, TransportError
from host.storage.protocol import Created
from tests.contract.builders import (
    at,
    commit,
    effects,
    finished,
    instance,
    lease,
    message,
    parent,
    start,
)
from tests.kit.recoverable import recoverable
from tests.kit.simulated_dynamo import Before, DiedError, SimulatedDynamo, at_once

NEVER, AGAIN = ReusePolicy.NEVER, ReusePolicy.WHEN_FINISHED


_LONG = "".join(chr(0x4E00 + n * 7919 % 20_000) for n in range(400_000))
"""More than one item holds, however it is compressed."""
REMOVALS = ("BatchWriteItem", "DeleteItem")


def _dies(*operations: str) -> Before:
    def before(name: str, body: dict[str, Any]) -> None:
        if name in operations:
            raise DiedError

    return before


def _throttles(*operations: str) -> Before:
    def before(name: str, body: dict[str, Any]) -> None:
        if name in operations:
            raise TransportError(Failure.NOT_CONNECTED, "away")

    return before


async def _ended(store: DynamoStore, input_: str = "1") -> None:
    """An instance of three turns that has ended."""
    await store.create(instance(input=f'"{input_}"'), NEVER)
    await store.commit(commit(0))
    await store.commit(commit(1))
    await store.commit(commit(2, row=finished(last_number=2, input=f'"{input_}"')))


async def _starts_again(hub: SimulatedDynamo, disturbs: Callable[..., Before]) -> None:
    """The id is used again, and the removal of its first life breaks off."""
    new = instance(execution_id="e2", created_at=at(9))
    with pytest.raises((DiedError, StorageError)):
        await hub.store(disturbs(*REMOVALS)).create(new, AGAIN)


@pytest.mark.parametrize("disturbs", [_dies, _throttles], ids=["dies", "is throttled"])
@pytest.mark.parametrize("then", ["purge", "load", "repeat", "repair"])
async def test_found_a10_what_a_replaced_life_left_goes(
    disturbs: Callable[..., Before], then: str
) -> None:
    hub = SimulatedDynamo()
    await _ended(hub.store())
    await _starts_again(hub, disturbs)
    assert any(key.startswith("t#e1#") for key in hub.keys("i"))
    store = hub.store()
    if then == "load":
        assert await store.load("i") is not None
    elif then == "repeat":
        await store.create(instance(execution_id="e2", created_at=at(9)), AGAIN)
    elif then == "repair":
        assert await store.remove_leftovers() == 3
    else:
        await store.commit(
            commit(
                execution_id="e2", row=finished(execution_id="e2", created_at=at(9), last_number=0)
            )
        )
        assert await store.purge("i")
        assert hub.keys("i") == []
        return
    assert hub.keys("i") == ["meta"]


async def test_what_cannot_be_removed_while_it_is_read_is_no_line(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It goes another time; that the store fails others say, and each load would say it again."""
    caplog.set_level(logging.INFO)
    hub = SimulatedDynamo()
    await _ended(hub.store())
    await _starts_again(hub, _throttles)
    assert await hub.store(_throttles(*REMOVALS)).load("i") is not None
    assert caplog.messages == []


async def test_found_a10_a_child_that_is_started_again_leaves_nothing_of_its_first_life() -> None:
    hub = SimulatedDynamo()
    store = hub.store()
    await store.create(instance(), NEVER)
    await store.apply(effects(starts=(start(),)))
    await store.commit(commit(instance_id="child", execution_id="c1"))
    ended = finished("child", "c1", parent=parent(), last_number=1)
    await store.commit(commit(1, instance_id="child", execution_id="c1", row=ended))
    again = start(execution_id="c2", created_at=at(9), parent=parent(1))
    with pytest.raises(DiedError):
        await hub.store(_dies(*REMOVALS)).apply(effects(starts=(again,)))
    await hub.store().apply(effects(starts=(again,)))  # law 3: done again
    assert hub.keys("child") == ["meta"]


async def test_found_a10_no_turn_of_a_purged_instance_is_stored() -> None:
    """A's copy and what A has seen of the row are a second old: that is not enough."""
    hub = SimulatedDynamo()
    a, b = hub.store(), hub.store()
    await a.create(instance(), NEVER)
    await a.commit(commit(0))
    await b.load("i")
    await b.commit(commit(1, row=finished(last_number=1)))
    assert await b.purge("i")
    hub.pass_time(timedelta(seconds=1))

    with pytest.raises(Conflict):
        await a.read_inbox("i", of="e1")
    with pytest.raises(Conflict):
        await a.commit(commit(1, starts=(start(),)))
    assert hub.keys("i") == hub.keys("child") == []


async def test_found_a10_no_turn_is_stored_once_more_while_its_instance_is_purged() -> None:
    """A host that woke up late, and still holds its hint, has a turn that was stored long ago."""
    hub = SimulatedDynamo()
    late = hub.store()
    await late.create(instance(), NEVER)
    await late.commit(commit(0))
    ends = hub.store()
    await ends.load("i")
    await ends.commit(commit(1, row=finished(last_number=1)))
    tried: list[str] = []

    async def store_once_more() -> None:
        with pytest.raises(Conflict):
            await late.commit(commit(1))

    def before(operation: str, _: dict[str, Any]) -> None:
        if operation in {"DeleteItem", "BatchWriteItem"}:
            at_once(store_once_more())
            tried.append(operation)

    assert await hub.store(before).purge("i")
    assert tried
    assert hub.keys("i") == []


@pytest.mark.parametrize("what", ["message", "lease"])
@pytest.mark.parametrize("then", ["load", "purge", "repair"])
async def test_found_a10_what_is_put_after_a_purge_goes(what: str, then: str) -> None:
    hub = SimulatedDynamo()
    other = hub.store()
    await other.create(instance(), NEVER)
    await other.commit(commit(0))
    prefix = "m#" if what == "message" else "a#"
    is_purged = False

    async def ends_and_purges() -> None:
        await other.commit(commit(1, row=finished(last_number=1)))
        await other.purge("i")

    def before(operation: str, body: dict[str, Any]) -> None:
        nonlocal is_purged
        if operation == "PutItem" and body["Item"]["sk"]["S"].startswith(prefix) and not is_purged:
            is_purged = True
            at_once(ends_and_purges())

    late = hub.store(before)
    if what == "message":
        await late.send("i", message())
    else:
        await late.load("i")
        await late.apply(effects(leases=(lease(),)))
    assert [key[:2] for key in hub.keys("i")] == [prefix]

    if then == "load":
        assert await other.load("i") is None
    elif then == "purge":
        assert not await other.purge("i")
    else:
        assert await other.remove_leftovers() == 1
    assert hub.keys("i") == []


async def test_found_a10_chunks_of_a_life_that_is_over_go_with_it() -> None:
    hub = SimulatedDynamo()
    await _ended(hub.store(), _LONG)
    assert any(key.startswith("x#") for key in hub.keys("i"))
    await _starts_again(hub, _dies)
    await hub.store().load("i")
    assert hub.keys("i") == ["meta"]


async def test_found_a10_chunks_of_a_start_that_is_under_way_are_left_alone() -> None:
    """They are written before the row that names them; only when they are old are they nobody's."""
    hub = SimulatedDynamo()
    new = instance(input=f'"{_LONG}"')
    with pytest.raises(DiedError):
        await hub.store(_dies("PutItem")).create(new, NEVER)
    chunks = hub.keys("i")
    assert chunks

    store = hub.store()
    assert not await store.purge("i")
    assert await store.remove_leftovers() == 0
    assert hub.keys("i") == chunks
    hub.pass_time(timedelta(hours=2))
    assert await store.remove_leftovers() == len(chunks)
    assert hub.keys("i") == []


async def test_found_a10_a_start_under_way_keeps_its_chunks_while_another_life_ends() -> None:
    """Its chunks are all there is of it: whether it is over or is to begin nobody else knows."""
    hub = SimulatedDynamo()
    other = hub.store()
    new = instance(input=f'"{_LONG}"')
    has_lived = False

    async def lives_and_is_purged() -> None:
        await other.create(instance(execution_id="e0"), NEVER)
        await other.commit(
            commit(execution_id="e0", row=finished(execution_id="e0", last_number=0))
        )
        assert await other.remove_leftovers() == 0
        assert await other.purge("i")
        assert not await other.purge("i")

    def before(operation: str, body: dict[str, Any]) -> None:
        nonlocal has_lived
        if operation == "PutItem" and not has_lived:
            has_lived = True
            at_once(lives_and_is_purged())

    assert await hub.store(before).create(new, NEVER) is Created.NEW
    assert has_lived
    snapshot = await other.load("i")
    assert snapshot is not None
    assert snapshot.instance.input == new.input


async def test_found_a10_chunks_of_a_start_that_never_came_go_when_they_are_old() -> None:
    """Its host died. A purge of the life that another start began is too early for them."""
    hub = SimulatedDynamo()
    with pytest.raises(DiedError):
        await hub.store(_dies("PutItem")).create(instance(input=f'"{_LONG}"'), NEVER)
    chunks = hub.keys("i")
    assert chunks
    store = hub.store()
    await store.create(instance(execution_id="e2", created_at=at(9)), NEVER)
    ended = finished(execution_id="e2", created_at=at(9), last_number=0)
    await store.commit(commit(execution_id="e2", row=ended))
    assert await store.purge("i")
    assert hub.keys("i") == chunks

    hub.pass_time(timedelta(hours=2))
    assert await store.remove_leftovers() == len(chunks)
    assert hub.keys("i") == []


async def _start_that_fails(hub: SimulatedDynamo, store: DynamoStore) -> list[str]:
    """A start whose row is not stored: the table is away by then. The chunks that are left."""
    hub.away = {"PutItem"}
    with pytest.raises(StorageError):
        await store.create(instance(input=f'"{_LONG}"'), NEVER)
    hub.away = set()
    chunks = hub.keys("i")
    assert chunks
    return chunks


async def _sweep(store: DynamoStore) -> None:
    await store.recoverable()


async def _start_another(store: DynamoStore) -> None:
    assert await store.create(instance(uuid4().hex), NEVER) is Created.NEW


@pytest.mark.parametrize("do", [_sweep, _start_another])
async def test_found_f10_a_host_removes_the_chunks_of_its_own_failed_start_when_they_are_old(
    do: Callable[[DynamoStore], Awaitable[None]],
) -> None:
    """Nobody starts the id again, so nobody else ever looks there."""
    hub = SimulatedDynamo()
    store = hub.store()
    chunks = await _start_that_fails(hub, store)
    await do(store)
    assert hub.keys("i") == chunks  # its row may land yet
    hub.pass_time(timedelta(hours=2))
    await do(store)
    assert hub.keys("i") == []


async def test_what_cannot_be_removed_by_the_way_harms_nobody_and_goes_the_next_time() -> None:
    hub = SimulatedDynamo()
    store = hub.store()
    chunks = await _start_that_fails(hub, store)
    hub.pass_time(timedelta(hours=2))
    hub.away = {"Query"}
    await _start_another(store)
    assert hub.keys("i") == chunks
    hub.away = set()
    hub.pass_time(timedelta(hours=2))
    await _start_another(store)
    assert hub.keys("i") == []


@pytest.mark.parametrize("then", ["load", "purge", "repair"])
@pytest.mark.parametrize("is_repeated", [True, False], ids=["repeated", "not repeated"])
async def test_found_f10_the_chunks_of_a_failed_start_go_whoever_sees_them_when_they_are_old(
    then: str, is_repeated: bool
) -> None:
    hub = SimulatedDynamo()
    chunks = await _start_that_fails(hub, hub.store())
    store = hub.store()
    if is_repeated:
        new = instance(execution_id="e2", created_at=at(9))
        assert await store.create(new, NEVER) is Created.NEW
        ended = finished(execution_id="e2", created_at=at(9), last_number=0)
        await store.commit(commit(execution_id="e2", row=ended))
    hub.pass_time(timedelta(hours=2))
    if then == "load":
        assert (await store.load("i") is not None) is is_repeated
    elif then == "repair":
        assert await store.remove_leftovers() == len(chunks)
    if then == "purge" or is_repeated:
        assert await store.purge("i") is is_repeated
    assert hub.keys("i") == []


async def test_a_failed_start_that_lands_after_all_keeps_its_chunks() -> None:
    """Its answer was lost, each time that it was asked for."""
    hub = SimulatedDynamo()
    hub.unheard = {"PutItem"}
    store = hub.store()
    new = instance(input=f'"{_LONG}"')
    with pytest.raises(StorageError):
        await store.create(new, NEVER)
    hub.unheard = set()
    hub.pass_time(timedelta(hours=2))
    assert await recoverable(store) == ["i"]
    assert await store.create(instance("other"), NEVER) is Created.NEW
    snapshot = await hub.store().load("i")
    assert snapshot is not None
    assert snapshot.instance.input == new.input


async def test_found_a10_a_message_to_the_new_life_is_not_taken_for_the_old_ones() -> None:
    """Its id is that of one that the old life got."""
    hub = SimulatedDynamo()
    store = hub.store()
    await store.create(instance(), NEVER)
    await store.send("i", message())
    with pytest.raises(DiedError):
        await hub.store(_dies(*REMOVALS)).create(
            instance(execution_id="e2", created_at=at(9)), ReusePolicy.REPLACE
        )
    await store.send("i", message())
    assert await store.remove_leftovers() == 1
    assert list(await hub.store().read_inbox("i")) == [message()]
    assert len(hub.keys("i")) == 2


async def test_found_a10_a_repair_leaves_what_lives() -> None:
    hub = SimulatedDynamo()
    store = hub.store()
    await _ended(store)
    await store.create(instance("other", "o1"), NEVER)
    await store.send("other", message())
    await store.commit(commit(instance_id="other", execution_id="o1", leases=()))
    before = hub.keys("i"), hub.keys("other")
    hub.pass_time(timedelta(days=9))
    assert await store.remove_leftovers() == 0
    assert (hub.keys("i"), hub.keys("other")) == before
