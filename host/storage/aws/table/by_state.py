"""What a listing reads of a hub of format 3: who is unfinished, who ended how, who has a name.

Rules of this file: nobody is looked at whose state, or whose name if no state is asked for, does
not match. If many have the state and few of those the name, all of the name are looked at.

Who ends moves from one index to another, and back who is rewound, so the order of reading matters:
the unfinished ones first, then those that ended, and the unfinished ones once more if somebody may
have been rewound meanwhile. Then who moves is found rather twice than never, but for how far an
index is behind. Of what is found twice the later entry counts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NamedTuple

from bindings.client import RuntimeStatus
from host.storage import paging
from host.storage.aws.schema import ENDED_INDEX, NAMED_INDEX, UNFINISHED_INDEX
from host.storage.aws.table.entries import SCANNED, Entry, Walk, bounds_of, is_below, may_match
from host.storage.aws.table.hub_table import HubTable
from host.storage.aws.table.items import SENSELESS, name_of, shown_status
from host.storage.aws.table.keys import Item, Key, id_of, read_text, text
from host.storage.aws.table.merged import Entries, first_entries
from host.storage.aws.table.placing import ended, named, unfinished
from host.storage.aws.table.table import Expression, Page
from host.storage.paging import Position
from host.storage.protocol import InstanceFilter

FEW_NAMED = 500
"""Up to so many of some names are looked at by their rows, to know their states."""

_ALL = frozenset(RuntimeStatus)
_FINISHED = frozenset(status for status in _ALL if status.is_finished)
_UNFINISHED = _ALL - _FINISHED
_SHOWN = _UNFINISHED - {RuntimeStatus.CONTINUED_AS_NEW}
"""The states in which unfinished instances are."""


class ByState:
    """Reads the indexes by state and by name."""

    def __init__(self, hub: HubTable) -> None:
        self._hub = hub

    async def page(self, filter_: InstanceFilter, position: Position, limit: int) -> Walk:
        """The first entries below a position, for a page of up to `limit` rows."""
        is_exact = _is_exact(filter_)
        reach = limit + 1 if is_exact else max(limit + 1, SCANNED)
        found, is_all = await self._first(filter_, position, reach)
        if not is_all and filter_.names and filter_.statuses:
            few = await self._few_named(filter_, position, found, limit)
            if few is not None:
                return Walk(few, is_all=True, all_match=False, from_top=False)
        return Walk(found, is_all, all_match=is_exact)

    async def newest(self, filter_: InstanceFilter, /) -> int | None:
        """When the newest was created of those that a page for the filter looks at."""
        whenever = InstanceFilter(
            statuses=filter_.statuses, names=filter_.names, entities=filter_.entities
        )
        found = (await self._first(whenever, paging.START, 1)).found
        return found[0].created_at if found else None

    async def few(self, filter_: InstanceFilter) -> Sequence[Entry] | None:
        """All of some names, if they or all with the statuses are few."""
        if not filter_.names:
            return None
        if filter_.statuses:
            found, is_all = await self._in_states(filter_, paging.START, SCANNED)
            if is_all:
                return found
        return await self._few_named(filter_, paging.START)

    async def to_count(self, filter_: InstanceFilter, position: Position) -> Entries[Entry]:
        """The first entries below a position, of those that have the statuses."""
        return await self._in_states(filter_, position, SCANNED)

    async def _few_named(
        self,
        filter_: InstanceFilter,
        position: Position,
        seen: Sequence[Entry] = (),
        wanted: int = 1,
    ) -> Sequence[Entry] | None:
        """All of some names below a position, if they are few; they do not say their statuses.

        Nobody looks for them if so many as are wanted were seen to have the name.
        """
        if sum(may_match(filter_, entry) for entry in seen) >= wanted:
            return None
        found, is_all = await self._named(filter_, position, FEW_NAMED + 1)
        return found if is_all and len(found) <= FEW_NAMED else None

    async def _first(
        self, filter_: InstanceFilter, position: Position, wanted: int
    ) -> Entries[Entry]:
        read = self._named if _is_by_name(filter_) else self._in_states
        return await read(filter_, position, wanted)

    async def _in_states(
        self, filter_: InstanceFilter, position: Position, wanted: int
    ) -> Entries[Entry]:
        sought, lists = _sought(filter_), list[Entries[Entry]]()
        if sought & _UNFINISHED:
            lists.append(await self._unfinished(filter_, position, wanted))
        if sought & _FINISHED:
            lists.append(await self._ended(filter_, position, wanted))
        if sought & _UNFINISHED and RuntimeStatus.FAILED in sought:
            lists.append(await self._unfinished(filter_, position, wanted))
        return _as_one(lists, wanted)

    async def _unfinished(
        self, filter_: InstanceFilter, position: Position, wanted: int
    ) -> Entries[Entry]:
        return await self._read(
            _BY_UNFINISHED,
            lambda part: [unfinished(part, entities=filter_.entities)],
            filter_,
            position,
            wanted,
        )

    async def _ended(
        self, filter_: InstanceFilter, position: Position, wanted: int
    ) -> Entries[Entry]:
        statuses = sorted(_sought(filter_) & _FINISHED)
        return await self._read(
            _BY_ENDED, lambda part: [ended(part, x) for x in statuses], filter_, position, wanted
        )

    async def _named(
        self, filter_: InstanceFilter, position: Position, wanted: int
    ) -> Entries[Entry]:
        names = sorted(filter_.names)
        return await self._read(
            _BY_NAME, lambda part: [named(part, x) for x in names], filter_, position, wanted
        )

    async def _read(
        self,
        index: _Index,
        keys_of: Callable[[str], Sequence[str]],
        filter_: InstanceFilter,
        position: Position,
        wanted: int,
    ) -> Entries[Entry]:
        """The first entries below a position that an index has under these keys of each part."""
        parts, bounds = await self._hub.parts.to_read(), bounds_of(filter_, position)
        if bounds.are_empty:
            return Entries((), is_all=True)

        async def read(key: str, limit: int, rest: Key | None) -> Page:
            values = {":key": text(key), ":low": text(bounds.low), ":high": text(bounds.high)}
            keys = Expression(f"#{index.key} = :key AND #ls BETWEEN :low AND :high", values)
            return await self._hub.table.query(
                keys, index=index.name, is_descending=True, limit=limit, rest=rest
            )

        return await first_entries(
            read,
            [*dict.fromkeys(key for part in parts for key in keys_of(part))],
            index.entry_of,
            wanted=wanted,
            is_descending=True,
            is_wanted=lambda entry: is_below(position, entry),
            spread=len(parts),
        )


def _sought(filter_: InstanceFilter) -> frozenset[RuntimeStatus]:
    """Those of the statuses that there can be: an entity is never finished."""
    sought = filter_.statuses or _ALL
    return sought & _UNFINISHED if filter_.entities else sought


def _as_one(lists: Sequence[Entries[Entry]], wanted: int) -> Entries[Entry]:
    """The first entries of all lists; each has its first `wanted`, or all."""
    by_place = {entry[:2]: entry for each in lists for entry in each.found}
    found = sorted(by_place.values(), reverse=True)
    is_all = all(each.is_all for each in lists)
    return Entries(found if is_all else found[:wanted], is_all)


def _is_by_name(filter_: InstanceFilter) -> bool:
    """Whether those of the names are looked at, whatever their states."""
    return bool(filter_.names) and not filter_.statuses


def _is_exact(filter_: InstanceFilter) -> bool:
    """Whether what is looked at matches, but for what changes in this moment."""
    unfinished = filter_.statuses & _UNFINISHED
    some_only = unfinished and unfinished < _SHOWN
    others = filter_.names and filter_.statuses
    return not (some_only or others or filter_.id_prefix or paging.looks_inside(filter_))


def _unfinished_of(item: Item) -> Entry | None:
    """Nothing for one that is finished and has unawaited activities: it is among the ended."""
    status = None
    with suppress(*SENSELESS):
        status = RuntimeStatus(read_text(item, "st"))
    is_among_ended = status is not None and status.is_finished
    return None if is_among_ended else _entry(item, status, name_of(item))


def _ended_of(item: Item) -> Entry | None:
    return _entry(item, shown_status(item), name_of(item))


def _named_of(item: Item) -> Entry | None:
    return _entry(item, None, None)


def _entry(item: Item, status: RuntimeStatus | None, name: str | None) -> Entry | None:
    with suppress(*SENSELESS):
        return Entry(int(read_text(item, "ls")[:16]), id_of(item), status, name)
    return None


class _Index(NamedTuple):
    name: str
    key: str
    """The attribute that is its partition key."""
    entry_of: Callable[[Item], Entry | None]


_BY_UNFINISHED = _Index(UNFINISHED_INDEX, "u", _unfinished_of)
_BY_ENDED = _Index(ENDED_INDEX, "f", _ended_of)
_BY_NAME = _Index(NAMED_INDEX, "l", _named_of)
