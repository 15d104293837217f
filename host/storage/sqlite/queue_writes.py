"""Writes to queues of messages, as plans.

Rules of this file: as for all plans. What a plan refuses it refuses before it changes anything. A
message that cannot be read is set aside, where nobody gets it, and those after it go on.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from host.errors import QueueFullError
from host.logs import HostLog
from host.storage import rules
from host.storage.messages import DEDUPLICATED_FOR, Given, NewMessage, StoredMessage, Taken
from host.storage.sqlite import queue_rows as sql
from host.storage.sqlite.group import Group
from host.storage.sqlite.queue_rows import FoundMessage, MessageData
from host.storage.sqlite.statements import Row

_DROPPED_TOGETHER = 1000

_log = HostLog("funchost.storage")


class _QueueWrite:
    """Concerns no instance."""

    instance_ids: tuple[str, ...] = ()


class BeginQueues(_QueueWrite):
    """`MessageStore.begin`."""

    def __init__(self, expired: datetime) -> None:
        self._expired = rules.micros(expired)

    def plan(self, group: Group) -> None:
        """Let go of what is held, and drop what is too old."""
        for queue, *_ in group.execute(sql.ALL_QUEUES, ()):
            group.execute(sql.LET_GO, (queue,))
        while all(self._dropped(group)):
            pass

    def _dropped(self, group: Group) -> list[bool]:
        """Drop what is too old among the first ones. Later ones were sent later."""
        found = group.execute(sql.FIRST_SENT, (self._expired, _DROPPED_TOGETHER))
        _delete(group, [number for number, is_expired in found if is_expired])
        return [bool(is_expired) for _, is_expired in found] or [False]


class AddMessages(_QueueWrite):
    """`MessageStore.add`."""

    def __init__(self, queue: str, messages: Sequence[NewMessage], max_bytes: int) -> None:
        self._queue = queue
        self._messages = [(each, _sealed(each)) for each in messages]
        self._max_bytes = max_bytes

    def plan(self, group: Group) -> Sequence[str]:
        """Add those that were not sent before."""
        queue, stored_bytes = _find_queue(group, self._queue)
        ids, new = self._sorted(group, queue)
        added = sum(sql.bytes_of(len(data)) for _, data in new)
        if new and stored_bytes + added > self._max_bytes:
            raise QueueFullError(self._queue, self._max_bytes)
        if queue is None:
            queue = _make_queue(group, self._queue)
        self._note_sent(group, queue, [message for message, _ in new])
        group.execute_many(sql.ADD, _new_rows(group, queue, new))
        group.execute(sql.COUNT, (len(new), added, queue))
        return ids

    def _sorted(
        self, group: Group, queue: int | None
    ) -> tuple[list[str], list[tuple[NewMessage, bytes]]]:
        """The ids of all, and those that were not sent before."""
        ids: list[str] = []
        new: list[tuple[NewMessage, bytes]] = []
        sent: dict[str, str] = {}
        for message, data in self._messages:
            known = _find_sent(group, queue, message, sent)
            ids.append(known or message.id)
            if known is None:
                new.append((message, data))
        return ids, new

    def _note_sent(self, group: Group, queue: int, messages: Sequence[NewMessage]) -> None:
        noted = [each for each in messages if each.deduplication_id is not None]
        if noted:
            group.execute(sql.FORGET_SENT, (rules.micros(noted[0].inserted_at - DEDUPLICATED_FOR),))
        for each in noted:
            sent_at = rules.micros(each.inserted_at)
            group.execute(sql.NOTE_SENT, (queue, each.deduplication_id, sent_at, each.id))


class TakeMessages(_QueueWrite):
    """`MessageStore.take`."""

    def __init__(self, queue: str, limit: int, now: datetime, expired: datetime) -> None:
        self._queue = queue
        self._limit = limit
        self._now = rules.micros(now)
        self._expired = rules.micros(expired)

    def plan(self, group: Group) -> Taken:
        """Hold the oldest ones."""
        queue, _ = _find_queue(group, self._queue)
        if queue is None:
            return Taken()
        group.execute(sql.MAKE_READY, (queue, self._now))
        while rows := sql.rows_of(group.execute(sql.FIND_READY, (queue, self._limit))):
            expired = [row.number for row in rows if row.inserted_at < self._expired]
            if expired:
                _delete(group, expired)
            elif messages := _readable(group, self._queue, rows):
                group.execute_many(sql.HOLD, [(each.number,) for each in messages])
                return Taken(messages=messages)
        ((next_at,),) = group.execute(sql.NEXT_READY, (queue,))
        return Taken(next_at=None if next_at is None else rules.from_micros(next_at))


class DeleteMessages(_QueueWrite):
    """`MessageStore.delete`."""

    def __init__(self, numbers: Sequence[int]) -> None:
        self._numbers = numbers

    def plan(self, group: Group) -> None:
        """Delete them."""
        _delete(group, self._numbers)


class GiveBack(_QueueWrite):
    """`MessageStore.give_back`."""

    def __init__(self, given: Sequence[Given]) -> None:
        self._rows: list[Row] = [
            (sql.micros_or_ready(each.visible_at), int(not each.is_tried), each.number)
            for each in given
        ]

    def plan(self, group: Group) -> None:
        """Let go of them."""
        for row in self._rows:
            group.execute(sql.GIVE_BACK, row)


class MoveMessage(_QueueWrite):
    """`MessageStore.move`."""

    def __init__(
        self, number: int, queue: str, now: datetime, attributes: Mapping[str, str]
    ) -> None:
        self._number = number
        self._queue = queue
        self._now = now
        self._attributes = attributes

    def plan(self, group: Group) -> None:
        """Put it into the other queue."""
        _move(group, [self._number], self._queue, self._now, self._attributes)


class Redrive(_QueueWrite):
    """`MessageStore.redrive`."""

    def __init__(self, source: str, target: str, now: datetime, limit: int) -> None:
        self._source = source
        self._target = target
        self._now = now
        self._limit = limit

    def plan(self, group: Group) -> int:
        """Put some into the other queue."""
        source, _ = _find_queue(group, self._source)
        numbers = _numbers(group.execute(sql.UNHELD, (source, self._limit)))
        _move(group, numbers, self._target, self._now, {})
        return len(numbers)


class Purge(_QueueWrite):
    """`MessageStore.purge`."""

    def __init__(self, queue: str, limit: int) -> None:
        self._queue = queue
        self._limit = limit

    def plan(self, group: Group) -> int:
        """Delete some."""
        queue, _ = _find_queue(group, self._queue)
        numbers = _numbers(group.execute(sql.ANY_UNHELD, (queue, self._limit)))
        _delete(group, numbers)
        return len(numbers)


def _sealed(message: NewMessage) -> bytes:
    data = MessageData(id=message.id, body=message.body, attributes=message.attributes)
    return sql.seal(data)


def _find_queue(group: Group, name: str) -> tuple[int | None, int]:
    found = group.execute(sql.FIND_QUEUE, (name,))
    return found[0] if found else (None, 0)


def _make_queue(group: Group, name: str) -> int:
    group.execute(sql.MAKE_QUEUE, (name,))
    ((queue, _),) = group.execute(sql.FIND_QUEUE, (name,))
    return int(queue)


def _find_sent(
    group: Group, queue: int | None, message: NewMessage, sent: dict[str, str]
) -> str | None:
    """The id of the message that was sent by its deduplication id, also among those of `sent`."""
    key = message.deduplication_id
    if key is None:
        return None
    if key in sent:
        return sent[key]
    sent_at = rules.micros(message.inserted_at)
    window = DEDUPLICATED_FOR.total_seconds() * 1_000_000
    for stored_at, message_id in group.execute(sql.FIND_SENT, (queue, key)):
        if abs(sent_at - stored_at) < window:
            return str(message_id)
    sent[key] = message.id
    return None


def _new_rows(group: Group, queue: int, new: Sequence[tuple[NewMessage, bytes]]) -> list[Row]:
    number = _last_number(group)
    begun: set[str] = set()
    """The groups that have a message already."""
    rows: list[Row] = []
    for message, data in new:
        number += 1
        group_id = message.group_id
        visible_at = sql.micros_or_ready(message.visible_at)
        if group_id is not None:
            if group_id in begun or group.execute(sql.HAS_GROUP, (queue, group_id)):
                visible_at = sql.BLOCKED
            begun.add(group_id)
        inserted_at = rules.micros(message.inserted_at)
        rows.append((number, queue, visible_at, group_id, 0, inserted_at, data))
    return rows


def _last_number(group: Group) -> int:
    ((number,),) = group.execute(sql.LAST_NUMBER, ())
    return int(number)


def _readable(group: Group, queue: str, rows: Sequence[FoundMessage]) -> list[StoredMessage]:
    """The messages of the rows, as they are when they are held."""
    messages = []
    for row in rows:
        data = sql.opened(row.data)
        if data is None:
            _set_aside(group, queue, row)
        else:
            held = row._replace(dequeue_count=row.dequeue_count + 1)
            messages.append(sql.message_of(held, data))
    return messages


def _set_aside(group: Group, queue: str, row: FoundMessage) -> None:
    _log.error("A message of the queue '%s' is damaged, and nobody gets it: %d", queue, row.number)
    group.execute(sql.SET_ASIDE, (row.number,))
    _unblock(group, [(row.queue, row.group_id)])


def _delete(group: Group, numbers: Sequence[int]) -> None:
    """Delete them, count that, and let those after them in their groups be handed out."""
    keys: list[Row] = [(number,) for number in numbers]
    found = group.execute_many(sql.FIND, keys)
    group.execute_many(sql.DELETE, keys)
    sizes: defaultdict[int, list[int]] = defaultdict(list)
    for _, queue, _, length in found:
        sizes[queue].append(sql.bytes_of(length))
    for queue, removed in sizes.items():
        group.execute(sql.COUNT, (-len(removed), -sum(removed), queue))
    _unblock(group, [(queue, group_id) for _, queue, group_id, _ in found])


def _unblock(group: Group, groups: Sequence[tuple[int, str | None]]) -> None:
    for queue, group_id in dict.fromkeys(groups):
        if group_id is not None:
            group.execute(sql.UNBLOCK, (queue, group_id))


def _numbers(rows: Sequence[tuple[Any, ...]]) -> list[int]:
    return [number for (number,) in rows]


def _move(
    group: Group, numbers: Sequence[int], target: str, now: datetime, added: Mapping[str, str]
) -> None:
    """Put messages into another queue; what cannot be read stays where it is."""
    moved: list[tuple[NewMessage, bytes]] = []
    gone: list[int] = []
    for number in numbers:
        for row in sql.rows_of(group.execute(sql.FIND_ONE, (number,))):
            data = sql.opened(row.data)
            if data is not None:
                moved.append(_as_new(row, data, now, added))
                gone.append(number)
    if not moved:
        return
    queue, _ = _find_queue(group, target)
    if queue is None:
        queue = _make_queue(group, target)
    group.execute_many(sql.ADD, _new_rows(group, queue, moved))
    size = sum(sql.bytes_of(len(data)) for _, data in moved)
    group.execute(sql.COUNT, (len(moved), size, queue))
    _delete(group, gone)


def _as_new(
    row: FoundMessage, data: MessageData, now: datetime, added: Mapping[str, str]
) -> tuple[NewMessage, bytes]:
    message = NewMessage(
        id=data.id,
        body=data.body,
        attributes={**data.attributes, **added},
        group_id=row.group_id,
        inserted_at=now,
    )
    return message, _sealed(message)
