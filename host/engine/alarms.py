"""The alarm pump: wakes instances whose time has come; what is due is for their turns to say."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta

from host.clock import Clock
from host.storage.protocol import Alarm, HubStore

BATCH = 1000
FULL_BATCH_PAUSE_S = 0.05
"""How soon to look again when there may be more alarms due than one batch holds."""
REPEAT_AFTER_S = 5.0
"""An alarm that is still there after this long wakes its instance again."""
CLOCK_CHECK_S = 1.0
"""How soon it is noticed that the wall clock was set, or that the machine has slept."""


class AlarmPump:
    """Sleeps until the next alarm is due; `notice` shortens the sleep.

    Alarms are due by the wall clock, which may jump, and sleep is measured by another.
    """

    def __init__(
        self,
        store: HubStore,
        clock: Clock,
        wake: Callable[[Sequence[str]], Awaitable[None]],
        poll_s: float,
    ) -> None:
        self._store = store
        self._clock = clock
        self._wake = wake
        self._poll_s = poll_s
        self._woken: dict[Alarm, float] = {}
        self._until: datetime | None = None
        self._read_at = clock.monotonic()
        self._nap: asyncio.Future[None] | None = None
        self._rests = asyncio.Event()
        self._rests.set()

    def notice(self, due: datetime) -> None:
        """An alarm was set: do not sleep longer than that."""
        if self._until is None or due < self._until:
            self._until = due
            if self._nap is not None:
                self._nap.cancel()
                self._rests.clear()

    async def wake_due(self) -> None:
        """Wake who is due, and find out until when nobody else is."""
        self._rests.clear()
        now, self._read_at = self._clock.now(), self._clock.monotonic()
        self._until = now + timedelta(seconds=self._poll_s)
        alarms = await self._store.due_alarms(now, BATCH)
        await self._wake_new(alarms)
        following = await self._store.next_alarm(now)
        if following is not None:
            self.notice(following)
        if len(alarms) == BATCH:
            self.notice(now + timedelta(seconds=FULL_BATCH_PAUSE_S))
        elif alarms:
            self.notice(now + timedelta(seconds=REPEAT_AFTER_S))

    async def rest(self) -> None:
        """Sleep until somebody may be due; `notice` shortens this."""
        while (seconds := self._seconds_left()) > 0:
            self._nap = asyncio.ensure_future(self._clock.sleep(min(seconds, CLOCK_CHECK_S)))
            self._rests.set()
            try:
                await asyncio.wait([self._nap])
            finally:
                self._nap.cancel()
                self._nap = None

    @property
    def is_resting(self) -> bool:
        """Whether it waits for the clock, or is not run at all."""
        return self._rests.is_set()

    async def resting(self) -> None:
        """Wait until nobody is due, as far as is known."""
        await self._rests.wait()

    def stop(self) -> None:
        """It is run no more."""
        self._rests.set()

    def _seconds_left(self) -> float:
        """Until somebody may be due, or alarms are to be read anyway."""
        assert self._until is not None  # noqa: S101 - set by wake_due
        until_due_s = (self._until - self._clock.now()).total_seconds()
        return min(until_due_s, self._read_at + self._poll_s - self._clock.monotonic())

    async def _wake_new(self, alarms: Sequence[Alarm]) -> None:
        moment = self._clock.monotonic()
        kept = {
            alarm: at
            for alarm in alarms
            if (at := self._woken.get(alarm)) is not None and moment - at < REPEAT_AFTER_S
        }
        fresh = [alarm for alarm in alarms if alarm not in kept]
        self._woken = kept | dict.fromkeys(fresh, moment)
        if fresh:
            await self._wake([alarm.instance_id for alarm in fresh])
