"""Timers of three hosts that share a hub, in virtual time, while hosts die, stop, and stand still.

Rules of this file: the listeners are the product's own. At every moment one host at least lives and
does not stand still, so each due time is to be run soon after it came.
"""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any

from bindings.functions import Binding
from host.storage.memory import MemoryStore
from host.storage.protocol import HubStore
from host.triggers.timers import GONE_S, LATE, LOOK_S
from tests.kit.seams import StoreSeam
from tests.kit.timer_hosts import TimerHost, TimerRun
from tests.simulation.clock import BEGINNING, SkewedClock
from tests.simulation.entropy import drawn_by
from tests.simulation.loop import VirtualLoop
from tests.simulation.processes import CURRENT, Process

CHECK_S = 3600.0
"""Clocks do not jump here."""
SOON = LATE + timedelta(seconds=3)
"""So soon a due time is run whose host has died or stands still, unless it had begun."""
REPEATED_SOON = timedelta(seconds=GONE_S + 3 * LOOK_S)
RECENT = 20
"""Runs of earlier times than so many ago have ended."""
UNTOLD = timedelta(seconds=1.5)
"""So long ago a run may have ended of whose end the hub was not told yet, by any host's clock."""
QUIET_S = 2 * 3600.0
"""So long before the end the last trouble begins; it waits for an hour, and is over in another."""
AT_A_DUE_TIME = 0.7
"""How much of the trouble comes when something is due, or runs."""
WORKS_S, LONG_S = (0.0, 5.0), (60.0, 1200.0)


@dataclass
class Life:
    """One life of a host."""

    process: Process
    host: TimerHost


class TimerWorld:
    """One hub with three hosts."""

    def __init__(
        self,
        seed: int,
        timers: Mapping[str, Binding],
        *,
        start: datetime = BEGINNING,
        loop: VirtualLoop | None = None,
        store_of: Callable[[VirtualLoop, Process, SkewedClock], HubStore] | None = None,
        trouble_each_h: float = 30.0,
    ) -> None:
        """`store_of` gives each host its way to the hub; None for a hub in memory."""
        self.loop = loop or VirtualLoop(Random(seed), 200_000_000)
        self.random = Random(f"{seed}/timers")
        self.timers = timers
        self.runs: list[TimerRun] = []
        self.lives: list[Life] = []
        self.broken: Counter[tuple[str, datetime]] = Counter()
        """How often a run may have broken off, so that it is repeated."""
        self._seed = seed
        self._skew_s = (start - BEGINNING).total_seconds()
        self._trouble_each_s = trouble_each_h * 3600
        self._memory = MemoryStore(SkewedClock(self.loop, self._skew_s).now)
        self._store_of = store_of or self._in_memory
        self._names = 0

    def run(self, lasts: timedelta) -> None:
        """Let so much time pass."""
        was_enabled = gc.isenabled()
        gc.disable()
        asyncio.set_event_loop(self.loop)
        try:
            with drawn_by(self._seed):
                self.loop.run_until_complete(self._go(lasts.total_seconds()))
        finally:
            asyncio.set_event_loop(None)
            self.loop.end()
            if was_enabled:
                gc.enable()
        assert self.loop.problems == []

    def problems(self, due: Mapping[str, Sequence[datetime]]) -> list[str]:
        """What is wrong with the runs, if these were the due times."""
        begun = Counter((run.name, run.request.due_at) for run in self.runs)
        wanted = {(name, each) for name, times in due.items() for each in times}
        found = [f"never run: {each}" for each in sorted(wanted - begun.keys())]
        found += [f"not due: {each}" for each in sorted(begun.keys() - wanted)]
        for each, count in sorted(begun.items()):
            if not 1 <= count <= 1 + self.broken[each]:
                found.append(f"{each} ran {count} times, broken {self.broken[each]} times")
        return [*found, *self._late()]

    def _late(self) -> list[str]:
        """Runs that came later than they may, after the end of the run before."""
        found, free_at = (
            [],
            dict.fromkeys(self.timers, datetime.min.replace(tzinfo=BEGINNING.tzinfo)),
        )
        seen: set[tuple[str, datetime]] = set()
        for run in self.runs:
            key = run.name, run.request.due_at
            may_wait = REPEATED_SOON if key in seen else SOON
            if run.began - max(run.request.due_at, free_at[run.name]) > may_wait:
                found.append(f"late: {run}")
            free_at[run.name] = max(free_at[run.name], run.ended_at or run.began)
            seen.add(key)
        return found

    async def _go(self, seconds: float) -> None:
        end = self.loop.time() + seconds
        for _ in range(3):
            await self._start()
        while True:
            pause = self.random.expovariate(1 / self._trouble_each_s)
            if self.loop.time() + pause >= end - QUIET_S:
                break
            await asyncio.sleep(pause)
            if self.random.random() < AT_A_DUE_TIME:
                await asyncio.sleep(self._until_hour_s() + self.random.uniform(-1, 4))
            await self._trouble()
        await asyncio.sleep(max(0.0, end - self.loop.time()))
        for life in self.lives:
            await self._within(life.process, life.host.stop())

    async def _trouble(self) -> None:
        """Something happens to one of three hosts, and it is over before the next trouble comes."""
        last = self.runs[-1].host if self.runs else ""
        going_first = [life for life in self.lives if life.host.name == last]
        life = self.random.choice([*self.lives, *going_first, *going_first])
        away_s = 10 ** self.random.uniform(0, 3.5)
        kind = self.random.choice((self._kill, self._kill, self._stop, self._freeze))
        await kind(life, away_s)

    def _until_hour_s(self) -> float:
        """How long it is until the next hour begins, less a second."""
        into = (self._skew_s + self.loop.time()) % 3600
        return max(0.0, 3599 - into)

    async def _kill(self, life: Life, away_s: float) -> None:
        life.process.is_dead = True
        self._note_broken(life)
        self.lives.remove(life)
        await asyncio.sleep(away_s)
        await self._start()

    async def _stop(self, life: Life, away_s: float) -> None:
        self.lives.remove(life)
        await self._within(life.process, life.host.stop())
        await asyncio.sleep(away_s)
        await self._start()

    async def _freeze(self, life: Life, away_s: float) -> None:
        life.process.is_frozen = True
        self._note_broken(life)
        await asyncio.sleep(away_s)
        self.loop.thaw(life.process)

    def _note_broken(self, life: Life) -> None:
        """What goes on there may be repeated, and what has ended without the hub knowing of it."""
        now = BEGINNING + timedelta(seconds=self._skew_s + self.loop.time())
        for run in self.runs[-RECENT:]:
            is_open = run.ended_at is None or run.ended_at > now - UNTOLD
            if run.host == life.host.name and is_open:
                self.broken[run.name, run.request.due_at] += 1

    async def _start(self) -> None:
        name = f"h{self._names}"
        self._names += 1
        process = Process(name)
        clock = SkewedClock(self.loop, self._skew_s + self.random.uniform(-0.4, 0.4))
        store = self._store_of(self.loop, process, clock)
        host = TimerHost(name, store, clock, self.runs, check_s=CHECK_S)
        self.lives.append(Life(process, host))
        await self._within(process, host.start(self.timers, self._work))

    async def _work(self, run: TimerRun) -> None:
        is_long = self.random.random() < 0.05
        await asyncio.sleep(self.random.uniform(*(LONG_S if is_long else WORKS_S)))

    def _in_memory(self, _loop: VirtualLoop, _process: Process, _clock: SkewedClock) -> HubStore:
        seam = StoreSeam(self._memory)

        async def takes_time(_method: str, _arguments: tuple[Any, ...]) -> None:
            await asyncio.sleep(self.random.uniform(0.001, 0.05))

        seam.before = takes_time
        return seam.as_store

    def _within(self, process: Process, work: Any) -> asyncio.Task[None]:
        assert CURRENT.get() is None
        return self.loop.create_task(work, context=process.new_context())
