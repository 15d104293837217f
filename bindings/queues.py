"""What functions receive from queues, and what they send to them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from bindings.function_retry import NotRetried


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueMessage:
    """A message that a queue function receives. Of times, all are aware, in UTC."""

    body: bytes = b""
    id: str = ""
    dequeue_count: int = 1
    """How often it was tried, this time included."""
    insertion_time: datetime | None = None
    """When it was sent."""
    expiration_time: datetime | None = None
    """When the queue drops it; None if that is not known."""
    time_next_visible: datetime | None = None
    """When others would get it, if the host did not hold it for as long as the function runs."""
    pop_receipt: str = ""
    group_id: str | None = None
    """Of a FIFO queue: the group in which it is in order."""
    attributes: Mapping[str, str] = field(default_factory=dict)
    """What was said beside the body."""

    def get_body(self) -> bytes:
        """The body."""
        return self.body

    def get_text(self) -> str:
        """The body as text. Raises `ValueError` if it is not UTF-8."""
        return self.body.decode()

    def get_json(self) -> Any:
        """What the body holds as JSON. Raises `ValueError` if it is none."""
        return json.loads(self.body)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingQueueMessage:
    """A message for a queue, with more to say than its body."""

    body: Any
    """A text or bytes as they are; all else as JSON."""
    group_id: str | None = None
    """Of a FIFO queue: messages of one group are handed out in order. It goes before the binding's
    `messageGroupId`."""
    deduplication_id: str | None = None
    """Within five minutes a message of the same id is not sent again."""
    delay: timedelta | float = 0.0
    """How long nobody gets it: a `timedelta`, or seconds; 15 minutes at most. FIFO queues have no
    delays."""
    attributes: Mapping[str, str] = field(default_factory=dict)
    """What to say beside the body: at most 10, with names of letters, digits, `_`, `-` and `.`."""


class BatchFailure(NotRetried):
    """Some messages of a batch failed: only those come back. To be raised, or returned.

    Who returns it has the outputs sent; who raises it has not.
    """

    def __init__(self, failed: Iterable[QueueMessage | str], reason: str = "") -> None:
        """The messages that failed, or their ids, and why."""
        ids = (each.id if isinstance(each, QueueMessage) else str(each) for each in failed)
        self.failed_ids = tuple(dict.fromkeys(ids))
        self.reason = reason
        many = f"{len(self.failed_ids)} messages of a batch failed"
        super().__init__(f"{many}: {reason}" if reason else many)


class UnfitMessages(BatchFailure):
    """Some messages of a batch are not what the function's annotation asks for: it did not run."""
