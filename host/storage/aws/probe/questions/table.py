"""What DynamoDB shows of what was just written."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from host.errors import StorageUnavailableError
from host.storage.aws.probe.ground import Ground
from host.storage.aws.probe.records import Question, Seen, judged, unknown
from host.storage.aws.schema import NAMED_INDEX
from host.storage.aws.table.keys import BATCHES, MESSAGES, Item, text
from host.storage.aws.wire.client import AwsClient
from host.storage.aws.wire.errors import ThrottledError

_ROWS = 20
_LOOKS = 200
_PAUSE_S = 0.05
_LAG_S = 2.0
_PAIRS = 40
_SMALL_PAGE = 7
_RECENT = 20
_LAST = 10**8 - 1
_WRITERS = 16
_SPLIT_S = 300
_RATES = (500, 1_000, 2_000)
_RATE_S = 20


def row(token: str, number: int) -> Item:
    """An item as large as a small instance's row, in two indexes and one of four partitions."""
    place = f"{number % 4}"
    moment = f"{number:016d}#{token}"
    return {
        "pk": text(f"probe#{token}#{number}"),
        "sk": text("meta"),
        "l": text(place),
        "ls": text(moment),
        "u": text(place),
        "st": text("Pending"),
        "fn": text("probe"),
        "d": text("x" * 300),
    }


async def _index_lag(ground: Ground) -> Seen:
    client, token = ground.client("dynamodb"), secrets.token_hex(8)
    lags_s: list[float] = []
    for number in range(_ROWS):
        item = row(token, number)
        await client.call("PutItem", {"TableName": ground.layout.table_name, "Item": item})
        wrote = ground.clock.monotonic()
        if not await _is_shown(ground, client, item):
            return judged("an entry did not appear within ten seconds", as_expected=False)
        lags_s.append(ground.clock.monotonic() - wrote)
    return judged(
        f"at most {max(lags_s) * 1000:.0f} ms for {_ROWS} rows", as_expected=max(lags_s) < _LAG_S
    )


async def _is_shown(ground: Ground, client: AwsClient, item: Item) -> bool:
    request = {
        "TableName": ground.layout.table_name,
        "IndexName": NAMED_INDEX,
        "KeyConditionExpression": "l = :l AND ls = :ls",
        "ExpressionAttributeValues": {":l": item["l"], ":ls": item["ls"]},
    }
    for _ in range(_LOOKS):
        if (await client.call("Query", request)).get("Items"):
            return True
        await ground.clock.sleep(_PAUSE_S)
    return False


async def _key_order(ground: Ground) -> Seen:
    pairs = _Pairs(ground, secrets.token_hex(8), writer=0)
    await pairs.run(lambda: pairs.written >= _PAIRS)
    if not pairs.reads:
        return unknown("nothing was read")
    text_ = f"{pairs.torn} of {pairs.reads} reads were out of order"
    return judged(text_, as_expected=pairs.torn == 0)


async def _key_order_in_a_split(ground: Ground) -> Seen:
    clock, token = ground.clock, secrets.token_hex(8)
    until = clock.monotonic() + ground.scaled(_SPLIT_S)
    writers = [_Pairs(ground, token, writer=number) for number in range(_WRITERS)]
    await asyncio.gather(*(each.run(lambda: clock.monotonic() >= until) for each in writers))
    torn = sum(each.torn for each in writers)
    return judged(
        f"{torn} of {sum(each.reads for each in writers)} reads were out of order;"
        f" {sum(2 * each.written for each in writers)} writes to one key,"
        f" {sum(each.throttled for each in writers)} given up as throttled",
        as_expected=torn == 0,
    )


class _Pairs:
    """One writer under a partition key, and a reader who looks whether it sees half a pair.

    A turn is written so: first the batch, whose key is last, then what lies before it. Whoever
    reads in key order and sees the second must see the first.
    """

    def __init__(self, ground: Ground, token: str, *, writer: int) -> None:
        self._client = ground.client("dynamodb")
        self._table = ground.layout.table_name
        self._pk = text(f"probe#{token}")
        self._writer = f"{writer:03d}#"
        self.written = self.reads = self.torn = self.throttled = 0
        self._is_done = False

    async def run(self, is_enough: Callable[[], bool]) -> None:
        """Write and read until it is enough."""
        await asyncio.gather(self._write(is_enough), self._read())

    async def _write(self, is_enough: Callable[[], bool]) -> None:
        try:
            while not is_enough():
                await self._write_pair()
                self.written += 1
        finally:
            self._is_done = True

    async def _write_pair(self) -> None:
        for prefix in (BATCHES, MESSAGES):
            item = {"pk": self._pk, "sk": text(self._key(prefix, self.written))}
            request = {"TableName": self._table, "Item": item}
            try:
                await self._client.call("PutItem", request)
            except ThrottledError:
                self.throttled += 1
                return

    async def _read(self) -> None:
        while not self._is_done:
            first = max(0, self.written - _RECENT)
            messages = await self._numbers(MESSAGES, first)
            batches = await self._numbers(BATCHES, first)
            self.torn += not messages <= batches
            self.reads += 1

    def _key(self, prefix: str, number: int) -> str:
        return f"{prefix}{self._writer}{number:08d}"

    async def _numbers(self, prefix: str, first: int) -> set[str]:
        """The newest keys of one kind, by consistent queries in small pages."""
        request: dict[str, Any] = {
            "TableName": self._table,
            "ConsistentRead": True,
            "KeyConditionExpression": "pk = :pk AND sk BETWEEN :first AND :last",
            "ExpressionAttributeValues": {
                ":pk": self._pk,
                ":first": text(self._key(prefix, first)),
                ":last": text(self._key(prefix, _LAST)),
            },
            "ProjectionExpression": "sk",
            "Limit": _SMALL_PAGE,
        }
        found: set[str] = set()
        while True:
            page = await self._client.call("Query", request)
            found |= {item["sk"]["S"].removeprefix(prefix) for item in page.get("Items", ())}
            if "LastEvaluatedKey" not in page:
                return found
            request["ExclusiveStartKey"] = page["LastEvaluatedKey"]


async def _fresh_table(ground: Ground) -> Seen:
    """Starts at a steady rate, for a while each, on a table that has seen none."""
    told: list[str] = []
    refused_at_first = 0
    for rate in _RATES:
        before = ground.way.refused.copy()
        done = await _starts(ground, rate)
        refused = sum((ground.way.refused - before).values())
        told.append(f"{rate}/s: {done} done, {refused} refused at first")
        refused_at_first += refused if rate == _RATES[0] else 0
    return judged("; ".join(told), as_expected=refused_at_first == 0)


async def _starts(ground: Ground, rate: int) -> int:
    client, table, token = ground.client("dynamodb"), ground.layout.table_name, secrets.token_hex(8)
    counts = {"done": 0}

    async def start(number: int) -> None:
        request = {"TableName": table, "Item": row(token, number)}
        with suppress(StorageUnavailableError):  # throttled to the end: not done
            await client.call("PutItem", request)
            counts["done"] += 1

    clock, began = ground.clock, ground.clock.monotonic()
    total = int(rate * ground.scaled(_RATE_S))
    async with asyncio.TaskGroup() as group:
        for number in range(total):
            early_s = began + number / rate - clock.monotonic()
            if early_s > 0:
                await clock.sleep(early_s)
            group.create_task(start(number))
    return counts["done"]


QUESTIONS = (
    Question(
        name="index-lag",
        asks="How far behind its table is an index?",
        expected=f"less than {_LAG_S:g} s: alarms of other hosts are found in the index",
        otherwise="timers that another host set may ring later than they are due",
        relied_on_by=["host.storage.aws.table.alarms:Alarms"],
        ask=_index_lag,
    ),
    Question(
        name="key-order",
        asks="Does a consistent read in key order see what was written before what it sees?",
        expected="always: a history is never behind its row and inbox",
        otherwise="STOP: do not use this hub, and report it. Histories may be read with holes",
        relied_on_by=["host.storage.aws.table.snapshots:Snapshots"],
        ask=_key_order,
    ),
    Question(
        name="key-order-split",
        asks="Does that hold while a partition splits under load?",
        expected="always",
        otherwise="STOP: do not use this hub, and report it. Histories may be read with holes",
        relied_on_by=["host.storage.aws.table.snapshots:Snapshots"],
        ask=_key_order_in_a_split,
        needs_load=True,
    ),
    Question(
        name="fresh-table",
        asks=f"How many starts a second does a fresh on-demand table take: {_RATES}?",
        expected=f"{_RATES[0]} are taken; beyond that some are refused at first and tried again",
        otherwise="begin gently on a new hub, or make its table with provisioned capacity first",
        relied_on_by=[
            "host.storage.aws.schema:STARTS_PER_PARTITION",
            "host.storage.aws.wire.retries:RetryRules",
        ],
        ask=_fresh_table,
        needs_load=True,
    ),
)
