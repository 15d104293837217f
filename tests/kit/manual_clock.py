"""The clock of the kit that authors have, which also does what clocks of machines do.

Rules of this file: see there; time moves in `jump` and `set_wall`, too. It does not move while a
store answers: what this answer starts would otherwise be due later than the test means.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from host.testing import manual_clock

PATIENCE_S = 10.0
"""How long a test waits for what must come: a bound for broken runs, not a measure."""


class ManualClock(manual_clock.ManualClock):
    """The `Clock` of tests."""

    def __init__(self, start: datetime = manual_clock.START) -> None:
        super().__init__(start)
        self._answering = 0

    @contextmanager
    def waiting_for_an_answer(self) -> Iterator[None]:
        """In here somebody waits for another thread: it is not quiet until he is out."""
        self._answering += 1
        try:
            yield
        finally:
            self._answering -= 1

    async def until_quiet(self) -> None:
        """Let the event loop run, without moving the time, until nobody waits for an answer."""
        async with asyncio.timeout(PATIENCE_S):
            await super().until_quiet()
            while self._answering:
                await asyncio.sleep(0)
                if not self._answering:
                    await super().until_quiet()

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
