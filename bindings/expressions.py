"""Binding expressions: `{name}` in a property of a binding stands for a value of the call.

A name is looked for in what the trigger knows (route values, the properties of a JSON message, …),
without regard to case; `{a.b}` is the property `b` of `a`. What is not found there may be built in:
`{rand-guid}`, `{datetime}`, `{sys.methodname}`, `{sys.utcnow}`, `{sys.randguid}`. The rules are
those of Azure Functions.

Rules of this file: a text is read once, when its function is loaded, and then holds what can be
wrong with it; a call only looks up names.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Final, NamedTuple
from uuid import uuid4

from bindings.dates import check_format, formatted
from bindings.errors import FunctionDefinitionError, InvalidArgumentError

_EXPRESSION: Final = re.compile(r"\{([^{}]*)\}")
_NAME: Final = re.compile(r"[^\s.:{}-][^\s.:{}-]*(\.[^\s.:{}]+)*")
_TIME_FORMAT: Final = "yyyy-MM-ddTHH-mm-ssZ"
_GUID: Final = "rand-guid"
_TIME: Final = "datetime"
_GUID_FORMATS: Final[Mapping[str, Callable[[str], str]]] = MappingProxyType(
    {
        "": str,
        "D": str,
        "N": lambda guid: guid.replace("-", ""),
        "B": lambda guid: f"{{{guid}}}",
        "P": lambda guid: f"({guid})",
    }
)


class BindingData:
    """What expressions of one call can name. It is made when the first of them asks."""

    __slots__ = ("_find", "_found", "_function_name", "_now")

    def __init__(
        self,
        find: Callable[[], Mapping[str, object]],
        *,
        function_name: str,
        now: Callable[[], datetime],
    ) -> None:
        """`find` gives what the trigger knows; `now` the time in UTC."""
        self._find = find
        self._found: Mapping[str, object] | None = None
        self._function_name = function_name
        self._now = now

    def text_of(self, name: str, format_: str = "") -> str:
        """The value of an expression. Raises `InvalidArgumentError` if nothing has the name."""
        if self._found is None:
            self._found = self._find()
        path = name.split(".")
        place: object = self._found
        for step, part in enumerate(path):
            is_there, place = _member(place, part)
            if not is_there:
                return self._built_in(name, format_) if step == 0 else _refuse(name)
        if isinstance(place, datetime) and format_:
            return formatted(place, format_)
        return text_of(place)

    def _built_in(self, name: str, format_: str) -> str:
        match name.lower():
            case "rand-guid":
                return _GUID_FORMATS[format_.upper()](str(uuid4()))
            case "datetime":
                return formatted(self._now(), format_ or _TIME_FORMAT)
            case "sys.methodname":
                return self._function_name
            case "sys.utcnow":
                return formatted(self._now(), _TIME_FORMAT)
            case "sys.randguid":
                return str(uuid4())
        return _refuse(name)


class _Expression(NamedTuple):
    name: str
    format: str


@dataclass(frozen=True, slots=True)
class Template:
    """A text with expressions in it."""

    text: str
    parts: tuple[str | _Expression, ...]

    @property
    def is_constant(self) -> bool:
        """Whether it is the same for all calls."""
        return not self.names

    @property
    def names(self) -> frozenset[str]:
        """What its expressions name."""
        return frozenset(each.name for each in self.parts if not isinstance(each, str))

    def render(self, data: BindingData) -> str:
        """The text for one call. Raises `InvalidArgumentError` for a name without a value."""
        return "".join(
            each if isinstance(each, str) else data.text_of(each.name, each.format)
            for each in self.parts
        )


def template(text: str, what: str) -> Template:
    """Read a text. Raises `FunctionDefinitionError`, which says `what` it is of."""
    parts: list[str | _Expression] = []
    end = 0
    for match in _EXPRESSION.finditer(text):
        parts += [_plain(text[end : match.start()], text, what), _expression(match[1], what)]
        end = match.end()
    parts.append(_plain(text[end:], text, what))
    return Template(text, tuple(each for each in parts if each != ""))


def text_of(value: object) -> str:
    """A value as a part of a text: as JSON has it, and a text as it is. None is empty."""
    match value:
        case None:
            return ""
        case str():
            return value
        case bytes() | bytearray():
            return bytes(value).decode("utf-8", "replace")
        case datetime():
            return value.isoformat()
        case bool() | int() | float() | list() | tuple() | dict():
            return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def _member(place: object, name: str) -> tuple[bool, object]:
    """Whether there is something of this name, and what."""
    if not isinstance(place, Mapping):
        return False, None
    if name in place:
        return True, place[name]
    folded = name.lower()
    for key, value in place.items():
        if isinstance(key, str) and key.lower() == folded:
            return True, value
    return False, None


def _plain(text: str, whole: str, what: str) -> str:
    if "{" in text or "}" in text:
        raise FunctionDefinitionError(
            f"{what} '{whole}' has a brace without its other half: expressions are written as "
            "{name}."
        )
    return text


def _expression(inside: str, what: str) -> _Expression:
    name, _, format_ = (each.strip() for each in inside.partition(":"))
    folded = name.lower()
    if folded == _GUID:
        if format_.upper() not in _GUID_FORMATS:
            raise FunctionDefinitionError(
                f"{what} has {{{inside}}}: the formats of a GUID are N, D, B and P."
            )
        return _Expression(folded, format_)
    if not _NAME.fullmatch(name):
        raise FunctionDefinitionError(
            f"{what} has {{{inside}}}, which is no name: names have no spaces, and the first part "
            "of one has no '-'."
        )
    if format_:
        try:
            check_format(format_)
        except ValueError as error:
            raise FunctionDefinitionError(f"{what} has {{{inside}}}: {error}.") from None
    return _Expression(name, format_)


def _refuse(name: str) -> str:
    raise InvalidArgumentError(f"No value for named parameter '{name}'.")
