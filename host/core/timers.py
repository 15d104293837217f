"""The pending timers of one execution, the next one first.

A cancelled timer is not searched for: it is skipped when its time comes. Each timer is given out
once, also when its firing is held back by a suspension and the instance is loaded again meanwhile.
"""

from __future__ import annotations

import heapq
from datetime import datetime

from host.core.history import TimerFired
from host.core.waits import TimerTask


class Timers:
    """Finds out which timers are due."""

    def __init__(self) -> None:
        self._heap: list[tuple[datetime, int, TimerTask]] = []
        self._held: set[int] = set()

    def add(self, timer: TimerTask) -> None:
        """Take in a new timer."""
        heapq.heappush(self._heap, (timer.fire_at, timer.task_id, timer))

    def hold(self, fired: TimerFired) -> None:
        """Take note of a firing that is recorded and kept from the code."""
        self._held.add(fired.task_id)

    def take_due(self, now: datetime) -> list[TimerFired]:
        """The timers that are due, as events to feed."""
        fired: list[TimerFired] = []
        while (first := self._first()) is not None and first.fire_at <= now:
            heapq.heappop(self._heap)
            fired.append(TimerFired(timestamp=now, task_id=first.task_id, fire_at=first.fire_at))
        return fired

    def next_due(self) -> datetime | None:
        """When the next pending timer is due."""
        first = self._first()
        return None if first is None else first.fire_at

    def _first(self) -> TimerTask | None:
        while self._heap:
            timer = self._heap[0][2]
            if not timer.is_completed and timer.task_id not in self._held:
                return timer
            heapq.heappop(self._heap)
        return None
