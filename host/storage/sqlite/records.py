"""Named records: the writes of the contract as plans, its reads, and the SQL of both.

Rules of this file: records are few and small, so each is a statement of its own. The bytes have a
checksum before them, of the whole record: one that cannot be read is none.
"""

from __future__ import annotations

import sqlite3
import struct
import zlib
from collections.abc import Sequence
from datetime import datetime
from typing import TypeAlias

from host.core.records import Notice
from host.storage import rules
from host.storage.kept_notices import record_of
from host.storage.protocol import NamedRecord, RecordPage
from host.storage.sqlite.group import Group

_PUT = "INSERT OR REPLACE INTO records (kind, key, stamp, data) VALUES (?, ?, ?, ?)"
_REMOVE = "DELETE FROM records WHERE kind = ? AND key = ?"
_STAMP = "SELECT stamp FROM records WHERE kind = ? AND key = ?"
_FIND = "SELECT kind, key, stamp, data FROM records WHERE kind = ? AND key = ?"
_PAGE = """
    SELECT kind, key, stamp, data FROM records WHERE kind = ? AND key > ? ORDER BY key LIMIT ?
"""
_CHECKSUM = struct.Struct("<I")
_HUB, _MADE = "hub", "made"

_Row: TypeAlias = tuple[str, str, str, bytes]


class PutRecord:
    """`HubStore.put_record`."""

    instance_ids: tuple[str, ...] = ()

    def __init__(self, record: NamedRecord) -> None:
        self._row = _row_of(record)

    def plan(self, group: Group) -> None:
        """Put it."""
        group.execute(_PUT, self._row)


class PutNotices:
    """The part of other writes that keeps notices."""

    def __init__(self, notices: Sequence[Notice]) -> None:
        self._rows = [_row_of(record_of(notice)) for notice in notices]

    def plan(self, group: Group) -> None:
        """Put them."""
        for row in self._rows:
            group.execute(_PUT, row)


class ChangeRecord:
    """`HubStore.change_record`."""

    instance_ids: tuple[str, ...] = ()

    def __init__(self, record: NamedRecord, after: str | None) -> None:
        self._row = _row_of(record)
        self._after = after

    def plan(self, group: Group) -> bool:
        """Put it, if what is there is what is to be there."""
        kind, key, stamp, _ = self._row
        stored = next(iter(group.execute(_STAMP, (kind, key))), (None,))[0]
        if not rules.can_change(stamp, self._after, stored):
            return False
        group.execute(_PUT, self._row)
        return True


class RemoveRecord:
    """`HubStore.remove_record`."""

    instance_ids: tuple[str, ...] = ()

    def __init__(self, kind: str, key: str, after: str | None = None) -> None:
        self._where = (kind, key)
        self._after = after

    def plan(self, group: Group) -> bool:
        """Remove it, if it is the one that is meant."""
        if self._after is not None:
            stored = next(iter(group.execute(_STAMP, self._where)), (None,))[0]
            if stored not in {None, self._after}:
                return False
        group.execute(_REMOVE, self._where)
        return True


def find(connection: sqlite3.Connection, kind: str, key: str) -> NamedRecord | None:
    """The record, or None."""
    row = connection.execute(_FIND, (kind, key)).fetchone()
    return None if row is None else _record_of(row)


def page(connection: sqlite3.Connection, kind: str, after: str, limit: int) -> RecordPage:
    """Records of a kind, in order of their keys."""
    rows: list[_Row] = connection.execute(_PAGE, (kind, after, limit)).fetchall()
    found = tuple(record for record in map(_record_of, rows) if record is not None)
    return RecordPage(records=found, rest=rows[-1][1] if len(rows) == limit else None)


def write_made_now(connection: sqlite3.Connection) -> None:
    """Write down that the hub is made in this moment."""
    (seconds,) = connection.execute("SELECT strftime('%s', 'now')").fetchone()
    data = str(int(seconds) * 1_000_000).encode()
    made = NamedRecord(kind=_HUB, key=_MADE, stamp=_MADE, data=data)
    connection.execute(_PUT, _row_of(made))


def made_at(connection: sqlite3.Connection) -> datetime | None:
    """When the hub was made, if that is known."""
    made = find(connection, _HUB, _MADE)
    return None if made is None else rules.from_micros(int(made.data))


def _row_of(record: NamedRecord) -> _Row:
    return (record.kind, record.key, record.stamp, _checksum(record) + record.data)


def _record_of(row: _Row) -> NamedRecord | None:
    kind, key, stamp, sealed = row
    record = NamedRecord(kind=kind, key=key, stamp=stamp, data=sealed[_CHECKSUM.size :])
    return record if sealed.startswith(_checksum(record)) else None


def _checksum(record: NamedRecord) -> bytes:
    name = "\n".join((record.kind, record.key, record.stamp))
    return _CHECKSUM.pack(zlib.crc32(record.data, zlib.crc32(name.encode())))
