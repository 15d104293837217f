"""Reads filters as Azure's tables have them: a part of OData.

`eq ne gt ge lt le`, `and`, `or`, `not`, parentheses; on the right texts in quotes, numbers, `true`,
`false`, `null`, `datetime'…'` and `guid'…'`. The left side is the name of a property.

Rules of this file: a filter is read once, when its function is loaded. Expressions are found in the
values that were read, and a call puts in what they stand for there: whatever it is, it stays a
value and changes nothing of the filter.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from types import MappingProxyType
from typing import Final, NamedTuple, NoReturn, TypeAlias
from uuid import UUID

from bindings.errors import FunctionDefinitionError, InvalidArgumentError
from bindings.expressions import BindingData, Template, template
from bindings.tables.filters import AllOf, AnyOf, Comparison, Filter, Literal, Not, Op
from bindings.tables.values import number, time_text

MAX_LENGTH: Final = 4000
MAX_COMPARISONS: Final = 40
"""DynamoDB takes an expression of 4 KB."""
MAX_DEPTH: Final = 30

_TOKEN: Final = re.compile(
    r"""\s*(?:
        (?P<typed>(?:datetime|guid)(?='))?(?P<text>'(?:[^']|'')*')
      | (?P<paren>[()])
      | (?P<bare>(?:\{[^{}]*\}|[^\s()'{}])+)
    )""",
    re.VERBOSE,
)
_NAME: Final = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_NUMBER: Final = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,4})?L?", re.ASCII)
_WORDS: Final = frozenset({"and", "or", "not", "true", "false", "null", *Op})
_CONSTANTS: Final[Mapping[str, bool | None]] = MappingProxyType(
    {"true": True, "false": False, "null": None}
)

Convert: TypeAlias = Callable[[str], Literal]


@dataclass(frozen=True, slots=True)
class _Operand:
    """A value that is still a text: its expressions have no values yet."""

    text: Template
    convert: Convert


@dataclass(frozen=True, slots=True)
class _Unbound:
    name: str
    op: Op
    operand: _Operand

    def bind(self, data: BindingData) -> Comparison:
        """The comparison of one call."""
        value = self.operand.convert(self.operand.text.render(data))
        if self.op not in {Op.EQ, Op.NE} and (value is None or isinstance(value, bool)):
            raise InvalidArgumentError(
                f"The filter compares '{self.name}' by '{self.op}' with true, false or null: "
                "there are only eq and ne for these."
            )
        return Comparison(self.name, self.op, value)


@dataclass(frozen=True, slots=True)
class _Group:
    make: Callable[[tuple[Filter, ...]], Filter]
    parts: tuple[_Node, ...]


_Node: TypeAlias = _Unbound | _Group


class FilterTemplate:
    """A filter that was read, for any number of calls."""

    def __init__(self, text: str) -> None:
        """Raises `FunctionDefinitionError`."""
        self._root = _Parser(text).whole()
        self._constant = self._tried()

    def bind(self, data: BindingData) -> Filter:
        """The filter of one call. Raises `InvalidArgumentError`."""
        return self._constant or _bound(self._root, data)

    def _tried(self) -> Filter | None:
        """The filter, if it is the same for all calls. Raises `FunctionDefinitionError`."""
        if not _is_constant(self._root):
            return None
        nothing = BindingData(dict, function_name="", now=_no_time)
        try:
            return _bound(self._root, nothing)
        except InvalidArgumentError as error:
            raise FunctionDefinitionError(str(error)) from None


def _is_constant(node: _Node) -> bool:
    if isinstance(node, _Unbound):
        return node.operand.text.is_constant
    return all(map(_is_constant, node.parts))


def _bound(node: _Node, data: BindingData) -> Filter:
    if isinstance(node, _Unbound):
        return node.bind(data)
    return node.make(tuple(_bound(part, data) for part in node.parts))


class _Token(NamedTuple):
    kind: str
    text: str
    place: int


class _Parser:
    """By recursive descent: `or` binds less than `and`, and `and` less than `not`."""

    def __init__(self, text: str) -> None:
        self._text = text
        if len(text) > MAX_LENGTH:
            self._refuse(f"is longer than {MAX_LENGTH:,} characters", len(text))
        self._tokens = self._read_tokens()
        self._next = 0
        self._comparisons = 0
        self._depth = 0

    def whole(self) -> _Node:
        node = self._or()
        if (left := self._peek()) is not None:
            self._refuse(f"goes on with {_shown(left)} where it could end", left.place)
        return node

    def _or(self) -> _Node:
        return self._chain("or", self._and, AnyOf)

    def _and(self) -> _Node:
        return self._chain("and", self._unary, AllOf)

    def _chain(
        self,
        word: str,
        part: Callable[[], _Node],
        make: Callable[[tuple[Filter, ...]], Filter],
    ) -> _Node:
        parts = [part()]
        while self._takes("bare", word):
            parts.append(part())
        return _Group(make, tuple(parts)) if len(parts) > 1 else parts[0]

    def _unary(self) -> _Node:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            self._refuse(f"is nested more than {MAX_DEPTH} levels deep", self._place())
        try:
            if self._takes("bare", "not"):
                return _Group(lambda parts: Not(parts[0]), (self._unary(),))
            if self._takes("paren", "("):
                node = self._or()
                if not self._takes("paren", ")"):
                    self._refuse("lacks a ')'", self._place())
                return node
            return self._comparison()
        finally:
            self._depth -= 1

    def _comparison(self) -> _Node:
        self._comparisons += 1
        if self._comparisons > MAX_COMPARISONS:
            self._refuse(f"has more than {MAX_COMPARISONS} comparisons", self._place())
        name = self._take("the name of a property")
        if name.kind != "bare" or not _NAME.fullmatch(name.text) or name.text in _WORDS:
            self._refuse(f"has {_shown(name)} where the name of a property stands", name.place)
        op = self._take(f"one of {', '.join(Op)}")
        if op.kind != "bare" or op.text not in list(Op):
            self._refuse(f"has {_shown(op)} where one of {', '.join(Op)} stands", op.place)
        return _Unbound(name.text, Op(op.text), self._operand())

    def _operand(self) -> _Operand:
        token = self._take("a value")
        if token.kind == "paren" or token.text in _WORDS - _CONSTANTS.keys():
            self._refuse(f"has {_shown(token)} where a value stands", token.place)
        if token.kind == "bare":
            has_expression = "{" in token.text
            if not has_expression and not _is_bare_value(token.text):
                self._refuse(
                    f"has {_shown(token)} where a value stands: put texts in quotes, as in "
                    f"'{token.text[:40]}'",
                    token.place,
                )
            return _Operand(template(token.text, "The filter"), _bare_value)
        text = token.text[1:-1].replace("''", "'")
        return _Operand(template(text, "The filter"), _CONVERSIONS[token.kind])

    def _read_tokens(self) -> list[_Token]:
        found, place, end = [], 0, len(self._text.rstrip())
        while place < end:
            match = _TOKEN.match(self._text, place)
            if match is None:
                what = self._text[place:].strip()[:1]
                self._refuse(f"has {what} without its other half", place)
            kind = match["typed"] or match.lastgroup or ""
            text = next(each for each in (match["text"], match["paren"], match["bare"]) if each)
            found.append(_Token(kind, text, match.start(match.lastgroup or 0)))
            place = match.end()
        return found

    def _peek(self) -> _Token | None:
        return self._tokens[self._next] if self._next < len(self._tokens) else None

    def _take(self, wanted: str) -> _Token:
        token = self._peek()
        if token is None:
            self._refuse(f"ends where {wanted} stands", len(self._text))
        self._next += 1
        return token

    def _takes(self, kind: str, text: str) -> bool:
        token = self._peek()
        is_next = token is not None and (token.kind, token.text) == (kind, text)
        self._next += is_next
        return is_next

    def _place(self) -> int:
        token = self._peek()
        return len(self._text) if token is None else token.place

    def _refuse(self, why: str, place: int) -> NoReturn:
        raise FunctionDefinitionError(
            f"The filter {self._text[:200]!r} {why} (at character {place + 1}). Write filters as "
            "in: Age ge 18 and (City eq 'Bonn' or not (Name eq 'O''Hara'))."
        )


def _shown(token: _Token) -> str:
    return f"{token.text[:40]!r}"


def _is_bare_value(text: str) -> bool:
    return text in _CONSTANTS or _NUMBER.fullmatch(text) is not None


def _bare_value(text: str) -> Literal:
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if not _NUMBER.fullmatch(text):
        raise InvalidArgumentError(
            f"The filter has an expression that stands for {text[:60]!r}, which is no number, true "
            "or false: put the expression in quotes if a text is meant."
        )
    try:
        value = Decimal(text.removesuffix("L"))
        number(value, f"The number {text[:60]} of the filter")
    except InvalidOperation as error:
        raise InvalidArgumentError(str(error)) from None
    return value


def _text(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidArgumentError("The filter has a text with half a character in it.") from None
    return text


def _time(text: str) -> str:
    try:
        return time_text(datetime.fromisoformat(text))
    except ValueError:
        raise InvalidArgumentError(
            f"The filter has datetime'{text[:60]}', which is no time such as 2026-01-31T08:00:00Z."
        ) from None


def _guid(text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError:
        raise InvalidArgumentError(f"The filter has guid'{text[:60]}', which is none.") from None


_CONVERSIONS: Final[Mapping[str, Convert]] = MappingProxyType(
    {"text": _text, "datetime": _time, "guid": _guid}
)


def _no_time() -> datetime:
    raise InvalidArgumentError("A filter without expressions asks for no time.")
