"""Listings of instances, newest first, page by page.

Rules of this file: a page looks at a bounded window of the index by creation and filters only that,
so no filter, however rare its matches, makes one page slow. A page of a rare match is short or
empty and still has a token. The order is total (creation, then id), so a page goes on exactly where
the last one ended, whatever was added or purged meanwhile. What was restarted meanwhile comes last.
"""

from __future__ import annotations

import sqlite3
from collections import Counter

from bindings.client import RuntimeStatus
from host.core.records import Instance
from host.errors import DamagedDataError
from host.storage import paging, rules
from host.storage.paging import Position
from host.storage.protocol import InstanceFilter, InstancePage
from host.storage.sqlite import sealed
from host.storage.sqlite.reads import one_moment
from host.storage.sqlite.statements import Value

MAX_SCANNED = 2000
_LAST_CODE_POINT = 0x10FFFF

_WINDOW = """
    FROM instances WHERE (created_at, instance_id) < (?, ?) AND created_at BETWEEN ? AND ?
    ORDER BY created_at DESC, instance_id DESC
"""
_SEEN = """
    SELECT run, name, instance_id,
           CASE WHEN status = 'Pending'
                     AND EXISTS (SELECT 1 FROM batches WHERE batches.run = instances.run)
                THEN 'Running' ELSE status END AS seen_status
"""
_PAGE = f"""
    SELECT instances.run, seen_status, instances.name, instances.created_at,
           instances.instance_id
    FROM ({_SEEN} {_WINDOW} LIMIT {MAX_SCANNED}) AS scanned
    JOIN instances ON instances.run = scanned.run
    WHERE {{conditions}}
    ORDER BY instances.created_at DESC, instances.instance_id DESC LIMIT ?
"""  # noqa: S608 - the texts are this file's
_COUNT = f"""
    SELECT seen_status, count(*) FROM ({_SEEN} {_WINDOW}) AS scanned WHERE {{conditions}}
    GROUP BY seen_status
"""  # noqa: S608 - the texts are this file's
_NEWEST = "SELECT max(created_at) FROM instances"
_DATA = "SELECT data FROM instances WHERE run = ?"
_END_OF_WINDOW = f"SELECT created_at, instance_id {_WINDOW} LIMIT 1 OFFSET {MAX_SCANNED - 1}"


def query(
    connection: sqlite3.Connection,
    filter_: InstanceFilter,
    limit: int,
    token: str | None,
    max_bytes: int | None,
) -> InstancePage:
    """One page of instances. Raises `InvalidArgumentError` for a foreign token."""
    position = paging.read_token(filter_, token)
    window = _window(filter_, position)
    conditions, values = _conditions(filter_)
    statement = _PAGE.format(conditions=conditions)
    with one_moment(connection):
        (newest,) = connection.execute(_NEWEST).fetchone()
        found = connection.execute(statement, (*window, *values, limit + 1)).fetchall()
        end = connection.execute(_END_OF_WINDOW, window).fetchone()
        contents = _contents(connection, [row[0] for row in found[:limit]], max_bytes)
    if len(found) > len(contents):
        end = found[len(contents) - 1][3:]
    position = position.begun(newest)
    following = position.below(*end) if end else None
    if following is None and position.may_go_round and (newest or 0) > position.top:
        following = position.next_round()
    instances = [_instance(data, *row[1:]) for data, row in zip(contents, found, strict=False)]
    return InstancePage(
        instances=tuple(row for row in instances if paging.matches_inside(filter_, row)),
        token=paging.write_token(filter_, following) if following else None,
    )


def count(connection: sqlite3.Connection, filter_: InstanceFilter) -> Counter[RuntimeStatus]:
    """How many instances the filter finds, by status, if it does not look inside."""
    window = _window(filter_, paging.START)
    conditions, values = _conditions(filter_)
    rows = connection.execute(_COUNT.format(conditions=conditions), (*window, *values))
    return Counter({RuntimeStatus(status): number for status, number in rows})


def _contents(
    connection: sqlite3.Connection, runs: list[int], max_bytes: int | None
) -> list[bytes]:
    """What is stored of the first runs, as many as fit, but of one at least.

    They are read one by one: with the rows, SQLite would sort them, large as they may be.
    """
    contents: list[bytes] = []
    left = max_bytes
    for run in runs:
        (data,) = connection.execute(_DATA, (run,)).fetchone()
        if left is not None:
            left -= len(data)
            if left < 0 and contents:
                break
        contents.append(data)
    return contents


def _window(filter_: InstanceFilter, position: Position) -> tuple[Value, ...]:
    oldest = position.floor + 1
    if filter_.created_from is not None:
        oldest = max(oldest, rules.micros(filter_.created_from))
    newest = 2**62 if filter_.created_to is None else rules.micros(filter_.created_to)
    return (position.created_at, position.instance_id, oldest, newest)


def _conditions(filter_: InstanceFilter) -> tuple[str, list[Value]]:
    conditions = ["TRUE"]
    values: list[Value] = []
    if filter_.names:
        conditions.append(f"scanned.name IN ({', '.join('?' * len(filter_.names))})")
        values += sorted(filter_.names)
    if filter_.statuses:
        conditions.append(f"seen_status IN ({', '.join('?' * len(filter_.statuses))})")
        values += [status.value for status in filter_.statuses]
    if filter_.id_prefix:
        conditions.append("scanned.instance_id >= ?")
        values.append(filter_.id_prefix)
        if (end := end_of_prefix(filter_.id_prefix)) is not None:
            conditions.append("scanned.instance_id < ?")
            values.append(end)
    return " AND ".join(conditions), values


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


def _instance(data: bytes, status: str, name: str, created_at: int, instance_id: str) -> Instance:
    """The row, or what stands for one that cannot be read: a listing is for finding such, too."""
    try:
        row = sealed.open_instance(data, instance_id)
    except DamagedDataError as error:
        return rules.stand_in(
            instance_id, status=status, name=name, created_at=created_at, error=error
        )
    return rules.seen(row, has_batches=status != row.status)
