"""JSON objects, as `history_json` writes them, back to history events.

What that leaves out is not there again: whether a termination is recursive, which attempt a task
is, what a continue-as-new carries over; none of it leads the code another way. Of what a failure's
class is derived, though, is known again only for Python's own exceptions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

import msgspec

from bindings.client import RuntimeStatus
from bindings.errors import FailureDetails, InvalidArgumentError
from bindings.shown_failures import failure_of
from host.core import history
from host.core.history import HistoryEvent, ParentInstance
from host.core.history_json import JsonObject
from host.core.trace import TraceContext


def history_from_json(events: Iterable[JsonObject]) -> list[HistoryEvent]:
    """The events. Raises `InvalidArgumentError` for what is no event."""
    return [_event(place, each) for place, each in enumerate(events)]


def _event(place: int, event: JsonObject) -> HistoryEvent:
    kind = event.get("EventType") if isinstance(event, dict) else None
    read = _BY_NAME.get(kind) if isinstance(kind, str) else None
    if read is None:
        raise InvalidArgumentError(
            f"Event {place} of the history is of no kind that is known here: {kind!r}."
        )
    try:
        found: HistoryEvent = read(_time(event["Timestamp"]), event)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InvalidArgumentError(
            f"Event {place} of the history, {kind}, cannot be read: "
            f"{type(error).__name__}: {error}. It is to be as get_instance_history gives it."
        ) from error
    return found


def _time(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"the time {text} has no time zone")
    return moment


def _failure(shown: Mapping[str, Any] | None) -> FailureDetails:
    return FailureDetails(error_type="Unknown", message="") if shown is None else failure_of(shown)


def _parent(shown: Mapping[str, Any] | None) -> ParentInstance | None:
    if shown is None:
        return None
    instance = shown["OrchestrationInstance"]
    return ParentInstance(
        instance_id=instance["InstanceId"],
        execution_id=instance["ExecutionId"],
        task_id=shown["TaskScheduleId"],
        name=shown["Name"],
    )


def _started(at: datetime, event: JsonObject) -> HistoryEvent:
    start_at = event.get("ScheduledStartTime")
    return history.ExecutionStarted(
        timestamp=at,
        name=event["Name"],
        execution_id=event["OrchestrationInstance"]["ExecutionId"],
        input=event["Input"],
        version=event.get("Version"),
        parent=_parent(event.get("ParentInstance")),
        tags=event.get("Tags") or {},
        generation=event.get("Generation", 0),
        scheduled_start_at=None if start_at is None else _time(start_at),
        trace=_trace(event.get("Correlation")),
    )


def _trace(shown: object) -> TraceContext | None:
    """The trace; Azure's word for it may hold something else there."""
    with suppress(msgspec.ValidationError):
        return msgspec.convert(shown, TraceContext | None)
    return None


def _completed(at: datetime, event: JsonObject) -> HistoryEvent:
    failure = event.get("FailureDetails")
    return history.ExecutionCompleted(
        timestamp=at,
        status=RuntimeStatus(event["OrchestrationStatus"]),
        result=event["Result"],
        failure=None if failure is None else failure_of(failure),
    )


def _child_created(at: datetime, event: JsonObject) -> HistoryEvent:
    return history.SubOrchestrationInstanceCreated(
        timestamp=at,
        task_id=event["EventId"],
        name=event["Name"],
        instance_id=event["InstanceId"],
        input=event["Input"],
        version=event.get("Version"),
    )


def _sent(at: datetime, event: JsonObject) -> HistoryEvent:
    return history.EventSent(
        timestamp=at,
        task_id=event["EventId"],
        instance_id=event["InstanceId"],
        name=event["Name"],
        input=event["Input"],
    )


def _rewound(at: datetime, event: JsonObject) -> HistoryEvent:
    return history.ExecutionRewound(
        timestamp=at,
        reason=event["Reason"],
        cut=int(event["Cut"]),
        last_task_id=int(event["LastTaskId"]),
        again={int(old_id): int(new_id) for old_id, new_id in event["Again"].items()},
        on_grant=tuple(
            each
            for each in history_from_json(event.get("OnGrant", ()))
            if isinstance(each, history.TaskScheduled)
        ),
    )


def _entity_called(at: datetime, event: JsonObject) -> HistoryEvent:
    return history.EntityOperationCalled(
        timestamp=at,
        task_id=event["EventId"],
        instance_id=event["TargetInstanceId"],
        operation=event["Operation"],
        input=event["Input"],
        parent=_parent(event.get("ParentInstance")),
        section=event.get("CriticalSection") or 0,
    )


def _entity_signaled(at: datetime, event: JsonObject) -> HistoryEvent:
    scheduled_at = event.get("ScheduledTime")
    return history.EntityOperationSignaled(
        timestamp=at,
        task_id=event["EventId"],
        instance_id=event["TargetInstanceId"],
        operation=event["Operation"],
        input=event["Input"],
        scheduled_at=None if scheduled_at is None else _time(scheduled_at),
    )


def _entity_completed(at: datetime, event: JsonObject) -> HistoryEvent:
    return history.EntityOperationCompleted(
        timestamp=at,
        task_id=event["TaskScheduledId"],
        result=event["Result"],
        caller=_parent(event.get("Caller")),
    )


def _entity_failed(at: datetime, event: JsonObject) -> HistoryEvent:
    return history.EntityOperationFailed(
        timestamp=at,
        task_id=event["TaskScheduledId"],
        failure=_failure(event["FailureDetails"]),
        caller=_parent(event.get("Caller")),
    )


def _start_sent(at: datetime, event: JsonObject) -> HistoryEvent:
    return history.OrchestrationStartSent(
        timestamp=at,
        task_id=event["EventId"],
        name=event["Name"],
        instance_id=event["InstanceId"],
        input=event["Input"],
        version=event.get("Version"),
    )


def _entity_checkpoint(at: datetime, event: JsonObject) -> HistoryEvent:
    return history.EntityCheckpoint(
        timestamp=at,
        number=event["Number"],
        state=event["State"],
        last_task_id=event["LastTaskId"],
        delayed=tuple(
            history.DelayedSignal(
                due=_time(each["Due"]), operation=each["Operation"], input=each["Input"]
            )
            for each in event["Delayed"]
        ),
        recent=tuple(event["Recent"]),
        lock=_lock(event.get("Lock")),
        tags=event.get("Tags") or {},
    )


def _lock(shown: JsonObject | None) -> history.EntityLock | None:
    if shown is None:
        return None
    holder = _parent(shown["Holder"])
    if holder is None:
        raise ValueError("a lock without a holder")
    return history.EntityLock(holder=holder, since=_time(shown["Since"]))


def _lock_requested(at: datetime, event: JsonObject) -> HistoryEvent:
    return history.EntityLockRequested(
        timestamp=at,
        task_id=event["EventId"],
        entities=tuple(event["LockSet"]),
        position=event["Position"],
        parent=_parent(event.get("ParentInstance")),
    )


def _lock_granted(at: datetime, event: JsonObject) -> HistoryEvent:
    return history.EntityLockGranted(
        timestamp=at, task_id=event["TaskScheduledId"], caller=_parent(event.get("Caller"))
    )


def _unlock_sent(at: datetime, event: JsonObject) -> HistoryEvent:
    return history.EntityUnlockSent(
        timestamp=at,
        task_id=event["EventId"],
        section=event["CriticalSection"],
        instance_id=event["TargetInstanceId"],
        rest=tuple(event["Rest"]),
        parent=_parent(event.get("ParentInstance")),
    )


READERS: dict[type[HistoryEvent], Callable[[datetime, Any], HistoryEvent]] = {
    history.ExecutionStarted: _started,
    history.ExecutionCompleted: _completed,
    history.ExecutionTerminated: lambda at, event: history.ExecutionTerminated(
        timestamp=at, reason=event["Input"]
    ),
    history.TaskScheduled: lambda at, event: history.TaskScheduled(
        timestamp=at, task_id=event["EventId"], name=event["Name"], input=event["Input"]
    ),
    history.TaskCompleted: lambda at, event: history.TaskCompleted(
        timestamp=at, task_id=event["TaskScheduledId"], result=event["Result"]
    ),
    history.TaskFailed: lambda at, event: history.TaskFailed(
        timestamp=at, task_id=event["TaskScheduledId"], failure=_failure(event["FailureDetails"])
    ),
    history.SubOrchestrationInstanceCreated: _child_created,
    history.SubOrchestrationInstanceCompleted: lambda at, event: (
        history.SubOrchestrationInstanceCompleted(
            timestamp=at, task_id=event["TaskScheduledId"], result=event["Result"]
        )
    ),
    history.SubOrchestrationInstanceFailed: lambda at, event: (
        history.SubOrchestrationInstanceFailed(
            timestamp=at,
            task_id=event["TaskScheduledId"],
            failure=_failure(event["FailureDetails"]),
        )
    ),
    history.TimerCreated: lambda at, event: history.TimerCreated(
        timestamp=at, task_id=event["EventId"], fire_at=_time(event["FireAt"])
    ),
    history.TimerFired: lambda at, event: history.TimerFired(
        timestamp=at, task_id=event["TimerId"], fire_at=_time(event["FireAt"])
    ),
    history.OrchestratorStarted: lambda at, _: history.OrchestratorStarted(timestamp=at),
    history.EventSent: _sent,
    history.EventRaised: lambda at, event: history.EventRaised(
        timestamp=at, name=event["Name"], input=event["Input"]
    ),
    history.ContinueAsNew: lambda at, event: history.ContinueAsNew(
        timestamp=at, input=event["Result"], version=event.get("NewVersion")
    ),
    history.ExecutionSuspended: lambda at, event: history.ExecutionSuspended(
        timestamp=at, reason=event["Reason"]
    ),
    history.ExecutionResumed: lambda at, event: history.ExecutionResumed(
        timestamp=at, reason=event["Reason"]
    ),
    history.ExecutionRewound: _rewound,
    history.CustomStatusSet: lambda at, event: history.CustomStatusSet(
        timestamp=at, status=event["Status"]
    ),
    history.EntityOperationCalled: _entity_called,
    history.EntityOperationSignaled: _entity_signaled,
    history.EntityOperationCompleted: _entity_completed,
    history.EntityOperationFailed: _entity_failed,
    history.OrchestrationStartSent: _start_sent,
    history.EntityCheckpoint: _entity_checkpoint,
    history.EntityLockRequested: _lock_requested,
    history.EntityLockGranted: _lock_granted,
    history.EntityUnlockSent: _unlock_sent,
}
"""How each kind of event is read."""
_BY_NAME = {kind.__name__: read for kind, read in READERS.items()}
