"""The one alarm of an instance: when it must be looked at again, come what may."""

from __future__ import annotations

from datetime import datetime, timedelta

from host.core.history import ExecutionStarted
from host.core.leases import AwaitedLeases
from host.core.ledger import Ledger
from host.core.records import UNCHANGED, Unchanged

LOOK_AGAIN = timedelta(hours=1)
"""How long an instance rests that is due and cannot run; recovery finds it sooner."""


class KnownAlarm:
    """What is stored, and what has to be."""

    def __init__(self, armed: datetime | None) -> None:
        self.armed = armed
        """When it is due, as stored."""

    def set(self, wanted: datetime | None) -> datetime | Unchanged | None:
        """What must be stored so that the alarm is at this time."""
        if wanted == self.armed:
            return UNCHANGED
        self.armed = wanted
        return wanted

    def set_again(self, wanted: datetime | None) -> datetime | None:
        """The same, whatever is stored."""
        self.armed = wanted
        return wanted

    def set_with_row(self, wanted: datetime | None) -> datetime | Unchanged | None:
        """The same for a write of the row, where it costs nothing to name a time again.

        A host without the function may have put the alarm off, and this copy does not know of that.
        """
        return self.set(wanted) if wanted is None else self.set_again(wanted)

    def postpone(self, now: datetime, expiry: datetime | None) -> datetime | Unchanged:
        """What must be stored when nobody can say what the instance waits for, but for `expiry`."""
        if self.armed is None or self.armed > now:
            return UNCHANGED
        later = now + LOOK_AGAIN
        self.armed = later if expiry is None else min(later, expiry)
        return self.armed


def wanted_of_execution(
    ledger: Ledger, start: ExecutionStarted, leases: AwaitedLeases
) -> datetime | None:
    """When it starts, a timer or signal is due, or somebody's time with an activity is over."""
    if ledger.end is not None:
        return None
    if ledger.entity is not None:
        entity = ledger.entity  # while it is locked no signal can be done: the unlock looks at them
        return entity.delayed[0].due if entity.delayed and entity.lock is None else None
    if ledger.started is None:
        return start.scheduled_start_at
    timer = ledger.timers.next_due() if ledger.timers else None
    return first_of(timer, leases.next_expiry()) if leases else timer


def first_of(one: datetime | None, other: datetime | None) -> datetime | None:
    """The earlier of two times, as far as there are any."""
    return min(one, other) if one and other else one or other
