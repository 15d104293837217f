"""A host that plants an instance may die at any point: nobody sees half of it, and it goes."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest

from bindings.client import ReusePolicy
from bindings.errors import InstanceAlreadyExistsError
from host.core.history import Batch
from host.core.records import Snapshot, StoredBatch
from host.errors import StorageError
from host.storage.protocol import InstanceFilter
from tests.contract.builders import RUNNING, at, events, instance, message
from tests.kit.simulated_dynamo import Before, DiedError, SimulatedDynamo, at_once

LONG = "".join(chr(0x4E00 + n * 7919 % 20_000) for n in range(400_000))
CLAIM = ["x#planting#0000"]


def whole(batches: int = 3) -> Snapshot:
    row = instance("i", "e1", status=RUNNING, last_number=batches - 1, input=f'"{LONG}"')
    return Snapshot(
        instance=row,
        batches=tuple(
            StoredBatch(execution_id="e1", number=number, batch=Batch(events=events()))
            for number in range(batches)
        ),
        inbox=(message("m1"), message("m2", f'"{LONG}"')),
        wake_at=at(0),
    )


def dies_at(count: int) -> Before:
    """Ends the host before the so-manieth write."""
    left = count

    def before(operation: str, body: dict[str, Any]) -> None:
        nonlocal left
        left -= operation in {"PutItem", "BatchWriteItem", "DeleteItem"}
        if left < 0:
            raise DiedError

    return before


async def _is_invisible(hub: SimulatedDynamo) -> bool:
    store = hub.store()
    page = await store.query(InstanceFilter(), limit=10)
    return not page.instances and await store.get("i") is None and await store.load("i") is None


@pytest.mark.parametrize("writes", range(12))
async def test_who_dies_in_the_midst_leaves_nothing_that_is_seen_and_all_of_it_goes(
    writes: int,
) -> None:
    hub = SimulatedDynamo()
    with suppress(DiedError, StorageError):
        await hub.store(dies_at(writes)).plant(whole(), leaves_work=True)
    if await hub.store().get("i") is not None:
        assert await hub.store().load("i") == whole()
        hub.pass_time(timedelta(hours=2))
        await hub.store().remove_leftovers()
        assert await hub.store().load("i") == whole()
        return
    assert await _is_invisible(hub)
    hub.pass_time(timedelta(hours=2))
    await hub.store().remove_leftovers()
    assert hub.keys("i") == []
    await hub.store().plant(whole(), leaves_work=True)
    assert await hub.store().load("i") == whole()


async def test_what_somebody_left_who_died_is_no_part_of_what_is_planted_after_him() -> None:
    hub = SimulatedDynamo()
    with pytest.raises((DiedError, StorageError)):
        await hub.store(dies_at(2)).plant(whole(9), leaves_work=True)
    with pytest.raises(StorageError, match=r"Another host is storing 'i', .* in 0:15:00"):
        await hub.store().plant(whole(), leaves_work=True)
    hub.pass_time(timedelta(minutes=16))
    await hub.store().plant(whole(), leaves_work=True)
    assert await hub.store().load("i") == whole()


@pytest.mark.parametrize("looks", ["load", "purge", "repair", "plant"])
async def test_who_looks_meanwhile_takes_nothing_of_it_away(looks: str) -> None:
    hub = SimulatedDynamo()
    other = hub.store()

    async def look() -> None:
        if looks == "load":
            assert await other.load("i") is None
        elif looks == "purge":
            assert not await other.purge("i")
        elif looks == "repair":
            await other.remove_leftovers()
        else:
            with pytest.raises(StorageError, match="Another host"):
                await other.plant(whole(1), leaves_work=True)

    def before(operation: str, body: dict[str, Any]) -> None:
        if operation == "PutItem" and body["Item"]["sk"]["S"] == "meta":
            at_once(look())

    await hub.store(before).plant(whole(), leaves_work=True)
    assert await other.load("i") == whole()


async def test_a_start_of_the_id_meanwhile_wins() -> None:
    hub = SimulatedDynamo()
    other = hub.store()
    started = instance("i", "e9")
    has_started = False

    def before(operation: str, body: dict[str, Any]) -> None:
        nonlocal has_started
        if operation == "PutItem" and body["Item"]["sk"]["S"] == "meta" and not has_started:
            has_started = True
            at_once(other.create(started, ReusePolicy.NEVER))

    with pytest.raises(InstanceAlreadyExistsError):
        await hub.store(before).plant(whole(), leaves_work=True)
    hub.pass_time(timedelta(hours=2))
    snapshot = await other.load("i")
    assert snapshot == Snapshot(instance=started)
    assert hub.keys("i") == ["meta"]


async def test_who_is_too_slow_gives_up_before_anybody_sees_it() -> None:
    hub = SimulatedDynamo()

    def before(operation: str, body: dict[str, Any]) -> None:
        if operation == "BatchWriteItem":
            hub.pass_time(timedelta(minutes=3))

    with pytest.raises(StorageError, match="took too long"):
        await hub.store(before).plant(whole(), leaves_work=True)
    assert await _is_invisible(hub)


async def test_nothing_is_left_of_the_claim() -> None:
    hub = SimulatedDynamo()
    await hub.store().plant(whole(), leaves_work=True)
    assert not set(hub.keys("i")) & set(CLAIM)
