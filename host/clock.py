"""Time, as a seam: the only file that reads a clock. Tests and simulations bring their own."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Protocol

_COUNTS_SLEEP = hasattr(time, "CLOCK_BOOTTIME")
"""What a host holds goes to others while its machine sleeps, and it must know."""


class Clock(Protocol):
    """Wall time for what is stored, monotonic time for durations, and a way to wait."""

    def now(self) -> datetime:
        """The time, aware, in UTC."""

    def monotonic(self) -> float:
        """Seconds that never go back."""

    async def sleep(self, seconds: float) -> None:
        """Wait this long."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The time, aware, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds that never go back. Where the system can tell, those that it slept count, too."""
        return time.clock_gettime(time.CLOCK_BOOTTIME) if _COUNTS_SLEEP else time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait this long."""
        await asyncio.sleep(seconds)
