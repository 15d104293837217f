"""Bells: who waits for something is called when there may be some."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import datetime

from host.clock import Clock


class Bell:
    """Rings for all who wait. Nobody misses a ring: each says which one was the last it heard."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._waiting: set[asyncio.Future[None]] = set()
        self.rung = 0
        """How often it has rung."""

    def ring(self) -> None:
        """Call all who wait."""
        self.rung += 1
        waiting, self._waiting = self._waiting, set()
        for each in waiting:
            if not each.done():
                each.set_result(None)

    async def wait(self, heard: int, until: datetime | None) -> None:
        """Wait for a ring after the one that was heard, at most until this moment."""
        if self.rung != heard:
            return
        called = asyncio.get_running_loop().create_future()
        self._waiting.add(called)
        nap = None if until is None else asyncio.ensure_future(self._sleep_until(until))
        try:
            await asyncio.wait(
                [called] if nap is None else [called, nap], return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            self._waiting.discard(called)
            if nap is not None:
                nap.cancel()
                with suppress(asyncio.CancelledError):
                    await nap

    async def _sleep_until(self, moment: datetime) -> None:
        await self._clock.sleep(max((moment - self._clock.now()).total_seconds(), 0.0))
