"""Listings and counts of instances, by whichever index finds the least that does not match.

Rules of this file: a page looks at a bounded number of rows, so none is slow, however many do not
match. A page of a rare match may be short or empty and still have a token. The order is total (a
moment, then the id), so a page goes on exactly where the last one ended, whatever was added or
purged meanwhile. In order of creation what was restarted meanwhile comes last.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from bindings.client import RuntimeStatus
from host.core.records import Instance
from host.errors import DamagedDataError
from host.storage import paging, rules
from host.storage.protocol import InstanceFilter, InstancePage
from host.storage.sqlite import sealed, search
from host.storage.sqlite.reads import one_moment
from host.storage.sqlite.search import Sql, Walk, Window

COUNTED = 100_000
"""How many instances one step of a count looks at, while other reads wait."""
READ_FOR_DATA = 1000
"""How many rows a page reads to look for a text in them, say."""
_BYTES_FOR_DATA = 8 * 1024 * 1024
"""How much of them."""

_NEWEST = "SELECT max(created_at) FROM instances"
_DATA = "SELECT data FROM instances WHERE run = ?"

_Place: TypeAlias = tuple[int, str]
_Found: TypeAlias = tuple[int, str, int, str, str, int]
"""Moment, id, run, name, seen status, creation."""


def query(
    connection: sqlite3.Connection,
    filter_: InstanceFilter,
    limit: int,
    token: str | None,
    max_bytes: int | None,
) -> InstancePage:
    """One page of instances. Raises `InvalidArgumentError` for a foreign token."""
    position = paging.read_token(filter_, token)
    window = search.window_of(filter_, position)
    matching = search.conditions(filter_, window, after=position.floor)
    with one_moment(connection):
        (newest,) = connection.execute(_NEWEST).fetchone()
        walk, end = _walk(connection, filter_, window)
        wanted = READ_FOR_DATA if paging.looks_at_data(filter_) else limit + 1
        window = replace(window, last=end)
        found = _all(connection, walk.rows(window, matching, wanted))
        instances, looked_at = _read(connection, found, filter_, limit, max_bytes)
    if looked_at < len(found) or len(found) == wanted:
        end = found[looked_at - 1][:2]
    position = position.begun(newest)
    following = position.below(*end) if end else None
    if following is None and paging.goes_round(filter_, position, newest):
        following = position.next_round()
    return InstancePage(
        instances=tuple(instances),
        token=paging.write_token(filter_, following) if following else None,
    )


def count(
    connection: sqlite3.Connection, filter_: InstanceFilter, above: _Place | None
) -> tuple[Counter[RuntimeStatus], _Place | None]:
    """How many match by status, as far as columns tell, below a place; and where that ends.

    The next step goes on there; None if there is nothing more.
    """
    found: Counter[RuntimeStatus] = Counter()
    with one_moment(connection):
        if above is None and (runs := _few(connection, filter_)) is not None:
            statements = [search.counts_among(runs, filter_)]
            last = None
        else:
            window = search.window_of(filter_.by_creation())
            window = window if above is None else replace(window, above=above)
            last = _place(connection, search.newest(), window, COUNTED)
            statements = [*search.counts_of(filter_, replace(window, last=last))]
        for statement in statements:
            for status, number in _all(connection, statement):
                found[RuntimeStatus(status)] += number
    return +found, last


def _walk(
    connection: sqlite3.Connection, filter_: InstanceFilter, window: Window
) -> tuple[Walk, _Place | None]:
    """The best way, and the place down to which it is to look; None if that is to the end."""
    runs = _few(connection, filter_)
    if runs is not None:
        return search.among(runs), None
    walk = search.walk_of(filter_)
    return walk, _place(connection, walk, window, walk.reach)


def _few(connection: sqlite3.Connection, filter_: InstanceFilter) -> Sql | None:
    """The least runs among which all that match are, if these are few."""
    least, best = search.FEW + 1, None
    for runs in search.choices(filter_):
        counted = f"SELECT count(*) FROM ({runs.text} LIMIT ?)"  # noqa: S608 - our own texts
        (number,) = connection.execute(counted, (*runs.values, least)).fetchone()
        if number < least:
            least, best = number, runs
    return best


def _place(
    connection: sqlite3.Connection, walk: Walk, window: Window, number: int
) -> _Place | None:
    rows = _all(connection, walk.place_of(window, number))
    return rows[0][:2] if rows else None


def _read(
    connection: sqlite3.Connection,
    found: Sequence[_Found],
    filter_: InstanceFilter,
    limit: int,
    max_bytes: int | None,
) -> tuple[list[Instance], int]:
    """The first rows that match and fit, one at least, and how many were looked at for them.

    They are read one by one: with the search, SQLite would sort them, large as they may be.
    """
    instances: list[Instance] = []
    left, to_read = max_bytes, _BYTES_FOR_DATA
    for number, (_, id_, run, name, status, created_at) in enumerate(found):
        if len(instances) == limit or to_read < 0:
            return instances, number
        (data,) = connection.execute(_DATA, (run,)).fetchone()
        row = _instance(data, status, name, created_at, id_)
        to_read -= len(data) if paging.looks_at_data(filter_) else 0
        if not paging.matches_data(filter_, row):
            continue
        if left is not None:
            left -= len(data)
            if left < 0 and instances:
                return instances, number
        instances.append(row)
    return instances, len(found)


def _all(connection: sqlite3.Connection, sql: Sql) -> list[Any]:
    return connection.execute(sql.text, sql.values).fetchall()


def _instance(data: bytes, status: str, name: str, created_at: int, instance_id: str) -> Instance:
    """The row, or what stands for one that cannot be read: a listing is for finding such, too."""
    try:
        row = sealed.open_instance(data, instance_id)
    except DamagedDataError as error:
        return rules.stand_in(
            instance_id, status=status, name=name, created_at=created_at, error=error
        )
    return rules.seen(row, has_batches=status != row.status)
