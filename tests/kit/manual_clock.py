"""The clock of the kit that authors have, which also does what clocks of machines do.

Rules of this file: see there; time moves in `jump` and `set_wall`, too.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from host.testing import manual_clock


class ManualClock(manual_clock.ManualClock):
    """The `Clock` of tests."""

    def set_wall(self, delta: timedelta) -> None:
        """Move the wall clock alone: somebody set it, or the machine slept."""
        self._start += delta

    def jump(self, delta: timedelta) -> None:
        """Move the time and wake nobody: for code that blocks the event loop."""
        self._elapsed += delta

    def jump_to(self, moment: datetime) -> None:
        """Move the time to this moment and wake nobody."""
        self.jump(moment - self.now())
