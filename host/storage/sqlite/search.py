"""Which index answers a filter: the SQL of lists and counts.

Rules of this file: pure, texts and values only. Which index is used is said here and not left to
SQLite, whose choice varies with its version and with what other tools measured. A walk reads rows
in the order of a listing, and skips those that do not match. What few rows have (`choices`) is
taken whole and put into order, however many other rows lie between.
"""

# ruff: noqa: S608 - all texts are this file's; values are given apart

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from bindings.client import ListOrder, RuntimeStatus
from host.core import ids
from host.storage import paging, rules
from host.storage.paging import Position
from host.storage.protocol import InstanceFilter
from host.storage.sqlite.statements import Value

FEW = 2000
"""How many rows may be read for one page, or be put into order for it."""
MANY = 20_000
"""How many entries of an index may be read for one page: they lie side by side."""
EVER = 2**62

_MAX_MERGED = 16
"""So many names are read side by side, each in its order; more are looked for among all."""
_LAST_CODE_POINT = 0x10FFFF

_SEEN = (
    "CASE WHEN found.status = 'Pending'"
    " AND EXISTS (SELECT 1 FROM batches WHERE batches.run = found.run)"
    " THEN 'Running' ELSE found.status END"
)
_HAS_TAG = (
    "EXISTS (SELECT 1 FROM instance_tags AS own"
    " WHERE own.run = found.run AND own.name = ? AND own.value = ?)"
)
_IS_TAGGED = (
    "found.run IN (SELECT own.run FROM instance_tags AS own WHERE own.name = ? AND own.value = ?)"
)
"""The same for a count, which asks all: it reads the tag's entries once, and no index for each."""
_RUNS = "SELECT found.run FROM instances AS found"
_OF_STATUS = "instances AS found INDEXED BY listed_by_status WHERE found.status = ?"
_OF_NAME = "instances AS found INDEXED BY listed_by_name WHERE found.name = ?"
_OF_TAG = (
    "instance_tags AS tags CROSS JOIN instances AS found ON found.run = tags.run"
    " WHERE tags.name = ? AND tags.value = ?"
)
_NEWEST = "instances AS found INDEXED BY instances_newest WHERE TRUE"
_CHANGED = "instances AS found INDEXED BY listed_by_change WHERE TRUE"


@dataclass(frozen=True, slots=True)
class Sql:
    """A piece of a statement, and the values of its question marks."""

    text: str
    values: tuple[Value, ...] = ()


_IS_ENTITY = Sql("substr(+found.instance_id, 1, 1) = ?", (ids.ENTITY_MARK,))
_IS_NO_ENTITY = Sql("substr(+found.instance_id, 1, 1) <> ?", (ids.ENTITY_MARK,))


def joined(between: str, parts: Sequence[Sql]) -> Sql:
    """The pieces, one after the other."""
    values = tuple(value for part in parts for value in part.values)
    return Sql(between.join(part.text for part in parts), values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A stretch of a listing in this order: below the place `above`, and down to `last`.

    A place is a moment and an id; `last` itself lies within. So do the moments `oldest` and
    `newest`, beyond which nothing is asked for.
    """

    order: ListOrder = ListOrder.CREATED
    above: tuple[int, str] = (EVER, "")
    last: tuple[int, str] | None = None
    oldest: int = -EVER
    newest: int = EVER - 1

    @property
    def column(self) -> str:
        """What the rows are in order of."""
        return "created_at" if self.order is ListOrder.CREATED else "updated_at"

    def of(self, table: str) -> Sql:
        """The condition that a row lies within.

        What is read of an index is said by moments alone: among rows of one moment the ids only
        leave out. So it is in `conditions`: the plus signs keep SQLite from choosing those.
        """
        oldest = self.oldest if self.last is None else max(self.oldest, self.last[0])
        moment, place = f"{table}.{self.column}", f"(+{table}.{self.column}, +{table}.instance_id)"
        parts = [Sql(f"{moment} BETWEEN ? AND ?", (oldest, min(self.newest, self.above[0])))]
        if self.above[0] <= self.newest:
            parts.append(Sql(f"{place} < (?, ?)", self.above))
        if self.last is not None:
            parts.append(Sql(f"{place} >= (?, ?)", self.last))
        return joined(" AND ", parts)


def window_of(filter_: InstanceFilter, position: Position = paging.START) -> Window:
    """Where the page of this position looks."""
    first, last = filter_.created_from, filter_.created_to
    if filter_.order is ListOrder.UPDATED:
        first, last = filter_.updated_from, filter_.updated_to
    return Window(
        order=filter_.order,
        above=(position.created_at, position.instance_id),
        oldest=max(position.floor + 1, -EVER if first is None else rules.micros(first)),
        newest=EVER - 1 if last is None else rules.micros(last),
    )


@dataclass(frozen=True, slots=True)
class Walk:
    """Rows in the order of a listing, found in `strands` side by side.

    A strand is what stands behind FROM, up to its first conditions. `table` has the moments that
    are in order. No more than `reach` rows are looked at for a page, whether they match or not.
    """

    strands: Sequence[Sql]
    reach: int
    table: str = "found"

    def rows(self, window: Window, matching: Sql, limit: int) -> Sql:
        """The place, run, name, seen status and creation of those that match."""
        columns = f"found.run, found.name, {_SEEN}, found.created_at"
        return self._select(columns, window, [matching], Sql("LIMIT ?", (limit,)))

    def place_of(self, window: Window, number: int) -> Sql:
        """The place of the row of this number, counted from 1, whether it matches or not."""
        return self._select("0", window, [], Sql("LIMIT 1 OFFSET ?", (number - 1,)))

    def _select(self, columns: str, window: Window, matching: Sequence[Sql], end: Sql) -> Sql:
        place = f"{self.table}.{window.column} AS moment, {self.table}.instance_id AS instance_id"
        start = f"SELECT {place}, {columns} FROM "
        within = [window.of(self.table), *matching]
        parts = [
            joined(" AND ", [Sql(start + strand.text, strand.values), *within])
            for strand in self.strands
        ]
        in_order = Sql(" ORDER BY moment DESC, instance_id DESC ")
        return joined("", [joined(" UNION ALL ", parts), in_order, end])


def newest() -> Walk:
    """All rows, in order of creation."""
    return Walk([Sql(_NEWEST)], MANY)


def walk_of(filter_: InstanceFilter) -> Walk:
    """The walk that finds what the filter is about, and skips the least."""
    if filter_.order is ListOrder.UPDATED:
        return Walk([Sql(_CHANGED)], FEW)
    if filter_.tags:
        return Walk([Sql(_OF_TAG, next(iter(filter_.tags.items())))], FEW, "tags")
    if not _is_by_entry(filter_):
        return newest()
    is_by_name_only = not (filter_.statuses or filter_.id_prefix or _is_by_change(filter_))
    if is_by_name_only and len(filter_.names) <= _MAX_MERGED:
        return Walk([Sql(_OF_NAME, (name,)) for name in sorted(filter_.names)], MANY)
    return Walk([Sql(_OF_STATUS, (status,)) for status in stored_statuses(filter_)], MANY)


def choices(filter_: InstanceFilter) -> Iterator[Sql]:
    """The runs that have one thing that the filter is about: each may be few."""
    if filter_.is_quarantined:
        yield Sql(f"{_RUNS} INDEXED BY instances_blocked WHERE found.is_blocked")
    for pair in filter_.tags.items():
        yield Sql("SELECT run FROM instance_tags WHERE name = ? AND value = ?", pair)
    if filter_.id_prefix:
        yield joined(" AND ", [Sql(f"{_RUNS} WHERE TRUE"), *_has_prefix(filter_)])
    created = _created_within(filter_)
    if filter_.names:
        named = Sql(
            f"{_RUNS} INDEXED BY listed_by_name WHERE found.name IN ({_marks(filter_.names)})",
            tuple(sorted(filter_.names)),
        )
        yield joined(" AND ", [named, *created])
    if filter_.statuses:
        statuses = stored_statuses(filter_)
        of_status = Sql(
            f"{_RUNS} INDEXED BY listed_by_status WHERE found.status IN ({_marks(statuses)})",
            statuses,
        )
        yield joined(" AND ", [of_status, *created])
    if _is_by_change(filter_):
        changed = Sql(f"{_RUNS} INDEXED BY listed_by_change WHERE TRUE")
        yield joined(" AND ", [changed, *_changed_within(filter_)])
    if created and filter_.order is ListOrder.UPDATED:
        created_then = Sql(f"{_RUNS} INDEXED BY instances_newest WHERE TRUE")
        yield joined(" AND ", [created_then, *created])


def among(runs: Sql) -> Walk:
    """These rows, put into order."""
    rows = Sql(f"instances AS found NOT INDEXED WHERE found.run IN ({runs.text})", runs.values)
    return Walk([rows], FEW)


def conditions(filter_: InstanceFilter, window: Window | None, *, after: int = -EVER) -> Sql:
    """That a row may match, as far as columns tell, and was created after a moment.

    What the window says already is left out: a count asks each of the many for all of this.
    """
    order = None if window is None else window.order
    parts = [] if order is ListOrder.CREATED else _created_within(filter_, "+found")
    parts += [] if order is ListOrder.UPDATED else _changed_within(filter_, "+found")
    if after > -EVER:
        parts.append(Sql("+found.created_at > ?", (after,)))
    if filter_.statuses:
        parts.append(_is_one_of(_SEEN, sorted(filter_.statuses)))
    if filter_.names:
        parts.append(_is_one_of("+found.name", sorted(filter_.names)))
    parts += _has_prefix(filter_, "+found")
    parts.append(_IS_ENTITY if filter_.entities else _IS_NO_ENTITY)
    parts += [Sql(_HAS_TAG, pair) for pair in filter_.tags.items()]
    if filter_.is_quarantined:
        parts.append(Sql("+found.is_blocked"))
    return joined(" AND ", parts)


def counts_of(filter_: InstanceFilter, window: Window) -> Iterator[Sql]:
    """How many match within the window, by seen status: for each stored one a statement."""
    tags = [Sql(_IS_TAGGED, pair) for pair in filter_.tags.items()]
    filter_ = msgspec.structs.replace(filter_, tags={})
    any_status = msgspec.structs.replace(filter_, statuses=frozenset())
    for status in stored_statuses(filter_):
        is_as_seen = status != RuntimeStatus.PENDING
        start = Sql(f"SELECT {_SEEN} AS seen_status, count(*) FROM ")
        if is_as_seen:  # these are the many
            start = Sql("SELECT ?, count(*) FROM ", (status,))
        strand = joined("", [start, Sql(_OF_STATUS, (status,))])
        matching = conditions(any_status if is_as_seen else filter_, window)
        end = Sql("" if is_as_seen else " GROUP BY seen_status")
        yield joined("", [joined(" AND ", [strand, window.of("found"), matching, *tags]), end])


def counts_among(runs: Sql, filter_: InstanceFilter) -> Sql:
    """How many of these runs match, by seen status."""
    start = f"SELECT {_SEEN} AS seen_status, count(*) FROM "
    (strand,) = among(runs).strands
    parts = [Sql(start + strand.text, strand.values), conditions(filter_, None)]
    return joined("", [joined(" AND ", parts), Sql(" GROUP BY seen_status")])


def stored_statuses(filter_: InstanceFilter) -> tuple[str, ...]:
    """The statuses that rows may have in their column which are seen as one that is asked for."""
    wanted = filter_.statuses or frozenset(RuntimeStatus)
    if RuntimeStatus.RUNNING in wanted:
        wanted |= {RuntimeStatus.PENDING}
    return tuple(status.value for status in sorted(wanted))


def end_of_prefix(prefix: str) -> str | None:
    """The first text after all that begin with `prefix`; None if there is none.

    Texts are compared by code point, so this is exact where LIKE and GLOB have wildcards.
    """
    shorter = prefix.rstrip(chr(_LAST_CODE_POINT))
    if not shorter:
        return None
    following = ord(shorter[-1]) + 1
    is_surrogate = 0xD800 <= following <= 0xDFFF
    return shorter[:-1] + chr(0xE000 if is_surrogate else following)


def _is_by_entry(filter_: InstanceFilter) -> bool:
    """Whether more is asked for than the time of creation, of what entries of indexes hold."""
    by_value = filter_.statuses or filter_.names or filter_.id_prefix
    return bool(by_value) or _is_by_change(filter_)


def _is_by_change(filter_: InstanceFilter) -> bool:
    return filter_.updated_from is not None or filter_.updated_to is not None


def _created_within(filter_: InstanceFilter, of: str = "found") -> list[Sql]:
    return _within(f"{of}.created_at", filter_.created_from, filter_.created_to)


def _changed_within(filter_: InstanceFilter, of: str = "found") -> list[Sql]:
    return _within(f"{of}.updated_at", filter_.updated_from, filter_.updated_to)


def _within(column: str, first: datetime | None, last: datetime | None) -> list[Sql]:
    bounds = ((">=", first), ("<=", last))
    return [
        Sql(f"{column} {sign} ?", (rules.micros(moment),))
        for sign, moment in bounds
        if moment is not None
    ]


def _has_prefix(filter_: InstanceFilter, of: str = "found") -> list[Sql]:
    if not filter_.id_prefix:
        return []
    parts = [Sql(f"{of}.instance_id >= ?", (filter_.id_prefix,))]
    if (end := end_of_prefix(filter_.id_prefix)) is not None:
        parts.append(Sql(f"{of}.instance_id < ?", (end,)))
    return parts


def _is_one_of(column: str, values: Sequence[str]) -> Sql:
    if len(values) == 1:
        return Sql(f"{column} = ?", tuple(values))
    return Sql(f"{column} IN ({_marks(values)})", tuple(values))


def _marks(values: Sequence[str] | frozenset[str]) -> str:
    return ", ".join("?" * len(values))
