"""Any operations on queues of messages: SQLite and memory cannot be told apart.

What each operation is about (which of the held messages, say) is drawn as numbers, so that a case
can be made smaller.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from host.storage.memory_messages import MemoryMessages
from host.storage.messages import Given, MessageStore, NewMessage, StoredMessage
from host.storage.sqlite.queues import SqliteMessages
from host.storage.sqlite.store import SqliteStore
from tests.contract.builders import NOW, ManualClock

NEVER = datetime(2000, 1, 1, tzinfo=UTC)
ALL = 10_000
QUEUES = ("orders", "work.fifo")

EXAMPLES = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
Step = tuple[str, int, int, int]


@dataclass
class Player:
    """Plays operations on one store."""

    store: MessageStore
    now: datetime = NOW
    sent: int = 0
    held: dict[str, int] = field(default_factory=dict)
    """Numbers by id: those of two stores differ."""

    async def play(self, step: Step) -> object:
        action, which, count, group = step
        return await PLAYED[action](self, which, count, group)

    async def add(self, which: int, count: int, group: int) -> object:
        return await self.store.add(QUEUES[which], self._new(which, count, group), 10**9)

    async def take(self, which: int, count: int, _: int) -> object:
        taken = await self.store.take(QUEUES[which], count, self.now, NEVER)
        self.held |= {each.id: each.number for each in taken.messages}
        return [_seen(each) for each in taken.messages], taken.next_at

    async def delete(self, _which: int, count: int, _group: int) -> object:
        await self.store.delete(self._let_go(count))
        return None

    async def give(self, _which: int, count: int, group: int) -> object:
        later = self.now + timedelta(seconds=count) if group == 2 else None
        given = [
            Given(number=each, visible_at=later, is_tried=group > 0) for each in self._let_go(count)
        ]
        await self.store.give_back(given)
        return None

    async def move(self, which: int, _count: int, _group: int) -> object:
        for number in self._let_go(1):
            await self.store.move(number, f"{QUEUES[which]}-poison", self.now, {"why": "x"})
        return None

    async def redrive(self, which: int, _count: int, _group: int) -> object:
        return await self.store.redrive(f"{QUEUES[which]}-poison", QUEUES[which], self.now, ALL)

    async def purge(self, which: int, _count: int, _group: int) -> object:
        return await self.store.purge(QUEUES[which], ALL)

    async def begin(self, _which: int, _count: int, _group: int) -> object:
        self.held.clear()
        await self.store.begin(NEVER)
        return None

    async def wait(self, _which: int, count: int, _group: int) -> object:
        self.now += timedelta(seconds=count)
        return None

    def _new(self, which: int, count: int, group: int) -> list[NewMessage]:
        self.sent += count
        return [
            NewMessage(
                id=f"m{number}",
                body=f"b{number}",
                inserted_at=self.now,
                group_id=f"g{group}" if which else None,
                deduplication_id=f"d{number % 7}" if group == 2 else None,
                visible_at=self.now + timedelta(seconds=2) if group == 1 and not which else None,
            )
            for number in range(self.sent - count, self.sent)
        ]

    def _let_go(self, count: int) -> list[int]:
        ids = sorted(self.held)[:count]
        return [self.held.pop(each) for each in ids]

    async def all(self) -> list[object]:
        """Everything that there is, in no order."""
        states = await self.store.states()
        names = [each.name for each in states]
        counted = [(each.name, each.messages, each.held, each.delayed) for each in states]
        rows = {
            name: sorted(_seen(each) for each in await self.store.peek(name, ALL)) for name in names
        }
        return [counted, rows]


PLAYED = {
    each.__name__: each
    for each in (
        Player.add,
        Player.take,
        Player.delete,
        Player.give,
        Player.move,
        Player.redrive,
        Player.purge,
        Player.begin,
        Player.wait,
    )
}
STEPS = st.lists(
    st.tuples(
        st.sampled_from([*PLAYED, "add", "take"]),
        st.integers(0, 1),
        st.integers(1, 5),
        st.integers(0, 2),
    ),
    max_size=40,
)


def _seen(message: StoredMessage) -> tuple[Any, ...]:
    return (
        message.id,
        message.body,
        sorted(message.attributes.items()),
        message.group_id or "",
        message.dequeue_count,
        message.inserted_at,
    )


async def compare(steps: Sequence[Step], folder: Path) -> None:
    store = SqliteStore(folder / "hub.db", ManualClock().now)
    await store.open()
    try:
        oracle, tested = Player(MemoryMessages()), Player(SqliteMessages(store))
        for step in steps:
            assert await tested.play(step) == await oracle.play(step), step
            assert await tested.all() == await oracle.all(), step
    finally:
        await store.close()


@EXAMPLES
@given(STEPS)
def test_sqlite_does_what_memory_does(steps: list[Step]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(compare(steps, Path(folder)))
