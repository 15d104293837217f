"""What AWS would charge: a transport that counts calls, and measures writes as DynamoDB does.

Rules of this file: what an item was and became is read from the server around each write, past the
count, so units are those of DynamoDB's rules and no guess. A write costs a unit for each KB of the
larger of the two, and for each entry of an index that changes. A consistent read costs a unit for
each 4 KB; what is read here is smaller than that before columns are left out, so the answer tells.
A long poll that brings nothing is the price of waiting and not counted.
"""

from __future__ import annotations

import asyncio
import base64
import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from host.storage.aws.schema import HubLayout, indexes_of, table_definition
from host.storage.aws.wire.client import AwsClient
from host.storage.aws.wire.transport import Request, Response, Transport

Item: TypeAlias = Mapping[str, Mapping[str, Any]]
Body: TypeAlias = Mapping[str, Any]

USD_PER_MILLION = {"write unit": 0.625, "read unit": 0.125, "FIFO request": 0.50}
"""List prices, us-east-1."""

_KINDS = {
    "PutItem": "write",
    "UpdateItem": "write",
    "DeleteItem": "write",
    "BatchWriteItem": "write",
    "GetItem": "read",
    "Query": "read",
    "SendMessageBatch": "send",
    "ReceiveMessage": "receive",
    "DeleteMessageBatch": "delete",
    "ChangeMessageVisibilityBatch": "extend",
}


class Place(NamedTuple):
    """A partition key of an index, or of the table (""): what DynamoDB keeps in one place."""

    where: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """Calls by kind, and the units of those to the table."""

    calls: Mapping[str, int]
    write_units: int
    read_units: float

    @property
    def usd_per_million(self) -> float:
        """What a million times this costs."""
        requests = sum(self.calls.values()) - self.calls["write"] - self.calls["read"]
        return (
            self.write_units * USD_PER_MILLION["write unit"]
            + self.read_units * USD_PER_MILLION["read unit"]
            + requests * USD_PER_MILLION["FIFO request"]
        )

    def row(self, name: str) -> str:
        """A line of the table in docs/performance.md."""
        kinds = ("write", "read", "send", "receive", "delete")
        counts = " | ".join(str(self.calls[kind]) for kind in kinds)
        units = f"{self.write_units} | {self.read_units:g}"
        return f"| {name} | {counts} | {units} | {self.usd_per_million:.2f} |"


class Meter:
    """Passes requests on to the server, and keeps the bill."""

    def __init__(self, transport: Transport, layout: HubLayout, dynamodb: AwsClient) -> None:
        self._transport = transport
        self._dynamodb = dynamodb
        self._table = layout.table_name
        self._indexes = {each["IndexName"]: _attributes(each) for each in _indexes(layout)}
        self._keys = {each.name: each.keys[0] for each in indexes_of(layout.format_version)}
        self._calls: Counter[str] = Counter()
        self._write_units = 0
        self._read_units = 0.0
        self._deleted = asyncio.Event()
        self.writes: Counter[Place] = Counter()
        """How often each partition key was written to."""
        self.read_of: Counter[str] = Counter()
        """How often each instance was read, past the indexes."""

    def reset(self) -> None:
        """Begin a new bill."""
        self._calls.clear()
        self.writes.clear()
        self.read_of.clear()
        self._write_units, self._read_units = 0, 0.0
        self._deleted.clear()

    async def wake_up_deleted(self) -> None:
        """Wait until a wake-up was deleted: the last call of a session."""
        await self._deleted.wait()

    def bill(self) -> Bill:
        """What was counted."""
        return Bill(
            calls=Counter(self._calls), write_units=self._write_units, read_units=self._read_units
        )

    async def __call__(self, request: Request) -> Response:
        """Make one attempt."""
        operation, body = _operation(request), json.loads(request.body)
        keys = list(_written(operation, body))
        before = [await self._get(key) for key in keys]
        response = await self._transport(request)
        for key, old in zip(keys, before, strict=True):
            new = await self._get(key)
            self._write_units += self._units(old, new)
            self.writes.update(self._places(key, old, new))
        answer = json.loads(response.body or b"{}")
        kind = _KINDS.get(operation)
        if kind == "read":
            self._read_units += units_read(answer, is_index="IndexName" in body)
            self.read_of.update(_instances_read(body))
        if kind is not None and (kind != "receive" or answer.get("Messages")):
            self._calls[kind] += 1
        if kind == "delete":
            self._deleted.set()
        return response

    async def _get(self, key: Item) -> Item:
        body = {"TableName": self._table, "Key": key, "ConsistentRead": True}
        found: Item = (await self._dynamodb.call("GetItem", body)).get("Item", {})
        return found

    def _units(self, old: Item, new: Item) -> int:
        """What one write cost, its part in the indexes included."""
        units = max(1, _kilobytes(old), _kilobytes(new))
        for keys, attributes in self._indexes.values():
            units += _index_units(_entry(old, keys, attributes), _entry(new, keys, attributes))
        return units

    def _places(self, key: Item, old: Item, new: Item) -> Iterator[Place]:
        """The partition keys that one write concerns: the item's, and those of its entries.

        An entry whose key changes is deleted in one place and put in another.
        """
        yield Place("", str(key["pk"]["S"]))
        for index, (keys, attributes) in self._indexes.items():
            before, after = (_entry(item, keys, attributes) for item in (old, new))
            if before == after:
                continue
            is_replaced = before and after and before[0] == after[0]
            for entry in (after,) if is_replaced else (before, after):
                if entry is not None:
                    yield Place(index, str(entry[0][self._keys[index]]["S"]))


def _operation(request: Request) -> str:
    headers = {name.lower(): value for name, value in request.headers.items()}
    return headers["x-amz-target"].rpartition(".")[2]


def _instances_read(body: Body) -> Iterator[str]:
    """The instance that is read, if the table is and no index."""
    key = body.get("Key", {}).get("pk") or body.get("ExpressionAttributeValues", {}).get(":pk", {})
    if key.get("S", "").startswith("i#"):
        yield key["S"][2:]


def _written(operation: str, body: Body) -> Iterator[Item]:
    """The keys of the items that a call writes."""
    if operation == "PutItem":
        yield _key_of(body["Item"])
    elif operation in {"UpdateItem", "DeleteItem"}:
        yield body["Key"]
    elif operation == "BatchWriteItem":
        for requests in body["RequestItems"].values():
            for each in requests:
                put = each.get("PutRequest")
                yield _key_of(put["Item"]) if put else each["DeleteRequest"]["Key"]


def _key_of(item: Item) -> Item:
    return {"pk": item["pk"], "sk": item["sk"]}


def _indexes(layout: HubLayout) -> list[Body]:
    found: list[Body] = table_definition(layout)["GlobalSecondaryIndexes"]
    return found


def _attributes(index: Body) -> tuple[set[str], set[str]]:
    """The keys of an index, and all attributes that its entries have."""
    keys = {key["AttributeName"] for key in index["KeySchema"]}
    return keys, keys | {"pk", "sk", *index["Projection"].get("NonKeyAttributes", ())}


def _entry(item: Item, keys: set[str], attributes: set[str]) -> tuple[Item, Item] | None:
    """The key and all of an item's entry in an index; None if it has none."""
    if not keys <= item.keys():
        return None
    entry = {name: value for name, value in item.items() if name in attributes}
    return {name: item[name] for name in keys}, entry


def _index_units(old: tuple[Item, Item] | None, new: tuple[Item, Item] | None) -> int:
    if old == new:
        return 0
    if old and new and old[0] == new[0]:
        return max(_kilobytes(old[1]), _kilobytes(new[1]))
    return sum(_kilobytes(entry[1]) for entry in (old, new) if entry)


def units_read(answer: Body, *, is_index: bool) -> float:
    """What reading these items cost."""
    items = [*answer.get("Items", ()), *([answer["Item"]] if answer.get("Item") else ())]
    units = max(1, math.ceil(sum(map(_bytes, items)) / 4096))
    return units / 2 if is_index else units


def _kilobytes(item: Item) -> int:
    return math.ceil(_bytes(item) / 1024)


def _bytes(item: Item) -> int:
    return sum(len(name.encode()) + _value_bytes(value) for name, value in item.items())


def _value_bytes(value: Mapping[str, Any]) -> int:
    ((kind, content),) = value.items()
    if kind == "B":
        return len(base64.b64decode(content))
    return len(content) // 2 + 1 if kind == "N" else len(content.encode())
