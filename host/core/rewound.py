"""The history of an execution that was rewound, as it counts.

A rewind appends an event and changes nothing that is stored. Its `cut` says from which batch on the
history does not count: what is before that is left exactly as it was, so the code is led to where
it was then, whatever it did later. What came in later is not lost: the next turn takes it in again,
but for the failures. What of it a turn did not take in, since the code had ended by then, waits for
the next rewind.

`counted` is the one way in which whoever folds or replays a history reads it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar

import msgspec

from host.core import history
from host.core.chain import current_batches
from host.core.history import Batch, HistoryEvent
from host.core.ledger import Ledger
from host.core.records import Snapshot

FAILURES = (
    history.TaskFailed,
    history.SubOrchestrationInstanceFailed,
    history.EntityOperationFailed,
)
DEEDS = (
    history.TaskScheduled,
    history.SubOrchestrationInstanceCreated,
    history.TimerCreated,
    history.EventSent,
    history.EntityOperationCalled,
    history.EntityOperationSignaled,
    history.EntityLockRequested,
    history.EntityUnlockSent,
)
_BEGINS_BATCH = (history.OrchestratorStarted, history.ExecutionRewound)
_START_OF_CHILD = history.SubOrchestrationInstanceCreated
_ORDERS = (history.ExecutionSuspended, history.ExecutionResumed)
_CAME_IN = (
    history.ExecutionStarted,
    history.TaskCompleted,
    history.SubOrchestrationInstanceCompleted,
    history.EntityOperationCompleted,
    history.EventRaised,
    history.CustomStatusSet,
    *_ORDERS,
)
"""What is taken in again. Timers that fired are open again, and fire by themselves."""


class Counted(msgspec.Struct, frozen=True):
    """What counts of an execution's batches."""

    batches: Sequence[Batch]
    """Each under its number; of those that do not count there are only the consumed messages."""
    carried: Sequence[HistoryEvent] = ()
    """What the next turn is to take in again, in order."""
    abandoned: Sequence[history.SubOrchestrationInstanceCreated] = ()
    """The children whose start the last rewind has taken back."""

    def for_code(self) -> list[Batch]:
        """What the code is led through: what is asked again, it has asked already."""
        return [
            Batch(events=batch.events[:1]) if is_rewind(batch) else batch
            for batch in self.batches
            if batch.events
        ]


def is_rewind(batch: Batch) -> bool:
    """Whether the batch is that of a rewind."""
    return rewind_in(batch) is not None


def rewind_in(batch: Batch) -> history.ExecutionRewound | None:
    """The rewind whose batch this is, if it is one."""
    first = batch.events[0] if batch.events else None
    return first if isinstance(first, history.ExecutionRewound) else None


def counted(batches: Sequence[Batch]) -> Counted:
    """What counts of the stored batches of one execution, which begin with number 0."""
    if not any(map(is_rewind, batches)):
        return Counted(batches)
    found: list[Batch] = []
    carried: list[HistoryEvent] = []
    abandoned: list[history.SubOrchestrationInstanceCreated] = []
    for batch in batches:
        event = rewind_in(batch)
        if event is not None:
            taken_back = found[event.cut :]
            carried = [*came_in(taken_back), *carried]
            abandoned = [x for x in _events(taken_back) if isinstance(x, _START_OF_CHILD)]
            found[event.cut :] = [Batch(events=(), consumed=x.consumed) for x in taken_back]
        elif carried:
            _drop_taken(carried, batch.events)
        found.append(batch)
    return Counted(found, carried, abandoned)


def counted_history(snapshot: Snapshot) -> list[HistoryEvent]:
    """The events that count of the latest execution that has any."""
    return list(_events(counted(current_batches(snapshot)).batches))


def came_in(batches: Iterable[Batch]) -> list[HistoryEvent]:
    """What of it is taken in again after a rewind that takes these batches back."""
    return [event for event in _events(batches) if isinstance(event, _CAME_IN)]


def led_through(events: Sequence[HistoryEvent]) -> Sequence[HistoryEvent]:
    """What the code is led through of one execution's whole history, as one list."""
    batches: list[list[HistoryEvent]] = []
    for event in events:
        if isinstance(event, _BEGINS_BATCH) or not batches:
            batches.append([])
        batches[-1].append(event)
    counting = counted([Batch(events=tuple(each)) for each in batches])
    return list(_events(counting.for_code()))


class RewoundLedger(Ledger):
    """The open ends of an execution that was rewound."""

    def __init__(self, before: Ledger) -> None:
        """In place of a ledger that has taken in nothing."""
        super().__init__(before.execution_id, before.recent, before.consumed, before.reached)
        self.carried: Sequence[HistoryEvent] = ()
        """What the next turn is to take in again."""
        self.abandoned: Sequence[history.SubOrchestrationInstanceCreated] = ()
        self._has_gone_on = False
        """Whether a turn was taken since the last rewind."""
        self.answered_calls: set[int] = set()
        """The calls of entities that what is taken in again answers."""
        self.causes: set[str] = set()
        """The rewinds of the parent that made one here."""

    def carry(self, read: Counted) -> None:
        """Note what is left of the batches that do not count."""
        self.carried, self.abandoned = read.carried, read.abandoned
        # It may have gone on since: then nothing brings a turn about, but for continue-as-new. What
        # its code left as it ended, and a termination did, is for the next rewind.
        self.has_next = self.has_next or (bool(read.carried) and not self._has_gone_on)
        for event in read.carried:
            if isinstance(event, history.TaskCompleted):
                self.untaken.pop(event.task_id, None)
            elif isinstance(event, history.EntityOperationCompleted):
                self.answered_calls.add(event.task_id)
            elif isinstance(event, _ORDERS):
                self.is_suspended = isinstance(event, history.ExecutionSuspended)

    def is_answered(self, task_id: int) -> bool:
        """Whether what is taken in again answers this child's task."""
        kind = history.SubOrchestrationInstanceCompleted
        return any(isinstance(each, kind) and each.task_id == task_id for each in self.carried)

    def unanswered_calls(self) -> list[history.EntityOperationCalled]:
        """The calls of entities that are to be made again.

        Their answers were failures, or came to a finished instance: nobody would ever tell them.
        """
        return [
            call for task_id, call in self.open_calls.items() if task_id not in self.answered_calls
        ]

    def _rewind(self, event: history.ExecutionRewound) -> None:
        self.rewinds += 1
        self._has_gone_on = False
        self.reached = max(self.reached, event.timestamp)
        self.causes.add(event.cause)
        for task_id in event.again:
            self.open_activities.pop(task_id, None)
            self.untaken.pop(task_id, None)
            self.open_calls.pop(task_id, None)
            self.sections.pop(task_id, None)

    def _next_turn(self, event: history.OrchestratorStarted) -> None:
        self.reached = event.timestamp
        self.carried, self.has_next, self._has_gone_on = (), False, True

    entries: ClassVar[dict[type[Any], Callable[[Any, Any], None]]] = {
        **Ledger.entries,
        history.ExecutionRewound: _rewind,
        history.OrchestratorStarted: _next_turn,
    }


def _events(batches: Iterable[Batch]) -> Iterable[HistoryEvent]:
    return (event for batch in batches for event in batch.events)


def _drop_taken(carried: list[HistoryEvent], events: Iterable[HistoryEvent]) -> None:
    for event in events:
        if isinstance(event, _CAME_IN) and event in carried:
            carried.remove(event)
