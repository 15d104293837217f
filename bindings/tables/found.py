"""What all tables have in common: how a search goes, and what a row in the way is called."""

from __future__ import annotations

from bindings.errors import PayloadTooLargeError, RowExistsError
from bindings.tables.filters import matches, partition_in
from bindings.tables.records import MAX_FOUND_BYTES, KeyNames, Row, RowKey, Wanted
from bindings.tables.values import size_of


class Found:
    """Collects rows that are looked at one by one."""

    def __init__(self, table: str, wanted: Wanted, names: KeyNames) -> None:
        self.rows: list[Row] = []
        self._table = table
        self._wanted = wanted
        self._names = names
        self._bytes = 0

    @property
    def is_full(self) -> bool:
        """Whether there are as many as are wanted."""
        return len(self.rows) >= self._wanted.limit

    def look_at(self, row: Row) -> None:
        """Take the row if it is wanted. Raises `PayloadTooLargeError`."""
        if not self.is_full and matches(self._wanted.filter, row.shown(self._names)):
            self.take(row)

    def take(self, row: Row) -> None:
        """Take a row that is wanted. Raises `PayloadTooLargeError`."""
        self.rows.append(row)
        self._bytes += size_of(dict(row.values))
        if self._bytes > MAX_FOUND_BYTES:
            raise PayloadTooLargeError(
                f"What is to be read of the table '{self._table}' at once",
                self._bytes,
                MAX_FOUND_BYTES,
                None,
            )


def searched_partition(wanted: Wanted, names: KeyNames) -> str | None:
    """The partition in which all wanted rows are; None if they may be in any."""
    if wanted.partition is not None:
        return wanted.partition
    return partition_in(wanted.filter, names.partition)


def row_exists(table: str, key: RowKey) -> RowExistsError:
    """The error for a row that is there already."""
    return RowExistsError(
        f"The table '{table}' has a row under the key {key} already. Outputs insert rows; with "
        "the mode upsert they replace them."
    )
