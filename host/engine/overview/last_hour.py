"""How many instances began in each minute of the last hour, and how many of these have failed.

A minute that is over changes little: some of its instances fail later, are purged or started anew.
So it is counted again the less often the older it is, and an open overview costs a count or two a
second, however often it is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from bindings.client import RuntimeStatus
from host.clock import Clock
from host.engine.overview.buckets import Counts, counted_all
from host.storage.protocol import HubStore

MINUTE = timedelta(minutes=1)
MINUTES = 60
_OLD = 0.1
"""A count may be old by this part of the minute's age."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Numbers by minute, the oldest first, from `start` on."""

    start: datetime
    step: timedelta
    started: tuple[int, ...]
    failed: tuple[int, ...]
    """Of those that were started in the minute."""


@dataclass(frozen=True, slots=True)
class _Counted:
    counts: Counts
    at: datetime


class LastHour:
    """The last sixty minutes, the one that goes on included."""

    def __init__(self, store: HubStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._known: dict[datetime, _Counted] = {}

    async def series(self) -> Series:
        """The numbers as they are now, or were a moment ago. Raises `StorageError`."""
        now = self._clock.now()
        start = now.replace(second=0, microsecond=0) - MINUTE * (MINUTES - 1)
        minutes = [start + MINUTE * number for number in range(MINUTES)]
        self._known = {each: self._known[each] for each in minutes if each in self._known}
        old = [each for each in minutes if not self._is_fresh(each, now)]
        found = await counted_all(self._store, [(each, each + MINUTE) for each in old])
        self._known |= {
            each: _Counted(counts, now) for each, counts in zip(old, found, strict=True)
        }
        counts = [self._known[each].counts for each in minutes]
        return Series(
            start=start,
            step=MINUTE,
            started=tuple(sum(each.values()) for each in counts),
            failed=tuple(each.get(RuntimeStatus.FAILED, 0) for each in counts),
        )

    def _is_fresh(self, minute: datetime, now: datetime) -> bool:
        known = self._known.get(minute)
        if known is None or known.at < minute + MINUTE:
            return False
        return now - known.at < (now - minute - MINUTE) * _OLD
