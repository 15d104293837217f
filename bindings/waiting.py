"""What an instance waits for: the kinds there are, and a sentence for each.

The sentences are made here and nowhere else, so that every door says the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class WaitKind(StrEnum):
    """What keeps an instance from going on, by the names of the management API."""

    ACTIVITY = "activity"
    TIMER = "timer"
    EVENT = "event"
    SUB_ORCHESTRATION = "subOrchestration"
    ENTITY = "entity"
    ENTITY_LOCK = "entityLock"
    LIMIT = "limit"
    SUSPENDED = "suspended"
    MISSING_FUNCTION = "missingFunction"
    QUARANTINED = "quarantined"
    SCHEDULED_START = "scheduledStart"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingFor:
    """One thing that an instance waits for. What does not apply, or is not known, is None.

    `name` is that of the activity, orchestrator, event, operation or limit, or names the entities
    to lock. `since` says when the waiting began, `until` when it ends by itself; both are aware, in
    UTC. `attempt` counts an activity's tries from 1, `host` is the id of the host that has it.
    `instance_id` is that of a sub-orchestration or entity; of a lock it is the entity that another
    section has locked. `reason` says more, in words.
    """

    kind: WaitKind
    name: str | None = None
    task_id: int | None = None
    since: datetime | None = None
    until: datetime | None = None
    attempt: int | None = None
    host: str | None = None
    instance_id: str | None = None
    reason: str | None = None

    def in_words(self) -> str:
        """A sentence for people."""
        return _SENTENCES[self.kind](self)


def waiting_to_json(waiting: WaitingFor) -> dict[str, Any]:
    """The object of the management API; what is None is null, but for `reason`."""
    body: dict[str, Any] = {
        "kind": waiting.kind.value,
        "name": waiting.name,
        "taskId": waiting.task_id,
        "since": _time(waiting.since),
        "until": _time(waiting.until),
        "attempt": waiting.attempt,
        "host": waiting.host,
        "instanceId": waiting.instance_id,
    }
    return body if waiting.reason is None else body | {"reason": waiting.reason}


def waiting_from_json(body: Mapping[str, Any]) -> WaitingFor:
    """What such an object says. Raises `ValueError` for an unknown kind or a time that is none."""
    return WaitingFor(
        kind=WaitKind(body["kind"]),
        name=body.get("name"),
        task_id=body.get("taskId"),
        since=_moment(body.get("since")),
        until=_moment(body.get("until")),
        attempt=body.get("attempt"),
        host=body.get("host"),
        instance_id=body.get("instanceId"),
        reason=body.get("reason"),
    )


def _activity(waiting: WaitingFor) -> str:
    attempt = f", attempt {waiting.attempt}" if (waiting.attempt or 1) > 1 else ""
    has_it = f"the host {waiting.host} has it" if waiting.host else "no host is known to have it"
    name = f"the activity '{waiting.name}' (task {waiting.task_id}{attempt})"
    return f"It waits for {name}{_since(waiting)}; {has_it}."


def _child(waiting: WaitingFor) -> str:
    name = f"the sub-orchestration '{waiting.name}' with the id '{waiting.instance_id}'"
    return f"It waits for {name} (task {waiting.task_id}){_since(waiting)}."


def _entity(waiting: WaitingFor) -> str:
    name = f"the operation '{waiting.name}' of the entity '{waiting.instance_id}'"
    return f"It waits for {name} (task {waiting.task_id}){_since(waiting)}{_why(waiting)}."


def _limit(waiting: WaitingFor) -> str:
    whose = "" if waiting.reason is None else f" {waiting.reason}"
    return f"It waits for a slot of the limit '{waiting.name}'{whose}{_since(waiting)}."


def _lock(waiting: WaitingFor) -> str:
    name = f"the lock of {waiting.name}"
    return f"It waits for {name} (task {waiting.task_id}){_since(waiting)}{_why(waiting)}."


def _event(waiting: WaitingFor) -> str:
    if waiting.name is None:
        return "It waits for an event; of which name is not known."
    return f"It waits for the event '{waiting.name}'{_since(waiting)}."


def _suspended(waiting: WaitingFor) -> str:
    why = f": {waiting.reason}" if waiting.reason else ""
    return f"It is suspended{_since(waiting)}, until it is resumed{why}."


def _quarantined(waiting: WaitingFor) -> str:
    again = "" if waiting.until is None else f" It is tried again at {_time(waiting.until)}."
    return f"{waiting.reason or 'It is quarantined.'}{again}"


def _why(waiting: WaitingFor) -> str:
    return "" if waiting.reason is None else f"; {waiting.reason}"


def _since(waiting: WaitingFor) -> str:
    return "" if waiting.since is None else f" since {_time(waiting.since)}"


_SENTENCES: Mapping[WaitKind, Callable[[WaitingFor], str]] = {
    WaitKind.ACTIVITY: _activity,
    WaitKind.TIMER: lambda it: f"It waits for a timer (task {it.task_id}) until {_time(it.until)}.",
    WaitKind.EVENT: _event,
    WaitKind.SUB_ORCHESTRATION: _child,
    WaitKind.ENTITY: _entity,
    WaitKind.ENTITY_LOCK: _lock,
    WaitKind.LIMIT: _limit,
    WaitKind.SUSPENDED: _suspended,
    WaitKind.MISSING_FUNCTION: lambda it: it.reason or f"The function '{it.name}' is missing.",
    WaitKind.QUARANTINED: _quarantined,
    WaitKind.SCHEDULED_START: lambda it: f"It is to start at {_time(it.until)}.",
    WaitKind.NOTHING: lambda it: it.reason or "It waits for nothing.",
}


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else f"{moment.replace(tzinfo=None).isoformat()}Z"


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
