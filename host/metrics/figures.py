"""Figures that only grow, of the event loop's thread: they cost a dictionary or a list each.

A metrics library has locks and labels to look up with each count. Here is counted in the midst of
the work, and what a library needs is made of it when somebody asks (`exposition.py`).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from typing import Final

SHORT_S: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
"""Bounds for what should be quick, in seconds."""
LONG_S: Final = (0.005, 0.025, 0.1, 0.25, 1.0, 2.5, 10.0, 30.0, 120.0, 600.0, 3600.0, 86400.0)
"""Bounds for what an author's code takes, or an orchestration."""


class Durations:
    """How long something took, by bounds.

    `add(seconds)` is a list's own `append`. What it has gathered is put in order when somebody
    asks, and by `sort_in`, which is to be called now and then.
    """

    __slots__ = ("_counts", "_new", "_total_s", "add", "bounds")

    def __init__(self, bounds: Sequence[float] = SHORT_S) -> None:
        self.bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._total_s = 0.0
        self._new: list[float] = []
        self.add: Callable[[float], None] = self._new.append

    def add_all(self, seconds: Iterable[float]) -> None:
        """These took so long."""
        self._new.extend(seconds)

    def sort_in(self) -> None:
        """Put in order what was added."""
        new = self._new
        if not new:
            return
        new.sort()
        counts, before = self._counts, 0
        for index, bound in enumerate(self.bounds):
            until = bisect_right(new, bound)
            counts[index] += until - before
            before = until
        counts[-1] += len(new) - before
        self._total_s += sum(new)
        new.clear()

    @property
    def counts(self) -> Sequence[int]:
        """How many took as long as each bound and longer than the one before; last, all longer."""
        self.sort_in()
        return self._counts

    @property
    def total_s(self) -> float:
        """How long all took together."""
        self.sort_in()
        return self._total_s

    @property
    def count(self) -> int:
        """How many there were."""
        return sum(self.counts)

    @property
    def mean_s(self) -> float | None:
        """How long they took on average; None if there were none."""
        count = self.count
        return self.total_s / count if count else None

    def quantile(self, part: float) -> float | None:
        """About how long that part of them took at most; None if there were none.

        Within two bounds all lengths are taken for as frequent; above the last it is that one.
        """
        wanted, below, lower = part * self.count, 0, 0.0
        if not wanted:
            return None
        for bound, count in zip(self.bounds, self.counts, strict=False):
            if below + count >= wanted:
                return lower + (bound - lower) * (wanted - below) / count
            below, lower = below + count, bound
        return lower
