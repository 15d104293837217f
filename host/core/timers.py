"""The open timers of one execution, the next one first.

What fired or was let go of is not searched for: it is swept out when it is more than half of what
is here, so that memory follows what is open.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple


class OpenTimer(NamedTuple):
    """A timer that has not fired, as far as is known. In order of time, then of its making."""

    fire_at: datetime
    task_id: int


class Timers(dict[int, datetime]):
    """Finds out which timers are due. When each of them is, by its task."""

    def __init__(self) -> None:
        self._heap: list[OpenTimer] = []

    def add(self, task_id: int, fire_at: datetime) -> None:
        """Take in a new timer."""
        self[task_id] = fire_at
        heapq.heappush(self._heap, OpenTimer(fire_at, task_id))

    def drop(self, task_id: int) -> None:
        """Forget a timer that fired, or was let go of, if it is here."""
        if self.pop(task_id, None) is not None and 2 * len(self) < len(self._heap):
            self._heap = [timer for timer in self._heap if self._is_open(timer)]
            heapq.heapify(self._heap)

    def move(self, times: Mapping[int, datetime | None]) -> None:
        """Have timers fire at other times, or never, as far as they are here."""
        for task_id, fire_at in times.items():
            if task_id in self:
                self.drop(task_id)
                if fire_at is not None:
                    self.add(task_id, fire_at)

    def next_due(self) -> datetime | None:
        """When the first of them is due."""
        while self._heap:
            first = self._heap[0]
            if self._is_open(first):
                return first.fire_at
            heapq.heappop(self._heap)
        return None

    def due(self, until: datetime) -> list[OpenTimer]:
        """All that are due by then, in order. It costs what is due, not what is open."""
        if not self._heap:
            return []
        found, places = [], [0]
        while places:
            place = places.pop()
            if place < len(self._heap) and self._heap[place].fire_at <= until:
                found.append(self._heap[place])
                places += (2 * place + 1, 2 * place + 2)  # in a heap nothing is due before its root
        return sorted({*filter(self._is_open, found)})

    def _is_open(self, timer: OpenTimer) -> bool:
        return self.get(timer.task_id) == timer.fire_at
