"""Whatever the values and the filter: all kinds of tables give the same rows, as written."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bindings.errors import FunchostError
from bindings.expressions import BindingData
from bindings.tables.filter_reading import MAX_COMPARISONS, FilterTemplate
from bindings.tables.records import Row, RowKey, Table, Wanted
from bindings.tables.values import as_decimal, row_value
from tests.contract.builders import NOW, ManualClock
from tests.kit.tables import dynamo_table, local_table

NAMES = ("a", "b", "PartitionKey", "RowKey", "missing")
TEXTS = st.sampled_from(["", "x", "X", "x'y", "p", "q", "0", "5", "ä", "\U0001f600"])
NUMBERS = st.one_of(
    st.integers(-3, 3),
    st.sampled_from([0.5, -0.5, 1.0, 1e20, Decimal("0.12345678901234567890123456789")]),
)
SCALARS = st.one_of(TEXTS, NUMBERS, st.none(), st.just(b"x"), st.just([1]))
FLAGS = st.booleans() | st.none()
VALUES = st.fixed_dictionaries({}, optional={"a": SCALARS, "b": SCALARS, "flag": FLAGS})
"""Flags are in a property of their own: for moto, False is 0."""
KEYS = [RowKey(partition, key) for partition in ("p", "q") for key in ("x", "y", "0", "ä")]
ROWS = st.tuples(*[VALUES] * len(KEYS)).map(
    lambda rows: [Row(key=key, values=values) for key, values in zip(KEYS, rows, strict=True)]
)


def literal(value: Any) -> str:
    if not isinstance(value, str):
        return str(value)
    quoted = value.replace("'", "''")
    return f"'{quoted}'"


COMPARISONS = st.one_of(
    st.tuples(
        st.sampled_from(NAMES),
        st.sampled_from(["eq", "ne", "gt", "ge", "lt", "le"]),
        st.one_of(TEXTS, NUMBERS).map(literal),
    ),
    st.tuples(
        st.just("flag"), st.sampled_from(["eq", "ne"]), st.sampled_from(["null", "true", "false"])
    ),
    st.tuples(st.sampled_from(NAMES), st.sampled_from(["eq null", "ne null"])),
).map(" ".join)
FILTERS = st.recursive(
    COMPARISONS,
    lambda part: st.one_of(
        part.map(lambda each: f"not ({each})"),
        st.tuples(part, st.sampled_from(["and", "or"]), part).map(" ".join),
        part.map(lambda each: f"({each})"),
    ),
    max_leaves=8,
)
FEW = settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


class Several:
    """Tables of several kinds, on an event loop of their own."""

    def __init__(self, runner: asyncio.Runner) -> None:
        self._runner = runner
        self._tables: list[Table] = []
        self._opened = AsyncExitStack()
        self._known: set[RowKey] = set()

    def open(self, folder: Path, url: str) -> None:
        async def enter() -> None:
            clock = ManualClock()
            for each in (
                local_table("memory", folder, clock),
                local_table("sqlite", folder, clock),
                dynamo_table(url),
            ):
                self._tables.append(await self._opened.enter_async_context(each))

        self._runner.run(enter())

    def close(self) -> None:
        self._runner.run(self._opened.aclose())

    def put(self, rows: list[Row]) -> None:
        async def put() -> None:
            for table in self._tables:
                await table.upsert(rows)

        self._runner.run(put())

    def found(self, text: str, partition: str | None) -> list[list[Row]]:
        data = BindingData(dict, function_name="f", now=lambda: NOW)
        wanted = Wanted(limit=1000, partition=partition, filter=FilterTemplate(text).bind(data))

        async def find() -> list[list[Row]]:
            return [
                sorted(await table.find(wanted), key=lambda each: each.key)
                for table in self._tables
            ]

        return self._runner.run(find())

    def got(self, key: RowKey) -> list[Row | None]:
        async def get() -> list[Row | None]:
            return [await table.get(key) for table in self._tables]

        return self._runner.run(get())


@pytest.fixture(
    scope="module",
    params=[
        pytest.param("moto", marks=[pytest.mark.aws, pytest.mark.moto]),
        pytest.param("ministack", marks=pytest.mark.aws),
    ],
)
def several(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Several]:
    with asyncio.Runner() as runner:
        tables = Several(runner)
        tables.open(
            tmp_path_factory.mktemp("tables"), request.getfixturevalue(f"{request.param}_url")
        )
        yield tables
        tables.close()


@FEW
@given(rows=ROWS, text=FILTERS, partition=st.sampled_from([None, "p"]))
def test_a_filter_finds_the_same_rows_everywhere(
    several: Several, rows: list[Row], text: str, partition: str | None
) -> None:
    several.put(rows)
    memory, sqlite, dynamo = several.found(text, partition)
    assert memory == sqlite == dynamo


def test_the_longest_filter_is_taken(several: Several) -> None:
    parts = [f"property{number} ne 'value {number}'" for number in range(MAX_COMPARISONS)]
    memory, sqlite, dynamo = several.found(" or ".join(parts), None)
    assert memory == sqlite == dynamo


ANY = st.recursive(
    st.one_of(
        st.text(st.characters(exclude_categories=["Cs"])),
        st.integers(),
        st.floats(allow_nan=False, allow_infinity=False),
        st.decimals(allow_nan=False, allow_infinity=False, places=20),
        st.booleans(),
        st.none(),
        st.binary(),
    ),
    lambda part: st.one_of(
        st.lists(part, max_size=4), st.dictionaries(st.text("abä.:#", min_size=1), part, max_size=4)
    ),
    max_leaves=12,
)


@FEW
@given(value=ANY)
def test_a_value_that_is_taken_is_read_back_as_it_was(several: Several, value: Any) -> None:
    try:
        taken = row_value({"value": value}, "it")
    except FunchostError:
        return
    assert isinstance(taken, dict)
    row = Row(key=RowKey("values", "1"), values=taken)
    several.put([row])
    memory, sqlite, dynamo = several.got(row.key)
    assert memory == sqlite == dynamo
    assert memory is not None
    assert same(memory.values["value"], value)


def same(found: Any, written: Any) -> bool:
    """Whether it is the value; of numbers only what they are worth counts."""
    match written:
        case bool() | None | str() | bytes():
            return type(found) is type(written) and bool(found == written)
        case int() | float() | Decimal():
            return not isinstance(found, bool) and as_decimal(found) == as_decimal(written)
        case list():
            return len(found) == len(written) and all(map(same, found, written))
    return bool(found.keys() == written.keys()) and all(
        same(found[name], value) for name, value in written.items()
    )
