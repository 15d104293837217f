"""The turns of an entity: which operations are to be done, and what is to be stored of them.

A turn is a batch of operations. It is stored as one batch that says all that the entity is since
then, in place of the one before: what an entity costs does not grow with its age.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec

from host.core import history
from host.core.entities.executor import (
    EntityDeed,
    EntityOutput,
    Operation,
    OperationOutcome,
    SignalDeed,
)
from host.core.history import Batch, DelayedSignal, HistoryEvent, Payload
from host.core.instance_state import InstanceState
from host.core.records import Commit, Message
from host.core.turns import NoTurn, commit_of, turn_started

MAX_OPERATIONS = 500
"""No more operations are done before what came of them is stored."""


class PlannedOperations(msgspec.Struct, frozen=True):
    """Operations that are to be done on a state. What is planned may be planned again."""

    now: datetime
    state: Payload
    operations: Sequence[Operation]
    rest: Sequence[Operation]
    """What is left for the next batch."""
    delayed: tuple[DelayedSignal, ...]
    """The signals that wait for their time after this batch."""
    put_off: Sequence[str]
    """The messages of those among them that came just now."""
    stale: Sequence[str]


def plan_operations(
    state: InstanceState, inbox: Sequence[Message], now: datetime
) -> PlannedOperations | NoTurn:
    """What there is to do."""
    news, stale = _sorted(state, inbox)
    if not state.is_led:
        return NoTurn(stale)
    entity = state.ledger.entity
    waiting = () if entity is None else entity.delayed
    due = [each for each in waiting if each.due <= now]
    if not news and not due:
        return NoTurn(stale)
    operations = [Operation(each.operation, each.input) for each in due]
    delayed = [*waiting[len(due) :]]
    put_off: list[str] = []
    for message in news:
        signal = _delayed(message, now)
        if signal is None:
            operations.append(_operation(message))
        else:
            delayed.append(signal)
            put_off.append(message.message_id)
    delayed.sort(key=lambda each: each.due)
    return PlannedOperations(
        now=now,
        state=None if entity is None else entity.state,
        operations=operations[:MAX_OPERATIONS],
        rest=operations[MAX_OPERATIONS:],
        delayed=tuple(delayed),
        put_off=put_off,
        stale=stale,
    )


def finish_operations(
    state: InstanceState, planned: PlannedOperations, output: EntityOutput
) -> Commit:
    """What is to be stored of operations that were done."""
    ledger = state.ledger
    count = len(output.outcomes)
    done = planned.operations[:count]
    left = [*planned.operations[count:], *planned.rest]
    started = turn_started(state, planned.now)
    last_task_id = 0 if ledger.entity is None else ledger.entity.last_task_id
    sending = _Sending(started.timestamp, last_task_id)
    for operation, outcome in zip(done, output.outcomes, strict=True):
        sending.add(operation, outcome)
    taken = [each.message_id for each in done if each.message_id is not None]
    consumed = (*taken, *planned.put_off)
    still_due = tuple(
        DelayedSignal(due=planned.now, operation=each.name, input=each.input)
        for each in left
        if each.message_id is None
    )
    number = ledger.next_number
    checkpoint = history.EntityCheckpoint(
        timestamp=started.timestamp,
        number=number,
        state=output.state,
        last_task_id=sending.last_task_id,
        delayed=still_due + planned.delayed,
        recent=ledger.recent_with(consumed),
    )
    state.has_left_mail = bool(left)
    batch = Batch(events=(started, *sending.events, checkpoint), consumed=consumed)
    commit = commit_of(state, planned.now, batch, NoTurn(planned.stale), consumed=consumed)
    return msgspec.structs.replace(commit, is_whole=True)


class _Sending:
    """What a batch sends and starts, as events, with the numbers that they get."""

    def __init__(self, now: datetime, last_task_id: int) -> None:
        self.events: list[HistoryEvent] = []
        self.last_task_id = last_task_id
        self._now = now

    def add(self, operation: Operation, outcome: OperationOutcome) -> None:
        """What follows from one operation."""
        for deed in outcome.deeds:
            self.last_task_id += 1
            self.events.append(self._event(deed))
        if operation.caller is not None:
            self.events.append(_answer(operation.caller, outcome, self._now))

    def _event(self, deed: EntityDeed) -> HistoryEvent:
        task_id = self.last_task_id
        if isinstance(deed, SignalDeed):
            return history.EntityOperationSignaled(
                timestamp=self._now,
                task_id=task_id,
                instance_id=deed.instance_id,
                operation=deed.operation,
                input=deed.input,
                scheduled_at=deed.scheduled_at,
            )
        return history.OrchestrationStartSent(
            timestamp=self._now,
            task_id=task_id,
            name=deed.name,
            instance_id=deed.instance_id,
            input=deed.input,
            version=deed.version,
        )


def _sorted(state: InstanceState, inbox: Iterable[Message]) -> tuple[list[Message], list[str]]:
    """The messages that ask for operations, and the ids of those that nobody wants."""
    news: list[Message] = []
    stale: list[str] = []
    for message in inbox:
        is_operation = isinstance(
            message.event, history.EntityOperationCalled | history.EntityOperationSignaled
        )
        if is_operation and state.ledger.wants(message):
            news.append(message)
        else:
            stale.append(message.message_id)
    return news, stale


def _operation(message: Message) -> Operation:
    event = message.event
    assert isinstance(  # noqa: S101 - `_sorted` has left no other
        event, history.EntityOperationCalled | history.EntityOperationSignaled
    )
    caller = event.parent if isinstance(event, history.EntityOperationCalled) else None
    return Operation(event.operation, event.input, caller, message.message_id)


def _delayed(message: Message, now: datetime) -> DelayedSignal | None:
    """The signal whose time has not come, if the message is one."""
    event = message.event
    if not isinstance(event, history.EntityOperationSignaled) or event.scheduled_at is None:
        return None
    if event.scheduled_at <= now:
        return None
    return DelayedSignal(due=event.scheduled_at, operation=event.operation, input=event.input)


def _answer(
    caller: history.ParentInstance, outcome: OperationOutcome, now: datetime
) -> HistoryEvent:
    if outcome.failure is not None:
        return history.EntityOperationFailed(
            timestamp=now, task_id=caller.task_id, failure=outcome.failure, caller=caller
        )
    return history.EntityOperationCompleted(
        timestamp=now, task_id=caller.task_id, result=outcome.result, caller=caller
    )
