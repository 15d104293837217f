"""What follows from a batch for the rest of the world, derived from its events alone.

Because it is derived, it can be done again after a crash by whoever loads the batch; because all
ids are derived, too, doing it again changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, TypeAlias

import msgspec

from bindings.client import RuntimeStatus
from bindings.errors import FailureDetails
from host.core import history, ids
from host.core.history import ParentInstance
from host.core.ledger import Ledger, Section
from host.core.records import Envelope, Instance, Message, Start, Unawaited
from host.core.rewound import RewoundLedger
from host.core.trace import TraceContext, within
from host.core.unawaited import left_by


class Outbound(msgspec.Struct, frozen=True):
    """What a batch sends to other instances, and what it leaves to be run for nobody."""

    starts: tuple[Start, ...]
    messages: tuple[Envelope, ...]
    unawaited: tuple[Unawaited, ...] = ()

    @property
    def addressees(self) -> list[str]:
        """Who gets something, in order of their ids."""
        started = {start.instance.instance_id for start in self.starts}
        return sorted(started | {envelope.instance_id for envelope in self.messages})


NOTHING = Outbound((), ())

_ENDS = (history.ExecutionCompleted, history.ContinueAsNew)
_ABANDONED = '"The parent was rewound to before it started this one."'


def outbound_of(
    instance: Instance, ledger: Ledger, events: Sequence[history.HistoryEvent]
) -> Outbound:
    """What is to be started, delivered and left because of these events.

    `ledger` is that of the events' execution, with the events taken in.
    """
    if SENDING.isdisjoint(map(type, events)):
        return NOTHING
    sending = [event for event in events if type(event) in SENDING]
    starts: list[Start] = []
    messages: list[Envelope] = []
    for place, event in enumerate(sending):
        for sent in _SENT_BY[type(event)](_Sender(instance, ledger, place), event):
            if isinstance(sent, Start):
                starts.append(sent)
            else:
                messages.append(sent)
    end = sending[-1]
    is_left = bool(ledger.open_activities) and isinstance(end, _ENDS)
    left = left_by(instance.instance_id, ledger, end) if is_left else ()
    return Outbound(tuple(starts), tuple(messages), left)


class _Sender(NamedTuple):
    """Who sends, and as which of the events of its batch that send anything."""

    instance: Instance
    ledger: Ledger
    place: int


def _start(
    instance: Instance,
    ledger: Ledger,
    event: history.SubOrchestrationInstanceCreated,
    rewinds: int = 0,
) -> Start:
    execution_id = ids.child_execution_id(ledger.execution_id, event.task_id, rewinds)
    child = Instance(
        instance_id=event.instance_id,
        execution_id=execution_id,
        name=event.name,
        status=RuntimeStatus.PENDING,
        created_at=event.timestamp,
        updated_at=event.timestamp,
        input=event.input,
        version=event.version,
        tags=instance.tags,
        parent=_parent(instance, ledger, event.task_id),
        trace=within(_trace(instance, ledger), ledger.execution_id),
    )
    failure = FailureDetails(
        error_type="InstanceAlreadyExistsError",
        message=f"An active orchestration instance '{event.instance_id}' already exists.",
        is_non_retriable=True,
    )
    refusal = Message(
        message_id=ids.refusal_message_id(ledger.execution_id, event.task_id, ledger.rewinds),
        execution_id=ledger.execution_id,
        event=history.SubOrchestrationInstanceFailed(
            timestamp=event.timestamp, task_id=event.task_id, failure=failure
        ),
    )
    return Start(child, refusal)


def _trace(instance: Instance, ledger: Ledger) -> TraceContext | None:
    """The trace of the execution that the ledger is of: the row has that of the first one."""
    started = ledger.started
    return instance.trace if started is None else started.trace


def _starts_again(
    instance: Instance, ledger: RewoundLedger, event: history.ExecutionRewound
) -> Iterable[Start]:
    """The starts of all children without an answer: one was refused, perhaps, or its child is gone.

    A child that is there was started by its task, and stays. One that is gone gets another
    execution: what it sent and started in the first one was heard, and would not be heard again.
    """
    for task_id, created in ledger.open_children.items():
        if not ledger.is_answered(task_id):
            again = msgspec.structs.replace(created, timestamp=event.timestamp)
            yield _start(instance, ledger, again, ledger.rewinds)


def _ends_of_abandoned(
    instance: Instance, ledger: RewoundLedger, event: history.ExecutionRewound
) -> Iterable[Envelope]:
    """What ends the children whose start was taken back: nobody will ever wait for them."""
    end = history.ExecutionTerminated(timestamp=event.timestamp, reason=_ABANDONED)
    for child in ledger.abandoned:
        message = Message(
            message_id=ids.abandoning_message_id(ledger.execution_id, child.task_id),
            event=end,
            parent=_parent(instance, ledger, child.task_id),
        )
        yield Envelope(child.instance_id, message)


def _event(ledger: Ledger, event: history.EventSent) -> Envelope:
    raised = history.EventRaised(timestamp=event.timestamp, name=event.name, input=event.input)
    message_id = ids.task_message_id(ledger.execution_id, event.task_id)
    return Envelope(event.instance_id, Message(message_id=message_id, event=raised))


_Operation: TypeAlias = history.EntityOperationCalled | history.EntityOperationSignaled
_Answer: TypeAlias = (
    history.EntityOperationCompleted | history.EntityOperationFailed | history.EntityLockGranted
)


def _operation(instance: Instance, ledger: Ledger, event: _Operation) -> Envelope:
    if isinstance(event, history.EntityOperationCalled):
        event = msgspec.structs.replace(event, parent=_parent(instance, ledger, event.task_id))
    message_id = ids.task_message_id(ledger.execution_id, event.task_id)
    return Envelope(event.instance_id, Message(message_id=message_id, event=event))


def _operation_answer(event: _Answer, caller: ParentInstance) -> Envelope:
    message = Message(
        message_id=ids.operation_answer_id(caller.execution_id, event.task_id),
        execution_id=caller.execution_id,
        event=msgspec.structs.replace(event, caller=None),
    )
    return Envelope(caller.instance_id, message)


def _lock_request(
    instance: Instance, ledger: Ledger, event: history.EntityLockRequested
) -> Envelope:
    if event.parent is None:
        event = msgspec.structs.replace(event, parent=_parent(instance, ledger, event.task_id))
    message_id = ids.task_message_id(ledger.execution_id, event.task_id)
    return Envelope(event.entities[event.position], Message(message_id=message_id, event=event))


def _unlock(
    instance: Instance, ledger: Ledger, event: history.EntityUnlockSent, message_id: str
) -> Envelope:
    if event.parent is None:
        event = msgspec.structs.replace(event, parent=_parent(instance, ledger, event.section))
    return Envelope(event.instance_id, Message(message_id=message_id, event=event))


def releases_of(instance: Instance, ledger: Ledger, at: datetime) -> Iterable[Envelope]:
    """What unlocks all that an execution has locked, or asked for, when it is over."""
    for section in ledger.sections.values():
        yield from _release(instance, ledger, section, at)


def _release(
    instance: Instance, ledger: Ledger, section: Section, at: datetime
) -> Iterable[Envelope]:
    """What unlocks the entities of a section that its execution has left to its end."""
    number = section.request.task_id
    for place, order in enumerate(unlocks_of(section.request, at, is_held=section.is_held)):
        message_id = ids.release_message_id(ledger.execution_id, number, place)
        yield _unlock(instance, ledger, order, message_id)


def unlocks_of(
    request: history.EntityLockRequested, at: datetime, *, is_held: bool
) -> Iterable[history.EntityUnlockSent]:
    """What unlocks the entities of a section, still without numbers of their own.

    Those that are locked are told at once. Where it is not known how far the request has come, the
    order goes after it from one entity to the next: it must not come before it anywhere.
    """
    order = history.EntityUnlockSent(
        timestamp=at, task_id=0, section=request.task_id, instance_id=request.entities[0]
    )
    if not is_held:
        return [msgspec.structs.replace(order, rest=request.entities[1:])]
    return [msgspec.structs.replace(order, instance_id=each) for each in request.entities]


def _start_for_nobody(ledger: Ledger, event: history.OrchestrationStartSent) -> Start:
    """What an entity starts, with its tags as they are after the batch.

    If the id is taken nobody is told: an entity waits for nothing.
    """
    started = Instance(
        instance_id=event.instance_id,
        execution_id=ids.child_execution_id(ledger.execution_id, event.task_id),
        name=event.name,
        status=RuntimeStatus.PENDING,
        created_at=event.timestamp,
        updated_at=event.timestamp,
        input=event.input,
        version=event.version,
        tags={} if ledger.entity is None else ledger.entity.tags,
    )
    return Start(started)


_Order: TypeAlias = (
    history.ExecutionTerminated | history.ExecutionSuspended | history.ExecutionResumed
)


def _to_children(
    instance: Instance, ledger: Ledger, event: _Order, place: int
) -> Iterable[Envelope]:
    """The same order for each child that has not answered.

    The batch and the `place` in it tell it from others, which may be of the same moment.
    """
    number = f"{ledger.next_number}.{place}"
    for task_id, child in ledger.open_children.items():
        message_id = _id_for_child(ledger.execution_id, task_id, event, number)
        parent = _parent(instance, ledger, task_id)
        message = Message(message_id=message_id, event=event, parent=parent)
        yield Envelope(child.instance_id, message)


def _id_for_child(execution_id: str, task_id: int, order: _Order, number: str) -> str:
    if isinstance(order, history.ExecutionTerminated):
        return f"{ids.task_message_id(execution_id, task_id)}.terminate"
    kind = "suspend" if isinstance(order, history.ExecutionSuspended) else "resume"
    return ids.hold_message_id(execution_id, task_id, kind, number)


def _parent(instance: Instance, ledger: Ledger, task_id: int) -> ParentInstance:
    return ParentInstance(
        instance_id=instance.instance_id,
        execution_id=ledger.execution_id,
        task_id=task_id,
        name=instance.name,
    )


def answer_of(
    parent: ParentInstance, event: history.ExecutionCompleted, message_id: str
) -> Envelope:
    """What tells the parent of its child's end."""
    answer: history.InboxEvent
    if event.status is RuntimeStatus.COMPLETED:
        answer = history.SubOrchestrationInstanceCompleted(
            timestamp=event.timestamp, task_id=parent.task_id, result=event.result
        )
    else:
        answer = history.SubOrchestrationInstanceFailed(
            timestamp=event.timestamp, task_id=parent.task_id, failure=_failure_of_child(event)
        )
    message = Message(
        message_id=message_id,
        execution_id=parent.execution_id,
        event=answer,
    )
    return Envelope(parent.instance_id, message)


def _failure_of_child(event: history.ExecutionCompleted) -> FailureDetails:
    if event.failure is not None:
        return event.failure
    return FailureDetails(
        error_type="OrchestrationTerminated",
        message=f"The sub-orchestration was terminated: {event.result or 'no reason given'}",
        is_non_retriable=True,
    )


# ---- what each event sends -----------------------------------------------------------------------


def _by_child(
    by: _Sender, event: history.SubOrchestrationInstanceCreated
) -> Iterable[Start | Envelope]:
    yield _start(by.instance, by.ledger, event)


def _by_event(by: _Sender, event: history.EventSent) -> Iterable[Start | Envelope]:
    yield _event(by.ledger, event)


def _by_order(by: _Sender, event: _Order) -> Iterable[Start | Envelope]:
    return _to_children(by.instance, by.ledger, event, by.place) if event.recursive else ()


def _by_end(by: _Sender, event: history.ExecutionCompleted) -> Iterable[Start | Envelope]:
    yield from _by_any_end(by, event)
    if by.instance.parent is not None:
        message_id = ids.completion_message_id(by.ledger.execution_id, by.ledger.rewinds)
        yield answer_of(by.instance.parent, event, message_id)


def _by_any_end(
    by: _Sender, event: history.ExecutionCompleted | history.ContinueAsNew
) -> Iterable[Start | Envelope]:
    return releases_of(by.instance, by.ledger, event.timestamp)


def _by_rewind(by: _Sender, event: history.ExecutionRewound) -> Iterable[Start | Envelope]:
    if isinstance(by.ledger, RewoundLedger):
        yield from _starts_again(by.instance, by.ledger, event)
        yield from _ends_of_abandoned(by.instance, by.ledger, event)


def _by_operation(by: _Sender, event: _Operation) -> Iterable[Start | Envelope]:
    yield _operation(by.instance, by.ledger, event)


def _by_lock_request(by: _Sender, event: history.EntityLockRequested) -> Iterable[Start | Envelope]:
    yield _lock_request(by.instance, by.ledger, event)


def _by_unlock(by: _Sender, event: history.EntityUnlockSent) -> Iterable[Start | Envelope]:
    message_id = ids.task_message_id(by.ledger.execution_id, event.task_id)
    yield _unlock(by.instance, by.ledger, event, message_id)


def _by_answer(_: _Sender, event: _Answer) -> Iterable[Start | Envelope]:
    if event.caller is not None:  # else it is in the caller's own history
        yield _operation_answer(event, event.caller)


def _by_start(by: _Sender, event: history.OrchestrationStartSent) -> Iterable[Start | Envelope]:
    yield _start_for_nobody(by.ledger, event)


_SENT_BY: Mapping[type[Any], Callable[[_Sender, Any], Iterable[Start | Envelope]]] = {
    history.SubOrchestrationInstanceCreated: _by_child,
    history.EventSent: _by_event,
    history.EntityOperationCalled: _by_operation,
    history.EntityOperationSignaled: _by_operation,
    history.EntityOperationCompleted: _by_answer,
    history.EntityOperationFailed: _by_answer,
    history.EntityLockRequested: _by_lock_request,
    history.EntityLockGranted: _by_answer,
    history.EntityUnlockSent: _by_unlock,
    history.OrchestrationStartSent: _by_start,
    history.ExecutionTerminated: _by_order,
    history.ExecutionSuspended: _by_order,
    history.ExecutionResumed: _by_order,
    history.ExecutionCompleted: _by_end,
    history.ContinueAsNew: _by_any_end,  # it may leave activities, too
    history.ExecutionRewound: _by_rewind,
}
SENDING = frozenset(_SENT_BY)
"""The events that send something, or leave something to be run."""
