"""What tables of bindings ask of DynamoDB, as docs/performance.md says, and what goes wrong."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bindings.errors import RowExistsError
from bindings.tables.records import KeyNames, Row, RowKey, Table, Wanted
from host.errors import ResourceAwayError, ResourceError
from host.storage.aws.wire.transport import Failure, Request, Response, Transport, TransportError
from tests.kit.sqs_hub import CountingTransport
from tests.kit.tables import dynamo_table, dynamo_table_of, make_table, new_name

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "performance.md"


def row(key: str, **values: Any) -> Row:
    return Row(key=RowKey("p", key), values=values)


@dataclass
class Seen:
    """Counts operations; loses the answer of the next one if it is told to."""

    transport: CountingTransport
    loses: str | None = None

    async def __call__(self, request: Request) -> Response:
        response = await self.transport(request)
        if self.loses and self.loses in str(request.headers):
            self.loses = None
            raise TransportError(Failure.CONNECTION_LOST, "lost")
        return response

    def asked(self) -> str:
        operations = dict(self.transport.operations)
        self.transport.operations.clear()
        return ", ".join(f"{count} {name}" for name, count in operations.items())


@asynccontextmanager
async def counted(url: str) -> AsyncIterator[tuple[Table, Seen]]:
    seen: list[Seen] = []

    def wrap(transport: Transport) -> Transport:
        seen.append(Seen(CountingTransport(transport)))
        return seen[0]

    async with dynamo_table(url, wrap) as table:
        seen[0].asked()
        yield table, seen[0]


async def test_the_requests_are_those_that_the_page_says(aws_url: str) -> None:
    new = [row(str(n)) for n in range(3)]
    many = [row(f"{n:02}") for n in range(30)]
    found = {}
    async with counted(aws_url) as (table, seen):
        for _ in range(2):
            await table.insert([row("1st")], ["task"])
            found["a new row, also one that is there already"] = seen.asked()
        await table.insert(new, [None] * 3)
        found["three new rows at once"] = seen.asked()
        await table.upsert([row("a")])
        found["a row that replaces another"] = seen.asked()
        await table.upsert(many)
        found["thirty rows that replace others"] = seen.asked()
        for key in ("a", "none"):
            await table.get(RowKey("p", key))
            found["a row by its keys, there or not"] = seen.asked()
        await table.find(Wanted(limit=100, partition="p"))
        found["the rows of a partition, each 4 KB"] = seen.asked()
        await table.find(Wanted(limit=100))
        found["the whole table, each 4 KB"] = seen.asked()
    page = DOCUMENT.read_text(encoding="utf-8")
    rows = re.findall(r"^\| (.+?) \| (\d+ [A-Z]\w+) \| .+\|$", page, re.MULTILINE)
    assert dict(rows) == found


async def test_a_write_whose_answer_is_lost_is_no_duplicate(aws_url: str) -> None:
    async with counted(aws_url) as (table, seen):
        seen.loses = "PutItem"
        await table.insert([row("1", n=1.5)], [None])
        assert seen.asked() == "2 PutItem"
        seen.loses = "PutItem"
        with pytest.raises(RowExistsError):
            await table.insert([row("1", n=2)], [None])


@pytest.mark.aws
async def test_a_list_whose_answer_is_lost_is_no_duplicate(ministack_url: str) -> None:
    """For moto, the token of a transaction means nothing."""
    async with counted(ministack_url) as (table, seen):
        seen.loses = "TransactWriteItems"
        await table.insert([row("1"), row("2")], [None, None])
        assert seen.asked() == "2 TransactWriteItems"


async def test_a_table_that_is_not_there_says_how_to_make_it(aws_url: str) -> None:
    async with dynamo_table_of(aws_url, "nowhere", KeyNames(partition="pk", row="sk")) as table:
        for call in (
            table.get(RowKey("p", "r")),
            table.find(Wanted(limit=1)),
            table.insert([row("1")], [None]),
            table.insert([row("1"), row("2")], [None, None]),
            table.upsert([row("1")]),
            table.upsert([row("1"), row("2")]),
        ):
            with pytest.raises(ResourceError, match=r"no table 'nowhere' .*AttributeName=sk,Key"):
                await call


async def test_a_table_with_other_keys_says_which(aws_url: str) -> None:
    name = new_name()
    await make_table(aws_url, name)
    async with dynamo_table_of(aws_url, name, KeyNames()) as there:
        await there.insert([row("1")], [None])
    async with dynamo_table_of(aws_url, name, KeyNames(partition="pk", row="sk")) as table:
        for call in (
            table.get(RowKey("p", "r")),
            table.find(Wanted(limit=1)),
            table.find(Wanted(limit=1, partition="p")),
            table.insert([row("1")], [None]),
            table.insert([row("1"), row("2")], [None, None]),
            table.upsert([row("1")]),
        ):
            with pytest.raises(ResourceError, match=f"keys of the table '{name}' are"):
                await call


async def test_a_table_that_cannot_be_reached_is_away() -> None:
    async with dynamo_table_of("http://127.0.0.1:9", "orders", KeyNames()) as table:
        with pytest.raises(ResourceAwayError, match="'orders' does not answer"):
            await table.get(RowKey("p", "r"))
