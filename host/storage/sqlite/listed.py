"""What lists are restricted by, filled in for the rows of an older file.

Rules of this file: runs once for a file, within the transaction of its migration. A row that cannot
be read has no tags, and was changed last when it was created: nothing else is known of it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from host.core.records import Instance
from host.errors import DamagedDataError
from host.logs import HostLog
from host.storage import rules
from host.storage.sqlite import sealed

TOLD_ROWS = 50_000
"""To read more takes long enough to be told, each time that so many are done."""
_TOGETHER = 1000

_COUNT = "SELECT count(*) FROM instances"
_ROWS = """
    SELECT run, instance_id, created_at, data FROM instances WHERE run > ? ORDER BY run LIMIT ?
"""
_SET = "UPDATE instances SET updated_at = ? WHERE run = ?"
_ADD_TAG = """
    INSERT INTO instance_tags (name, value, created_at, instance_id, run) VALUES (?, ?, ?, ?, ?)
"""

_logger = HostLog("funchost.storage")


def fill(connection: sqlite3.Connection) -> None:
    """Fill in the columns and the tags of all rows."""
    (count,) = connection.execute(_COUNT).fetchone()
    is_told = count > TOLD_ROWS
    if is_told:
        _logger.info("Making the store fit for fast lists: %d instances are read once.", count)
    for done in _fill_all(connection):
        if is_told and done % TOLD_ROWS == 0:
            _logger.info("Read %d of %d instances.", done, count)


def _fill_all(connection: sqlite3.Connection) -> Iterator[int]:
    """Fill in some rows after others; so many are done."""
    last, done = 0, 0
    while rows := connection.execute(_ROWS, (last, _TOGETHER)).fetchall():
        updates: list[tuple[int, int]] = []
        tags: list[tuple[str, str, int, str, int]] = []
        for run, instance_id, created_at, data in rows:
            row = _read(data, instance_id)
            updates.append((rules.micros(row.updated_at) if row else created_at, run))
            pairs = row.tags.items() if row else ()
            tags += [(name, value, created_at, instance_id, run) for name, value in pairs]
        connection.executemany(_SET, updates)
        connection.executemany(_ADD_TAG, tags)
        last = rows[-1][0]
        done += len(rows)
        yield done


def _read(data: bytes, instance_id: str) -> Instance | None:
    try:
        return sealed.open_instance(data, instance_id)
    except DamagedDataError:
        return None
