"""What a function gave to an output, as rows: one or many, each under its keys."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from bindings.errors import InvalidArgumentError, PayloadTooLargeError
from bindings.shown_values import shown_value
from bindings.strict_json import read_json
from bindings.tables.records import KeyNames, Row, RowKey
from bindings.tables.values import RowValue, row_value, size_of

STAMP: Final = "funchostId"
"""The property in which DynamoDB keeps the stamp of a row; no author sees it."""
MAX_ROW_BYTES: Final = 400 * 1024
MAX_PARTITION_BYTES: Final = 2048
MAX_ROW_KEY_BYTES: Final = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class SizedRow:
    """A row, and how many bytes it counts."""

    row: Row
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RowMaker:
    """Makes rows of one output in one call.

    `default` are the keys of rows that do not say theirs; None where the binding says none, either.
    """

    what: str
    """What the value is of, for errors."""
    names: KeyNames
    partition: str | None = None
    row_key: str | None = None

    def rows_of(self, value: object) -> list[SizedRow]:
        """All rows that the value has, in order; None has none.

        Raises `InvalidArgumentError`, `PayloadTooLargeError`, or `SerializationError` for what is
        no value of a row.
        """
        return [self._row(item, place) for item, place in self._items(value)]

    def _items(self, value: object) -> Iterator[tuple[object, str]]:
        value = self._parsed(value, self.what)
        if isinstance(value, list | tuple):
            for number, item in enumerate(value, start=1):
                place = f"Row {number} of {self.what}"
                yield self._parsed(item, place), place
        elif value is not None:
            yield value, f"The row of {self.what}"

    def _parsed(self, value: object, place: str) -> object:
        """A text is the JSON of what it stands for."""
        if not isinstance(value, str | bytes | bytearray):
            return value
        text = value.encode("utf-8", "replace") if isinstance(value, str) else bytes(value)
        try:
            parsed: object = read_json(text)
        except ValueError as error:
            raise InvalidArgumentError(f"{place} is a text that is not JSON: {error}") from error
        return parsed

    def _row(self, item: object, place: str) -> SizedRow:
        values = row_value(item, place)
        if not isinstance(values, dict):
            raise InvalidArgumentError(
                f"{place} is {type(item).__name__}: give a dict, a model, a dataclass or JSON of "
                "an object, or a list of them."
            )
        if STAMP in values:
            raise InvalidArgumentError(f"{place} has '{STAMP}', which is the host's own property.")
        key = RowKey(
            self._key(values, self.names.partition, self.partition, place),
            self._key(values, self.names.row, self.row_key, place),
        )
        check_key(key, self.names)
        size = size_of(values) + _key_bytes(key, self.names)
        if size > MAX_ROW_BYTES:
            raise PayloadTooLargeError(f"{place} ({key})", size, MAX_ROW_BYTES, None)
        return SizedRow(row=Row(key=key, values=values), size=size)

    @staticmethod
    def _key(values: dict[str, RowValue], name: str, default: str | None, place: str) -> str:
        """The key that the row itself has, which it loses, else that of the binding."""
        own = values.pop(name, None)
        key = default if own is None else own
        if key is None:
            raise InvalidArgumentError(
                f"{place} has no '{name}': give it one, or say it in the binding."
            )
        if not isinstance(key, str):
            raise InvalidArgumentError(
                f"{place} has a '{name}' that is no text: {shown_value(key)}."
            )
        return key


def check_key(key: RowKey, names: KeyNames) -> None:
    """Raise `InvalidArgumentError` for a key that no row can have."""
    limits = ((names.partition, MAX_PARTITION_BYTES), (names.row, MAX_ROW_KEY_BYTES))
    for value, (name, limit) in zip(key, limits, strict=True):
        check_key_part(value, name, limit)


def check_key_part(value: str, name: str, limit: int) -> None:
    """Raise `InvalidArgumentError` for a text that is no key."""
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        raise InvalidArgumentError(f"'{name}' has half a character in it.") from None
    if not size:
        raise InvalidArgumentError(f"'{name}' is empty: a key has a character or more.")
    if size > limit:
        raise InvalidArgumentError(f"'{name}' has {size:,} bytes; the limit is {limit:,}.")


def last_of_each_key(rows: list[SizedRow]) -> list[SizedRow]:
    """The rows, and of several under one key the last one."""
    return list({each.row.key: each for each in rows}.values())


def first_doubled(rows: list[SizedRow]) -> RowKey | None:
    """The first key that comes twice, if any."""
    seen: set[RowKey] = set()
    for each in rows:
        if each.row.key in seen:
            return each.row.key
        seen.add(each.row.key)
    return None


def _key_bytes(key: RowKey, names: KeyNames) -> int:
    parts = (key.partition, key.row, names.partition, names.row, STAMP)
    return sum(len(part.encode()) for part in parts) + 64
