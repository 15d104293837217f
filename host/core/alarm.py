"""The one alarm of an instance: when it must be looked at again, come what may."""

from __future__ import annotations

from datetime import datetime, timedelta

from host.core.execution import Execution
from host.core.leases import Leases
from host.core.records import UNCHANGED, Unchanged

LOOK_AGAIN = timedelta(hours=1)
"""How long an instance rests that is due and cannot run; recovery finds it sooner."""


class Alarm:
    """What is stored, and what has to be."""

    def __init__(self, armed: datetime | None) -> None:
        self._armed = armed

    def set(self, wanted: datetime | None) -> datetime | Unchanged | None:
        """What must be stored so that the alarm is at this time."""
        if wanted == self._armed:
            return UNCHANGED
        self._armed = wanted
        return wanted

    def set_again(self, wanted: datetime | None) -> datetime | None:
        """The same, whatever is stored."""
        self._armed = wanted
        return wanted

    def postpone(self, now: datetime) -> datetime | Unchanged:
        """What must be stored when nobody can say what the instance waits for."""
        if self._armed is None or self._armed > now:
            return UNCHANGED
        self._armed = now + LOOK_AGAIN
        return self._armed


def alarm_of(execution: Execution, leases: Leases) -> datetime | None:
    """When a timer is due, or somebody's time with an activity is over."""
    timer = execution.timers.next_due()
    expiry = leases.next_expiry() if leases else None
    return min(timer, expiry) if timer and expiry else timer or expiry
