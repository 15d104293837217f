"""The values that rows hold, made of what authors write.

Rules of this file: what is written is read back as it was, or refused, and the limits are those of
DynamoDB wherever the row is kept. Two things change, since JSON and DynamoDB have no types for
them: a number that is whole is an int, and a time is a text, in a form whose order is that of time.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from enum import Enum
from types import NoneType
from typing import Any, Final, TypeAlias, Union
from uuid import UUID

from pydantic import BaseModel, SecretBytes, SecretStr
from pydantic_core import to_jsonable_python

from bindings.errors import InvalidArgumentError, SerializationError
from bindings.shown_values import shown_value

RowValue: TypeAlias = Union[
    str, int, float, Decimal, bool, bytes, "list[RowValue]", "dict[str, RowValue]", None
]
Number: TypeAlias = int | float | Decimal

MAX_DIGITS: Final = 38
MAX_EXPONENT: Final = 125
MIN_EXPONENT: Final = -130
MAX_DEPTH: Final = 30
"""DynamoDB nests 32 levels."""
_MAX_BITS: Final = 420
"""No whole number with more has an exponent that is small enough."""
_SEPARATORS: Final = (": ", ".")


def row_value(value: object, place: str, depth: int = 0) -> RowValue:
    """The value as a row holds it; `place` names it in errors.

    Raises `SerializationError` for what is no value of a row, and `InvalidArgumentError` for one
    that is too long, too large or too deep.
    """
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, BaseModel) or dataclasses.is_dataclass(value):
        value = _dumped(value, place)
    if isinstance(value, Mapping):
        inner = _deeper(depth, place)
        return {
            _name(name, place): row_value(part, f"{place}{_SEPARATORS[depth > 0]}{name}", inner)
            for name, part in value.items()
        }
    if isinstance(value, list | tuple):
        inner = _deeper(depth, place)
        return [row_value(part, f"{place}[{i}]", inner) for i, part in enumerate(value)]
    write = next((write for kinds, write in _WRITERS if isinstance(value, kinds)), _other)
    return write(value, place)


def number(value: Number, place: str) -> Number:
    """The number, if a row can hold it. Raises as `row_value` does."""
    plain = int(value) if isinstance(value, int) else value
    if isinstance(plain, int) and plain.bit_length() > _MAX_BITS:
        raise _too_long(place)
    exact = as_decimal(plain)
    if not exact.is_finite():
        raise SerializationError(f"{place} is {value}, which is no number that a row can hold.")
    digits = "".join(map(str, exact.as_tuple().digits)).strip("0")
    if len(digits) > MAX_DIGITS:
        raise _too_long(place)
    if exact and not MIN_EXPONENT <= exact.adjusted() <= MAX_EXPONENT:
        raise InvalidArgumentError(
            f"{place} is too large or too small: a row holds numbers from 1e{MIN_EXPONENT} to "
            f"9.9e{MAX_EXPONENT}."
        )
    return plain


def as_decimal(value: Number) -> Decimal:
    """Exactly the number; of a float the shortest one that is read as it."""
    return Decimal(repr(float(value))) if isinstance(value, float) else Decimal(value)


def read_number(text: str) -> Number:
    """A number of a row: an int if it is whole, else a float, or a Decimal with more digits."""
    exact = Decimal(text)
    if exact == (whole := int(exact)):
        return whole
    short = float(exact)
    return short if as_decimal(short) == exact else exact


def time_text(moment: datetime) -> str:
    """A time as rows hold it: of two in UTC the earlier one is the smaller text."""
    if moment.tzinfo is None:
        return moment.isoformat(timespec="microseconds")
    text = moment.astimezone(UTC).isoformat(timespec="microseconds")
    return text.removesuffix("+00:00") + "Z"


def size_of(value: RowValue) -> int:
    """How many bytes a value counts, as DynamoDB counts them, or a few more."""
    if isinstance(value, list):
        return 3 + sum(1 + size_of(part) for part in value)
    if isinstance(value, dict):
        return 3 + sum(1 + len(name.encode()) + size_of(part) for name, part in value.items())
    if isinstance(value, bytes):
        return len(value)
    if isinstance(value, str):
        return len(value.encode())
    return 1 if value is None else 2 + len(str(value))


def _text(value: str, place: str) -> str:
    text = str.__str__(value)  # no class derived from it
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidArgumentError(f"{place} is a text with half a character in it.") from None
    return text


def _name(name: object, place: str) -> str:
    if not isinstance(name, str) or not name:
        raise SerializationError(
            f"{place} has the name {shown_value(name)}: names of properties are texts, and not "
            "empty."
        )
    return _text(name, place)


def _deeper(depth: int, place: str) -> int:
    if depth >= MAX_DEPTH:
        raise InvalidArgumentError(f"{place[:100]}… is nested more than {MAX_DEPTH} levels deep.")
    return depth + 1


def _too_long(place: str) -> InvalidArgumentError:
    return InvalidArgumentError(
        f"{place} has more than {MAX_DIGITS} digits: write it as a text, or round it."
    )


def _dumped(value: object, place: str) -> Mapping[str, object]:
    """The fields of a model or dataclass; a model of pydantic has the names that it is read by."""
    serializer = getattr(type(value), "__pydantic_serializer__", None)
    if serializer is None:
        fields = dataclasses.fields(value)  # type: ignore[arg-type]
        return {each.name: getattr(value, each.name) for each in fields}
    try:
        dumped: Mapping[str, object] = serializer.to_python(value, by_alias=True)
    except Exception as error:  # an author's serializer may raise anything
        raise SerializationError(f"{place} cannot be written: {error}") from error
    return dumped


def _other(value: object, place: str) -> RowValue:
    """What pydantic writes as one text or number, such as a path or a time span."""
    if isinstance(value, set | frozenset):
        raise SerializationError(f"{place} is a set, which has no order: write a list.")
    if not isinstance(value, SecretStr | SecretBytes):
        try:
            plain = to_jsonable_python(value)
        except Exception:  # noqa: BLE001 - it cannot be written, whatever the reason
            plain = None
        if isinstance(plain, str):
            return _text(plain, place)
        if isinstance(plain, int | float) and math.isfinite(plain):
            return number(plain, place)
    raise SerializationError(
        f"{place} is a {type(value).__name__}, which no row holds: write texts, numbers, bytes, "
        "lists, dicts, dataclasses or pydantic models."
    )


_WRITERS: Final[tuple[tuple[tuple[type, ...], Callable[[Any, str], RowValue]], ...]] = (
    ((NoneType, bool), lambda value, _: value),
    ((str,), _text),
    ((int, float, Decimal), number),
    ((bytes, bytearray, memoryview), lambda value, _: bytes(value)),
    ((datetime,), lambda value, _: time_text(value)),
    ((date, time), lambda value, _: value.isoformat()),
    ((UUID,), lambda value, _: str(value)),
)
"""How values without parts are written: the first that fits counts."""
