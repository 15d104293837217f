"""Listing and counting instances, newest first, by indexes that hold what most filters ask for.

Rules of this file: an index is a moment behind, so every row is read and judged itself; one that
was restarted since then is shown at its old place, rather twice than never. Of a row that cannot be
read a stand-in is listed: a listing is for finding such, too. Which indexes there are is for the
hub's format to say (`by_creation`, `by_state`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from bindings.client import ListOrder, RuntimeStatus
from bindings.errors import InvalidArgumentError
from host.core.records import Instance
from host.storage import paging, rules
from host.storage.aws.table.by_creation import ByCreation
from host.storage.aws.table.by_state import ByState
from host.storage.aws.table.entries import SCANNED, Entry, Source, Walk, bounds_of, may_match
from host.storage.aws.table.hub_table import HubTable
from host.storage.aws.table.table import together
from host.storage.paging import Position
from host.storage.protocol import InstanceFilter, InstancePage

MAX_ORDERED = 5000
"""How many instances a listing in order of the last change may be about."""

_WAVE = 16
"""How many rows are read together when many of them may not match."""

_FIRST_WAVE = 8
"""How many are read together as long as nobody knows how large they are."""


class Listing:
    """Reads the indexes of a hub."""

    def __init__(self, hub: HubTable) -> None:
        self._hub = hub
        self._by_creation, self._by_state = ByCreation(hub), ByState(hub)

    async def query(
        self,
        filter_: InstanceFilter,
        *,
        limit: int,
        token: str | None,
        max_bytes: int | None = None,
    ) -> InstancePage:
        """One page of instances."""
        position = paging.read_token(filter_, token)
        if filter_.order is ListOrder.UPDATED:
            return await self._by_change(filter_, limit, position, max_bytes)
        if bounds_of(filter_, position).are_empty:
            return InstancePage(instances=())
        source = await self._source()
        walk = await source.page(filter_, position, limit)
        if position.is_start and walk.found:
            position = position.begun(await _top(source, filter_, walk))
        rows, looked_at = await self._take(walk, filter_, limit, max_bytes)
        following: Position | None = None
        if looked_at < len(walk.found) or not walk.is_all:
            last = walk.found[looked_at - 1]
            following = position.below(last.created_at, last.instance_id)
        elif position.may_go_round and (await source.newest(filter_) or 0) > position.top:
            following = position.next_round()
        token = paging.write_token(filter_, following) if following else None
        return InstancePage(instances=rows, token=token)

    async def _source(self) -> Source:
        await self._hub.parts.look_if_old()
        return self._by_state if self._hub.parts.format.is_by_state else self._by_creation

    async def _by_change(
        self, filter_: InstanceFilter, limit: int, position: Position, max_bytes: int | None
    ) -> InstancePage:
        """A page in order of the last change, of which there is no index: all are read that match.

        Raises `InvalidArgumentError` if these are too many.
        """
        places: set[tuple[int, str]] = set()  # and not the rows, which may be large
        by_creation, token = filter_.by_creation(), None
        while True:
            page = await self.query(by_creation, limit=SCANNED, token=token, max_bytes=max_bytes)
            places |= {(paging.moment_of(filter_, x), x.instance_id) for x in page.instances}
            token = page.token
            if len(places) > MAX_ORDERED:
                raise InvalidArgumentError(
                    f"On AWS up to {MAX_ORDERED} instances are put into order of their last "
                    "change: restrict by status, name or time, or list in order of creation."
                )
            if token is None:
                break
        place = (position.created_at, position.instance_id)
        below = sorted((each for each in places if each < place), reverse=True)
        rows, looked_at = await self._rows_of(below[:limit], filter_, max_bytes)
        following = position.below(*below[looked_at - 1]) if looked_at < len(below) else None
        token = paging.write_token(filter_, following) if following else None
        return InstancePage(instances=rows, token=token)

    async def _rows_of(
        self, places: Sequence[tuple[int, str]], filter_: InstanceFilter, max_bytes: int | None
    ) -> tuple[tuple[Instance, ...], int]:
        """The first rows that still match and fit, and how many places were looked at for them."""
        rows: list[Instance] = []
        for at in range(0, len(places), _FIRST_WAVE):
            some = places[at : at + _FIRST_WAVE]
            found = await together([self._hub.find_seen(x, even_damaged=True) for _, x in some])
            for number, each in enumerate(found, start=at):
                if each is not None and paging.matches(filter_, each.row):
                    rows.append(each.row)
                    if paging.fitting(rows, max_bytes) < len(rows):
                        return tuple(rows[:-1]), number
        return tuple(rows), len(places)

    async def count(self, filter_: InstanceFilter) -> Counter[RuntimeStatus]:
        """How many instances the filter finds, by status.

        Rows are read only of those of which the index does not know enough.
        """
        found: Counter[RuntimeStatus] = Counter()
        position, source = paging.START, await self._source()
        if (few := await source.few(filter_)) is not None:
            await self._count(few, filter_, found)
            return found
        while True:
            entries, is_all = await source.to_count(filter_, position)
            await self._count(entries, filter_, found)
            if is_all:
                return found
            position = position.below(entries[-1].created_at, entries[-1].instance_id)

    async def _count(
        self, entries: Sequence[Entry], filter_: InstanceFilter, found: Counter[RuntimeStatus]
    ) -> None:
        unknown: list[Entry] = []
        is_known = not paging.looks_inside(filter_)
        for entry in (each for each in entries if may_match(filter_, each)):
            if not is_known or entry.status in {None, RuntimeStatus.PENDING}:
                unknown.append(entry)
            elif entry.status is not None:
                found[entry.status] += 1
        for at in range(0, len(unknown), _WAVE):
            rows = await together([self._row(x) for x in unknown[at : at + _WAVE]])
            found.update(row.status for row in rows if row and paging.matches(filter_, row))

    async def _take(
        self,
        walk: Walk,
        filter_: InstanceFilter,
        limit: int,
        max_bytes: int | None,
    ) -> tuple[tuple[Instance, ...], int]:
        """The first rows that match and fit, and how many entries were looked at for them."""
        found: list[Instance] = []
        ids: set[str] = set()
        entries = walk.found
        left = [n for n, entry in enumerate(entries) if may_match(filter_, entry)]
        largest = limit if walk.all_match else max(limit, _WAVE)
        wave_size = largest if max_bytes is None else min(_FIRST_WAVE, largest)
        while left:
            wave, left = left[:wave_size], left[wave_size:]
            rows = await together([self._row(entries[n]) for n in wave])
            for n, row in zip(wave, rows, strict=True):
                if row is not None and row.instance_id not in ids and paging.matches(filter_, row):
                    ids.add(row.instance_id)
                    found.append(row)
                    if paging.fitting(found, max_bytes) < len(found):
                        return tuple(found[:-1]), n
                if len(found) == limit:
                    return tuple(found), n + 1
            wave_size = _next_wave(rows, largest, max_bytes)
        return tuple(found), len(entries)

    async def _row(self, entry: Entry) -> Instance | None:
        """The row, unless it was there before the entry's."""
        found = await self._hub.find_seen(entry.instance_id, even_damaged=True)
        if found is None or rules.micros(found.row.created_at) < entry.created_at:
            return None
        return found.row


def _next_wave(rows: Sequence[Instance | None], largest: int, max_bytes: int | None) -> int:
    """How many rows to read together after these, by how large these are."""
    if max_bytes is None:
        return largest
    size = sum(paging.payload_size(row) for row in rows if row is not None) + 1
    return max(1, min(largest, len(rows) * max_bytes // size))


async def _top(source: Source, filter_: InstanceFilter, walk: Walk) -> int | None:
    """When the newest was created, as a round begins."""
    return walk.found[0].created_at if walk.from_top else await source.newest(filter_)
