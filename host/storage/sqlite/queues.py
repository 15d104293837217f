"""Queues of messages in the hub's file: the contract, handed to the writer and the reader."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial

from host.storage import rules
from host.storage.messages import Given, NewMessage, QueueState, StoredMessage, Taken
from host.storage.sqlite import queue_rows as sql
from host.storage.sqlite import queue_writes as writes
from host.storage.sqlite.store import SqliteStore


class SqliteMessages:
    """A `MessageStore` in the file of a store that is open."""

    def __init__(self, store: SqliteStore) -> None:
        self._store = store

    async def begin(self, expired: datetime) -> None:
        """What was held is held by nobody."""
        await self._store.write(writes.BeginQueues(expired))

    async def add(
        self, queue: str, messages: Sequence[NewMessage], max_bytes: int
    ) -> Sequence[str]:
        """Put all at the end."""
        return await self._store.write(writes.AddMessages(queue, messages, max_bytes))

    async def take(self, queue: str, limit: int, now: datetime, expired: datetime) -> Taken:
        """Hand out messages."""
        return await self._store.write(writes.TakeMessages(queue, limit, now, expired))

    async def delete(self, numbers: Sequence[int]) -> None:
        """Remove them."""
        await self._store.write(writes.DeleteMessages(numbers))

    async def give_back(self, given: Sequence[Given]) -> None:
        """They are held no more."""
        await self._store.write(writes.GiveBack(given))

    async def move(
        self, number: int, queue: str, now: datetime, attributes: Mapping[str, str]
    ) -> None:
        """Put a message into another queue."""
        await self._store.write(writes.MoveMessage(number, queue, now, attributes))

    async def redrive(self, source: str, target: str, now: datetime, limit: int) -> int:
        """Move messages that nobody holds."""
        return await self._store.write(writes.Redrive(source, target, now, limit))

    async def purge(self, queue: str, limit: int) -> int:
        """Remove messages that nobody holds."""
        return await self._store.write(writes.Purge(queue, limit))

    async def peek(self, queue: str, limit: int) -> Sequence[StoredMessage]:
        """The first messages."""
        return await self._store.read(partial(_peek, queue=queue, limit=limit))

    async def states(self) -> Sequence[QueueState]:
        """What there is, by name."""
        return await self._store.read(_states)


def _peek(connection: sqlite3.Connection, queue: str, limit: int) -> list[StoredMessage]:
    found = connection.execute(sql.FIND_QUEUE, (queue,)).fetchone()
    if found is None:
        return []
    rows = sql.rows_of(connection.execute(sql.FIRST, (found[0], limit)).fetchall())
    pairs = [(row, sql.opened(row.data)) for row in rows]
    return [sql.message_of(row, data) for row, data in pairs if data is not None]


def _states(connection: sqlite3.Connection) -> list[QueueState]:
    return [_state(connection, *found) for found in connection.execute(sql.ALL_QUEUES).fetchall()]


def _state(
    connection: sqlite3.Connection, queue: int, name: str, messages: int, size: int
) -> QueueState:
    held, delayed, oldest = connection.execute(sql.STATE, {"queue": queue}).fetchone()
    return QueueState(
        name=name,
        messages=messages,
        bytes=size,
        held=held,
        delayed=delayed,
        oldest_at=None if oldest is None else rules.from_micros(oldest),
    )
