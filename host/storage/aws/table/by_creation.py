"""What a listing reads of a hub of format 1 or 2: one index of all instances, by creation.

Rules of this file: the parts of the index are read as one (`merged`). Who asks for unfinished
instances only is answered by the index of those, if they are few: then nobody else is looked at,
however many there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from bindings.client import RuntimeStatus
from host.core.records import Instance
from host.storage import paging, rules
from host.storage.aws.schema import LISTING_INDEX, UNFINISHED_INDEX
from host.storage.aws.table.entries import (
    SCANNED,
    Bounds,
    Entry,
    Walk,
    bounds_of,
    is_below,
    stored_as,
)
from host.storage.aws.table.hub_table import HubTable
from host.storage.aws.table.items import SENSELESS, name_of, shown_status
from host.storage.aws.table.keys import Item, Key, id_of, read_text, sortable, text
from host.storage.aws.table.merged import Entries, first_entries
from host.storage.aws.table.table import Expression, Page, together
from host.storage.paging import Position
from host.storage.protocol import InstanceFilter

FEW_UNFINISHED = 1000
"""Up to so many unfinished instances are all read for a page or a count of some of them."""

_WAVE = 16
"""How many rows are read together."""


class ByCreation:
    """Reads the index of all instances, or that of the unfinished ones."""

    def __init__(self, hub: HubTable) -> None:
        self._hub = hub

    async def page(self, filter_: InstanceFilter, position: Position, limit: int) -> Walk:
        """The first entries below a position, for a page of up to `limit` rows."""
        unfinished = await self.few(filter_)
        if unfinished is not None:
            new = (each for each in unfinished if position.floor < each.created_at)
            below = [each for each in new if is_below(position, each)]
            return Walk(below, is_all=True, all_match=False, from_top=False)
        is_plain = _is_plain(filter_)
        reach = limit + 1 if is_plain else max(limit + 1, SCANNED)
        found, is_all = await self._first(bounds_of(filter_, position), reach, position)
        return Walk(found, is_all, all_match=is_plain)

    async def newest(self, _: InstanceFilter, /) -> int | None:
        """When the newest of all was created."""
        bounds = bounds_of(InstanceFilter(), paging.START)
        found = (await self._first(bounds, 1, paging.START)).found
        return found[0].created_at if found else None

    async def few(self, filter_: InstanceFilter) -> Sequence[Entry] | None:
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
        wanted = stored_as(filter_.statuses)
        ids = [id_ for id_, status in found if status is None or status in wanted]
        entries: list[Entry] = []
        for at in range(0, len(ids), _WAVE):
            rows = await together(
                [self._hub.find_seen(x, even_damaged=True) for x in ids[at : at + _WAVE]]
            )
            entries += [_entry_of_row(each.row) for each in rows if each is not None]
        return sorted((x for x in entries if _is_within(filter_, x)), reverse=True)

    async def to_count(self, filter_: InstanceFilter, position: Position) -> Entries[Entry]:
        """The first entries below a position."""
        return await self._first(bounds_of(filter_, position), SCANNED, position)

    async def _first(self, bounds: Bounds, wanted: int, position: Position) -> Entries[Entry]:
        """The first entries within bounds, and below the position."""

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
            is_wanted=lambda entry: is_below(position, entry),
        )


def _entry_of(item: Item) -> Entry | None:
    with suppress(*SENSELESS):
        created_at = int(read_text(item, "ls")[:16])
        return Entry(created_at, id_of(item), shown_status(item), name_of(item))
    return None


def _unfinished_of(item: Item) -> tuple[str, RuntimeStatus | None] | None:
    """The id and the stored status, if the index says that, of an entry of unfinished instances."""
    with suppress(*SENSELESS):
        return id_of(item), shown_status(item) if "st" in item else None
    return None


def _entry_of_row(row: Instance) -> Entry:
    return Entry(rules.micros(row.created_at), row.instance_id, row.status, row.name)


def _is_within(filter_: InstanceFilter, entry: Entry) -> bool:
    bounds = bounds_of(filter_, paging.START)
    return bounds.low <= sortable(entry.created_at) < bounds.high


def _is_plain(filter_: InstanceFilter) -> bool:
    """Whether all instances of the time range match."""
    by_entry = filter_.statuses or filter_.names or filter_.id_prefix
    return not (by_entry or paging.looks_inside(filter_))
