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
from typing import NamedTuple, TypeAlias, TypeVar

import msgspec

from host.core import history
from host.core.execution import Execution
from host.core.history import HistoryEvent
from host.core.ledger import BEFORE_ALL
from host.core.records import Message

T = TypeVar("T")

ActivityResult: TypeAlias = history.TaskCompleted | history.TaskFailed
Steps: TypeAlias = Generator[None, None, T]
"""Work that may be interrupted between any two steps, and what it gives in the end."""


class Incoming(NamedTuple):
    """One event to be fed; `message_id` if it is in the inbox."""

    event: HistoryEvent
    message_id: str | None = None
    came_at: datetime = BEFORE_ALL


_CAME_AT = attrgetter("came_at")


class Taken(msgspec.Struct):
    """What was fed, and the messages that it came with."""

    events: list[HistoryEvent]
    consumed: list[str]
    has_left_mail: bool = False
    """Whether a timer that was made meanwhile comes before the messages that are left."""


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


def by_time(results: Sequence[ActivityResult], news: Sequence[Message]) -> list[Incoming]:
    """Results and messages by time, where a message came no later than those after it."""
    incoming = [Incoming(each, None, each.timestamp) for each in results]
    if not news:
        return incoming
    moments = list(accumulate((each.event.timestamp for each in reversed(news)), min))
    for message, came_at in zip(news, reversed(moments), strict=True):
        incoming.append(Incoming(message.event, message.message_id, came_at))
    return sorted(incoming, key=_CAME_AT) if results else incoming


def take_in(execution: Execution, now: datetime, incoming: Iterable[Incoming]) -> Steps[Taken]:
    """Feed an execution with what came, and with the timers that are due, one event a step."""
    taken = Taken([], [])
    known_id = execution.last_task_id
    answered: set[int] = set()  # a result may come twice in one turn: by hand and by message
    for event, message_id, came_at in incoming:
        if execution.timers:
            yield from _fire(execution, min(came_at, now), now, known_id, taken.events)
            if message_id is not None and _is_new_timer_due(execution, came_at, now, known_id):
                taken.has_left_mail = True
        # After the end messages stay in the inbox; events carried over have none, and go on.
        is_carried = message_id is None and isinstance(event, history.EventRaised)
        if execution.outcome is not None and not is_carried:
            continue
        if message_id is not None:
            if taken.has_left_mail:
                continue
            taken.consumed.append(message_id)
        task_id: int | None = getattr(event, "task_id", None)
        if task_id in answered:
            continue
        if task_id is not None:
            answered.add(task_id)
        taken.events.append(event)
        execution.feed(event)
        yield
    if execution.timers:
        yield from _fire(execution, now, now, known_id, taken.events)
    return taken


def _fire(
    execution: Execution, until: datetime, now: datetime, known_id: int, events: list[HistoryEvent]
) -> Iterator[None]:
    """Feed the timers that are due until then, one after the other: each may cancel the next.

    One that was made in this turn (its id is higher) fires in the next, and so do those after it.
    """
    while (timer := execution.timers.first_due(until)) is not None:
        if timer.task_id > known_id or execution.outcome is not None:
            return
        fired = history.TimerFired(timestamp=now, task_id=timer.task_id, fire_at=timer.fire_at)
        events.append(fired)
        execution.feed(fired)
        yield


def _is_new_timer_due(
    execution: Execution, came_at: datetime, now: datetime, known_id: int
) -> bool:
    """Whether a timer of this very turn comes before what came then."""
    timer = execution.timers.first_due(now)
    return timer is not None and timer.task_id > known_id and timer.fire_at < came_at
