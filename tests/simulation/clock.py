"""A host's clock: virtual time, off by the host's own error, and now and then set anew."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tests.simulation.loop import EndlessRunError, VirtualLoop

BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
MAX_LOOKS = 100_000
"""How often a host looks at one moment of its clock, at most: one that spins never waits."""


class SkewedClock:
    """The `Clock` of one host. Durations are true, as those of a monotonic clock are."""

    def __init__(self, loop: VirtualLoop, skew_s: float) -> None:
        self._loop = loop
        self._skew = timedelta(seconds=skew_s)
        self.latest = BEGINNING - timedelta(days=1)
        """The latest time that this clock ever showed."""
        self._seen_s = 0.0
        self._looks = 0

    def now(self) -> datetime:
        """The time as this host believes it to be."""
        seconds = self._loop.time()
        self._looks = self._looks + 1 if seconds == self._seen_s else 0
        self._seen_s = seconds
        if self._looks > MAX_LOOKS:
            raise EndlessRunError
        now = BEGINNING + timedelta(seconds=seconds) + self._skew
        self.latest = max(self.latest, now)
        return now

    def monotonic(self) -> float:
        """Seconds since the run began."""
        return self._loop.time()

    async def sleep(self, seconds: float) -> None:
        """Wait this long."""
        await self._loop.pass_time(max(0.0, seconds))

    def set_off_by(self, skew_s: float) -> None:
        """Somebody sets the clock."""
        self._skew = timedelta(seconds=skew_s)
