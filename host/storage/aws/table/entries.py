"""Entries of the indexes that a listing reads, and what a filter may find by them.

Rules of this file: pure. An entry is a moment behind, so what it says only keeps rows from being
read that cannot match; the row itself is judged when it is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from bindings.client import RuntimeStatus
from host.core import ids
from host.storage import rules
from host.storage.aws.table.keys import LATEST, cut, sortable
from host.storage.aws.table.merged import Entries
from host.storage.paging import Position
from host.storage.protocol import InstanceFilter

SCANNED = 1000
"""How many entries of an index one page looks at when it may have to skip most of them."""


class Entry(NamedTuple):
    """An entry of an index; entries compare by their place in the listing."""

    created_at: int
    instance_id: str
    status: RuntimeStatus | None
    """As the index has it; None if only the row says it."""
    name: str | None
    """The same."""


class Bounds(NamedTuple):
    """The sort keys to read, both included."""

    low: str
    high: str

    @property
    def are_empty(self) -> bool:
        """Whether nothing is within."""
        return self.low > self.high


class Walk(NamedTuple):
    """Entries for a page, newest first."""

    found: Sequence[Entry]
    is_all: bool
    """Whether there are no more."""
    all_match: bool
    """Whether all match, but for what changes in this moment."""
    from_top: bool = True
    """Whether, at the beginning of a round, none was created after the first of them."""


class Source(Protocol):
    """The indexes of a hub, as a listing reads them. Entries that may match are never left out."""

    async def page(self, filter_: InstanceFilter, position: Position, limit: int) -> Walk:
        """The first entries below a position, for a page of up to `limit` rows."""

    async def newest(self, filter_: InstanceFilter, /) -> int | None:
        """When the newest was created of those that pages for the filter look at, or of others."""

    async def few(self, filter_: InstanceFilter) -> Sequence[Entry] | None:
        """All that may match, if they are found without looking at many others; for a count."""

    async def to_count(self, filter_: InstanceFilter, position: Position) -> Entries[Entry]:
        """The first entries below a position, which say their statuses."""


def bounds_of(filter_: InstanceFilter, position: Position) -> Bounds:
    """Where entries are that may match, below a position."""
    low, high = sortable(position.floor + 1), LATEST
    if filter_.created_from is not None:
        low = max(low, sortable(rules.micros(filter_.created_from)))
    if filter_.created_to is not None:
        high = sortable(rules.micros(filter_.created_to) + 1)
    if not position.is_start:
        high = min(high, cut(f"{sortable(position.created_at)}#{position.instance_id}"))
    return Bounds(low, high)


def is_below(position: Position, entry: Entry) -> bool:
    """Whether an entry comes after a position of the listing."""
    return entry[:2] < (position.created_at, position.instance_id)


def stored_as(statuses: frozenset[RuntimeStatus]) -> frozenset[RuntimeStatus]:
    """What rows may say that have these statuses: one that is begun need not know of it yet."""
    is_begun = RuntimeStatus.RUNNING in statuses
    return statuses | {RuntimeStatus.PENDING} if is_begun else statuses


def may_match(filter_: InstanceFilter, entry: Entry) -> bool:
    """Whether the row may match, by what the index knows of it."""
    statuses = stored_as(filter_.statuses)
    return (
        ids.is_entity(entry.instance_id) is filter_.entities
        and (not statuses or entry.status is None or entry.status in statuses)
        and (not filter_.names or entry.name is None or entry.name in filter_.names)
        and entry.instance_id.startswith(filter_.id_prefix or "")
    )
