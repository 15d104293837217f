"""The alarm pump: wakes instances whose time has come; what is due is for their turns to say.

This one is for a hub that one process has alone; where hosts share a hub, `shared_alarms` is.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Protocol

from host.clock import Clock
from host.engine.naps import Nap
from host.storage.protocol import Alarm, HubStore

BATCH = 1000
FULL_BATCH_PAUSE_S = 0.05
"""How soon to look again when there may be more alarms due than one batch holds."""
REPEAT_AFTER_S = 5.0
"""An alarm that is still there after this long wakes its instance again."""


class AlarmBell(Protocol):
    """Who wakes instances when they are due. Run as `wake_due` and `rest`, by turns."""

    nap: Nap

    def notice(self, alarm: Alarm) -> None:
        """An alarm was set by this host."""

    def forget(self, instance_id: str) -> None:
        """An instance's alarm was cleared by this host."""

    async def wake_due(self) -> None:
        """Wake who is due. Raises `StorageError`."""


class AlarmPump:
    """Sleeps until the next alarm is due; `notice` shortens the sleep."""

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
        self.nap = Nap(clock)

    def notice(self, alarm: Alarm) -> None:
        """An alarm was set: do not sleep longer than that."""
        self.nap.bring_forward(alarm.due)

    def forget(self, instance_id: str) -> None:
        """Nothing to do: what is due is read."""

    async def wake_due(self) -> None:
        """Wake who is due, and find out until when nobody else is."""
        self.nap.begin_work()
        now = self._clock.now()
        self.nap.plan(now + timedelta(seconds=self._poll_s), self._poll_s)
        alarms = await self._store.due_alarms(now, BATCH)
        await self._wake_new(alarms)
        following = await self._store.next_alarm(now)
        if following is not None:
            self.nap.bring_forward(following)
        if len(alarms) == BATCH:
            self.nap.bring_forward(now + timedelta(seconds=FULL_BATCH_PAUSE_S))
        elif alarms:
            self.nap.bring_forward(now + timedelta(seconds=REPEAT_AFTER_S))

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
