"""History events as JSON objects, by Durable Task's names: one PascalCase object per event.

This is the raw record that Durable Task's tools know: `EventId` is the task id of what an event
creates and -1 otherwise, payloads stay the JSON texts that are stored, members without a value are
null. What the management API leaves out or folds: `host/http/management/history_view.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, TypeAlias

import msgspec

from bindings.errors import FailureDetails
from host.core import history
from host.core.history import EntityLock, HistoryEvent, ParentInstance

JsonObject: TypeAlias = dict[str, Any]

NO_EVENT_ID = -1
MAX_CAUSES_SHOWN = 32


def history_to_json(events: Iterable[HistoryEvent]) -> list[JsonObject]:
    """The events as JSON objects, in their order."""
    return [event_to_json(event) for event in events]


def event_to_json(event: HistoryEvent) -> JsonObject:
    """One event as a JSON object."""
    head: JsonObject = {
        "EventType": type(event).__name__,
        "EventId": NO_EVENT_ID,
        "IsPlayed": False,
        "Timestamp": time_to_json(event.timestamp),
    }
    return head | BODIES[type(event)](event)


def time_to_json(time: datetime) -> str:
    """A UTC time as ISO-8601 with all its digits."""
    return f"{time.replace(tzinfo=None).isoformat()}Z"


def failure_to_json(failure: FailureDetails | None, depth: int = 0) -> JsonObject | None:
    """A failure and its causes, the outermost `MAX_CAUSES_SHOWN` of them.

    `Notes` and `SubFailures` are additions to the peer's shape, shown only where there are any.
    """
    if failure is None or depth > MAX_CAUSES_SHOWN:
        return None
    shown: JsonObject = {
        "ErrorType": failure.error_type,
        "ErrorMessage": failure.message,
        "StackTrace": failure.stack_trace,
        "InnerFailure": failure_to_json(failure.cause, depth + 1),
        "IsNonRetriable": failure.is_non_retriable,
        "Properties": None,
    }
    if failure.notes:
        shown["Notes"] = list(failure.notes)
    if failure.sub_failures:
        shown["SubFailures"] = [failure_to_json(each, depth + 1) for each in failure.sub_failures]
    return shown


def _failed(failure: FailureDetails, task_id: int) -> JsonObject:
    return {
        "TaskScheduledId": task_id,
        "Reason": failure.message,
        "Details": failure.stack_trace,
        "FailureDetails": failure_to_json(failure),
    }


def _parent(parent: ParentInstance | None) -> JsonObject | None:
    if parent is None:
        return None
    return {
        "Name": parent.name,
        "OrchestrationInstance": {
            "InstanceId": parent.instance_id,
            "ExecutionId": parent.execution_id,
        },
        "TaskScheduleId": parent.task_id,
    }


def _execution_started(event: history.ExecutionStarted) -> JsonObject:
    start_at = event.scheduled_start_at
    return {
        "OrchestrationInstance": {"ExecutionId": event.execution_id},
        "ParentInstance": _parent(event.parent),
        "Name": event.name,
        "Version": event.version,
        "Input": event.input,
        "Tags": event.tags or None,
        "Correlation": None if event.trace is None else msgspec.to_builtins(event.trace),
        "ScheduledStartTime": None if start_at is None else time_to_json(start_at),
        "Generation": event.generation,
    }


def _execution_completed(event: history.ExecutionCompleted) -> JsonObject:
    return {
        "OrchestrationStatus": event.status.value,
        "Result": event.result,
        "FailureDetails": failure_to_json(event.failure),
    }


def _sub_orchestration_created(event: history.SubOrchestrationInstanceCreated) -> JsonObject:
    return {
        "EventId": event.task_id,
        "Name": event.name,
        "Version": event.version,
        "InstanceId": event.instance_id,
        "Input": event.input,
    }


def _continue_as_new(event: history.ContinueAsNew) -> JsonObject:
    shown: JsonObject = {
        "OrchestrationStatus": "ContinuedAsNew",
        "Result": event.input,
        "FailureDetails": None,
    }
    return shown if event.version is None else shown | {"NewVersion": event.version}


def _event_sent(event: history.EventSent) -> JsonObject:
    return {
        "EventId": event.task_id,
        "InstanceId": event.instance_id,
        "Name": event.name,
        "Input": event.input,
    }


def _entity_called(event: history.EntityOperationCalled) -> JsonObject:
    called: JsonObject = {
        "EventId": event.task_id,
        "Operation": event.operation,
        "TargetInstanceId": event.instance_id,
        "Input": event.input,
        "ParentInstance": _parent(event.parent),
    }
    return called | {"CriticalSection": event.section} if event.section else called


def _entity_signaled(event: history.EntityOperationSignaled) -> JsonObject:
    at = event.scheduled_at
    return {
        "EventId": event.task_id,
        "Operation": event.operation,
        "TargetInstanceId": event.instance_id,
        "Input": event.input,
        "ScheduledTime": None if at is None else time_to_json(at),
    }


def _entity_completed(event: history.EntityOperationCompleted) -> JsonObject:
    return {
        "TaskScheduledId": event.task_id,
        "Result": event.result,
        "Caller": _parent(event.caller),
    }


def _entity_failed(event: history.EntityOperationFailed) -> JsonObject:
    return _failed(event.failure, event.task_id) | {"Caller": _parent(event.caller)}


def _start_sent(event: history.OrchestrationStartSent) -> JsonObject:
    return {
        "EventId": event.task_id,
        "Name": event.name,
        "Version": event.version,
        "InstanceId": event.instance_id,
        "Input": event.input,
    }


def _entity_checkpoint(event: history.EntityCheckpoint) -> JsonObject:
    is_now: JsonObject = {
        "Number": event.number,
        "State": event.state,
        "LastTaskId": event.last_task_id,
        "Delayed": [
            {"Due": time_to_json(each.due), "Operation": each.operation, "Input": each.input}
            for each in event.delayed
        ],
        "Recent": list(event.recent),
    }
    if event.lock is not None:
        is_now["Lock"] = _lock(event.lock)
    if event.tags:
        is_now["Tags"] = event.tags
    return is_now


def _lock(lock: EntityLock) -> JsonObject:
    return {"Holder": _parent(lock.holder), "Since": time_to_json(lock.since)}


def _lock_requested(event: history.EntityLockRequested) -> JsonObject:
    return {
        "EventId": event.task_id,
        "LockSet": list(event.entities),
        "Position": event.position,
        "ParentInstance": _parent(event.parent),
    }


def _lock_granted(event: history.EntityLockGranted) -> JsonObject:
    return {"TaskScheduledId": event.task_id, "Caller": _parent(event.caller)}


def _unlock_sent(event: history.EntityUnlockSent) -> JsonObject:
    return {
        "EventId": event.task_id,
        "CriticalSection": event.section,
        "TargetInstanceId": event.instance_id,
        "Rest": list(event.rest),
        "ParentInstance": _parent(event.parent),
    }


def _timer_fired(event: history.TimerFired) -> JsonObject:
    return {"TimerId": event.task_id, "FireAt": time_to_json(event.fire_at)}


def _execution_rewound(event: history.ExecutionRewound) -> JsonObject:
    body: JsonObject = {
        "Reason": event.reason,
        "Cut": event.cut,
        "LastTaskId": event.last_task_id,
        "Again": {str(old_id): new_id for old_id, new_id in event.again.items()},
    }
    return body | {"OnGrant": history_to_json(event.on_grant)} if event.on_grant else body


BODIES: dict[type[HistoryEvent], Callable[[Any], JsonObject]] = {
    history.ExecutionStarted: _execution_started,
    history.ExecutionCompleted: _execution_completed,
    history.ExecutionTerminated: lambda event: {"Input": event.reason},
    history.TaskScheduled: lambda event: {
        "EventId": event.task_id,
        "Name": event.name,
        "Version": None,
        "Input": event.input,
    },
    history.TaskCompleted: lambda event: {
        "TaskScheduledId": event.task_id,
        "Result": event.result,
    },
    history.TaskFailed: lambda event: _failed(event.failure, event.task_id),
    history.SubOrchestrationInstanceCreated: _sub_orchestration_created,
    history.SubOrchestrationInstanceCompleted: lambda event: {
        "TaskScheduledId": event.task_id,
        "Result": event.result,
    },
    history.SubOrchestrationInstanceFailed: lambda event: _failed(event.failure, event.task_id),
    history.TimerCreated: lambda event: {
        "EventId": event.task_id,
        "FireAt": time_to_json(event.fire_at),
    },
    history.TimerFired: _timer_fired,
    history.OrchestratorStarted: lambda _: {},
    history.EventSent: _event_sent,
    history.EventRaised: lambda event: {"Name": event.name, "Input": event.input},
    history.ContinueAsNew: _continue_as_new,
    history.ExecutionSuspended: lambda event: {"Reason": event.reason},
    history.ExecutionResumed: lambda event: {"Reason": event.reason},
    history.ExecutionRewound: _execution_rewound,
    history.CustomStatusSet: lambda event: {"Status": event.status},
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
