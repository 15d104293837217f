"""The clock of the kit that authors have, which also does what clocks of machines do.

Rules of this file: see there; time moves in `jump` and `set_wall`, too.
"""

from __future__ import annotations

import heapq
from datetime import datetime, timedelta

from host.testing import manual_clock


class ManualClock(manual_clock.ManualClock):
    """The `Clock` of tests."""

    def set_wall(self, delta: timedelta) -> None:
        """Move the wall clock alone: somebody set it, or the machine slept."""
        self._start += delta

    async def pass_time(self, delta: timedelta) -> None:
        """Let so much time pass: whoever sleeps wakes at his moment, and what he does happens then.

        For long times in which little happens.
        """
        end = self._elapsed + delta
        await self.until_quiet()
        while (due := self._next_due()) is not None and due <= end:
            self.move(due - self._elapsed)
            await self.until_quiet()
        self.move(end - self._elapsed)
        await self.until_quiet()

    def _next_due(self) -> timedelta | None:
        while self._sleepers and self._sleepers[0][2].done():
            heapq.heappop(self._sleepers)
        return self._sleepers[0][0] if self._sleepers else None

    @property
    def is_waited_for(self) -> bool:
        """Whether anybody sleeps on it."""
        return self._next_due() is not None

    def jump(self, delta: timedelta) -> None:
        """Move the time and wake nobody: for code that blocks the event loop."""
        self._elapsed += delta

    def jump_to(self, moment: datetime) -> None:
        """Move the time to this moment and wake nobody."""
        self.jump(moment - self.now())
