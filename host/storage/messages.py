"""The contract of queues of messages that lie in a hub's own store.

Rules of this file: a store keeps messages and says which of them can be handed out. Who holds one,
until when, and who waits for one is the affair of the one process that has the hub, in its memory
(`host/resources/embedded`). So a hold costs nothing but the count of its try, and what a process
held when it died is handed out again by the next one, at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, Protocol

import msgspec

DEDUPLICATED_FOR: Final = timedelta(minutes=5)
"""So long a message of the same deduplication id is not sent again; that of SQS."""
OVERHEAD: Final = 256
"""What a message counts in a queue's bytes besides its data."""


class NewMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A message that is to be put into a queue."""

    id: str
    body: str
    inserted_at: datetime
    attributes: Mapping[str, str] = {}
    group_id: str | None = None
    """Of a group only the oldest message can be handed out, and none while that one is held."""
    deduplication_id: str | None = None
    visible_at: datetime | None = None
    """When it can be handed out; None: at once, and always after what was sent before it."""


class StoredMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A message of a queue."""

    number: int
    """Names it in the store. Later ones have higher numbers."""
    id: str
    body: str
    attributes: Mapping[str, str]
    group_id: str | None
    dequeue_count: int
    inserted_at: datetime


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """What was handed out."""

    messages: Sequence[StoredMessage] = ()
    next_at: datetime | None = None
    """When there is more, if there is none now."""


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """A message that is given back."""

    number: int
    visible_at: datetime | None = None
    is_tried: bool = True
    """Whether that it was handed out counts."""


class QueueState(msgspec.Struct, frozen=True, kw_only=True):
    """What there is of one queue."""

    name: str
    messages: int
    """All of them."""
    bytes: int
    held: int
    """Those that somebody has."""
    delayed: int
    """Those that nobody gets yet."""
    oldest_at: datetime | None
    """When the oldest one was sent."""


class MessageStore(Protocol):
    """Queues of messages in a hub. A queue is there once something was sent to it.

    Each method is done as one, durably, before it answers; else it raises `StorageError`. Numbers
    that are not there are passed over.
    """

    async def begin(self, expired: datetime) -> None:
        """Before all else of a process: what was held is held by nobody now.

        What was sent before `expired` is dropped.
        """

    async def add(
        self, queue: str, messages: Sequence[NewMessage], max_bytes: int
    ) -> Sequence[str]:
        """Put all at the end; the id of each, or of the one that was sent by its deduplication id.

        Raises `QueueFullError` if the queue has more than `max_bytes` then.
        """

    async def take(self, queue: str, limit: int, now: datetime, expired: datetime) -> Taken:
        """Hand out up to `limit` messages, the oldest first, and count that. They are held then.

        What was sent before `expired` is dropped.
        """

    async def delete(self, numbers: Sequence[int]) -> None:
        """Remove them; the next ones of their groups can be handed out."""

    async def give_back(self, given: Sequence[Given]) -> None:
        """They are held no more."""

    async def move(
        self, number: int, queue: str, now: datetime, attributes: Mapping[str, str]
    ) -> None:
        """Put a message at the end of another queue, with these attributes beside its own.

        There it was never handed out, and was sent now.
        """

    async def redrive(self, source: str, target: str, now: datetime, limit: int) -> int:
        """`move` up to `limit` messages of `source` that nobody holds; how many."""

    async def purge(self, queue: str, limit: int) -> int:
        """Remove up to `limit` messages that nobody holds; how many."""

    async def peek(self, queue: str, limit: int) -> Sequence[StoredMessage]:
        """Some messages, first those that are handed out first; nothing changes."""

    async def states(self) -> Sequence[QueueState]:
        """What there is, by name."""
