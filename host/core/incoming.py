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


class Intake:
    """Feeds an execution with what came in one turn, and with the timers that are due."""

    __slots__ = (
        "_answered",
        "_execution",
        "_known_id",
        "_now",
        "consumed",
        "events",
        "has_left_mail",
    )

    def __init__(self, execution: Execution, now: datetime) -> None:
        self._execution = execution
        self._now = now
        self._known_id = execution.last_task_id
        self._answered: set[int] = set()
        """A result may come twice in one turn: by hand and by message."""
        self.events: list[HistoryEvent] = []
        self.consumed: list[str] = []
        self.has_left_mail = False
        """Whether a timer that was made meanwhile comes before the messages that are left."""

    def take_all(self, incoming: Iterable[Incoming]) -> None:
        """Feed it all at once."""
        for each in incoming:
            while self._fire(each.came_at):
                pass
            self._take(each)
        while self._fire(self._now):
            pass

    def take_in_steps(self, incoming: Iterable[Incoming]) -> Steps[None]:
        """The same, one event a step."""
        for each in incoming:
            while self._fire(each.came_at):
                yield
            self._take(each)
            yield
        while self._fire(self._now):
            yield

    def _take(self, incoming: Incoming) -> None:
        event, message_id, came_at = incoming
        execution = self._execution
        # After the end messages stay in the inbox; events carried over have none, and go on.
        if execution.outcome is not None and not (
            message_id is None and type(event) is history.EventRaised
        ):
            return
        if message_id is not None:
            if self.has_left_mail or self._is_new_timer_due_before(came_at):
                self.has_left_mail = True
                return
            self.consumed.append(message_id)
        task_id: int | None = getattr(event, "task_id", None)
        if task_id is not None:
            if task_id in self._answered:
                return
            self._answered.add(task_id)
        self.events.append(event)
        execution.feed(event)

    def _fire(self, until: datetime) -> bool:
        """Feed the next timer that is due until then, if there is one: it may cancel those after.

        One that was made in this turn (its id is higher) fires in the next, and so do those after.
        """
        execution = self._execution
        if not execution.timers:
            return False
        timer = execution.timers.first_due(min(until, self._now))
        if timer is None or timer.task_id > self._known_id or execution.outcome is not None:
            return False
        fired = history.TimerFired(
            timestamp=self._now, task_id=timer.task_id, fire_at=timer.fire_at
        )
        self.events.append(fired)
        execution.feed(fired)
        return True

    def _is_new_timer_due_before(self, came_at: datetime) -> bool:
        timers = self._execution.timers
        timer = timers.first_due(self._now) if timers else None
        return timer is not None and timer.task_id > self._known_id and timer.fire_at < came_at
