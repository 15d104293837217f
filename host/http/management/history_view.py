"""The `historyEvents` of the status API: the raw history, folded as Durable Functions folds it.

A scheduled task is left out once its completion is there; the completion takes over when and what
was scheduled. A timer's creation stays. Bookkeeping (ids, versions, turns) is left out. Results are
shown on demand and then as JSON values (as `raw_json` has them); inputs are shown as the texts that
are stored. Stack traces name the server's files: who has no key sees none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from bindings.errors import FailureDetails
from host.core.history_json import failure_to_json
from host.http.raw_json import raw

JsonObject: TypeAlias = dict[str, Any]

_HIDDEN_EVENTS = frozenset({"OrchestratorStarted"})
_HIDDEN_MEMBERS = frozenset({"EventId", "IsPlayed", "TaskScheduledId", "TimerId", "Version"}) | {
    "Again",
    "Cut",
    "LastTaskId",
    "Caller",
}
_HIDDEN_OF_START = frozenset({"OrchestrationInstance", "ParentInstance", "Tags", "Name"})
_COMPLETIONS = {
    "TaskCompleted": "TaskScheduledId",
    "TaskFailed": "TaskScheduledId",
    "SubOrchestrationInstanceCompleted": "TaskScheduledId",
    "SubOrchestrationInstanceFailed": "TaskScheduledId",
    "EntityOperationCompleted": "TaskScheduledId",
    "EntityOperationFailed": "TaskScheduledId",
    "EntityLockGranted": "TaskScheduledId",
}
_FOLDED = frozenset(
    {
        "TaskScheduled",
        "SubOrchestrationInstanceCreated",
        "EntityOperationCalled",
        "EntityLockRequested",
    }
)
_TAKEN_OVER = {"Name": "FunctionName", "Input": "Input"} | {
    name: name for name in ("Operation", "TargetInstanceId", "LockSet")
}
"""What a completion takes over of what was scheduled, and under which name."""
_GATED_RESULTS = frozenset(
    {
        "TaskCompleted",
        "SubOrchestrationInstanceCompleted",
        "EntityOperationCompleted",
        "ExecutionCompleted",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What of the events is shown."""

    input: bool
    output: bool
    stacks: bool


def view_history(
    events: Sequence[JsonObject], show: Shown, first: int = 0
) -> Iterator[tuple[int, JsonObject]]:
    """The events of `history_to_json` as the status API shows them, each with its place.

    From the place `first` on. A place is that of the raw event: it stays as the history grows. Each
    event says it, counted from 1: so a fork can be asked for by it.
    """
    ended = {event[_COMPLETIONS[_type(event)]] for event in events if _type(event) in _COMPLETIONS}
    scheduled = {event["EventId"]: event for event in events if _type(event) in _FOLDED}
    for place, event in enumerate(events):
        is_folded = _type(event) in _FOLDED and event["EventId"] in ended
        if place >= first and _type(event) not in _HIDDEN_EVENTS and not is_folded:
            yield place, _trim(_complete(event, scheduled), show) | {"sequence": place + 1}


def raw_history(
    events: Sequence[JsonObject], show: Shown, first: int = 0
) -> Iterator[tuple[int, JsonObject]]:
    """The events as they are stored, each with its place, from the place `first` on."""
    for place, event in enumerate(events[first:], first):
        yield place, event if show.stacks else _without_stacks(event)


def _type(event: JsonObject) -> str:
    return str(event["EventType"])


def _complete(event: JsonObject, scheduled: dict[int, JsonObject]) -> JsonObject:
    """The event with what it takes over from the event that scheduled it."""
    if _type(event) == "ExecutionStarted":
        return {"FunctionName": event["Name"]} | event
    task_id = event.get(_COMPLETIONS.get(_type(event), ""))
    if task_id not in scheduled:
        return event
    origin = scheduled[task_id]
    taken = {new: origin[name] for name, new in _TAKEN_OVER.items() if name in origin}
    return event | {"ScheduledTime": origin["Timestamp"]} | taken


def _trim(event: JsonObject, show: Shown) -> JsonObject:
    hidden = set(_HIDDEN_MEMBERS)
    if _type(event) == "ExecutionStarted":
        hidden |= _HIDDEN_OF_START
    if not show.input:
        hidden.add("Input")
    if not show.output and _type(event) in _GATED_RESULTS:
        hidden.add("Result")
    head = {"EventType": event["EventType"], "Timestamp": event["Timestamp"]}
    rest = {name: value for name, value in event.items() if name not in hidden}
    return _parse_result(head | (rest if show.stacks else _without_stacks(rest)))


def _without_stacks(event: JsonObject) -> JsonObject:
    """A failed event, or any other, without the stack traces of the failure and its causes."""
    if event.get("FailureDetails") is None:
        return event
    details = {"Details": None} if "Details" in event else {}
    return event | details | {"FailureDetails": _without_stack(event["FailureDetails"])}


def shown_failure(failure: FailureDetails, *, stacks: bool) -> JsonObject | None:
    """A failure as the events of a history show it."""
    shown = failure_to_json(failure)
    return shown if stacks else _without_stack(shown)


def _without_stack(failure: JsonObject | None) -> JsonObject | None:
    if failure is None:
        return None
    shown = failure | {"StackTrace": None, "InnerFailure": _without_stack(failure["InnerFailure"])}
    if "SubFailures" in failure:
        shown["SubFailures"] = [_without_stack(each) for each in failure["SubFailures"]]
    return shown


def _parse_result(event: JsonObject) -> JsonObject:
    text = event.get("Result")
    return event if text is None else event | {"Result": raw(text)}
