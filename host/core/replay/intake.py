"""How one turn's events are fed, in order of time, with the timers that are due between them."""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime

from host.core import history
from host.core.executors import TurnInput, TurnOutput
from host.core.history import HistoryEvent
from host.core.incoming import Incoming, Steps
from host.core.replay.execution import Execution
from host.core.timers import OpenTimer

AFTER_ALL = datetime.max.replace(tzinfo=UTC)
_NONE: deque[OpenTimer] = deque()


class Intake:
    """Feeds an execution with what came in one turn, and with the timers that are due."""

    __slots__ = (
        "_answered",
        "_consumed",
        "_due",
        "_execution",
        "_has_left_mail",
        "_new",
        "_taken",
    )

    def __init__(self, execution: Execution, new: TurnInput) -> None:
        self._execution = execution
        self._new = new
        self._due = deque(new.due) if new.due else _NONE
        self._answered: set[int] = set()
        """A result may come twice in one turn: by hand and by message."""
        self._taken: list[HistoryEvent] = []
        self._consumed: list[str] = []
        self._has_left_mail = False
        """Whether a timer that was made meanwhile comes before the messages that are left."""

    def take_all(self) -> TurnOutput:
        """Feed it all at once; what the code made of it."""
        self._execution.begin_turn(self._new.started)
        for each in self._new.incoming:
            while self._due and self._fire(each.came_at):
                pass
            self._take(each)
        while self._due and self._fire(AFTER_ALL):
            pass
        return self._output()

    def take_in_steps(self) -> Steps[TurnOutput]:
        """The same, one event a step."""
        self._execution.begin_turn(self._new.started)
        for each in self._new.incoming:
            while self._due and self._fire(each.came_at):
                yield
            self._take(each)
            yield
        while self._due and self._fire(AFTER_ALL):
            yield
        return self._output()

    def _take(self, incoming: Incoming) -> None:
        event, message_id, execution = incoming.event, incoming.message_id, self._execution
        # After the end messages stay in the inbox; events carried over have none, and go on.
        if execution.outcome is not None and not (
            message_id is None and type(event) is history.EventRaised
        ):
            return
        if message_id is not None:
            if self._has_left_mail or self._is_new_timer_due_before(incoming.came_at):
                self._has_left_mail = True
                return
            self._consumed.append(message_id)
        task_id: int | None = getattr(event, "task_id", None)
        if task_id is not None:
            if task_id in self._answered:
                return
            self._answered.add(task_id)
        self._taken.append(event)
        execution.feed(event)

    def _fire(self, until: datetime) -> bool:
        """Feed the next timer that is due until then, if there is one: it may cancel those after.

        One that was made in this turn fires in the next, and so do those after.
        """
        execution = self._execution
        while self._due and not execution.is_open(self._due[0].task_id):
            self._due.popleft()  # the code has let go of it
        if not self._due or self._due[0].fire_at > until or execution.outcome is not None:
            return False
        fire_at, task_id = self._due[0]
        if self._is_new_timer_due_before(fire_at):
            return False
        self._due.popleft()
        fired = history.TimerFired(timestamp=self._new.now, task_id=task_id, fire_at=fire_at)
        self._taken.append(fired)
        execution.feed(fired)
        return True

    def _is_new_timer_due_before(self, moment: datetime) -> bool:
        first = self._execution.next_new_timer()
        return first is not None and first <= self._new.now and first < moment

    def _output(self) -> TurnOutput:
        return self._execution.take_output(
            self._taken, self._consumed, has_left_mail=self._has_left_mail
        )
