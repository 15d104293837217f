"""DynamoDB's expressions: conditions and changes, compiled once and then evaluated on items.

Rules of this file: only what DynamoDB documents, and of that only what the driver uses; anything
else is a `RefusalError`, as it would be there. Names stand for themselves (`#pk` is `pk`).
"""

from __future__ import annotations

import operator as operators
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

from bindings.errors import FunchostError

Item: TypeAlias = dict[str, dict[str, Any]]
Values: TypeAlias = Mapping[str, dict[str, Any]]
Condition: TypeAlias = Callable[[Item, Values], bool]
_Operand: TypeAlias = Callable[[Item, Values], "dict[str, Any] | None"]

_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "=": operators.eq,
    "<>": operators.ne,
    "<": operators.lt,
    "<=": operators.le,
    ">": operators.gt,
    ">=": operators.ge,
}
_DEFAULT = re.compile(r"#(\w+) = if_not_exists\(#\1, (:\w+)\)")
_TOKEN = re.compile(r"\s*([:#]?\w+|<>|<=|>=|[=<>(),])")


class RefusalError(FunchostError):
    """What the service answers instead."""

    def __init__(self, code: str, message: str = "") -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class Change(NamedTuple):
    """What an update does: which attributes get which values, and which go."""

    sets: Sequence[tuple[str, str]]
    defaults: Sequence[tuple[str, str]]
    """What is set only if nothing is there."""
    removes: Sequence[str]

    def apply(self, item: Item, values: Values) -> Item:
        """The changed item."""
        left = {name: value for name, value in item.items() if name not in self.removes}
        missing = {name: values[value] for name, value in self.defaults}
        return missing | left | {name: values[value] for name, value in self.sets}

    @property
    def names(self) -> set[str]:
        """All attributes that it touches."""
        return {name for name, _ in (*self.sets, *self.defaults)} | set(self.removes)


@lru_cache(maxsize=2000)
def condition(text: str) -> Condition:
    """A condition, or the keys of a query."""
    parser = _Parser(text)
    found = parser.either()
    parser.end()
    return found


@lru_cache(maxsize=2000)
def change(text: str) -> Change:
    """An update: `SET #a = :a, #b = if_not_exists(#b, :b) REMOVE #c`, either part alone too."""
    sets, _, removes = text.removeprefix("SET ").partition("REMOVE ")
    if text.startswith("REMOVE "):
        sets, removes = "", text.removeprefix("REMOVE ")
    defaults = _DEFAULT.findall(sets)
    pairs = [part.split("=") for part in _DEFAULT.sub("", sets).split(",") if part.strip()]
    return Change(
        sets=[(name.strip()[1:], value.strip()) for name, value in pairs],
        defaults=defaults,
        removes=[name.strip()[1:] for name in removes.split(",") if name.strip()],
    )


@lru_cache(maxsize=2000)
def words(text: str, sign: str) -> frozenset[str]:
    """All names (`#`) or values (`:`) that an expression uses."""
    return frozenset(re.findall(rf"{sign}\w+", text))


class _Parser:
    """Reads a condition: `OR` binds weaker than `AND`, that than `NOT`; brackets bind best."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = _TOKEN.findall(text)
        self._at = 0
        if "".join(self._tokens) != re.sub(r"\s", "", text):
            raise self._refusal()

    def either(self) -> Condition:
        parts = [self._both()]
        while self._accepts("OR"):
            parts.append(self._both())
        return parts[0] if len(parts) == 1 else lambda i, v: any(part(i, v) for part in parts)

    def end(self) -> None:
        if self._at < len(self._tokens):
            raise self._refusal()

    def _both(self) -> Condition:
        parts = [self._term()]
        while self._accepts("AND"):
            parts.append(self._term())
        return parts[0] if len(parts) == 1 else lambda i, v: all(part(i, v) for part in parts)

    def _term(self) -> Condition:
        if self._accepts("NOT"):
            refused = self._term()
            return lambda item, values: not refused(item, values)
        if self._accepts("("):
            inner = self.either()
            self._expect(")")
            return inner
        for function, is_there in (("attribute_exists", True), ("attribute_not_exists", False)):
            if self._accepts(function):
                self._expect("(")
                name = self._next()[1:]
                self._expect(")")
                return lambda item, _: (name in item) is is_there
        return self._comparison()

    def _comparison(self) -> Condition:
        left, operator = self._operand(), self._next()
        if operator == "BETWEEN":
            low = self._operand()
            self._expect("AND")
            high = self._operand()
            return lambda i, v: (
                _compares("<=", low(i, v), left(i, v)) and _compares("<=", left(i, v), high(i, v))
            )
        right = self._operand()
        return lambda i, v: _compares(operator, left(i, v), right(i, v))

    def _operand(self) -> _Operand:
        word = self._next()
        if word.startswith("#"):
            name = word[1:]
            return lambda item, _: item.get(name)
        if word.startswith(":"):
            return lambda _, values: values[word]
        raise self._refusal()

    def _next(self) -> str:
        if self._at == len(self._tokens):
            raise self._refusal()
        self._at += 1
        token: str = self._tokens[self._at - 1]
        return token

    def _accepts(self, token: str) -> bool:
        if self._at < len(self._tokens) and self._tokens[self._at] == token:
            self._at += 1
            return True
        return False

    def _expect(self, token: str) -> None:
        if not self._accepts(token):
            raise self._refusal()

    def _refusal(self) -> RefusalError:
        return RefusalError("ValidationException", f"Not an expression: {self._text}")


def _compares(operator: str, left: dict[str, Any] | None, right: dict[str, Any] | None) -> bool:
    """What is missing, or of another type, is different from everything and not to be ordered."""
    if left is None or right is None or left.keys() != right.keys():
        return operator == "<>"
    ((kind, mine),) = left.items()
    (others,) = right.values()
    if kind == "N":
        mine, others = Decimal(mine), Decimal(others)
    if operator not in _OPERATORS:
        raise RefusalError("ValidationException", f"No operator: {operator}")
    return bool(_OPERATORS[operator](mine, others))
