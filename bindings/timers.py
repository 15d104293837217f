"""What a timer function receives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class TimerRequest:
    """One run of a timer function."""

    due_at: datetime
    """The due time that this run is for, aware, in UTC: the same again if the run is repeated after
    a crash. Of a run at the start of a host, or by hand, the time of that."""
    past_due: bool = False
    """Whether it runs a second or more after its due time: no host ran then, an earlier run took
    longer, or a host that had begun it is gone."""
    schedule_status: Mapping[str, str] | None = None
    """`Last`, `Next` and `LastUpdated` as the hub had them before this run, as texts: `Next` is the
    due time of this run, `Last` the one before. None without `useMonitor`."""
    schedule: Mapping[str, bool] = field(default_factory=lambda: {"AdjustForDST": True})
    """As Azure has it: always the same."""

    def to_json(self) -> dict[str, Any]:
        """The same as Azure gives it to functions of other languages."""
        return {
            "Schedule": dict(self.schedule),
            "ScheduleStatus": None if self.schedule_status is None else dict(self.schedule_status),
            "IsPastDue": self.past_due,
        }
