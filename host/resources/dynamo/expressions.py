"""Filters of rows in the words of DynamoDB.

Rules of this file: pure. What DynamoDB answers is what `matches` says of the same row, so nothing
is left to how it compares values of two types, or one that is not there. Names are placeholders, so
no reserved word is ever in the way, and values are never a part of the text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from bindings.tables.filters import (
    AllOf,
    AnyOf,
    Comparison,
    Filter,
    Literal,
    Not,
    Op,
    names_in,
    terms_of,
)
from bindings.tables.found import searched_partition
from bindings.tables.records import KeyNames, Wanted
from bindings.tables.writing import MAX_PARTITION_BYTES, MAX_ROW_KEY_BYTES
from host.storage.rows import Typed, typed

_SIGNS: Final[Mapping[Op, str]] = {
    Op.EQ: "=",
    Op.NE: "<>",
    Op.GT: ">",
    Op.GE: ">=",
    Op.LT: "<",
    Op.LE: "<=",
}


class Search(NamedTuple):
    """How rows are searched for."""

    operation: str
    """`Query` or `Scan`."""
    body: dict[str, Any]
    left: Filter | None
    """What DynamoDB cannot tell: to be looked at of each row that it gives."""
    is_filtered: bool
    """Whether it leaves out rows that it has read."""


def search_for(wanted: Wanted, keys: KeyNames) -> Search | None:
    """The search for these rows; None if there can be none.

    Within a partition it is a query, else the table is scanned.

    A filter of DynamoDB names no key, so what is said of keys is left, but for what a query can be
    restricted by.
    """
    words = _Words()
    partition = searched_partition(wanted, keys)
    if partition is not None and not _is_key(partition, MAX_PARTITION_BYTES):
        return None
    terms = terms_of(wanted.filter)
    key_names = {keys.partition, keys.row}
    left = tuple(term for term in terms if not key_names.isdisjoint(names_in(term)))
    sent = [term for term in terms if term not in left]
    body: dict[str, Any] = {"ConsistentRead": True}
    if partition is not None:
        body["KeyConditionExpression"] = _key_condition(words, partition, left, keys)
    if sent:
        body["FilterExpression"] = " AND ".join(words.condition(term) for term in sent)
    return Search(
        operation="Scan" if partition is None else "Query",
        body=body | words.placeholders(),
        left=AllOf(left) if left else None,
        is_filtered=bool(sent or left),
    )


def _key_condition(words: _Words, partition: str, terms: Sequence[Filter], keys: KeyNames) -> str:
    """The partition, and the first of the terms that restricts the row keys: it takes one."""
    text = f"{words.name(keys.partition)} = {words.value(partition)}"
    for term in terms:
        match term:
            case Comparison(name=name, op=op, value=str() as value) if (
                name == keys.row and op is not Op.NE and _is_key(value, MAX_ROW_KEY_BYTES)
            ):
                return f"{text} AND {words.name(name)} {_SIGNS[op]} {words.value(value)}"
    return text


def _is_key(value: str, max_bytes: int) -> bool:
    """Whether a row can have it: DynamoDB takes no other one."""
    return 0 < len(value.encode("utf-8", "replace")) <= max_bytes


class _Words:
    """Makes texts, and the placeholders in them."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._values: list[Typed] = []

    def placeholders(self) -> dict[str, Any]:
        """What the texts so far need beside them; nothing if they need nothing."""
        names = {placeholder: name for name, placeholder in self._names.items()}
        values = {f":v{number}": value for number, value in enumerate(self._values)}
        found = {"ExpressionAttributeNames": names, "ExpressionAttributeValues": values}
        return {what: content for what, content in found.items() if content}

    def name(self, name: str) -> str:
        return self._names.setdefault(name, f"#n{len(self._names)}")

    def value(self, value: Literal) -> str:
        return self._placeholder(typed(value))

    def condition(self, filter_: Filter) -> str:
        """The filter, in words that can stand beside others."""
        match filter_:
            case Comparison(name, op, None):
                return self._none(name, op)
            case Comparison(name, op, value):
                return self._comparison(name, op, value)
            case Not(part):
                return f"(NOT {self.condition(part)})"
            case AllOf(parts):
                return f"({' AND '.join(map(self.condition, parts))})"
            case AnyOf(parts):
                return f"({' OR '.join(map(self.condition, parts))})"

    def _none(self, name: str, op: Op) -> str:
        shown = self.name(name)
        kind = self._placeholder({"S": "NULL"})
        is_none = f"(attribute_not_exists({shown}) OR attribute_type({shown}, {kind}))"
        return is_none if op is Op.EQ else f"(NOT {is_none})"

    def _comparison(self, name: str, op: Op, value: Literal) -> str:
        shown = self.name(name)
        content = typed(value)
        compared = f"{shown} {_SIGNS[op]} {self._placeholder(content)}"
        if op is Op.EQ:
            return f"({compared})"
        if op is Op.NE:
            return f"({self._none(name, Op.NE)} AND {compared})"
        (kind,) = content
        return f"(attribute_type({shown}, {self._placeholder({'S': kind})}) AND {compared})"

    def _placeholder(self, value: Typed) -> str:
        if value not in self._values:
            self._values.append(value)
        return f":v{self._values.index(value)}"
