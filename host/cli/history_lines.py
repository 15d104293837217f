"""What happened to an instance, in words: a line for each event of its stored history."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from host.cli.showing import one_line

Event: TypeAlias = Mapping[str, Any]

SILENT = frozenset({"OrchestratorStarted"})
"""Events that say only that code ran."""

_HEAD = frozenset({"EventType", "EventId", "IsPlayed", "Timestamp"})


def event_words(events: Sequence[Event]) -> list[str]:
    """What each event says."""
    origins: dict[int, Event] = {}
    words = []
    for each in events:  # after a rewind numbers come again
        if each["EventId"] >= 0:
            origins[each["EventId"]] = each
        words.append(_words(each, origins))
    return words


def told(events: Sequence[Event], first: int = 0) -> Iterator[str]:
    """The lines of the events from the place `first` on; some events have none."""
    for each, words in list(zip(events, event_words(events), strict=True))[first:]:
        if each["EventType"] not in SILENT:
            yield f"{each['Timestamp']}  {words}"


def _words(event: Event, origins: Mapping[int, Event]) -> str:
    number = event.get("TaskScheduledId", event.get("TimerId", -1))
    say = _WORDS.get(event["EventType"], _anything)
    return one_line(say(event, origins.get(number, {})))


def _task(event: Event, origin: Event, what: str) -> str:
    name = event.get("Name") or origin.get("Name") or "?"
    number = event.get("TaskScheduledId", event["EventId"])
    return f"{what} {name} #{number}"


def _with(text: str, payload: str | None) -> str:
    return text if payload is None else f"{text}: {payload}"


def _failure(event: Event) -> str:
    failure = event.get("FailureDetails") or {}
    return f"{failure.get('ErrorType', 'Error')}: {failure.get('ErrorMessage', '')}"


def _ended(event: Event, _: Event) -> str:
    status = event["OrchestrationStatus"]
    if event.get("FailureDetails") is not None:
        return f"{status}: {_failure(event)}"
    return _with(str(status), event.get("Result"))


def _started(event: Event, _: Event) -> str:
    again = f" (generation {event['Generation']})" if event.get("Generation") else ""
    return _with(f"Started {event['Name']}{again}", event.get("Input"))


def _because(what: str) -> Callable[[Event, Event], str]:
    return lambda event, _: _with(what, event.get("Reason") or event.get("Input"))


def _anything(event: Event, _: Event) -> str:
    """An event that a newer host tells of."""
    more = {name: value for name, value in event.items() if name not in _HEAD and value is not None}
    return f"{event['EventType']} {json.dumps(more) if more else ''}"


_WORDS: Mapping[str, Callable[[Event, Event], str]] = {
    "ExecutionStarted": _started,
    "ExecutionCompleted": _ended,
    "ExecutionTerminated": _because("Terminated"),
    "ExecutionSuspended": _because("Suspended"),
    "ExecutionResumed": _because("Resumed"),
    "ExecutionRewound": _because("Rewound"),
    "CustomStatusSet": lambda event, _: _with("Custom status set", event.get("Status")),
    "ContinueAsNew": lambda event, _: _with("Continued as new", event.get("Result")),
    "OrchestratorStarted": lambda _, __: "A turn",
    "TaskScheduled": lambda event, origin: _with(
        _task(event, origin, "Activity"), event.get("Input")
    ),
    "TaskCompleted": lambda event, origin: _with(
        f"{_task(event, origin, 'Activity')} completed", event.get("Result")
    ),
    "TaskFailed": lambda event, origin: (
        f"{_task(event, origin, 'Activity')} failed: {_failure(event)}"
    ),
    "SubOrchestrationInstanceCreated": lambda event, origin: _with(
        f"{_task(event, origin, 'Sub-orchestration')} {event['InstanceId']}", event.get("Input")
    ),
    "SubOrchestrationInstanceCompleted": lambda event, origin: _with(
        f"{_task(event, origin, 'Sub-orchestration')} completed", event.get("Result")
    ),
    "SubOrchestrationInstanceFailed": lambda event, origin: (
        f"{_task(event, origin, 'Sub-orchestration')} failed: {_failure(event)}"
    ),
    "TimerCreated": lambda event, _: f"Timer #{event['EventId']} until {event['FireAt']}",
    "TimerFired": lambda event, _: f"Timer #{event['TimerId']} fired",
    "EventRaised": lambda event, _: _with(f"Event {event['Name']}", event.get("Input")),
    "EventSent": lambda event, _: _with(
        f"Event {event['Name']} sent to {event['InstanceId']}", event.get("Input")
    ),
}
