"""What the history of one execution says is still open, kept up to date batch by batch.

It answers without running user code: which activities and children have no result, which timers
have not fired, which messages were consumed, whether the execution is over. Constant work an event.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, ClassVar, NamedTuple, TypeAlias

import msgspec

from bindings.client import RuntimeStatus
from host.core import history, ids
from host.core.history import Batch, InboxEvent
from host.core.records import Message
from host.core.timers import Timers

RECENT_MESSAGES = 128
"""How many messages of other orchestrations are remembered across continue-as-new.

Their senders may deliver them again after a crash, when this execution is long over.
"""
RECENT_REQUESTS = 32
"""The same for messages of clients: a request whose answer was lost is made again, or lands late.

Fewer, since that is over within a minute, and every batch that continues as new pays for them.
"""


_Newest: TypeAlias = dict[str, None]
"""Ids of messages, the newest last: a set in order."""
End: TypeAlias = history.ExecutionCompleted | history.ContinueAsNew
_RESULTS = (history.TaskCompleted, history.TaskFailed)
BEFORE_ALL = datetime.min.replace(tzinfo=UTC)


class Section(NamedTuple):
    """A critical section that was asked for and is not over."""

    request: history.EntityLockRequested
    is_held: bool
    """Whether it was granted."""


class Ledger:
    """The open ends of one execution."""

    has_next = False
    """Whether a turn is to be taken though nothing came: it begins the next execution, or takes in
    again what a rewind has left."""
    rewinds = 0
    """How often the execution was rewound; `RewoundLedger` knows more of that."""

    def __init__(
        self,
        execution_id: str,
        recent: Iterable[str] = (),
        consumed: Iterable[str] = (),
        reached: datetime = BEFORE_ALL,
    ) -> None:
        self.execution_id = execution_id
        self.reached = reached
        """The orchestration's time: that of the last recorded turn, of this execution or before."""
        self.next_number = 0
        self.started: history.ExecutionStarted | None = None
        self.end: End | None = None
        self.is_finished = False
        """Whether the history ends in completion, failure or termination."""
        self.is_continued = False
        """Whether it ends in continue-as-new."""
        self.was_terminated = False
        self.is_suspended = False
        """Whether what comes waits until the instance is resumed."""
        self.orders = 0
        """How many times it was suspended or resumed."""
        self.open_activities: dict[int, history.TaskScheduled] = {}
        self.untaken: dict[int, history.TaskScheduled] = {}
        """Of these, what nobody has taken to hand it out, in order."""
        self.open_children: dict[int, history.SubOrchestrationInstanceCreated] = {}
        self.open_calls: dict[int, history.EntityOperationCalled] = {}
        self.sections: dict[int, Section] = {}
        """By the tasks that asked for them. The end of the execution leaves them here: it is from
        them that it is known what to unlock."""
        self.entity: history.EntityCheckpoint | None = None
        """All that an entity is; None for an orchestration, and an entity that has done nothing."""
        self.timers = Timers()
        self._of_tasks: _Newest = {}
        self._of_clients: _Newest = {}
        self._consumed = {*recent, *consumed}
        _remember(self._of_tasks, self._of_clients, recent)

    @property
    def consumed(self) -> Iterable[str]:
        """The ids of all messages that were taken in, as far as they must be recognised."""
        return self._consumed

    @property
    def recent(self) -> tuple[str, ...]:
        """The ids that must still be recognised."""
        return (*self._of_tasks, *self._of_clients)

    @property
    def held_section(self) -> int | None:
        """The task that asked for the section that the code is in; None if it is in none."""
        return next((task_id for task_id, x in self.sections.items() if x.is_held), None)

    def remembering(self, end: End, consumed: Iterable[str]) -> End:
        """The end of a turn that consumes these messages.

        One that continues as new says what the next execution must recognise.
        """
        if not isinstance(end, history.ContinueAsNew):
            return end
        return msgspec.structs.replace(end, recent=self.recent_with(consumed))

    def recent_with(self, consumed: Iterable[str]) -> tuple[str, ...]:
        """The ids that must still be recognised once these messages are consumed, too."""
        of_tasks, of_clients = self._of_tasks.copy(), self._of_clients.copy()
        _remember(of_tasks, of_clients, consumed)
        return (*of_tasks, *of_clients)

    def gets_on(self, batch: Batch) -> bool:
        """Whether the next batch leaves behind what may have ended a host: code, or an activity."""
        is_answer = any(isinstance(x, _RESULTS) for x in batch.events)
        return is_answer or not self.open_activities

    def add_batch(self, batch: Batch) -> None:
        """Take in a recorded batch."""
        self.next_number += 1
        if batch.consumed:
            self._consumed.update(batch.consumed)
            _remember(self._of_tasks, self._of_clients, batch.consumed)
        entry_of = self.entries.get
        for event in batch.events:
            entry = entry_of(type(event))
            if entry is not None:
                entry(self, event)

    def take_untaken(self) -> Iterable[history.TaskScheduled]:
        """Take what nobody has taken yet. After the end of the execution there is nothing."""
        untaken, self.untaken = self.untaken, {}
        return untaken.values()

    def has_consumed(self, message: Message) -> bool:
        """Whether a turn took this message in, and only its deletion is missing."""
        return message.message_id in self._consumed

    def wants(self, message: Message) -> bool:
        """Whether a message is news: neither consumed, nor an answer that nobody waits for."""
        if self.has_consumed(message):
            return False
        if message.execution_id is not None and message.execution_id != self.execution_id:
            return False
        return self.wants_event(message.event)

    def wants_event(self, event: InboxEvent) -> bool:
        """Whether an answer has an open question; events that are no answers are always wanted."""
        match event:
            case history.TaskCompleted() | history.TaskFailed():
                return event.task_id in self.open_activities
            case (
                history.SubOrchestrationInstanceCompleted()
                | history.SubOrchestrationInstanceFailed()
            ):
                return event.task_id in self.open_children
            case history.EntityOperationCompleted() | history.EntityOperationFailed():
                return event.task_id in self.open_calls
            case history.EntityLockGranted():
                section = self.sections.get(event.task_id)
                return section is not None and not section.is_held
            case _:
                return True

    def _turn(self, event: history.OrchestratorStarted) -> None:
        self.reached = event.timestamp

    def _open_activity(self, event: history.TaskScheduled) -> None:
        self.open_activities[event.task_id] = self.untaken[event.task_id] = event

    def _close_activity(self, event: history.TaskCompleted | history.TaskFailed) -> None:
        self.open_activities.pop(event.task_id, None)
        self.untaken.pop(event.task_id, None)

    def _open_child(self, event: history.SubOrchestrationInstanceCreated) -> None:
        self.open_children[event.task_id] = event

    def _close_child(
        self,
        event: history.SubOrchestrationInstanceCompleted | history.SubOrchestrationInstanceFailed,
    ) -> None:
        self.open_children.pop(event.task_id, None)

    def _open_call(self, event: history.EntityOperationCalled) -> None:
        self.open_calls[event.task_id] = event

    def _close_call(
        self, event: history.EntityOperationCompleted | history.EntityOperationFailed
    ) -> None:
        self.open_calls.pop(event.task_id, None)

    def _open_section(self, event: history.EntityLockRequested) -> None:
        if event.parent is None:  # else an entity passes it on
            self.sections[event.task_id] = Section(event, is_held=False)

    def _hold_section(self, event: history.EntityLockGranted) -> None:
        section = self.sections.get(event.task_id)
        if section is not None:
            self.sections[event.task_id] = section._replace(is_held=True)

    def _close_section(self, event: history.EntityUnlockSent) -> None:
        self.sections.pop(event.section, None)

    def _checkpoint(self, event: history.EntityCheckpoint) -> None:
        self.entity = event
        self.next_number = event.number + 1

    def _open_timer(self, event: history.TimerCreated) -> None:
        self.timers.add(event.task_id, event.fire_at)

    def _close_timer(self, event: history.TimerFired) -> None:
        self.timers.drop(event.task_id)

    def _start(self, event: history.ExecutionStarted) -> None:
        self.started = event

    def _hold(self, event: history.ExecutionSuspended | history.ExecutionResumed) -> None:
        self.is_suspended = isinstance(event, history.ExecutionSuspended)
        self.orders += 1

    def _end(self, event: End) -> None:
        self.end = event
        self.untaken = {}
        if isinstance(event, history.ExecutionCompleted):
            self.is_finished = True
            self.was_terminated = event.status is RuntimeStatus.TERMINATED
        else:
            self.is_continued = self.has_next = True

    # A table, because this is done for every event of every turn.
    entries: ClassVar[dict[type[Any], Callable[[Ledger, Any], None]]] = {
        history.TaskScheduled: _open_activity,
        history.TaskCompleted: _close_activity,
        history.TaskFailed: _close_activity,
        history.SubOrchestrationInstanceCreated: _open_child,
        history.SubOrchestrationInstanceCompleted: _close_child,
        history.SubOrchestrationInstanceFailed: _close_child,
        history.EntityOperationCalled: _open_call,
        history.EntityOperationCompleted: _close_call,
        history.EntityOperationFailed: _close_call,
        history.EntityCheckpoint: _checkpoint,
        history.EntityLockRequested: _open_section,
        history.EntityLockGranted: _hold_section,
        history.EntityUnlockSent: _close_section,
        history.TimerCreated: _open_timer,
        history.TimerFired: _close_timer,
        history.ExecutionStarted: _start,
        history.OrchestratorStarted: _turn,
        history.ExecutionSuspended: _hold,
        history.ExecutionResumed: _hold,
        history.ExecutionCompleted: _end,
        history.ContinueAsNew: _end,
    }


def _remember(of_tasks: _Newest, of_clients: _Newest, message_ids: Iterable[str]) -> None:
    for each in message_ids:
        if ids.is_sent_by_client(each):
            _move_to_end(of_clients, each, RECENT_REQUESTS)
        elif ids.is_sent_by_task(each):
            _move_to_end(of_tasks, each, RECENT_MESSAGES)


def _move_to_end(known: _Newest, message_id: str, most: int) -> None:
    """The newest last, each once: what is carried into an execution is there twice."""
    known.pop(message_id, None)
    known[message_id] = None
    if len(known) > most:
        del known[next(iter(known))]
