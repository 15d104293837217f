"""What clients send to an instance that takes nothing in is bounded; its end is always let in."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from bindings.client import ReusePolicy
from bindings.errors import InboxFullError
from host.core.history import EventRaised, ExecutionSuspended
from host.core.records import Effects, Message
from host.engine.inbox_room import InboxRoom
from host.storage.memory import MemoryStore
from tests.contract.builders import instance
from tests.kit.manual_clock import ManualClock

ROOM = 80_000


class Sender:
    """Sends to instances as a client does, and counts the looks into the store."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.store = MemoryStore(self.clock.now)
        self.room = InboxRoom(self.store, self.clock, ROOM)
        self.sent = 0

    async def send(self, size: int, instance_id: str = "i") -> None:
        text = f'"{"x" * (size - 502)}"'
        event = EventRaised(timestamp=self.clock.now(), name="e", input=text)
        await self.room.check(instance_id, event)
        self.sent += 1
        await self.store.send(instance_id, Message(message_id=str(self.sent), event=event))


@pytest.fixture
async def sender() -> Sender:
    sender = Sender()
    for instance_id in ("i", "other"):
        row = instance(instance_id)
        await sender.store.create(row, ReusePolicy.NEVER)
    return sender


@pytest.mark.parametrize("size", [510, 1000, 9999, 10_001, 40_000])
async def test_found_d4_an_inbox_takes_so_much_and_no_more(sender: Sender, size: int) -> None:
    with pytest.raises(InboxFullError, match="maxInboxBytes"):
        for _ in range(1000):
            await sender.send(size)
    assert ROOM - size < sender.sent * size <= ROOM + ROOM // 8


async def test_found_d4_others_are_not_kept_out(sender: Sender) -> None:
    with pytest.raises(InboxFullError):
        for _ in range(10):
            await sender.send(20_000)
    await sender.send(20_000, "other")


async def test_found_d4_what_was_taken_in_makes_room(sender: Sender) -> None:
    with pytest.raises(InboxFullError):
        for _ in range(10):
            await sender.send(20_000)
    taken_in = tuple(each.message_id for each in await sender.store.read_inbox("i"))
    await sender.store.apply(Effects(instance_id="i", consumed=taken_in))
    with pytest.raises(InboxFullError):
        await sender.send(20_000)
    await sender.clock.advance(timedelta(seconds=2))
    await sender.send(20_000)


async def test_found_d4_many_at_once_are_bounded_too(sender: Sender) -> None:
    results = await asyncio.gather(*(sender.send(1000) for _ in range(500)), return_exceptions=True)
    assert sum(isinstance(each, InboxFullError) for each in results) >= 500 - 100


async def test_other_orders_count_too(sender: Sender) -> None:
    event = ExecutionSuspended(timestamp=sender.clock.now(), reason="x" * 20_000)
    with pytest.raises(InboxFullError):
        for n in range(10):
            await sender.room.check("i", event)
            await sender.store.send("i", Message(message_id=f"s{n}", event=event))
