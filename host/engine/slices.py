"""Turns and replays in slices: however long they are, others get their turn on the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import TypeVar

from host.clock import Clock
from host.core.incoming import ActivityResult, Steps
from host.core.live_instance import LiveInstance
from host.core.records import Commit, Effects, Message
from host.core.turns import PlannedTurn
from host.engine.apart import Apart
from host.engine.watchdog import LoopWatch

T = TypeVar("T")

SLICE_S = 0.005
"""How long others wait at most, unless one step of an author's code takes longer."""


class Slices:
    """Leads instances' code: apart from the event loop, watched, a slice at a time."""

    def __init__(self, watch: LoopWatch, clock: Clock) -> None:
        self._watch = watch
        self._clock = clock
        self._apart: Apart | None = None

    async def replay(self, live: LiveInstance) -> None:
        """Lead an instance's code through what is recorded."""
        if live.is_new:
            return
        await self.lead(live, live.replay())

    async def take_turn(
        self,
        live: LiveInstance,
        now: datetime,
        inbox: Sequence[Message],
        results: Sequence[ActivityResult],
    ) -> PlannedTurn | Commit | Effects | None:
        """Take a turn; see `LiveInstance.turn`. One of code elsewhere is only planned."""
        if not live.is_short(inbox, results):
            if live.awaited is not None:
                return live.plan(now, inbox, results)
            return await self.lead(live, live.turn_in_steps(now, inbox, results))
        apart = self._begin(live)
        try:
            return live.turn(now, inbox, results)
        finally:
            self._end(apart)

    async def lead(self, live: LiveInstance, steps: Steps[T]) -> T:
        """Do all steps of a turn or a replay; what they give."""
        while True:
            try:
                self._lead_slice(live, steps)
            except StopIteration as end:
                value: T = end.value
                return value
            await asyncio.sleep(0)

    def _lead_slice(self, live: LiveInstance, steps: Steps[T]) -> None:
        """Raises StopIteration, with what they give, when there are no more steps."""
        until = self._clock.monotonic() + SLICE_S
        apart = self._begin(live)
        try:
            while True:
                next(steps)
                if self._clock.monotonic() >= until:
                    return
        finally:
            self._end(apart)

    def _begin(self, live: LiveInstance) -> Apart:
        apart = self._apart
        if apart is None:
            apart = self._apart = Apart()
        self._watch.begin(live.state.row.name, live.state.instance_id)
        apart.begin(live)
        return apart

    def _end(self, apart: Apart) -> None:
        try:
            self._watch.end()
        finally:
            apart.end()
