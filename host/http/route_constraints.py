"""Inline constraints of route templates: what may stand behind the colon in `{id:int}`.

Names and meanings are ASP.NET Core's. A constraint is made once, when the route is registered, and
then only asks of one path segment whether it fits. A constraint that cannot be made raises
`RouteTemplateError`.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from datetime import datetime
from typing import TypeAlias

from pydantic_core import SchemaError, SchemaValidator, core_schema

from host.errors import HostError

Constraint: TypeAlias = Callable[[str], bool]

_INT32 = (-(2**31), 2**31 - 1)
_INT64 = (-(2**63), 2**63 - 1)
_INTEGER = re.compile(r"[+-]?[0-9]{1,20}", re.ASCII)
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)", re.ASCII)
_FLOAT = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?", re.ASCII)
_GUID = re.compile(
    r"[0-9a-f]{32}|(?P<open>[({]?)[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?P<close>[)}]?)",
    re.IGNORECASE,
)
_ALPHA = re.compile(r"[a-z]*", re.IGNORECASE | re.ASCII)
_PAIRS = {"": "", "(": ")", "{": "}", None: None}
_CALL = re.compile(r"(?P<name>[A-Za-z]+)(?:\((?P<arguments>.*)\))?", re.DOTALL)


class RouteTemplateError(HostError):
    """A route template cannot be understood; the message says which part."""


def make_constraint(text: str) -> Constraint:
    """The constraint of a text such as `int`, `range(1,10)` or `regex(^a)`."""
    call = _CALL.fullmatch(text)
    if call is None:
        raise RouteTemplateError(f"'{text}' is not a route constraint; write name or name(value).")
    name, arguments = call["name"].lower(), call["arguments"]
    if arguments is None and name in _PLAIN:
        return _PLAIN[name]
    if arguments is not None and name in _WITH_ARGUMENTS:
        return _WITH_ARGUMENTS[name](arguments)
    known = ", ".join([*sorted(_PLAIN), *(f"{each}(…)" for each in sorted(_WITH_ARGUMENTS))])
    raise RouteTemplateError(f"There is no route constraint '{text}'; known are {known}.")


def _integer(text: str) -> int | None:
    return int(text) if _INTEGER.fullmatch(text) else None


def _within(text: str, low: int, high: int) -> bool:
    value = _integer(text)
    return value is not None and low <= value <= high


def _is_datetime(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _is_guid(text: str) -> bool:
    found = _GUID.fullmatch(text)
    return found is not None and _PAIRS[found["open"]] == found["close"]


def _numbers(arguments: str, *counts: int) -> list[int]:
    numbers = [_integer(part.strip()) for part in arguments.split(",")]
    valid = [number for number in numbers if number is not None]
    if len(valid) != len(numbers) or len(valid) not in counts:
        raise RouteTemplateError(f"'({arguments})' are not the arguments of a route constraint.")
    return valid


def _min_length(arguments: str) -> Constraint:
    (low,) = _numbers(arguments, 1)
    return lambda text: len(text) >= low


def _max_length(arguments: str) -> Constraint:
    (high,) = _numbers(arguments, 1)
    return lambda text: len(text) <= high


def _length(arguments: str) -> Constraint:
    numbers = _numbers(arguments, 1, 2)
    low, high = numbers[0], numbers[-1]
    return lambda text: low <= len(text) <= high


def _minimum(arguments: str) -> Constraint:
    (low,) = _numbers(arguments, 1)
    return lambda text: _within(text, low, _INT64[1])


def _maximum(arguments: str) -> Constraint:
    (high,) = _numbers(arguments, 1)
    return lambda text: _within(text, _INT64[0], high)


def _range(arguments: str) -> Constraint:
    low, high = _numbers(arguments, 2)
    return lambda text: _within(text, low, high)


def _regex(arguments: str) -> Constraint:
    """Matched in time linear in the text: by pydantic's engine, since Python's may never end."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", FutureWarning)  # what engines read differently
            re.compile(arguments)
        schema = core_schema.str_schema(pattern=f"(?i){arguments}", regex_engine="rust-regex")
        return SchemaValidator(schema).isinstance_python
    except (re.error, OverflowError, FutureWarning) as error:
        raise RouteTemplateError(f"'{arguments}' is not a regular expression: {error}") from error
    except SchemaError as error:
        raise RouteTemplateError(
            f"'{arguments}' cannot be a route constraint: {_last_line(error)}. Paths are matched "
            "in linear time, so there is no looking ahead or behind and no reference to a group."
        ) from error


def _last_line(error: Exception) -> str:
    return str(error).strip().rsplit("\n", 1)[-1].strip().removeprefix("error: ").rstrip(".")


_PLAIN: dict[str, Constraint] = {
    "alpha": lambda text: _ALPHA.fullmatch(text) is not None,
    "bool": lambda text: text.lower() in {"true", "false"},
    "datetime": _is_datetime,
    "decimal": lambda text: _DECIMAL.fullmatch(text) is not None,
    "double": lambda text: _FLOAT.fullmatch(text) is not None,
    "float": lambda text: _FLOAT.fullmatch(text) is not None,
    "guid": _is_guid,
    "int": lambda text: _within(text, *_INT32),
    "long": lambda text: _within(text, *_INT64),
    "required": bool,
}

_WITH_ARGUMENTS: dict[str, Callable[[str], Constraint]] = {
    "length": _length,
    "max": _maximum,
    "maxlength": _max_length,
    "min": _minimum,
    "minlength": _min_length,
    "range": _range,
    "regex": _regex,
}
