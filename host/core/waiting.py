"""Why an instance does not go on: what it waits for, from what is stored, without its code.

Of which names the awaited events are, and which timers the code has let go of, no event says, and
so the batches do. Those that an older version stored do not: then an event has no name, and a timer
counts as let go of only if the instance's alarm is set for later.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Protocol

import msgspec

from bindings.client import RuntimeStatus
from bindings.waiting import WaitingFor, WaitKind
from host.core import history
from host.core.history import HistoryEvent
from host.core.instance_state import InstanceState
from host.core.projection import reason_without_activity
from host.core.records import ANYBODY, LET_GO, ActivityKey, Instance, Snapshot


class Why(msgspec.Struct, frozen=True, kw_only=True):
    """The row of an instance as its history has it, and all that it waits for."""

    instance: Instance
    waiting_for: tuple[WaitingFor, ...]


class LimitsKnown(Protocol):
    """What a host knows of limits: no snapshot says what waits for one."""

    def of_activity(self, key: ActivityKey, name: str, *, is_offered: bool) -> str | None:
        """The limit that the activity waits for. `is_offered`: anybody may take it."""

    def of_start(self, row: Instance) -> str | None:
        """The limit of the instance's orchestrator: it has not begun."""


class _NoLimits:
    def of_activity(self, _: ActivityKey, _name: str, *, is_offered: bool) -> str | None:
        """None: nothing has a limit."""

    def of_start(self, _: Instance) -> str | None:
        """None: nothing has a limit."""


_NO_LIMITS: LimitsKnown = _NoLimits()


def why(snapshot: Snapshot, now: datetime, limits: LimitsKnown = _NO_LIMITS) -> Why:
    """What an instance waits for; there is always one thing at least."""
    state = InstanceState(snapshot)
    state.hear_orders(snapshot.inbox)
    view = state.view()
    return Why(instance=view, waiting_for=tuple(_all_of(snapshot, state, view, now, limits)))


def why_damaged(row: Instance, problem: str) -> Why:
    """The same of one that cannot be read."""
    waiting = WaitingFor(
        kind=WaitKind.QUARANTINED, name=row.name, reason=row.blocked_reason or problem
    )
    return Why(instance=row, waiting_for=(waiting,))


def _all_of(
    snapshot: Snapshot,
    state: InstanceState,
    view: Instance,
    now: datetime,
    limits: LimitsKnown,
) -> Iterable[WaitingFor]:
    if state.is_finished:
        return [_nothing(f"It is finished: {view.status.value}.")]
    events = [event for batch in state.recorded for event in batch.events]
    held = [*_held(snapshot, state, view, events)]
    if state.ledger.started is None:
        return [*held, *_start(state, now, limits)] or [
            _nothing("It waits for a host to begin it.")
        ]
    if state.is_continued:
        return held or [_nothing("It is about to go on with its next execution.")]
    open_ = [*_open(snapshot, state, now, limits)]
    if held or open_:
        return held + open_
    if any(map(state.ledger.wants, snapshot.inbox)):
        return [_nothing("It is about to take in what has come for it.")]
    return [WaitingFor(kind=WaitKind.EVENT)]  # nothing else is left


def _nothing(reason: str) -> WaitingFor:
    return WaitingFor(kind=WaitKind.NOTHING, reason=reason)


# ---- what holds it -------------------------------------------------------------------------


def _held(
    snapshot: Snapshot, state: InstanceState, view: Instance, events: list[HistoryEvent]
) -> Iterator[WaitingFor]:
    """What keeps it from going on, whatever comes."""
    row = snapshot.instance
    if row.is_quarantined:
        yield WaitingFor(
            kind=WaitKind.QUARANTINED,
            name=row.name,
            since=row.updated_at,
            until=row.retry_at,
            reason=row.blocked_reason,
        )
    elif row.blocked_reason is not None:
        yield WaitingFor(
            kind=WaitKind.MISSING_FUNCTION,
            name=_missing(state, row.blocked_reason),
            reason=row.blocked_reason,
        )
    if view.status is RuntimeStatus.SUSPENDED:
        waiting = [each.event for each in snapshot.inbox]
        orders = [x for x in (*events, *waiting) if isinstance(x, history.ExecutionSuspended)]
        yield WaitingFor(
            kind=WaitKind.SUSPENDED,
            since=orders[-1].timestamp if orders else None,
            reason=orders[-1].reason or None if orders else None,
        )


def _missing(state: InstanceState, reason: str) -> str:
    """Whose function is missing: an activity's if the reason says so, else the orchestrator's."""
    names = {each.name for each in state.ledger.open_activities.values()}
    of_activity = [name for name in sorted(names) if reason == reason_without_activity(name)]
    return of_activity[0] if of_activity else state.row.name


def _start(state: InstanceState, now: datetime, limits: LimitsKnown) -> Iterator[WaitingFor]:
    at, limit = state.started.scheduled_start_at, limits.of_start(state.row)
    if at is not None and at > now:
        yield WaitingFor(
            kind=WaitKind.SCHEDULED_START,
            name=state.row.name,
            since=state.row.created_at,
            until=at,
        )
    elif limit is not None:
        yield WaitingFor(kind=WaitKind.LIMIT, name=limit, since=at or state.row.created_at)


# ---- what is open --------------------------------------------------------------------------


def _open(
    snapshot: Snapshot, state: InstanceState, now: datetime, limits: LimitsKnown
) -> Iterator[WaitingFor]:
    """What it asked for and has not got, each kind in the order in which it was asked for."""
    yield from _activities(state, now, limits)
    for child in state.ledger.open_children.values():
        yield WaitingFor(
            kind=WaitKind.SUB_ORCHESTRATION,
            name=child.name,
            task_id=child.task_id,
            since=child.timestamp,
            instance_id=child.instance_id,
        )
    for call in state.ledger.open_calls.values():
        yield WaitingFor(
            kind=WaitKind.ENTITY,
            name=call.operation,
            task_id=call.task_id,
            since=call.timestamp,
            instance_id=call.instance_id,
        )
    for section in state.ledger.sections.values():
        if not section.is_held:
            yield WaitingFor(
                kind=WaitKind.ENTITY_LOCK,
                name=", ".join(section.request.entities),
                task_id=section.request.task_id,
                since=section.request.timestamp,
            )
    yield from _timers(snapshot, state)
    for name in state.last_batch.awaited:
        yield WaitingFor(kind=WaitKind.EVENT, name=name, since=_awaited_since(state, name))


def _awaited_since(state: InstanceState, name: str) -> datetime:
    """When the turn was since which the event has been awaited without a break."""
    since = state.last_batch.events[-1].timestamp
    for batch in reversed(state.recorded):
        if name not in batch.awaited:
            break
        since = batch.events[0].timestamp
    return since


def _activities(state: InstanceState, now: datetime, limits: LimitsKnown) -> Iterator[WaitingFor]:
    for task in state.ledger.open_activities.values():
        lease = state.lease_of(task.task_id, now)
        has_host = lease is not None and lease.owner not in {ANYBODY, LET_GO}
        key = ActivityKey(state.row.instance_id, state.execution_id, task.task_id)
        is_offered = lease is not None and lease.owner == ANYBODY
        limit = None if has_host else limits.of_activity(key, task.name, is_offered=is_offered)
        if limit is not None:
            yield WaitingFor(
                kind=WaitKind.LIMIT,
                name=limit,
                task_id=task.task_id,
                since=task.timestamp,
                attempt=task.attempt,
                reason=f"for the activity '{task.name}'",
            )
            continue
        yield WaitingFor(
            kind=WaitKind.ACTIVITY,
            name=task.name,
            task_id=task.task_id,
            since=task.timestamp,
            attempt=task.attempt,
            host=lease.owner.partition(".")[0] if lease is not None and has_host else None,
        )


def _timers(snapshot: Snapshot, state: InstanceState) -> Iterator[WaitingFor]:
    let_go = {task_id for batch in state.recorded for task_id in batch.let_go}
    open_ = state.ledger.timers.keys() - let_go
    for event in (event for batch in state.recorded for event in batch.events):
        if not isinstance(event, history.TimerCreated) or event.task_id not in open_:
            continue
        if not _is_before_alarm(snapshot, event):
            yield WaitingFor(
                kind=WaitKind.TIMER,
                task_id=event.task_id,
                since=event.timestamp,
                until=event.fire_at,
            )


def _is_before_alarm(snapshot: Snapshot, timer: history.TimerCreated) -> bool:
    """Whether the alarm is later than the timer. Of one that is blocked it may be put off."""
    if snapshot.instance.blocked_reason is not None:
        return False
    return snapshot.wake_at is None or timer.fire_at < snapshot.wake_at
