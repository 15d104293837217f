"""A sleep until a moment of the wall clock, which may be brought forward while it lasts."""

from __future__ import annotations

import asyncio
from datetime import datetime

from host.clock import Clock

CLOCK_CHECK_S = 1.0
"""How soon it is noticed that the wall clock was set, or that the machine has slept."""


class Nap:
    """One sleeper's. The wall clock may jump, and sleep is measured by another."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._until: datetime | None = None
        self._latest = 0.0
        self._sleep: asyncio.Future[None] | None = None
        self._rests = asyncio.Event()
        self._rests.set()

    def begin_work(self) -> None:
        """The sleeper is awake until it rests again."""
        self._rests.clear()

    def plan(self, until: datetime, at_most_s: float) -> None:
        """Sleep until then, and never for longer than so many seconds from now on."""
        self._until = until
        self._latest = self._clock.monotonic() + at_most_s

    def bring_forward(self, until: datetime) -> None:
        """Do not sleep longer than that."""
        if self._until is None or until < self._until:
            self._until = until
            if self._sleep is not None:
                self._sleep.cancel()
                self._rests.clear()

    async def rest(self) -> None:
        """Sleep as planned."""
        while (seconds := self._seconds_left()) > 0:
            self._sleep = asyncio.ensure_future(self._clock.sleep(min(seconds, CLOCK_CHECK_S)))
            self._rests.set()
            try:
                await asyncio.wait([self._sleep])
            finally:
                self._sleep.cancel()
                self._sleep = None

    @property
    def is_resting(self) -> bool:
        """Whether it waits for the clock, or is not run at all."""
        return self._rests.is_set()

    async def resting(self) -> None:
        """Wait until it is so."""
        await self._rests.wait()

    def stop(self) -> None:
        """It is run no more."""
        self._rests.set()

    def _seconds_left(self) -> float:
        assert self._until is not None  # noqa: S101 - a nap is planned before it is taken
        until_due_s = (self._until - self._clock.now()).total_seconds()
        return min(until_due_s, self._latest - self._clock.monotonic())
