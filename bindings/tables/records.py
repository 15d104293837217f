"""What a table is to bindings: rows under two keys, found one by one or by a filter.

Rules of this file: a table is the same to a function whatever keeps it, so the limits are those of
DynamoDB everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol, TypeVar

from bindings.tables.filters import Filter
from bindings.tables.values import RowValue

T = TypeVar("T")

MAX_TOGETHER: Final = 100
"""So many rows can be stored as a whole or not at all."""
MAX_BYTES_TOGETHER: Final = 3_500_000
"""As much as they may have. DynamoDB counts more than we do, and takes 4 MB."""
MAX_FOUND_BYTES: Final = 16 * 1024 * 1024
"""So many bytes of rows are found at most; those that a filter leaves out do not count."""


class RowKey(NamedTuple):
    """Where a row is."""

    partition: str
    row: str

    def __str__(self) -> str:
        return f"'{self.partition:.100}' / '{self.row:.100}'"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyNames:
    """The properties that have the keys of the rows."""

    partition: str = "PartitionKey"
    row: str = "RowKey"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row: its values besides the keys."""

    key: RowKey
    values: Mapping[str, RowValue]

    def shown(self, names: KeyNames) -> dict[str, RowValue]:
        """The row as authors and filters see it, its keys first."""
        return {names.partition: self.key.partition, names.row: self.key.row, **self.values}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which rows are to be found."""

    limit: int
    """At most so many."""
    partition: str | None = None
    """Only those of this partition; None for the whole table."""
    filter: Filter | None = None
    """Only those that it is true of, keys and all."""


class Table(Protocol):
    """A table. All methods raise `FunchostError` if they cannot do it."""

    async def get(self, key: RowKey) -> Row | None:
        """The row, or None."""

    async def find(self, wanted: Wanted) -> list[Row]:
        """Rows, those of a partition in order of their row keys.

        Raises `PayloadTooLargeError` for more than `MAX_FOUND_BYTES`.
        """

    async def insert(self, rows: Sequence[Row], stamps: Sequence[str | None]) -> None:
        """Store new rows, one of `parts_of`: all of them, or none. No key comes twice.

        Each has a stamp, or None. A row that is there with the stamp of the new one is this very
        row: it is left as it is and counts as stored. Raises `RowExistsError` for any other.
        """

    async def upsert(self, rows: Sequence[Row]) -> None:
        """Store rows, one of `parts_of`, in place of what is there. No key comes twice.

        If this raises, some of them may have been stored.
        """


class LocalTables(Protocol):
    """Tables in one place. None has to be made: one is there once a row was stored in it."""

    def table(self, name: str, names: KeyNames) -> Table:
        """The table of this name, with rows whose keys go by these names."""


def parts_of(rows: Sequence[T], sizes: Sequence[int]) -> Iterator[Sequence[T]]:
    """The rows in as many parts as are stored one after another; `sizes` are bytes."""
    part: list[T] = []
    total = 0
    for row, size in zip(rows, sizes, strict=True):
        if part and (len(part) == MAX_TOGETHER or total + size > MAX_BYTES_TOGETHER):
            yield part
            part, total = [], 0
        part.append(row)
        total += size
    if part:
        yield part
