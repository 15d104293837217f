"""A clock that stands still until somebody moves it.

Rules of this file: time moves only in `move` and `advance`. It moves in one leap, as on a machine
that slept, then wakes all whose time has come, in order of their time.
"""

from __future__ import annotations

import asyncio
import heapq
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Final

ROUNDS = 100
"""How often the event loop is let run so that what was woken can come to rest."""
START: Final = datetime(2026, 1, 1, tzinfo=UTC)


class ManualClock:
    """A `Clock` for tests."""

    def __init__(self, start: datetime = START) -> None:
        self._start = start
        self._elapsed = timedelta(0)
        self._order = count()
        self._sleepers: list[tuple[timedelta, int, asyncio.Future[None]]] = []

    def now(self) -> datetime:
        """The time, aware, in UTC."""
        return self._start + self._elapsed

    def monotonic(self) -> float:
        """Seconds since the start."""
        return self._elapsed.total_seconds()

    async def sleep(self, seconds: float) -> None:
        """Wait until somebody has moved the clock this far."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        due = self._elapsed + timedelta(seconds=seconds)
        heapq.heappush(self._sleepers, (due, next(self._order), future))
        await future

    def move(self, delta: timedelta) -> None:
        """Move the time by `delta` and wake who is due; what they do happens after this."""
        self._elapsed += delta
        while self._sleepers and self._sleepers[0][0] <= self._elapsed:
            _, _, future = heapq.heappop(self._sleepers)
            if not future.done():
                future.set_result(None)

    async def advance(self, delta: timedelta, *, steps: int = 1) -> None:
        """Move the time by `delta`, `steps` times, and let everything that is due happen."""
        await self.until_quiet()
        for _ in range(steps):
            self.move(delta)
            await self.until_quiet()

    async def until_quiet(self) -> None:
        """Let the event loop run, without moving the time."""
        for _ in range(ROUNDS):
            await asyncio.sleep(0)
