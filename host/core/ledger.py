"""What the history of one execution says is still open, kept up to date batch by batch.

It answers without running user code: which activities and children have no result, which messages
were consumed, whether the execution is over. Constant work per event.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from host.core import history, ids
from host.core.history import Batch, HistoryEvent, InboxEvent
from host.core.records import Message

RECENT_MESSAGES = 128
"""How many messages of other orchestrations are remembered across continue-as-new.

Their senders may deliver them again after a crash, when this execution is long over.
"""


class Ledger:
    """The open ends of one execution."""

    def __init__(
        self, execution_id: str, recent: Iterable[str] = (), consumed: Iterable[str] = ()
    ) -> None:
        self.execution_id = execution_id
        self.next_number = 0
        self.started: history.ExecutionStarted | None = None
        self.end: history.ExecutionCompleted | history.ContinueAsNew | None = None
        self.open_activities: dict[int, history.TaskScheduled] = {}
        self.open_children: dict[int, history.SubOrchestrationInstanceCreated] = {}
        self._recent = deque(recent, RECENT_MESSAGES)
        self._consumed = {*self._recent, *consumed}

    @property
    def recent(self) -> tuple[str, ...]:
        """The ids that must still be recognised."""
        return tuple(self._recent)

    def recent_after(self, batch: Batch) -> tuple[str, ...]:
        """What `recent` will be once the batch is taken in: for the next execution."""
        ids_ = (*self._recent, *(each for each in batch.consumed if ids.is_sent_by_task(each)))
        return tuple(dict.fromkeys(ids_))[-RECENT_MESSAGES:]

    def add_batch(self, batch: Batch) -> None:
        """Take in a recorded batch."""
        self.next_number += 1
        self._consumed.update(batch.consumed)
        if batch.consumed:
            self._recent.extend(each for each in batch.consumed if ids.is_sent_by_task(each))
        for event in batch.events:
            self._add(event)

    def wants(self, message: Message) -> bool:
        """Whether a message is news: neither consumed, nor an answer that nobody waits for."""
        if message.message_id in self._consumed:
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
            case _:
                return True

    def _add(self, event: HistoryEvent) -> None:
        match event:
            case history.TaskScheduled():
                self.open_activities[event.task_id] = event
            case history.TaskCompleted() | history.TaskFailed():
                self.open_activities.pop(event.task_id, None)
            case history.SubOrchestrationInstanceCreated():
                self.open_children[event.task_id] = event
            case (
                history.SubOrchestrationInstanceCompleted()
                | history.SubOrchestrationInstanceFailed()
            ):
                self.open_children.pop(event.task_id, None)
            case history.ExecutionStarted():
                self.started = event
            case history.ExecutionCompleted() | history.ContinueAsNew():
                self.end = event
            case _:
                pass
