"""Who waits for a limit on this host, and in which order they get their turn."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from host.core.limits import Holder
from host.engine.limits.slots import Slot

Place: TypeAlias = tuple[int, int, int]


@dataclass(slots=True, eq=False, kw_only=True)
class Waiter:
    """One task that wants a slot. `priority`: lower is first. `since` is in seconds since 1970.

    `grant` is called with the slot, once. An orchestration's slot is its own: it has the
    `instance_id` and says who is the `holder`, and gets None.
    """

    key: str
    priority: int
    since: float
    grant: Callable[[Slot | None], None]
    instance_id: str = ""
    holder: Holder | None = None
    is_over: bool = False
    """Whether it waits no more: it was ended, or given to others."""
    place: Place | None = None
    """Its place in the order, which it keeps if it leaves the queue and comes back."""


class WaitingLine:
    """The order: by priority, then one of each key in turn, then as they came.

    A key's first task has the turn that is on, each further one the turn after. So a key with many
    tasks keeps nobody of another key waiting for more than one of its own.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[Place, int, Waiter]] = []
        self._latest: dict[tuple[int, str], int] = {}
        """The turn of the last task of a key, by priority."""
        self._now: dict[int, int] = {}
        """The turn that is on, by priority."""
        self._count = 0
        self._away: dict[int, dict[str, tuple[float, float]]] = {}
        """Entities that wait and are not in the line, by priority: since when, and when they were
        heard of."""

    def __len__(self) -> int:
        """How many there are; some of them may be over."""
        return len(self._heap)

    def __iter__(self) -> Iterator[Waiter]:
        return (waiter for _, _, waiter in self._heap if not waiter.is_over)

    def add(self, waiter: Waiter) -> None:
        """Take a waiter in, or back."""
        self._count += 1
        if waiter.place is None:
            of = (waiter.priority, waiter.key)
            turn = max(self._latest.get(of, -1) + 1, self._now.get(waiter.priority, 0))
            self._latest[of] = turn
            waiter.place = (waiter.priority, turn, self._count)
        heapq.heappush(self._heap, (waiter.place, self._count, waiter))

    def first(self) -> Waiter | None:
        """Whose turn it is."""
        while self._heap and self._heap[0][2].is_over:
            heapq.heappop(self._heap)
        if not self._heap:
            self._latest.clear()
            self._now.clear()
        return self._heap[0][2] if self._heap else None

    def take(self, count: int) -> list[Waiter]:
        """The first ones, so many at most; they are in the line no more."""
        found: list[Waiter] = []
        while len(found) < count and (waiter := self.first()) is not None:
            heapq.heappop(self._heap)
            if waiter.place is not None:
                self._now[waiter.priority] = waiter.place[1]
            found.append(waiter)
        return found

    @property
    def waiting(self) -> int:
        """How many wait."""
        return sum(1 for _ in self) + self.away_count

    @property
    def oldest(self) -> float | None:
        """Since when the first of them waits."""
        since = [waiter.since for waiter in self]
        away = [since for group in self._away.values() for since, _ in group.values()]
        return min([*since, *away], default=None)

    # ---- those that come when they are called ---------------------------------------------------

    @property
    def away_count(self) -> int:
        """How many are away."""
        return sum(map(len, self._away.values()))

    @property
    def away_priorities(self) -> list[int]:
        """Those of whom any are away."""
        return list(self._away)

    def go_away(self, instance_id: str, priority: int, since: float, heard_at: float) -> None:
        """It waits since then, and comes when it is called. `since` is as a waiter's."""
        self.come_back(instance_id)
        self._away.setdefault(priority, {})[instance_id] = (since, heard_at)

    def come_back(self, instance_id: str) -> None:
        """It is here, or wants nothing any more."""
        for priority, group in list(self._away.items()):
            if group.pop(instance_id, None) is not None:
                self._forget_if_empty(priority)

    def call(self, priority: int, count: int) -> list[str]:
        """The first of those of this priority that are away, so many at most."""
        return self._call(priority, list(self._away.get(priority, ()))[:count])

    def call_old(self, before: float) -> list[str]:
        """Those that were heard of before this time only."""
        return [
            called
            for priority, group in list(self._away.items())
            for called in self._call(
                priority, [each for each, (_, heard_at) in group.items() if heard_at < before]
            )
        ]

    def call_all(self) -> list[str]:
        """All that are away."""
        return [
            each
            for every in self.away_priorities
            for each in self.call(every, len(self._away[every]))
        ]

    def _call(self, priority: int, called: list[str]) -> list[str]:
        for instance_id in called:
            del self._away[priority][instance_id]
        self._forget_if_empty(priority)
        return called

    def _forget_if_empty(self, priority: int) -> None:
        if not self._away.get(priority):
            self._away.pop(priority, None)
