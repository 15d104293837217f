"""What a turn takes in, in order: what came first by time comes first.

A host may have been away when a timer was due, and find it together with what arrived since. Then
an answer or event from before the timer's time is fed before it, so that who was in time is served.
Messages keep the order in which they arrived, whatever their senders' clocks say.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from datetime import datetime
from itertools import accumulate
from operator import attrgetter
from typing import TypeAlias, TypeVar

import msgspec

from host.core import history
from host.core.history import HistoryEvent
from host.core.ledger import BEFORE_ALL
from host.core.records import Message

T = TypeVar("T")

ActivityResult: TypeAlias = history.TaskCompleted | history.TaskFailed
Steps: TypeAlias = Generator[None, None, T]
"""Work that may be interrupted between any two steps, and what it gives in the end."""


class Incoming(msgspec.Struct, frozen=True):
    """One event to be fed; `message_id` if it is in the inbox."""

    event: HistoryEvent
    message_id: str | None = None
    came_at: datetime = BEFORE_ALL


_CAME_AT = attrgetter("came_at")


def do_all(steps: Steps[T]) -> T:
    """Do all steps at once; what they give."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            value: T = end.value
            return value


def messages_in(messages: Iterable[Message]) -> Iterator[Incoming]:
    """Messages that come before all timers."""
    return (Incoming(message.event, message.message_id) for message in messages)


def by_time(came: list[Incoming], news: Sequence[Message]) -> list[Incoming]:
    """What came, and messages, by time, where a message came no later than those after it."""
    if not news:
        return came
    moments = list(accumulate((each.event.timestamp for each in reversed(news)), min))
    sent = [
        Incoming(message.event, message.message_id, came_at)
        for message, came_at in zip(news, reversed(moments), strict=True)
    ]
    return sorted(came + sent, key=_CAME_AT) if came else sent
