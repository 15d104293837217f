"""What tables of embedded hubs have in common, and those of a hub in memory.

Rules of this file: what may be refused is looked at before anything is written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bindings.tables.found import Found, row_exists, searched_partition
from bindings.tables.records import KeyNames, Row, RowKey, Table, Wanted
from host.storage.rows import Typed, typed_all, untyped_all


@dataclass(frozen=True, slots=True)
class _Kept:
    values: Mapping[str, Typed]
    stamp: str | None


class MemoryTables:
    """Tables that are forgotten with the process."""

    def __init__(self) -> None:
        self._tables: dict[str, dict[RowKey, _Kept]] = {}

    def table(self, name: str, names: KeyNames) -> Table:
        """The table of this name."""
        return _MemoryTable(name, names, self._tables)


class _MemoryTable:
    def __init__(self, name: str, names: KeyNames, tables: dict[str, dict[RowKey, _Kept]]) -> None:
        self._name = name
        self._names = names
        self._tables = tables

    async def get(self, key: RowKey) -> Row | None:
        kept = self._rows().get(key)
        return None if kept is None else _row(key, kept)

    async def find(self, wanted: Wanted) -> list[Row]:
        partition = searched_partition(wanted, self._names)
        found = Found(self._name, wanted, self._names)
        for key, kept in sorted(self._rows().items(), key=lambda each: each[0]):
            if found.is_full:
                break
            if partition is None or key.partition == partition:
                found.look_at(_row(key, kept))
        return found.rows

    async def insert(self, rows: Sequence[Row], stamps: Sequence[str | None]) -> None:
        stored = self._rows()
        new = {}
        for row, stamp in zip(rows, stamps, strict=True):
            kept = stored.get(row.key)
            if kept is None:
                new[row.key] = _Kept(typed_all(row.values), stamp)
            elif stamp is None or kept.stamp != stamp:
                raise row_exists(self._name, row.key)
        self._put(new)

    async def upsert(self, rows: Sequence[Row]) -> None:
        self._put({row.key: _Kept(typed_all(row.values), None) for row in rows})

    def _rows(self) -> dict[RowKey, _Kept]:
        return self._tables.get(self._name, {})

    def _put(self, rows: Mapping[RowKey, _Kept]) -> None:
        self._tables.setdefault(self._name, {}).update(rows)


def _row(key: RowKey, kept: _Kept) -> Row:
    return Row(key=key, values=untyped_all(kept.values))
