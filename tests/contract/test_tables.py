"""The contract of tables: rows are stored once, found by key or filter, and read as written."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from bindings.errors import PayloadTooLargeError, RowExistsError
from bindings.expressions import BindingData
from bindings.tables.filter_reading import FilterTemplate
from bindings.tables.filters import Filter
from bindings.tables.records import Row, RowKey, Table, Wanted
from tests.contract.builders import NOW


def row(partition: str = "p", key: str = "r", **values: Any) -> Row:
    return Row(key=RowKey(partition, key), values=values)


def filter_(text: str) -> Filter:
    data = BindingData(dict, function_name="f", now=lambda: NOW)
    return FilterTemplate(text).bind(data)


async def insert(table: Table, *rows: Row, stamp: str | None = None) -> None:
    stamps = [None if stamp is None else f"{stamp}/{number}" for number in range(len(rows))]
    await table.insert(rows, stamps)


async def keys(table: Table, **wanted: Any) -> list[str]:
    found = await table.find(Wanted(**{"limit": 1000, **wanted}))
    return [f"{each.key.partition}/{each.key.row}" for each in found]


async def test_a_row_is_found_by_both_keys(table: Table) -> None:
    assert await table.get(RowKey("p", "r")) is None
    await insert(table, row(n=1))
    assert await table.get(RowKey("p", "r")) == row(n=1)
    assert await table.get(RowKey("p", "R")) is None
    assert await table.get(RowKey("r", "p")) is None


VALUES: dict[str, Any] = {
    "text": "Grüße 🌍 \x00'\"",
    "empty": "",
    "yes": True,
    "no": False,
    "none": None,
    "zero": 0,
    "int": -12345678901234567890123456789012345678,
    "float": 0.1,
    "small": 1.5e-120,
    "large": 10**125,
    "exact": Decimal("0.1234567890123456789012345678901234567"),
    "bytes": bytes(range(256)),
    "no_bytes": b"",
    "list": [1, "a", None, [], {}, [[True]]],
    "dict": {"a": {"b": [1.5, {"c": ""}]}, "Straße": 1},
}


async def test_values_are_read_as_they_were_written(table: Table) -> None:
    await insert(table, row(**VALUES))
    found = await table.get(RowKey("p", "r"))
    assert found is not None
    assert dict(found.values) == VALUES
    assert {name: type(value) for name, value in found.values.items()} == {
        name: type(value) for name, value in VALUES.items()
    }


async def test_a_whole_number_is_an_int(table: Table) -> None:
    await insert(table, row(a=2.0, b=Decimal("3.00"), c=1e22))
    found = await table.get(RowKey("p", "r"))
    assert found is not None
    assert [repr(each) for each in found.values.values()] == ["2", "3", "1" + 22 * "0"]


async def test_a_row_may_be_as_large_as_is_promised(table: Table) -> None:
    large = row(data="x" * 404_000)
    await insert(table, large)
    assert await table.get(large.key) == large


async def test_a_row_that_is_there_is_not_inserted(table: Table) -> None:
    await insert(table, row(n=1))
    with pytest.raises(RowExistsError, match="'p' / 'r'"):
        await insert(table, row(n=2))
    assert await table.get(RowKey("p", "r")) == row(n=1)


async def test_of_rows_that_are_inserted_together_all_are_there_or_none(table: Table) -> None:
    await insert(table, row(key="3", n=0))
    many = [row(key=str(number), n=number) for number in range(1, 8)]
    with pytest.raises(RowExistsError, match="'p' / '3'"):
        await insert(table, *many)
    assert await keys(table) == ["p/3"]
    await insert(table, *many[:2], *many[3:])
    assert len(await keys(table)) == 7


async def test_a_row_with_the_same_stamp_is_stored_once_and_left_as_it_is(table: Table) -> None:
    await insert(table, row(n=1), stamp="task")
    await insert(table, row(n=2), stamp="task")
    assert await table.get(RowKey("p", "r")) == row(n=1)
    for stamp in ("other", None):
        with pytest.raises(RowExistsError):
            await insert(table, row(n=3), stamp=stamp)


async def test_several_with_the_same_stamps_are_stored_once(table: Table) -> None:
    many = [row(key=str(number), n=number) for number in range(5)]
    for _ in range(2):
        await insert(table, *many, stamp="task")
    await insert(table, *many[:3], stamp="task")
    await insert(table, *many, row(key="9"), stamp="task")
    assert len(await keys(table)) == 6
    with pytest.raises(RowExistsError):
        await insert(table, row(key="10"), *many, stamp="task")
    assert len(await keys(table)) == 6


async def test_upsert_replaces_the_whole_row(table: Table) -> None:
    await insert(table, row(a=1, b=2))
    await table.upsert([row(b=3)])
    assert await table.get(RowKey("p", "r")) == row(b=3)
    await table.upsert([row(key=f"{number:02}", n=number) for number in range(60)])
    await table.upsert([row(key=f"{number:02}", n=-number) for number in range(60)])
    assert await table.get(RowKey("p", "59")) == row(key="59", n=-59)
    assert len(await keys(table)) == 61


async def test_a_replaced_row_is_no_longer_that_of_the_task(table: Table) -> None:
    await insert(table, row(a=1), stamp="task")
    await table.upsert([row(a=2)])
    with pytest.raises(RowExistsError):
        await insert(table, row(a=1), stamp="task")


async def test_rows_of_a_partition_come_in_order_of_their_keys(table: Table) -> None:
    names = ["10", "2", "a", "A", "b", "ä", "\U0001f600", "\ufffd"]
    await insert(table, *(row(key=name) for name in names), row("q", "c"))
    assert await keys(table, partition="p") == [f"p/{name}" for name in sorted(names)]
    assert await keys(table, partition="p", limit=3) == ["p/10", "p/2", "p/A"]
    assert await keys(table, partition="nothing") == []
    assert set(await keys(table)) == {"q/c", *(f"p/{name}" for name in names)}
    assert len(await keys(table, limit=4)) == 4


async def test_many_rows_are_found_whatever_the_pages(table: Table) -> None:
    await table.upsert([row(key=f"{n:02}", n=n, pad="x" * 60_000) for n in range(50)])
    assert len(await keys(table, partition="p")) == 50
    assert len(await keys(table, partition="p", limit=45)) == 45
    assert len(await keys(table, limit=45)) == 45
    assert await keys(table, filter=filter_("n ge 40"), limit=5) == [
        f"p/{n}" for n in range(40, 45)
    ]
    assert await keys(table, filter=filter_("RowKey ge '47'")) == ["p/47", "p/48", "p/49"]


async def test_more_than_fits_in_memory_is_refused(table: Table) -> None:
    for number in range(45):
        await insert(table, row(key=str(number), data="x" * 400_000))
    with pytest.raises(PayloadTooLargeError, match="to be read of the table"):
        await keys(table)
    assert len(await keys(table, filter=filter_("RowKey lt '2'"))) == 12


FOUND = {
    "n eq 1": "ac",
    "n ne 1": "bd",
    "n gt 1": "b",
    "n ge 1 and n lt 2": "ac",
    "n le 1.0": "ac",
    "not (n eq 1)": "bdef",
    "s eq 'x'": "a",
    "s gt 'x'": "b",
    "s eq 'O''Hara'": "c",
    "t eq true": "a",
    "t ne true": "b",
    "n eq null": "ef",
    "n ne null": "abcd",
    "not (n ne null)": "ef",
    "s lt 5": "",
    "d eq '1'": "",
    "n eq 1 or n eq 2 and s eq 'y'": "abc",
    "(n eq 1 or n eq 2) and s eq 'y'": "b",
    "not (n eq 1 or s eq 'y')": "def",
    "RowKey ge 'c'": "cdef",
    "RowKey ge 'c' and n eq 1": "c",
    "RowKey ge 'b' and RowKey lt 'd' and n ne null": "bc",
    "RowKey eq 'a' or n eq 2": "ab",
    "PartitionKey eq 'p'": "abcdef",
    "PartitionKey eq 'q'": "",
    "PartitionKey ne 'q' and t eq true": "a",
    "not (RowKey eq 'a')": "bcdef",
    "missing eq 1": "",
    "missing ne 1": "",
    "not (missing lt 1)": "abcdef",
}
ROWS = (
    row(key="a", n=1, s="x", t=True),
    row(key="b", n=2, s="y", t=False),
    row(key="c", n=1, s="O'Hara"),
    row(key="d", n="1"),
    row(key="e", n=None),
    row(key="f"),
)


@pytest.mark.parametrize("partition", ["p", None])
async def test_a_filter_finds_what_it_says(table: Table, partition: str | None) -> None:
    await insert(table, *ROWS)
    found = {
        text: "".join(
            each[2:]
            for each in sorted(await keys(table, partition=partition, filter=filter_(text)))
        )
        for text in FOUND
    }
    assert found == FOUND
