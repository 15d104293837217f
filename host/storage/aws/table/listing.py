"""Listing instances, newest first, by an index that holds what most filters ask for.

Rules of this file: the parts of the index are read as one (`merged`). An index is a moment behind,
so every row is read and judged itself; one that was restarted since then is shown at its old place,
rather twice than never. Who asks for unfinished instances only is answered by the index of those,
if they are few: then nobody else is looked at, however many there are. Of a row that cannot be read
a stand-in is listed: a listing is for finding such, too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

from bindings.client import ListOrder, RuntimeStatus
from bindings.errors import InvalidArgumentError
from host.core.records import Instance
from host.storage import paging, rules
from host.storage.aws.schema import LISTING_INDEX, UNFINISHED_INDEX
from host.storage.aws.table.hub_table import HubTable
from host.storage.aws.table.items import SENSELESS, name_of, shown_status
from host.storage.aws.table.keys import LATEST, Item, Key, cut, id_of, read_text, sortable, text
from host.storage.aws.table.merged import Entries, first_entries
from host.storage.aws.table.table import Expression, Page, together
from host.storage.paging import Position
from host.storage.protocol import InstanceFilter, InstancePage

SCANNED = 1000
"""How many entries of the index one page looks at when it may have to skip most of them."""

MAX_ORDERED = 5000
"""How many instances a listing in order of the last change may be about."""

FEW_UNFINISHED = 1000
"""Up to so many unfinished instances are all read for a page or a count of some of them."""

_WAVE = 16
"""How many rows are read together when many of them may not match."""

_FIRST_WAVE = 8
"""How many are read together as long as nobody knows how large they are."""


class _Entry(NamedTuple):
    """An entry of the index; entries compare by their place in the listing."""

    created_at: int
    instance_id: str
    status: RuntimeStatus
    name: str


class _Bounds(NamedTuple):
    """The keys to read, both included."""

    low: str
    high: str


class Listing:
    """Reads the index of all instances."""

    def __init__(self, hub: HubTable) -> None:
        self._hub = hub

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
        bounds = _bounds(filter_, position)
        if bounds.low > bounds.high:
            return InstancePage(instances=())
        unfinished = await self._unfinished(filter_)
        if unfinished is None:
            reach = limit + 1 if _is_plain(filter_) else max(limit + 1, SCANNED)
            entries, is_all = await self._first(bounds, reach, position)
            position = position.begun(entries[0].created_at if entries else None)
        else:
            entries = [x for x in unfinished if position.floor < x.created_at]
            entries = [x for x in entries if x[:2] < (position.created_at, position.instance_id)]
            is_all = True
            position = position.begun(await self._newest() if position.is_start else None)
        rows, looked_at = await self._take(entries, filter_, limit, max_bytes)
        following: Position | None = None
        if looked_at < len(entries) or not is_all:
            last = entries[looked_at - 1]
            following = position.below(last.created_at, last.instance_id)
        elif position.may_go_round and await self._has_newer(position.top):
            following = position.next_round()
        token = paging.write_token(filter_, following) if following else None
        return InstancePage(instances=rows, token=token)

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
        position = paging.START
        if (unfinished := await self._unfinished(filter_)) is not None:
            await self._count(unfinished, filter_, found)
            return found
        while True:
            bounds = _bounds(filter_, position)
            entries, is_all = await self._first(bounds, SCANNED, position)
            await self._count(entries, filter_, found)
            if is_all:
                return found
            position = position.below(entries[-1].created_at, entries[-1].instance_id)

    async def _count(
        self, entries: Sequence[_Entry], filter_: InstanceFilter, found: Counter[RuntimeStatus]
    ) -> None:
        maybe = [entry for entry in entries if _may_match(filter_, entry)]
        is_known = not paging.looks_inside(filter_)
        known = [x for x in maybe if is_known and x.status is not RuntimeStatus.PENDING]
        found.update(entry.status for entry in known)
        unknown = [entry for entry in maybe if entry not in known]
        for at in range(0, len(unknown), _WAVE):
            rows = await together([self._row(x) for x in unknown[at : at + _WAVE]])
            found.update(row.status for row in rows if row and paging.matches(filter_, row))

    async def _unfinished(self, filter_: InstanceFilter) -> Sequence[_Entry] | None:
        """Those that may match in order of a listing, if they are few and none is finished.

        Their index is in order of ids and does not say when they were created: so the rows are
        read.
        """
        if not filter_.statuses or any(status.is_finished for status in filter_.statuses):
            return None

        async def read(part: str, limit: int, rest: Key | None) -> Page:
            keys = Expression("#u = :u", {":u": text(part)})
            return await self._hub.table.query(keys, index=UNFINISHED_INDEX, limit=limit, rest=rest)

        parts = await self._hub.parts.to_read()
        found, _ = await first_entries(read, parts, _unfinished_of, wanted=FEW_UNFINISHED + 1)
        if len(found) > FEW_UNFINISHED:
            return None
        wanted = _stored_as(filter_.statuses)
        ids = [id_ for id_, status in found if status is None or status in wanted]
        entries: list[_Entry] = []
        for at in range(0, len(ids), _WAVE):
            rows = await together(
                [self._hub.find_seen(x, even_damaged=True) for x in ids[at : at + _WAVE]]
            )
            entries += [_entry_of_row(each.row) for each in rows if each is not None]
        return sorted((x for x in entries if _is_within(filter_, x)), reverse=True)

    async def _newest(self) -> int | None:
        """When the newest instance was created."""
        bounds = _bounds(InstanceFilter(), paging.START)
        entries = (await self._first(bounds, 1)).found
        return entries[0].created_at if entries else None

    async def _has_newer(self, moment: int) -> bool:
        """Whether instances were created after this moment."""
        bounds = _Bounds(sortable(moment + 1), LATEST)
        return bool((await self._first(bounds, 1)).found)

    async def _first(
        self, bounds: _Bounds, wanted: int, position: Position | None = None
    ) -> Entries[_Entry]:
        """The first entries within bounds, and below the position."""
        below = None
        if position is not None and not position.is_start:
            below = (position.created_at, position.instance_id)

        async def read(part: str, limit: int, rest: Key | None) -> Page:
            values = {":l": text(part), ":low": text(bounds.low), ":high": text(bounds.high)}
            keys = Expression("#l = :l AND #ls BETWEEN :low AND :high", values)
            return await self._hub.table.query(
                keys, index=LISTING_INDEX, is_descending=True, limit=limit, rest=rest
            )

        return await first_entries(
            read,
            await self._hub.parts.to_read(),
            _entry_of,
            wanted=wanted,
            is_descending=True,
            is_wanted=lambda entry: below is None or entry[:2] < below,
        )

    async def _take(
        self,
        entries: Sequence[_Entry],
        filter_: InstanceFilter,
        limit: int,
        max_bytes: int | None,
    ) -> tuple[tuple[Instance, ...], int]:
        """The first rows that match and fit, and how many entries were looked at for them."""
        found: list[Instance] = []
        ids: set[str] = set()
        left = [n for n, entry in enumerate(entries) if _may_match(filter_, entry)]
        largest = limit if _is_plain(filter_) else max(limit, _WAVE)
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

    async def _row(self, entry: _Entry) -> Instance | None:
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


def _bounds(filter_: InstanceFilter, position: Position) -> _Bounds:
    low, high = sortable(position.floor + 1), LATEST
    if filter_.created_from is not None:
        low = max(low, sortable(rules.micros(filter_.created_from)))
    if filter_.created_to is not None:
        high = sortable(rules.micros(filter_.created_to) + 1)
    if not position.is_start:
        high = min(high, cut(f"{sortable(position.created_at)}#{position.instance_id}"))
    return _Bounds(low, high)


def _entry_of(item: Item) -> _Entry | None:
    with suppress(*SENSELESS):
        created_at = int(read_text(item, "ls")[:16])
        return _Entry(created_at, id_of(item), shown_status(item), name_of(item))
    return None


def _unfinished_of(item: Item) -> tuple[str, RuntimeStatus | None] | None:
    """The id and the stored status, if the index says that, of an entry of unfinished instances."""
    with suppress(*SENSELESS):
        return id_of(item), shown_status(item) if "st" in item else None
    return None


def _entry_of_row(row: Instance) -> _Entry:
    return _Entry(rules.micros(row.created_at), row.instance_id, row.status, row.name)


def _is_within(filter_: InstanceFilter, entry: _Entry) -> bool:
    bounds = _bounds(filter_, paging.START)
    return bounds.low <= sortable(entry.created_at) < bounds.high


def _is_plain(filter_: InstanceFilter) -> bool:
    """Whether all instances of the time range match."""
    by_entry = filter_.statuses or filter_.names or filter_.id_prefix
    return not (by_entry or paging.looks_inside(filter_))


def _stored_as(statuses: frozenset[RuntimeStatus]) -> frozenset[RuntimeStatus]:
    """What rows may say that have these statuses: one that is begun need not know of it yet."""
    is_begun = RuntimeStatus.RUNNING in statuses
    return statuses | {RuntimeStatus.PENDING} if is_begun else statuses


def _may_match(filter_: InstanceFilter, entry: _Entry) -> bool:
    """Whether the row may match, by what the index knows of it."""
    return (
        (not filter_.statuses or entry.status in _stored_as(filter_.statuses))
        and (not filter_.names or entry.name in filter_.names)
        and entry.instance_id.startswith(filter_.id_prefix or "")
    )
