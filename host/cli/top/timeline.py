"""What an instance did and when, as bars: for a terminal, from the history as hosts show it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, TypeAlias

Event: TypeAlias = Mapping[str, Any]


class Outcome(StrEnum):
    """How a deed stands."""

    OPEN = "open"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One deed. `end` is None while it goes on."""

    text: str
    start: datetime
    end: datetime | None = None
    outcome: Outcome = Outcome.OPEN


_OPENED: Final[Mapping[str, Callable[[Event], str]]] = {
    "TaskScheduled": lambda event: str(event.get("Name")),
    "SubOrchestrationInstanceCreated": lambda event: f"{event.get('Name')} (sub-orchestration)",
    "TimerCreated": lambda event: f"timer until {str(event.get('FireAt'))[:19]}",
    "EntityOperationCalled": lambda event: (
        f"{event.get('TargetInstanceId')}.{event.get('Operation')}"
    ),
    "EntityLockRequested": lambda event: f"lock of {', '.join(event.get('LockSet') or ())}",
}
_CLOSED: Final[Mapping[str, Outcome]] = {
    "TaskCompleted": Outcome.DONE,
    "TaskFailed": Outcome.FAILED,
    "SubOrchestrationInstanceCompleted": Outcome.DONE,
    "SubOrchestrationInstanceFailed": Outcome.FAILED,
    "TimerFired": Outcome.DONE,
    "EntityOperationCompleted": Outcome.DONE,
    "EntityOperationFailed": Outcome.FAILED,
    "EntityLockGranted": Outcome.DONE,
}


def bars_of(events: Sequence[Event]) -> list[Bar]:
    """A bar for each deed, and for each event that came from outside, in order of their start."""
    found: list[Bar] = []
    places: dict[int, int] = {}
    for event in events:
        kind, at = event["EventType"], datetime.fromisoformat(event["Timestamp"])
        if kind in _OPENED:
            places[event["EventId"]] = len(found)
            found.append(Bar(text=_OPENED[kind](event), start=at))
        elif kind == "EventRaised":
            name = f"event {event.get('Name')}"
            found.append(Bar(text=name, start=at, end=at, outcome=Outcome.DONE))
        elif kind in _CLOSED:
            place = places.pop(event.get("TaskScheduledId", event.get("TimerId", -1)), None)
            if place is not None:
                was = found[place]
                found[place] = Bar(text=was.text, start=was.start, end=at, outcome=_CLOSED[kind])
    return found


def drawn(bars: Sequence[Bar], now: datetime, width: int) -> Iterator[str]:
    """Each bar as a text of this width, on one scale from the first start to `now`.

    `now` is when the instance ended, if it has.
    """
    if not bars:
        return
    first = min(bar.start for bar in bars)
    last = max(now, *(bar.end for bar in bars if bar.end is not None), first)
    span = max((last - first).total_seconds(), 0.001)

    def column(at: datetime) -> int:
        return min(int((at - first).total_seconds() / span * width), width - 1)

    for bar in bars:
        start, end = column(bar.start), column(now if bar.end is None else bar.end)
        mark = "╌" if bar.outcome is Outcome.OPEN else "━"
        yield (" " * start + mark * (end - start + 1)).ljust(width)
