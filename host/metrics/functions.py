"""What the functions of a host did since its start: how often, how long, what failed."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, TypeAlias

from host.metrics.figures import LONG_S, Durations

Kind: TypeAlias = Literal["activity", "orchestrator", "entity", "triggered"]

MAX_FUNCTIONS: Final = 200
"""So many functions are told apart: each of them is a dozen figures for whoever collects them."""
OTHER: Final = "other"
"""Stands for all functions above that."""
MINUTE_S: Final = 60.0
_MAX_ERROR_CHARS: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionStats:
    """What is shown of one function. Times are in seconds; None where it did not run."""

    name: str
    kind: Kind
    runs: int
    failures: int
    mean_s: float | None
    p95_s: float | None
    per_minute: float
    last_error: str | None
    last_error_at: datetime | None


class FunctionRuns:
    """The runs of one function."""

    __slots__ = ("_seen", "failures", "kind", "last_error", "last_error_at", "name", "took")

    def __init__(self, kind: Kind, name: str) -> None:
        self.kind = kind
        self.name = name
        self.took = Durations(LONG_S)
        self.failures = 0
        self.last_error: str | None = None
        self.last_error_at: datetime | None = None
        self._seen: deque[tuple[float, int]] = deque()
        """How many runs there were at some moments of the last minute and at one before it."""

    def failed(self, error: str, at: datetime) -> None:
        """A run that was counted has failed."""
        self.failures += 1
        self.last_error, self.last_error_at = error[:_MAX_ERROR_CHARS], at

    def look(self, now: float) -> None:
        """To be called now and then, by the monotonic clock."""
        self._seen.append((now, self.took.count))
        while len(self._seen) > 1 and self._seen[1][0] <= now - MINUTE_S:
            self._seen.popleft()

    def stats(self, now: float) -> FunctionStats:
        """What is shown of it."""
        since, before = self._seen[0] if self._seen else (now - MINUTE_S, 0)
        runs, minutes = self.took.count, max(now - since, 1.0) / MINUTE_S
        return FunctionStats(
            name=self.name,
            kind=self.kind,
            runs=runs,
            failures=self.failures,
            mean_s=self.took.mean_s,
            p95_s=self.took.quantile(0.95),
            per_minute=(runs - before) / minutes,
            last_error=self.last_error,
            last_error_at=self.last_error_at,
        )


class AllFunctions:
    """The functions that ran, up to `MAX_FUNCTIONS`, and one record for all others of a kind."""

    def __init__(self) -> None:
        self._runs: dict[tuple[Kind, str], FunctionRuns] = {}

    def of(self, kind: Kind, name: str) -> FunctionRuns:
        """The record of this function."""
        return self._runs.get((kind, name)) or self._new(kind, name)

    def all(self) -> Iterable[FunctionRuns]:
        """Those that ran."""
        return self._runs.values()

    def look(self, now: float) -> None:
        """To be called now and then, by the monotonic clock."""
        for each in self._runs.values():
            each.look(now)

    def _new(self, kind: Kind, name: str) -> FunctionRuns:
        if len(self._runs) >= MAX_FUNCTIONS:
            name = OTHER
        return self._runs.setdefault((kind, name), FunctionRuns(kind, name))
