"""The turns of an entity: which operations are to be done, and what is to be stored of them.

A turn is a batch of operations, and of what locks and unlocks the entity. It is stored as one batch
that says all that the entity is since then, in place of the one before: what an entity costs does
not grow with its age.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec

from host.core import history
from host.core.entities.executor import (
    EntityContent,
    EntityDeed,
    EntityOutput,
    Operation,
    OperationOutcome,
    SignalDeed,
)
from host.core.entities.locks import Step, in_order, locked, lost, passed_on, unlocked
from host.core.history import Batch, DelayedSignal, EntityLock, HistoryEvent
from host.core.instance_state import InstanceState
from host.core.records import Commit, Message
from host.core.turns import NoTurn, commit_of, turn_started

MAX_OPERATIONS = 500
"""No more operations are done before what came of them is stored."""
_OPERATIONS = (history.EntityOperationCalled, history.EntityOperationSignaled)
_WANTED = (*_OPERATIONS, history.EntityLockRequested, history.EntityUnlockSent)
_NOTHING = EntityContent()


class PlannedOperations(msgspec.Struct, frozen=True):
    """What is to be seen to, and the operations among it. It may be planned again."""

    now: datetime
    content: EntityContent
    """What they find."""
    steps: Sequence[Step]
    operations: Sequence[Operation]
    has_more: bool
    """Whether something is left for the next batch."""
    due: Sequence[DelayedSignal]
    """The signals whose time has come, in order. Those of a locked entity wait."""
    delayed: tuple[DelayedSignal, ...]
    """The signals that wait for their time after this batch."""
    put_off: Sequence[str]
    """The messages of those among them that came just now."""
    stale: Sequence[str]

    @property
    def since(self) -> datetime:
        """When what is to be done first was asked for, or its time came."""
        events = [each.event.timestamp for each in self.steps if each.event is not None]
        return events[0] if events else self.now

    def up_to(self, count: int) -> PlannedOperations:
        """The same with so many operations at most, and what lies before the next one."""
        if len(self.operations) <= count:
            return self
        of_operations = [n for n, step in enumerate(self.steps) if _operation(step) is not None]
        return msgspec.structs.replace(
            self,
            steps=self.steps[: of_operations[count]],
            operations=self.operations[:count],
            has_more=True,
        )

    def begun_at(self, now: datetime) -> PlannedOperations:
        """The same, begun later than it was planned: it has waited."""
        return msgspec.structs.replace(self, now=now)


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
    delayed = [*waiting[len(due) :]]
    steps = [Step(None, _signal(each)) for each in due]
    put_off: list[str] = []
    for message in news:
        signal = _delayed(message, now)
        if signal is None:
            steps.append(Step(message.message_id, message.event))
        else:
            delayed.append(signal)
            put_off.append(message.message_id)
    allowed = in_order(steps, None if entity is None else entity.lock)
    if not allowed and not put_off:
        return NoTurn(stale)
    delayed.sort(key=lambda each: each.due)
    taken = allowed[:MAX_OPERATIONS]
    return PlannedOperations(
        now=now,
        content=_NOTHING if entity is None else EntityContent(entity.state, entity.tags),
        steps=taken,
        operations=[operation for each in taken if (operation := _operation(each)) is not None],
        has_more=len(allowed) > len(taken),
        due=due,
        delayed=tuple(delayed),
        put_off=put_off,
        stale=stale,
    )


def finish_operations(
    state: InstanceState, planned: PlannedOperations, output: EntityOutput
) -> Commit:
    """What is to be stored of operations that were done."""
    ledger = state.ledger
    before = ledger.entity
    started = turn_started(state, planned.now)
    sending = _Sending(started.timestamp, 0 if before is None else before.last_task_id)
    done, lock = _see_to(planned, output, sending, None if before is None else before.lock)
    taken = [each.message_id for each in done if each.message_id is not None]
    consumed = (*taken, *planned.put_off)
    still_due = tuple(planned.due[len(done) - len(taken) :])
    checkpoint = history.EntityCheckpoint(
        timestamp=started.timestamp,
        number=ledger.next_number,
        state=output.content.state,
        last_task_id=sending.last_task_id,
        delayed=still_due + planned.delayed,
        recent=ledger.recent_with(consumed),
        lock=lock,
        tags=output.content.tags,
    )
    state.has_left_mail = planned.has_more or len(done) < len(planned.steps)
    batch = Batch(events=(started, *sending.events, checkpoint), consumed=consumed)
    commit = commit_of(state, planned.now, batch, NoTurn(planned.stale), consumed=consumed)
    return msgspec.structs.replace(commit, is_whole=True)


def _see_to(
    planned: PlannedOperations,
    output: EntityOutput,
    sending: _Sending,
    lock: EntityLock | None,
) -> tuple[Sequence[Step], EntityLock | None]:
    """Go through the steps as far as their operations were done; these steps, and the lock then."""
    outcomes = iter(zip(planned.operations, output.outcomes, strict=False))
    for place, step in enumerate(planned.steps):
        match step.event:
            case history.EntityLockRequested() as request:
                lock, event = locked(request, sending.next_number(), sending.now)
                sending.events.append(event)
            case history.EntityUnlockSent() as order:
                lock = unlocked(lock, order)
                if order.rest:
                    sending.events.append(passed_on(order, sending.next_number(), sending.now))
            case history.EntityOperationCalled() as call if step.is_refused:
                sending.refuse(call)
            case None:
                pass
            case _:
                pair = next(outcomes, None)
                if pair is None:
                    return planned.steps[:place], lock
                sending.add(*pair)
    return planned.steps, lock


class _Sending:
    """What a batch sends and starts, as events, with the numbers that they get."""

    def __init__(self, now: datetime, last_task_id: int) -> None:
        self.events: list[HistoryEvent] = []
        self.last_task_id = last_task_id
        self.now = now

    def next_number(self) -> int:
        """The number of what is sent next."""
        self.last_task_id += 1
        return self.last_task_id

    def add(self, operation: Operation, outcome: OperationOutcome) -> None:
        """What follows from one operation."""
        self.events.extend(self._event(deed) for deed in outcome.deeds)
        if operation.caller is not None:
            self.events.append(_answer(operation.caller, outcome, self.now))

    def refuse(self, call: history.EntityOperationCalled) -> None:
        """The call of a section that has lost its lock is answered, and not done."""
        if call.parent is not None:
            outcome = OperationOutcome(failure=lost(call.instance_id))
            self.events.append(_answer(call.parent, outcome, self.now))

    def _event(self, deed: EntityDeed) -> HistoryEvent:
        task_id = self.next_number()
        if isinstance(deed, SignalDeed):
            return history.EntityOperationSignaled(
                timestamp=self.now,
                task_id=task_id,
                instance_id=deed.instance_id,
                operation=deed.operation,
                input=deed.input,
                scheduled_at=deed.scheduled_at,
            )
        return history.OrchestrationStartSent(
            timestamp=self.now,
            task_id=task_id,
            name=deed.name,
            instance_id=deed.instance_id,
            input=deed.input,
            version=deed.version,
        )


def _sorted(state: InstanceState, inbox: Iterable[Message]) -> tuple[list[Message], list[str]]:
    """The messages that ask for something, and the ids of those that nobody wants."""
    news: list[Message] = []
    stale: list[str] = []
    for message in inbox:
        if isinstance(message.event, _WANTED) and state.ledger.wants(message):
            news.append(message)
        else:
            stale.append(message.message_id)
    return news, stale


def _operation(step: Step) -> Operation | None:
    """The operation that is to be done, if the step is one."""
    event = step.event
    if step.is_refused or not isinstance(event, _OPERATIONS):
        return None
    caller = event.parent if isinstance(event, history.EntityOperationCalled) else None
    return Operation(event.operation, event.input, caller)


def _signal(due: DelayedSignal) -> history.EntityOperationSignaled:
    return history.EntityOperationSignaled(
        timestamp=due.due, task_id=0, instance_id="", operation=due.operation, input=due.input
    )


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
