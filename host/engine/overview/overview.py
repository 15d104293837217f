"""The overview of a hub, as a dashboard asks for it every few seconds.

Rules of this file: whatever is asked for at once is read once, and read anew only after a while:
after `FRESH_S`, or after twenty times what the reading took. So a hub of millions is counted rarely
and a small one often, and nobody's dashboard takes more than a twentieth of the store's time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Generic, TypeVar

from bindings.client import RuntimeStatus
from bindings.errors import InvalidArgumentError
from host.clock import Clock
from host.core.records import Instance
from host.engine.hosts import Hosts
from host.engine.overview import buckets
from host.engine.overview.buckets import EVERYTHING, Counts, Histogram
from host.engine.overview.failures import FailureGroup, recent_failures
from host.engine.overview.last_hour import LastHour, Series
from host.engine.overview.oldest import oldest
from host.engine.overview.quarantined import quarantined
from host.storage.protocol import HubStore, InstanceFilter

FRESH_S = 2.0
SLOW_FRESH_S = 10.0
"""What changes rarely, or reads many rows, is kept for so long."""
SHARE = 20
"""So many times as long as a reading took it is kept."""
HISTOGRAM_S = 20.0
"""A histogram that takes longer is refused."""
NOTHING_FOUND = timedelta(hours=1)
"""What a histogram of nothing is about, if nobody says."""
FIRST_TIME, LAST_TIME = datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class HubView:
    """A hub at one moment, more or less: its parts are read one after the other."""

    counts: Counts
    oldest_running: Instance | None
    oldest_pending: Instance | None
    failures: tuple[FailureGroup, ...]
    quarantined: int
    hosts: int
    series: Series


class HubOverview:
    """Reads the overview of one hub."""

    def __init__(self, store: HubStore, clock: Clock, hosts: Hosts) -> None:
        self._store = store
        self._clock = clock
        self._hosts = hosts
        self._last_hour = LastHour(store, clock)
        self._failed: int | None = None
        self._view = Kept(clock, self._read, FRESH_S)
        self._failures = Kept(clock, self._read_failures, SLOW_FRESH_S)
        self._quarantined = Kept(clock, self.quarantined, SLOW_FRESH_S)
        self._counting = asyncio.Lock()

    async def view(self) -> HubView:
        """The overview, as it was a moment ago. Raises `StorageError`."""
        return await self._view.get()

    async def quarantined(self) -> tuple[Instance, ...]:
        """Who is quarantined now. Raises `StorageError`."""
        return await quarantined(self._store)

    async def histogram(self, filter_: InstanceFilter, number: int) -> Histogram:
        """How many of the filter's instances were created when: its time in so many stretches.

        Without a beginning it begins with the oldest; without an end it ends now. Raises
        `InvalidArgumentError` if it ends before it begins, or takes too long, and `StorageError`.
        """
        async with self._counting:  # one at a time: each looks at all that it counts
            try:
                async with asyncio.timeout(HISTOGRAM_S):
                    return await self._histogram(filter_, number)
            except TimeoutError as error:
                raise InvalidArgumentError(
                    f"To count these took longer than {HISTOGRAM_S:.0f} s: ask for a shorter time "
                    "(createdTimeFrom, createdTimeTo), and without text and tags."
                ) from error

    async def _histogram(self, filter_: InstanceFilter, number: int) -> Histogram:
        start, end = filter_.created_from, filter_.created_to or self._clock.now()
        if start is None:
            first = await oldest(self._store, filter_)
            start = _clipped(end) - NOTHING_FOUND if first is None else first.created_at
        elif start > end:
            raise InvalidArgumentError("createdTimeFrom is later than createdTimeTo, or than now.")
        start, end = _clipped(start), _clipped(end)
        return await buckets.histogram(self._store, filter_, start, end, number)

    async def _read(self) -> HubView:
        counts = await self._store.count(EVERYTHING)
        failed = counts.get(RuntimeStatus.FAILED, 0)
        if failed != self._failed:
            self._failures.forget()
        self._failed = failed
        return HubView(
            counts=counts,
            oldest_running=await self._oldest(RuntimeStatus.RUNNING, counts),
            oldest_pending=await self._oldest(RuntimeStatus.PENDING, counts),
            failures=await self._failures.get(),
            quarantined=len(await self._quarantined.get()),
            hosts=len(await self._hosts.all()),
            series=await self._last_hour.series(),
        )

    async def _oldest(self, status: RuntimeStatus, counts: Counts) -> Instance | None:
        if not counts.get(status):
            return None
        return await oldest(self._store, InstanceFilter(statuses=frozenset({status})))

    async def _read_failures(self) -> tuple[FailureGroup, ...]:
        return tuple(await recent_failures(self._store)) if self._failed else ()


def _clipped(time: datetime) -> datetime:
    """The time, or the nearest at which something may be: a step from the ends of time fails."""
    return min(max(time, FIRST_TIME), LAST_TIME)


class Kept(Generic[T]):
    """What is read once for all who ask, and kept for a while."""

    def __init__(self, clock: Clock, read: Callable[[], Awaitable[T]], fresh_s: float) -> None:
        self._clock = clock
        self._read = read
        self._fresh_s = fresh_s
        self._reading = asyncio.Lock()
        self._found: tuple[T, float] | None = None

    async def get(self) -> T:
        """What was read a moment ago, or is read now. Raises what reading does."""
        async with self._reading:
            began = self._clock.monotonic()
            if self._found is not None and began < self._found[1]:
                return self._found[0]
            value = await self._read()
            ended = self._clock.monotonic()
            self._found = (value, ended + max(self._fresh_s, SHARE * (ended - began)))
            return value

    def forget(self) -> None:
        """Let it be read anew."""
        self._found = None
