"""The table binding by itself: what it refuses when it is loaded, and how rows are typed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum
from pathlib import Path
from typing import Annotated, Any, NamedTuple, TypedDict
from uuid import UUID

import pydantic
import pytest

from bindings.errors import FunctionDefinitionError, InvalidArgumentError, SerializationError
from bindings.functions import Binding, Direction
from bindings.kinds.records import Input, Output, Place
from bindings.kinds.table import TABLE
from bindings.tables.records import KeyNames, RowKey, parts_of
from bindings.tables.showing import shown_as
from bindings.tables.values import MAX_DEPTH, row_value
from bindings.tables.writing import RowMaker


def place(direction: str, annotation: Any = None, **properties: Any) -> Place:
    binding = Binding(
        type="table",
        direction=Direction(direction),
        name="rows",
        properties={"tableName": "orders", **properties},
    )
    return Place(binding=binding, function_name="f", annotation=annotation)


def load(of: Place) -> object:
    part = TABLE.input if of.binding.direction is Direction.IN else TABLE.output
    assert isinstance(part, Input | Output)
    return part.give(of) if isinstance(part, Input) else part.take(of)


class Order(pydantic.BaseModel):
    customer: str = pydantic.Field(alias="PartitionKey")
    number: str = pydantic.Field(alias="RowKey")
    at: datetime
    data: bytes = b""


@dataclass
class Note:
    text: str
    price: Decimal = Decimal("1.10")


class Named(TypedDict):
    RowKey: str


@pytest.mark.parametrize(
    ("direction", "annotation", "properties", "why"),
    [
        ("in", None, {"tableName": None}, "no tableName"),
        ("in", None, {"tableName": ""}, "'tableName' must be a text"),
        ("in", None, {"tableName": "a/b"}, "no name of a table"),
        ("in", None, {"tableName": "ab"}, "no name of a table"),
        ("in", None, {"tableName": "{a"}, "brace"),
        ("in", None, {"rowKey": "1"}, "no partitionKey"),
        ("in", None, {"rowKey": "1", "partitionKey": "p", "take": 1}, "or the take"),
        ("in", None, {"rowKey": "1", "partitionKey": "p", "filter": "a eq 1"}, "or the filter"),
        ("in", None, {"take": 0}, "from 1 to 10,000"),
        ("in", None, {"take": "many"}, "from 1 to 10,000"),
        ("in", None, {"take": True}, "from 1 to 10,000"),
        ("in", None, {"take": 10_001}, "from 1 to 10,000"),
        ("in", None, {"filter": "nonsense"}, "filter 'nonsense' ends"),
        ("in", None, {"filter": 5}, "'filter' must be a text"),
        ("in", None, {"mode": "upsert"}, "input, which has no 'mode'"),
        ("in", None, {"connection": 5}, "'connection' must be a text"),
        ("in", None, {"keyAttributes": "pk"}, "list of two names"),
        ("in", None, {"keyAttributes": ["pk"]}, "list of two names"),
        ("in", None, {"keyAttributes": ["pk", "pk"]}, "list of two names"),
        ("in", None, {"keyAttributes": ["pk", "funchostId"]}, "list of two names"),
        ("in", None, {"partitionKey": "x" * 2049}, "the limit is 2,048"),
        ("in", Order, {}, "is a list"),
        ("in", Note | None, {}, "is a list"),
        ("in", dict[str, Any], {}, "is a list"),
        ("in", Named, {}, "is a list"),
        ("in", list[Order], {"rowKey": "1", "partitionKey": "p"}, "is one row"),
        ("in", list, {"rowKey": "1", "partitionKey": "p"}, "is one row"),
        ("out", None, {"take": 5}, "output, which has no 'take'"),
        ("out", None, {"filter": "a eq 1"}, "output, which has no 'filter'"),
        ("out", None, {"mode": "replace"}, "one of insert, upsert"),
    ],
)
def test_what_cannot_be_meant_is_told_when_it_is_loaded(
    direction: str, annotation: Any, properties: dict[str, Any], why: str
) -> None:
    with pytest.raises(FunctionDefinitionError, match=why):
        load(place(direction, annotation, **properties))


@pytest.mark.parametrize(
    ("direction", "annotation", "properties"),
    [
        ("in", None, {"take": "50", "filter": "a eq {b}"}),
        ("in", list[Order], {"partitionKey": "{a}"}),
        ("in", str, {}),
        ("in", Annotated[list[dict[str, Any]], "rows"], {}),
        ("in", Order | None, {"rowKey": "{a}", "partitionKey": "{b}"}),
        ("in", dict, {"rowKey": "{a}", "partitionKey": "{b}", "keyAttributes": ["a", "b"]}),
        ("in", object, {"rowKey": "{a}", "partitionKey": "{b}"}),
        ("out", None, {"mode": "upsert", "tableName": "{a}"}),
    ],
)
def test_what_can_be_meant_loads(direction: str, annotation: Any, properties: Any) -> None:
    assert callable(load(place(direction, annotation, **properties)))


ROW: dict[str, Any] = {
    "PartitionKey": "p",
    "RowKey": "r",
    "at": "2026-01-31T08:00:00.000000Z",
    "data": b"\xff",
    "price": Decimal("0.12345678901234567890"),
}


def test_rows_are_given_by_annotation() -> None:
    def shown(annotation: Any, value: Any, *, is_list: bool = False, is_text: bool = False) -> Any:
        return shown_as(annotation, is_list=is_list, is_text=is_text, what="it")(value)

    assert shown(None, ROW) is ROW
    assert shown(dict[str, Any] | None, None) is None
    order = shown(Order, ROW)
    assert (order.at, order.data) == (datetime(2026, 1, 31, 8, tzinfo=UTC), b"\xff")
    assert shown(list[Order], [ROW], is_list=True) == [order]
    assert shown(tuple[Order, ...], [ROW], is_list=True) == (order,)
    assert shown(Note, {"text": "x", "price": "1.10"}) == Note("x")
    assert shown(str, ROW) == (
        '{"PartitionKey": "p", "RowKey": "r", "at": "2026-01-31T08:00:00.000000Z", '
        '"data": "/w==", "price": 0.12345678901234568}'
    )
    assert shown(str, None) is None
    assert shown(None, [], is_list=True, is_text=True) == "[]"
    with pytest.raises(SerializationError, match=r"it does not fit: .*at"):
        shown(Order, {**ROW, "at": "soon"})


class Color(Enum):
    RED = "red"


class Level(IntEnum):
    HIGH = 3


class Point(NamedTuple):
    x: int
    y: int


def test_what_authors_write_becomes_values_of_rows() -> None:
    zone = timezone(timedelta(hours=2))
    written = {
        "note": Note("x"),
        "at": datetime(2026, 1, 31, 10, tzinfo=zone),
        "naive": datetime(2026, 1, 31, 10),
        "day": date(2026, 1, 31),
        "id": UUID(int=1),
        "color": Color.RED,
        "level": Level.HIGH,
        "point": Point(1, 2),
        "data": bytearray(b"x"),
        "path": Path("a/b"),
        "span": timedelta(hours=1),
    }
    assert row_value(written, "it") == {
        "note": {"text": "x", "price": Decimal("1.10")},
        "at": "2026-01-31T08:00:00.000000Z",
        "naive": "2026-01-31T10:00:00.000000",
        "day": "2026-01-31",
        "id": "00000000-0000-0000-0000-000000000001",
        "color": "red",
        "level": 3,
        "point": [1, 2],
        "data": b"x",
        "path": "a/b",
        "span": "PT1H",
    }


def nested(depth: int) -> object:
    value: object = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "error", "why"),
    [
        ({"a": {"b": float("nan")}}, SerializationError, "it: a.b is nan"),
        ({"a": [1, float("inf")]}, SerializationError, r"it: a\[1\] is inf"),
        ({"a": {1, 2}}, SerializationError, "is a set"),
        ({"a": object()}, SerializationError, "is a object, which no row holds"),
        ({1: "a"}, SerializationError, "the name 1"),
        ({"": "a"}, SerializationError, "the name ''"),
        ({"a": pydantic.SecretStr("x")}, SerializationError, "is a SecretStr"),
        ({"a": "\ud800"}, InvalidArgumentError, "half a character"),
        ({"a": 10**126}, InvalidArgumentError, "too large or too small"),
        ({"a": 10**5000}, InvalidArgumentError, "more than 38 digits"),
        ({"a": 1e-131}, InvalidArgumentError, "too large or too small"),
        ({"a": 10**38 + 1}, InvalidArgumentError, "more than 38 digits"),
        ({"a": nested(MAX_DEPTH)}, InvalidArgumentError, "nested more than 30"),
        ({"a": nested(5000)}, InvalidArgumentError, "nested more than 30"),
    ],
)
def test_what_no_row_holds_is_refused_by_its_place(
    value: object, error: type[Exception], why: str
) -> None:
    with pytest.raises(error, match=why):
        row_value(value, "it")


def made(value: object, **keys: str) -> list[tuple[RowKey, Mapping[str, Any]]]:
    maker = RowMaker(what="it", names=KeyNames(), **keys)
    return [(each.row.key, each.row.values) for each in maker.rows_of(value)]


def test_rows_have_their_own_keys_or_those_of_the_binding() -> None:
    order = Order(PartitionKey="p", RowKey="r", at=datetime(2026, 1, 31, tzinfo=UTC))
    at = "2026-01-31T00:00:00.000000Z"
    assert made(None) == []
    assert made([]) == []
    assert made(order) == [(RowKey("p", "r"), {"at": at, "data": b""})]
    assert made({"RowKey": "x", "a": 1}, partition="p", row_key="r") == [
        (RowKey("p", "x"), {"a": 1})
    ]
    assert made(['{"a": 1}', b'{"a": 2, "PartitionKey": "q"}'], partition="p", row_key="r") == [
        (RowKey("p", "r"), {"a": 1}),
        (RowKey("q", "r"), {"a": 2}),
    ]
    assert made('[{"RowKey": "1"}, {"RowKey": "2"}]', partition="p") == [
        (RowKey("p", "1"), {}),
        (RowKey("p", "2"), {}),
    ]
    with pytest.raises(InvalidArgumentError, match="Row 2 of it has no 'RowKey'"):
        made([{"RowKey": "1"}, {}], partition="p")
    with pytest.raises(InvalidArgumentError, match="the limit is 1,024"):
        made({}, partition="p", row_key="x" * 1025)


def test_lists_are_written_in_parts() -> None:
    assert [len(part) for part in parts_of(range(250), [1] * 250)] == [100, 100, 50]
    assert [len(part) for part in parts_of(range(20), [400_000] * 20)] == [8, 8, 4]
    assert list(parts_of([], [])) == []
