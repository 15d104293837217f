"""The oldest instance that a filter finds, though stores list the newest first.

A short page from the newest on has all if they are few. Else the time below the oldest one that is
known is cut in halves: one small page each says whether there is anything in the older half.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec

from host.core.records import TICK, Instance
from host.storage.protocol import HubStore, InstanceFilter

MAX_LOOKS = 200
"""How many pages are read at most: then the oldest that was found is good enough."""

_PAGE = 8
_MAX_BYTES = 256 * 1024
_BEGIN = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_STEP = timedelta(seconds=1)
_FACTOR = 8


async def oldest(store: HubStore, filter_: InstanceFilter) -> Instance | None:
    """The one that was created first; None if there is none. Raises `StorageError`."""
    search = _Search(store, filter_.by_creation())
    await search.look(filter_.created_from, filter_.created_to)
    while not search.is_over:
        await search.look(search.low, search.next_end())
    return search.best


class _Search:
    """What is known of where the oldest one is."""

    def __init__(self, store: HubStore, filter_: InstanceFilter) -> None:
        self._store = store
        self._filter = filter_
        self._looks = 0
        self._is_found = False
        self._step = _FIRST_STEP
        self.low = filter_.created_from
        """Nothing is older than this; None if nobody knows."""
        self.best: Instance | None = None

    @property
    def is_over(self) -> bool:
        """Whether `best` is the oldest, as far as this search goes."""
        if self._is_found or self.best is None or self._looks >= MAX_LOOKS:
            return True
        return self.low is not None and self.low >= self.best.created_at

    def next_end(self) -> datetime:
        """Up to when to look next: half of the way, or a step back while no end is known."""
        if self.best is None:
            raise LookupError("Nothing was found yet, so there is nothing older to look for.")
        known = self.best.created_at
        if self.low is None and known - _BEGIN > self._step:
            end = known - self._step
            self._step *= _FACTOR
            return end
        self.low = low = min(_BEGIN, known) if self.low is None else self.low
        return low + (known - TICK - low) / 2

    async def look(self, first: datetime | None, last: datetime | None) -> None:
        """See the newest of those that were created between the two."""
        wanted = msgspec.structs.replace(self._filter, created_from=first, created_to=last)
        token: str | None = None
        while self._looks < MAX_LOOKS:
            self._looks += 1
            page = await self._store.query(wanted, limit=_PAGE, token=token, max_bytes=_MAX_BYTES)
            token = page.token
            if page.instances:
                self.best, self._is_found = page.instances[-1], token is None
                return
            if token is None:
                self.low = None if last is None else last + TICK
                return
