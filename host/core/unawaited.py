"""Activities that nobody waits for: their execution ended before they did, and they run on.

What an execution has scheduled and not heard of when it returns, fails or continues as new is left
in leases that say what is to be run. They are stored with what the last batch sends, so they are
derived from it, and may be stored again after a crash. Only a termination ends such activities, and
what removes the instance. Their results go to nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

import msgspec

from bindings.client import RuntimeStatus
from host.core import history
from host.core.history import HistoryEvent
from host.core.ledger import Ledger
from host.core.records import ANYBODY, Lease, Unawaited

_RESULTS = (history.TaskCompleted, history.TaskFailed)
OFFERED_FOR = timedelta(seconds=10)
"""So long whoever ended the execution has time to begin what is left of it."""


def left_by(instance_id: str, ledger: Ledger, end: HistoryEvent) -> tuple[Unawaited, ...]:
    """What an execution leaves that ended so; as yet nobody has any of it."""
    if isinstance(end, history.ExecutionCompleted) and end.status is RuntimeStatus.TERMINATED:
        return ()
    return tuple(
        Unawaited(
            Lease(
                instance_id=instance_id,
                execution_id=ledger.execution_id,
                task_id=task_id,
                owner=ANYBODY,
                expires_at=ledger.reached + OFFERED_FOR,
                scheduled=scheduled,
            )
        )
        for task_id, scheduled in ledger.open_activities.items()
    )


def without(left: Iterable[Unawaited], ended: Iterable[HistoryEvent]) -> tuple[Unawaited, ...]:
    """The same but for activities that have ended: `ended` has results that came too late."""
    task_ids = {each.task_id for each in ended if isinstance(each, _RESULTS)}
    return tuple(each for each in left if each.lease.task_id not in task_ids)


def as_held(
    left: Iterable[Unawaited], held: Mapping[int, Lease], now: datetime | None = None
) -> tuple[Unawaited, ...]:
    """The same, where `held` are the leases by task that somebody has of it already.

    With `now` what nobody has is offered from then on, by the clock of whoever ends the execution.
    """
    return tuple(_as_held(each.lease, held.get(each.lease.task_id), now) for each in left)


def _as_held(lease: Lease, held: Lease | None, now: datetime | None) -> Unawaited:
    if held is not None:
        return Unawaited(msgspec.structs.replace(held, scheduled=lease.scheduled), was_leased=True)
    if now is not None:
        lease = msgspec.structs.replace(lease, expires_at=now + OFFERED_FOR)
    return Unawaited(lease)


class UnawaitedLeases(dict[tuple[str, int], Lease]):
    """The leases of one instance's unawaited activities, as far as they are known.

    By execution and task; a dict, since each turn asks whether there are any.
    """

    def __init__(self, leases: Iterable[Lease] = ()) -> None:
        self.add(leases)

    def add(self, leases: Iterable[Lease]) -> None:
        """Take in leases, in place of what was known; those that carry no work are others'."""
        for lease in leases:
            if lease.scheduled is not None:
                self[lease.execution_id, lease.task_id] = lease

    def over(self, now: datetime) -> list[Lease]:
        """Those whose activities nobody has any more."""
        return [lease for lease in self.values() if lease.expires_at <= now]

    def drop(self, lease: Lease) -> None:
        """The activity has ended."""
        self.pop((lease.execution_id, lease.task_id), None)

    def next_expiry(self) -> datetime | None:
        """When the first lease expires."""
        return min((lease.expires_at for lease in self.values()), default=None)
