"""Rows of tables: writes as plans, reads in steps, and the SQL of both.

Rules of this file: rows lie in `data` with their types, as DynamoDB has them, and with a checksum
before them, of keys and all. One step of a search looks at no more than a part of a table, so that
the reads of others come in between.
"""

from __future__ import annotations

import sqlite3
import struct
import zlib
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from bindings.tables.found import Found, row_exists, searched_partition
from bindings.tables.records import KeyNames, Row, RowKey, Table, Wanted
from host.errors import DamagedDataError
from host.storage.rows import typed_all, untyped_all
from host.storage.sqlite.group import Group

if TYPE_CHECKING:
    from host.storage.sqlite.store import SqliteStore

_FIND: Final = """
    SELECT partition_key, row_key, data FROM table_rows
    WHERE table_name = ? AND partition_key = ? AND row_key = ?
"""
_STAMP: Final = """
    SELECT stamp FROM table_rows WHERE table_name = ? AND partition_key = ? AND row_key = ?
"""
_PUT: Final = """
    INSERT OR REPLACE INTO table_rows (table_name, partition_key, row_key, stamp, data)
    VALUES (?, ?, ?, ?, ?)
"""
_OF_TABLE: Final = """
    SELECT partition_key, row_key, data FROM table_rows
    WHERE table_name = ? AND (partition_key, row_key) > (?, ?)
    ORDER BY partition_key, row_key
"""
_OF_PARTITION: Final = """
    SELECT partition_key, row_key, data FROM table_rows
    WHERE table_name = ? AND partition_key = ? AND row_key > ? ORDER BY row_key
"""
_STEP_ROWS: Final = 500
_STEP_BYTES: Final = 1_000_000
_CHECKSUM: Final = struct.Struct("<I")
_START: Final = RowKey("", "")


class InsertRows:
    """`Table.insert`."""

    instance_ids: tuple[str, ...] = ()

    def __init__(self, table: str, rows: Sequence[Row], stamps: Sequence[str | None]) -> None:
        self._table = table
        self._rows = [
            (row.key, stamp, _sealed(table, row)) for row, stamp in zip(rows, stamps, strict=True)
        ]

    def plan(self, group: Group) -> None:
        """Put those that are not there, if all others are their own. Raises `RowExistsError`."""
        new = [each for each in self._rows if not self._is_there(group, *each[:2])]
        for key, stamp, data in new:
            group.execute(_PUT, (self._table, *key, stamp, data))

    def _is_there(self, group: Group, key: RowKey, stamp: str | None) -> bool:
        found = group.execute(_STAMP, (self._table, *key))
        if found and (stamp is None or found[0][0] != stamp):
            raise row_exists(self._table, key)
        return bool(found)


class UpsertRows:
    """`Table.upsert`."""

    instance_ids: tuple[str, ...] = ()

    def __init__(self, table: str, rows: Sequence[Row]) -> None:
        self._table = table
        self._rows = [(row.key, _sealed(table, row)) for row in rows]

    def plan(self, group: Group) -> None:
        """Put them."""
        for key, data in self._rows:
            group.execute(_PUT, (self._table, *key, None, data))


class SqliteTables:
    """The tables in the file of a hub."""

    def __init__(self, store: SqliteStore) -> None:
        self._store = store

    def table(self, name: str, names: KeyNames) -> Table:
        """The table of this name."""
        return _SqliteTable(name, names, self._store)


class _SqliteTable:
    def __init__(self, name: str, names: KeyNames, store: SqliteStore) -> None:
        self._name = name
        self._names = names
        self._store = store

    async def get(self, key: RowKey) -> Row | None:
        return await self._store.read(partial(_get, table=self._name, key=key))

    async def find(self, wanted: Wanted) -> list[Row]:
        partition = searched_partition(wanted, self._names)
        found = Found(self._name, wanted, self._names)
        after: RowKey | None = _START if partition is None else RowKey(partition, "")
        while after is not None and not found.is_full:
            step = _Step(self._name, is_within=partition is not None, after=after)
            after = await self._store.read(partial(_look_on, step=step, found=found))
        return found.rows

    async def insert(self, rows: Sequence[Row], stamps: Sequence[str | None]) -> None:
        await self._store.write(InsertRows(self._name, rows, stamps))

    async def upsert(self, rows: Sequence[Row]) -> None:
        await self._store.write(UpsertRows(self._name, rows))


class _Step(NamedTuple):
    table: str
    is_within: bool
    """Only the partition of `after` is searched."""
    after: RowKey


def _get(connection: sqlite3.Connection, table: str, key: RowKey) -> Row | None:
    found = connection.execute(_FIND, (table, *key)).fetchone()
    return None if found is None else _opened(table, *found)


def _look_on(connection: sqlite3.Connection, step: _Step, found: Found) -> RowKey | None:
    """Look at some more rows; gives the last one, None if there are no more to look at."""
    statement = _OF_PARTITION if step.is_within else _OF_TABLE
    with closing(connection.execute(statement, (step.table, *step.after))) as rows:
        seen_bytes = 0
        for number, (partition, row, data) in enumerate(rows, start=1):
            found.look_at(_opened(step.table, partition, row, data))
            seen_bytes += len(data)
            if number == _STEP_ROWS or seen_bytes >= _STEP_BYTES or found.is_full:
                return RowKey(partition, row)
    return None


def _sealed(table: str, row: Row) -> bytes:
    data = msgspec.msgpack.encode(typed_all(row.values))
    return _checksum(table, row.key, data) + data


def _opened(table: str, partition: str, row: str, sealed: bytes) -> Row:
    """The row. Raises `DamagedDataError`."""
    key, data = RowKey(partition, row), sealed[_CHECKSUM.size :]
    if not sealed.startswith(_checksum(table, key, data)):
        raise DamagedDataError(
            f"The row {key} of the table '{table}' cannot be read: its data are damaged. Write it "
            "anew, with the mode upsert."
        )
    return Row(key=key, values=untyped_all(msgspec.msgpack.decode(data)))


def _checksum(table: str, key: RowKey, data: bytes) -> bytes:
    name = msgspec.msgpack.encode((table, *key))
    return _CHECKSUM.pack(zlib.crc32(data, zlib.crc32(name)))
