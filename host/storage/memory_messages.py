"""Queues of messages in memory: the simplest ones that keep the contract, and the oracle.

Rules of this file: as in `memory.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, auto
from itertools import count

from msgspec.structs import replace

from host.errors import QueueFullError
from host.storage.messages import (
    DEDUPLICATED_FOR,
    OVERHEAD,
    Given,
    NewMessage,
    QueueState,
    StoredMessage,
    Taken,
)


class _Place(Enum):
    READY = auto()
    HELD = auto()


@dataclass(slots=True)
class _Row:
    message: StoredMessage
    place: _Place | datetime
    """A time is when it can be handed out."""
    bytes: int


@dataclass(slots=True)
class _Queue:
    rows: dict[int, _Row] = field(default_factory=dict)
    """By number, in their order."""
    bytes: int = 0
    sent: dict[str, tuple[datetime, str]] = field(default_factory=dict)
    """When, and as which message, by deduplication id."""

    def put(self, row: _Row) -> None:
        self.rows[row.message.number] = row
        self.bytes += row.bytes

    def pop(self, number: int) -> _Row | None:
        row = self.rows.pop(number, None)
        self.bytes -= 0 if row is None else row.bytes
        return row

    def heads(self) -> list[_Row]:
        """Those that no other one of their group is before."""
        groups: set[str] = set()
        heads = []
        for row in self.rows.values():
            group = row.message.group_id
            if group is None or group not in groups:
                heads.append(row)
            if group is not None:
                groups.add(group)
        return heads


class MemoryMessages:
    """A `MessageStore` that forgets everything with the process."""

    def __init__(self) -> None:
        self._queues: dict[str, _Queue] = {}
        self._numbers = count(1)

    async def begin(self, expired: datetime) -> None:
        """What was held is held by nobody."""
        for queue in self._queues.values():
            for row in queue.rows.values():
                row.place = _Place.READY if row.place is _Place.HELD else row.place
            _drop(queue, expired)

    async def add(
        self, queue: str, messages: Sequence[NewMessage], max_bytes: int
    ) -> Sequence[str]:
        """Put all at the end."""
        place = self._queues.get(queue, _Queue())
        rows, ids, sent = [], [], dict(place.sent)
        for new in messages:
            known = _known(sent, new)
            ids.append(known or new.id)
            if known is None:
                rows.append(self._row(new))
        if rows and place.bytes + sum(row.bytes for row in rows) > max_bytes:
            raise QueueFullError(queue, max_bytes)
        self._queues[queue] = place
        place.sent = sent
        for row in rows:
            place.put(row)
        return ids

    async def take(self, queue: str, limit: int, now: datetime, expired: datetime) -> Taken:
        """Hand out messages."""
        place = self._queues.get(queue, _Queue())
        _drop(place, expired)
        heads = place.heads()
        for row in heads:
            if isinstance(row.place, datetime) and row.place <= now:
                row.place = _Place.READY
        ready = [row for row in heads if row.place is _Place.READY][:limit]
        for row in ready:
            row.place = _Place.HELD
            row.message = replace(row.message, dequeue_count=row.message.dequeue_count + 1)
        times = [row.place for row in heads if isinstance(row.place, datetime)]
        return Taken(
            messages=[row.message for row in ready],
            next_at=min(times, default=None) if not ready else None,
        )

    async def delete(self, numbers: Sequence[int]) -> None:
        """Remove them."""
        for number in numbers:
            self._pop(number)

    async def give_back(self, given: Sequence[Given]) -> None:
        """They are held no more."""
        for each in given:
            row = self._find(each.number)
            if row is not None:
                row.place = each.visible_at or _Place.READY
                untried = row.message.dequeue_count - (not each.is_tried)
                row.message = replace(row.message, dequeue_count=max(untried, 0))

    async def move(
        self, number: int, queue: str, now: datetime, attributes: Mapping[str, str]
    ) -> None:
        """Put a message into another queue."""
        row = self._pop(number)
        if row is not None:
            self._append(row, queue, now, attributes)

    async def redrive(self, source: str, target: str, now: datetime, limit: int) -> int:
        """Move messages that nobody holds."""
        numbers = self._unheld(source, limit)
        for number in numbers:
            await self.move(number, target, now, {})
        return len(numbers)

    async def purge(self, queue: str, limit: int) -> int:
        """Remove messages that nobody holds."""
        numbers = self._unheld(queue, limit)
        await self.delete(numbers)
        return len(numbers)

    async def peek(self, queue: str, limit: int) -> Sequence[StoredMessage]:
        """The first messages."""
        rows = self._queues.get(queue, _Queue()).rows
        return [row.message for row in rows.values()][:limit]

    async def states(self) -> Sequence[QueueState]:
        """What there is, by name."""
        return [
            QueueState(
                name=name,
                messages=len(queue.rows),
                bytes=queue.bytes,
                held=sum(row.place is _Place.HELD for row in queue.rows.values()),
                delayed=sum(isinstance(row.place, datetime) for row in queue.rows.values()),
                oldest_at=next((row.message.inserted_at for row in queue.rows.values()), None),
            )
            for name, queue in sorted(self._queues.items())
        ]

    def _row(self, new: NewMessage) -> _Row:
        message = StoredMessage(
            number=next(self._numbers),
            id=new.id,
            body=new.body,
            attributes=dict(new.attributes),
            group_id=new.group_id,
            dequeue_count=0,
            inserted_at=new.inserted_at,
        )
        return _row(message, new.visible_at or _Place.READY)

    def _append(self, row: _Row, queue: str, now: datetime, attributes: Mapping[str, str]) -> None:
        moved = replace(
            row.message,
            number=next(self._numbers),
            attributes={**row.message.attributes, **attributes},
            dequeue_count=0,
            inserted_at=now,
        )
        self._queues.setdefault(queue, _Queue()).put(_row(moved, _Place.READY))

    def _find(self, number: int) -> _Row | None:
        found = (queue.rows.get(number) for queue in self._queues.values())
        return next((row for row in found if row is not None), None)

    def _pop(self, number: int) -> _Row | None:
        found = (queue.pop(number) for queue in self._queues.values())
        return next((row for row in found if row is not None), None)

    def _unheld(self, queue: str, limit: int) -> list[int]:
        rows = self._queues.get(queue, _Queue()).rows
        return [number for number, row in rows.items() if row.place is not _Place.HELD][:limit]


def _row(message: StoredMessage, place: _Place | datetime) -> _Row:
    texts = [message.body, *message.attributes, *message.attributes.values()]
    return _Row(message, place, OVERHEAD + sum(len(each.encode()) for each in texts))


def _drop(queue: _Queue, expired: datetime) -> None:
    for number, row in list(queue.rows.items()):
        if row.message.inserted_at < expired and row.place is not _Place.HELD:
            queue.pop(number)


def _known(sent: dict[str, tuple[datetime, str]], new: NewMessage) -> str | None:
    """The id of the message that was sent by this deduplication id. Else it is noted as sent."""
    key = new.deduplication_id
    if key is None:
        return None
    known = sent.get(key)
    if known is not None and abs(new.inserted_at - known[0]) < DEDUPLICATED_FOR:
        return known[1]
    sent[key] = (new.inserted_at, new.id)
    return None
