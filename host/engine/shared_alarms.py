"""The alarms of a hub that several hosts share: each is rung by one of them.

Who sets a *short* alarm, one that is due within a minute and a half, rings it himself, without
reading anything. All others are rung by the one host whose duty that is. It reads every so often
which alarms are due before its next look, rings those when their time has come, and rings a short
one only if it is still there a while after its time: then whoever set it is gone.

Who stops in order hands over what he would ring before others look, as soon as the stop begins. So
a short alarm is late only when its host died, and any other only when the host died whose duty they
were; by at most two looks.

An alarm that rings in vain, or twice, is harmless.
"""

from __future__ import annotations

import heapq
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta

from host.clock import Clock
from host.engine.duties import Duty
from host.engine.naps import Nap
from host.errors import StorageError
from host.storage import rules
from host.storage.protocol import Alarm, HubStore

LOOK_S = 60.0
"""How often the alarms of the hub are read, and how often others ask whether that is theirs now.
The hub's reads at rest are mostly these; a long alarm is set at least 90 s before its time, so that
some look comes in between."""
DUTY_S = 80.0
"""When nobody has looked for so long, another host does."""
FIRST_LOOKS, FIRST_LOOK_S = 6, 10.0
"""A host that starts, or has just taken the duty, looks so often so soon: others may have died."""
AHEAD = timedelta(seconds=LOOK_S + 10)
LATE = timedelta(seconds=2)
"""A short alarm that is there so long after its time is rung by whoever sees that."""
REPEAT_AFTER_S = 20.0
"""An alarm that was rung here is not rung again before."""
MAX_READ = 10_000
FULL_LOOK_S = 5.0
"""How soon to look again when there may be more than was read."""
MAX_OWN = 10_000


class SharedAlarms:
    """One host's part in ringing them."""

    def __init__(
        self,
        store: HubStore,
        clock: Clock,
        wake: Callable[[Sequence[str]], Awaitable[None]],
        duty: Duty,
    ) -> None:
        self._store = store
        self._clock = clock
        self._wake = wake
        self._duty = duty
        self._own: dict[str, datetime] = {}
        """The short alarms that this host set."""
        self._others: dict[str, datetime] = {}
        """What it read, and is to ring."""
        self._order: list[tuple[datetime, str]] = []
        """A heap of both; what has changed since then is in it as well."""
        self._rung: dict[tuple[str, datetime], float] = {}
        self._first_looks = FIRST_LOOKS
        self._is_new = True
        self.nap = Nap(clock)

    def notice(self, alarm: Alarm) -> None:
        """An alarm was set by this host."""
        before = self._own.pop(alarm.instance_id, None)
        is_short = rules.is_short(alarm.due, self._clock.now())
        if is_short and len(self._own) < MAX_OWN:
            self._own[alarm.instance_id] = alarm.due
            if alarm.due != before:
                self._plan(alarm.instance_id, alarm.due)

    def forget(self, instance_id: str) -> None:
        """An instance's alarm was cleared by this host."""
        self._own.pop(instance_id, None)
        self._others.pop(instance_id, None)

    async def leave(self) -> None:
        """Leave the duty to others, who may not look before their next time."""
        if self._duty.is_held:
            with suppress(StorageError):  # then what was read before has to do
                alarms = await self._store.due_alarms(self._clock.now() + AHEAD, MAX_READ)
                self._others = {each.instance_id: each.due for each in alarms if not each.is_short}
        await self._duty.let_go()

    def take_left(self) -> Sequence[str]:
        """Whose alarms nobody rings in time, since this host ends; each is given once."""
        left = list(self._own | self._others)
        self._own.clear()
        self._others.clear()
        return left

    async def wake_due(self) -> None:
        """Wake whose time has come, as far as is known here."""
        self.nap.begin_work()
        now = self._clock.now()
        due: dict[str, datetime] = {}
        while self._order and self._order[0][0] <= now:
            moment, instance_id = heapq.heappop(self._order)
            for known in (self._own, self._others):
                if known.get(instance_id) == moment:
                    del known[instance_id]
                    due[instance_id] = moment
        await self._ring(due)
        self.nap.plan(self._order[0][0] if self._order else now + AHEAD, LOOK_S)

    async def look(self) -> float:
        """Read who is due next, if that is this host's duty; in how many seconds to come again.

        Raises `StorageError`.
        """
        had_duty = self._duty.is_held
        has_duty = await self._duty.take()
        if has_duty and not had_duty:
            self._first_looks = FIRST_LOOKS
        if not has_duty:
            self._others.clear()
        pause_s = LOOK_S
        if has_duty or self._is_new:
            alarms = await self._store.due_alarms(self._clock.now() + AHEAD, MAX_READ)
            await self._see_to(alarms, has_duty=has_duty)
            pause_s = FULL_LOOK_S if len(alarms) == MAX_READ else LOOK_S
        self._is_new = False
        if self._first_looks:
            self._first_looks -= 1
            return min(pause_s, FIRST_LOOK_S)
        return pause_s

    async def _see_to(self, alarms: Sequence[Alarm], *, has_duty: bool) -> None:
        now, known = self._clock.now(), self._others
        if has_duty:
            to_come = [each for each in alarms if each.due > now and not each.is_short]
            self._others = {each.instance_id: each.due for each in to_come}
            for instance_id, due in self._others.items() - known.items():
                self._plan(instance_id, due)
        since = self._clock.monotonic() - REPEAT_AFTER_S
        self._rung = {key: at for key, at in self._rung.items() if at > since}
        overdue = {
            each.instance_id: each.due
            for each in alarms
            if each.due <= (now - LATE if each.is_short or not has_duty else now)
        }
        await self._ring({id_: due for id_, due in overdue.items() if (id_, due) not in self._rung})

    def _plan(self, instance_id: str, due: datetime) -> None:
        heapq.heappush(self._order, (due, instance_id))
        self.nap.bring_forward(due)

    async def _ring(self, due: dict[str, datetime]) -> None:
        if due:
            self._rung |= dict.fromkeys(due.items(), self._clock.monotonic())
            await self._wake(list(due))
