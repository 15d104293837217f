"""Moves the clock of a test from one timer to the next, with a rest at each.

Rules of this file: time moves only while the host has nothing to do, and never past a timer: else
two timers of different times would fire at the same one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from bindings.errors import InvalidArgumentError
from bindings.shown_values import shown_value
from host.core.arguments import exact_duration
from host.engine.engine import Engine
from host.storage.protocol import HubStore
from host.testing.manual_clock import ManualClock


class Skipper:
    """Waits of one host, in no time."""

    def __init__(
        self,
        engine: Engine,
        store: HubStore,
        clock: ManualClock,
        running: Callable[[], Sequence[str]],
        patience_s: float,
    ) -> None:
        self._engine = engine
        self._store = store
        self._clock = clock
        self._running = running
        self.patience_s = patience_s

    @property
    def now(self) -> datetime:
        """The time of the clock."""
        return self._clock.now()

    def after(self, seconds: float | None) -> datetime | None:
        """So much later; None for never."""
        try:
            return None if seconds is None else self.now + timedelta(seconds=seconds)
        except OverflowError:
            return None

    async def idle(self) -> None:
        """Wait until there is nothing to do but to wait. Raises `TimeoutError`."""
        try:
            async with asyncio.timeout(self.patience_s):
                await self._engine.idle()
        except TimeoutError:
            raise TimeoutError(self._busy()) from None

    async def skip(self, delta: timedelta) -> None:
        """Move the clock by `delta`, and let all happen that is due until then, in its order."""
        if not isinstance(delta, timedelta) or delta < timedelta(0):
            raise InvalidArgumentError(
                f"skip takes a timedelta of 0 or more, not {shown_value(delta)}."
            )
        target = self.now + exact_duration(delta)
        await self.idle()
        while await self.skip_to_next(target):
            pass

    async def skip_to_next(self, latest: datetime | None = None) -> bool:
        """Move the clock to the next timer; or to `latest`, False, if none is due until then.

        Call it when the host is idle; it is so again at the end.
        """
        due = await self._store.next_alarm(self.now)
        is_due = due is not None and (latest is None or due <= latest)
        target = due if is_due else latest
        if target is not None and target > self.now:
            self._clock.move(target - self.now)
            await self.idle()
        return is_due

    def _busy(self) -> str:
        running = ", ".join(self._running())
        return (
            f"After {self.patience_s:g} seconds of real time there is still "
            f"{running or self._engine.busy_with()}. Fake activities that take long or wait for "
            "others, or give the environment more patience_s."
        )
