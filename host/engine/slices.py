"""Turns and replays in slices: however long they are, others get their turn on the event loop."""

from __future__ import annotations

import asyncio
from typing import TypeVar

from host.core.incoming import Steps
from host.core.live_instance import LiveInstance
from host.engine.apart import Apart
from host.engine.clock import Clock
from host.engine.watchdog import LoopWatch

T = TypeVar("T")

SLICE_S = 0.02
"""How long others wait at most, unless one step of an author's code takes longer."""


class Slices:
    """Leads instances' code: apart from the event loop, watched, a slice at a time."""

    def __init__(self, watch: LoopWatch, clock: Clock) -> None:
        self._watch = watch
        self._clock = clock

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
        with Apart(live):
            self._watch.begin(live.row.name, live.instance_id)
            try:
                while True:
                    next(steps)
                    if self._clock.monotonic() >= until:
                        return
            finally:
                self._watch.end()
