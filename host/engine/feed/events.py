"""What listeners are told: small records, made of the engine's events when they happen.

They hold no inputs and no outputs, so that a feed that is behind keeps no memory.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

import msgspec

from bindings.client import RuntimeStatus


class FeedKind(StrEnum):
    """What has happened."""

    TURN = "turn"
    STARTED = "started"
    ENDED = "ended"
    QUARANTINED = "quarantined"
    ACTIVITY_STARTED = "activityStarted"
    ACTIVITY_COMPLETED = "activityCompleted"
    ACTIVITY_FAILED = "activityFailed"

    @property
    def is_of_activity(self) -> bool:
        """Whether it happened to an activity, and not to its instance."""
        return self in _OF_ACTIVITIES


_OF_ACTIVITIES = frozenset(
    {FeedKind.ACTIVITY_STARTED, FeedKind.ACTIVITY_COMPLETED, FeedKind.ACTIVITY_FAILED}
)


class FeedEvent(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened to an instance or to one of its activities.

    `name` is the orchestrator's; None if that is not known here, for an activity. Of `count` things
    that happened to the instance in a moment this is the last; `kinds` are those of all.
    """

    kind: FeedKind
    instance_id: str
    name: str | None
    status: RuntimeStatus
    at: datetime
    activity: str | None = None
    task_id: int | None = None
    seconds: float | None = None
    reason: str | None = None
    """Why it failed, or is quarantined."""
    count: int = 1
    kinds: frozenset[FeedKind] = frozenset()


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which events a listener wants. Empty fields do not restrict."""

    instance_ids: Collection[str] = ()
    names: Collection[str] = ()
    statuses: Collection[RuntimeStatus] = ()
    kinds: frozenset[FeedKind] = frozenset()

    def has(self, event: FeedEvent) -> bool:
        """Whether this is one of them, or stands for one."""
        return (
            (not self.instance_ids or event.instance_id in self.instance_ids)
            and (not self.names or event.name in self.names)
            and (not self.statuses or event.status in self.statuses)
            and (not self.kinds or not self.kinds.isdisjoint(event.kinds or {event.kind}))
        )


Seen: TypeAlias = tuple[
    FeedKind,
    str,
    str | None,
    RuntimeStatus,
    datetime | None,
    str | None,
    int | None,
    float | None,
    str | None,
]
"""An event as it is gathered: the first fields of `FeedEvent`, in order. `at` is None for now.

Under load most are never told, and a tuple costs a fifth of a record.
"""


def event_of(seen: Seen, now: datetime) -> FeedEvent:
    """The record of it."""
    kind, instance_id, name, status, at, activity, task_id, seconds, reason = seen
    return FeedEvent(
        kind=kind,
        instance_id=instance_id,
        name=name,
        status=status,
        at=at or now,
        activity=activity,
        task_id=task_id,
        seconds=seconds,
        reason=reason,
    )


def put_together(seen: Iterable[Seen]) -> list[list[Seen]]:
    """Those of each instance together, in their order."""
    by_instance: dict[str, list[Seen]] = {}
    for each in seen:
        by_instance.setdefault(each[1], []).append(each)
    return list(by_instance.values())


def one_of(seen: Sequence[Seen], now: datetime, more: int = 0) -> FeedEvent:
    """One event for all these: the last that happened to the instance, or to its activities.

    `more` of the same were not gathered, only counted.
    """
    last = next((each for each in reversed(seen) if not each[0].is_of_activity), seen[-1])
    event = event_of(last, now)
    if len(seen) + more == 1:
        return event
    kinds = frozenset(each[0] for each in seen)
    return msgspec.structs.replace(event, count=len(seen) + more, kinds=kinds)
