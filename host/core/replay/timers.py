"""The pending timers of one execution, the next one first.

Each timer is given out once, also when its firing is held back by a suspension and the instance is
loaded again meanwhile. What is cancelled is not searched for: it is swept out when it is more than
half of what is here, so that memory follows what is pending.
"""

from __future__ import annotations

import heapq
from datetime import datetime

from host.core.replay.waits import TimerTask


class Timers:
    """Finds out which timers are due."""

    def __init__(self) -> None:
        self._heap: list[tuple[datetime, int, TimerTask]] = []
        self._dropped = 0

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, timer: TimerTask) -> None:
        """Take in a new timer."""
        timer.is_pending = True
        heapq.heappush(self._heap, (timer.fire_at, timer.task_id, timer))

    def drop(self, timer: TimerTask) -> None:
        """Forget a timer that was cancelled, or whose firing is recorded."""
        if not timer.is_pending:
            return
        timer.is_pending = False
        self._dropped += 1
        if 2 * self._dropped > len(self._heap):
            self._heap = [entry for entry in self._heap if entry[2].is_pending]
            heapq.heapify(self._heap)
            self._dropped = 0

    def first_due(self, until: datetime) -> TimerTask | None:
        """The pending timer that is due before all others, if it is due by then."""
        first = self._first()
        return first if first is not None and first.fire_at <= until else None

    def next_due(self) -> datetime | None:
        """When the next pending timer is due."""
        first = self._first()
        return None if first is None else first.fire_at

    def _first(self) -> TimerTask | None:
        while self._heap:
            timer = self._heap[0][2]
            if timer.is_pending:
                return timer
            heapq.heappop(self._heap)
            self._dropped -= 1
        return None
