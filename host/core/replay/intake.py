"""How one turn's events are fed, in order of time, with the timers that are due between them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from host.core import history
from host.core.history import HistoryEvent
from host.core.incoming import Incoming, Steps
from host.core.replay.execution import Execution


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
