"""Rows as they are kept: each value with its type, as DynamoDB writes it.

Rules of this file: pure. All that keep rows keep them so, and so all give back the same values.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable, Mapping
from decimal import Decimal
from types import NoneType
from typing import Any, Final, TypeAlias

from bindings.tables.values import RowValue, read_number

Typed: TypeAlias = dict[str, Any]
"""One value: its type by its short name, and what it is."""


def typed(value: RowValue) -> Typed:
    """The value with its type."""
    return next({name: write(value)} for kinds, name, write in _WRITERS if isinstance(value, kinds))


def typed_all(values: Mapping[str, RowValue]) -> dict[str, Typed]:
    """All values of a row, or of a part of it."""
    return {name: typed(value) for name, value in values.items()}


def untyped(value: Typed) -> RowValue:
    """The value itself. Raises `ValueError` for what is none."""
    (kind, content), *more = value.items()
    if more or kind not in _READERS:
        raise ValueError(f"a value of the types {sorted(value)}")
    return _READERS[kind](content)


def untyped_all(values: Mapping[str, Typed]) -> dict[str, RowValue]:
    """All values of a row, or of a part of it. Raises `ValueError`."""
    return {name: untyped(value) for name, value in values.items()}


def _bytes(content: str | bytes) -> bytes:
    """JSON has bytes as base64."""
    return content if isinstance(content, bytes) else b64decode(content)


_WRITERS: Final[tuple[tuple[tuple[type, ...], str, Callable[[Any], Any]], ...]] = (
    ((NoneType,), "NULL", lambda _: True),
    ((bool,), "BOOL", bool),
    ((str,), "S", str),
    ((int, float, Decimal), "N", str),
    ((bytes,), "B", bytes),
    ((list,), "L", lambda parts: [typed(part) for part in parts]),
    ((dict,), "M", typed_all),
)
"""The first that fits counts."""
_READERS: Final[Mapping[str, Callable[[Any], RowValue]]] = {
    "NULL": lambda _: None,
    "BOOL": bool,
    "S": str,
    "N": read_number,
    "B": _bytes,
    "L": lambda content: [untyped(part) for part in content],
    "M": untyped_all,
    # Sets are what others wrote: there are none in JSON.
    "SS": sorted,
    "NS": lambda content: [read_number(each) for each in sorted(content, key=Decimal)],
    "BS": lambda content: list(map(_bytes, sorted(content))),
}
