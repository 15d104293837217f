"""Filters of rows: what is true of a row, and which rows can be skipped.

Rules of this file: a filter means the same wherever the rows are. A property that is None is as one
that is not there: no comparison with a value is true of it. Of a value of another type only `ne` is
true. `not` turns all of that round. Texts are ordered by their UTF-8 bytes, which is the order of
their code points.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, TypeAlias

from bindings.tables.values import RowValue, as_decimal

Literal: TypeAlias = str | Decimal | bool | None


class Op(StrEnum):
    """How a property is compared."""

    EQ = "eq"
    NE = "ne"
    GT = "gt"
    GE = "ge"
    LT = "lt"
    LE = "le"


@dataclass(frozen=True, slots=True)
class Comparison:
    """Of a property with a value. With None there is `eq` (it is None, or not there) and `ne`."""

    name: str
    op: Op
    value: Literal


@dataclass(frozen=True, slots=True)
class Not:
    """The part is not true."""

    part: Filter


@dataclass(frozen=True, slots=True)
class AllOf:
    """Each part is true."""

    parts: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """One part is true, or more."""

    parts: tuple[Filter, ...]


Filter: TypeAlias = Comparison | Not | AllOf | AnyOf

_ORDERS: Final[Mapping[Op, Callable[[Any, Any], bool]]] = {
    Op.EQ: operator.eq,
    Op.GT: operator.gt,
    Op.GE: operator.ge,
    Op.LT: operator.lt,
    Op.LE: operator.le,
}


def matches(filter_: Filter | None, row: Mapping[str, RowValue]) -> bool:
    """Whether it is true of the row; None is of every row."""
    match filter_:
        case None:
            return True
        case Comparison():
            return _compare(filter_, row)
        case Not(part):
            return not matches(part, row)
        case AllOf(parts):
            return all(matches(part, row) for part in parts)
        case AnyOf(parts):
            return any(matches(part, row) for part in parts)


def terms_of(filter_: Filter | None) -> tuple[Filter, ...]:
    """The filters that are all true if it is."""
    if filter_ is None:
        return ()
    return filter_.parts if isinstance(filter_, AllOf) else (filter_,)


def all_of(terms: tuple[Filter, ...]) -> Filter | None:
    """The filter that is true if all of these are."""
    return AllOf(terms) if len(terms) > 1 else next(iter(terms), None)


def names_in(filter_: Filter) -> Iterator[str]:
    """The properties that it names."""
    match filter_:
        case Comparison():
            yield filter_.name
        case Not(part):
            yield from names_in(part)
        case AllOf(parts) | AnyOf(parts):
            for part in parts:
                yield from names_in(part)


def partition_in(filter_: Filter | None, name: str) -> str | None:
    """The one partition in which all rows are that it is true of, if it says so.

    `name` is that of the partition key.
    """
    for term in terms_of(filter_):
        match term:
            case Comparison(name=found, op=Op.EQ, value=str() as value) if found == name:
                return value
    return None


def _compare(comparison: Comparison, row: Mapping[str, RowValue]) -> bool:
    wanted, op = comparison.value, comparison.op
    stored = row.get(comparison.name)
    if wanted is None:
        return (stored is None) is (op is Op.EQ)
    if stored is None:
        return False
    if not _are_alike(stored, wanted):
        return op is Op.NE
    if isinstance(stored, int | float | Decimal) and not isinstance(stored, bool):
        stored = as_decimal(stored)
    is_equal = stored == wanted
    return not is_equal if op is Op.NE else _ORDERS[op](stored, wanted)


def _are_alike(stored: RowValue, wanted: Literal) -> bool:
    """Whether both are of one type; all numbers are."""
    match wanted:
        case bool() | str():
            return type(stored) is type(wanted)
        case _:
            return isinstance(stored, int | float | Decimal) and not isinstance(stored, bool)
