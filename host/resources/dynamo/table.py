"""A table of DynamoDB, as bindings know tables.

Rules of this file: all reads are consistent, since a function may read what it has just written.
One row is one plain write. Several new ones are a transaction, which costs twice as much: they are
all there or none is, so who failed can try again. Rows that replace others need none of that.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias
from uuid import uuid4

from bindings.tables.filters import matches
from bindings.tables.found import Found, row_exists
from bindings.tables.records import KeyNames, Row, RowKey, Wanted
from bindings.tables.writing import STAMP
from host.errors import ResourceAwayError
from host.resources.aws_places import AwsClients
from host.resources.dynamo.expressions import Search, search_for
from host.resources.dynamo.trouble import told, wrong_keys
from host.storage.aws.wire.client import AwsClient
from host.storage.aws.wire.errors import AwsError, ConditionFailedError
from host.storage.rows import Typed, typed, typed_all, untyped_all

Item: TypeAlias = dict[str, Typed]
Stamped: TypeAlias = tuple[Row, str | None]

_PARTITION: Final = "#p"
_IS_NEW: Final = f"attribute_not_exists({_PARTITION})"
_BATCH: Final = 25
_MAX_ATTEMPTS: Final = 8
_REFUSED: Final = "TransactionCanceledException"


class DynamoTable:
    """A `Table` on DynamoDB."""

    def __init__(
        self, clients: Callable[[], Awaitable[AwsClients]], name: str, keys: KeyNames
    ) -> None:
        self._clients = clients
        self._name = name
        self._keys = keys

    async def get(self, key: RowKey) -> Row | None:
        """The row, or None."""
        client = await self._client()
        body = {"TableName": self._name, "Key": self._key(key), "ConsistentRead": True}
        async with told(client, self._name, self._keys):
            item = (await client.call("GetItem", body)).get("Item")
        return self._row(item) if item else None

    async def find(self, wanted: Wanted) -> list[Row]:
        """Rows, those of a partition in order."""
        search = search_for(wanted, self._keys)
        if search is None:
            return []
        client = await self._client()
        found = Found(self._name, wanted, self._keys)
        body = {"TableName": self._name, **search.body}
        async with told(client, self._name, self._keys):
            while not found.is_full:
                if not search.is_filtered:
                    body["Limit"] = wanted.limit - len(found.rows)
                answer = await client.call(search.operation, body)
                self._take(answer.get("Items", ()), search, found)
                if "LastEvaluatedKey" not in answer:
                    break
                body["ExclusiveStartKey"] = answer["LastEvaluatedKey"]
        return found.rows

    async def insert(self, rows: Sequence[Row], stamps: Sequence[str | None]) -> None:
        """Store new rows: all of them, or none."""
        client = await self._client()
        stamped = list(zip(rows, stamps, strict=True))
        async with told(client, self._name, self._keys):
            if len(stamped) == 1:
                await self._insert_one(client, *stamped[0])
            else:
                await self._insert_all(client, stamped)

    async def upsert(self, rows: Sequence[Row]) -> None:
        """Store rows in place of what is there."""
        client = await self._client()
        async with told(client, self._name, self._keys):
            if len(rows) == 1:
                body = {"TableName": self._name, "Item": self._item(rows[0], None)}
                await client.call("PutItem", body)
                return
            for start in range(0, len(rows), _BATCH):
                part = rows[start : start + _BATCH]
                puts = [{"PutRequest": {"Item": self._item(row, None)}} for row in part]
                await self._batch(client, "BatchWriteItem", "UnprocessedItems", puts)

    async def _client(self) -> AwsClient:
        return (await self._clients()).dynamodb

    def _take(self, items: Sequence[Item], search: Search, found: Found) -> None:
        for item in items:
            row = self._row(item)
            if not found.is_full and matches(search.left, row.shown(self._keys)):
                found.take(row)

    async def _insert_one(self, client: AwsClient, row: Row, stamp: str | None) -> None:
        body = {
            "TableName": self._name,
            "Item": self._item(row, stamp),
            "ConditionExpression": _IS_NEW,
            "ExpressionAttributeNames": {_PARTITION: self._keys.partition},
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        try:
            await client.call("PutItem", body)
        except ConditionFailedError as error:
            there = error.item or {}
            is_own = stamp is not None and there.get(STAMP) == typed(stamp)
            if not is_own and not (error.may_be_own and there and self._row(there) == row):
                raise row_exists(self._name, row.key) from None

    async def _insert_all(self, client: AwsClient, rows: Sequence[Stamped]) -> None:
        """One transaction; those that are there already as their own are left out of the next."""
        left = rows
        for attempt in range(1, _MAX_ATTEMPTS + 1):
            try:
                await client.call("TransactWriteItems", self._transaction(left))
            except AwsError as error:
                if error.code != _REFUSED:
                    raise
                refusal = error
            else:
                return
            left = await self._not_there(client, left)
            if not left:
                return
            await client.back_off(attempt)
        raise ResourceAwayError(f"The table '{self._name}' goes on to refuse it: {refusal}")

    async def _not_there(self, client: AwsClient, rows: Sequence[Stamped]) -> Sequence[Stamped]:
        """Those that are not there yet. Raises `RowExistsError` for one that is not its own."""
        there = await self._stamps(client, [row.key for row, _ in rows])
        for row, stamp in rows:
            if row.key in there and (stamp is None or there[row.key] != typed(stamp)):
                raise row_exists(self._name, row.key)
        return [each for each in rows if each[0].key not in there]

    async def _stamps(
        self, client: AwsClient, keys: Sequence[RowKey]
    ) -> Mapping[RowKey, Typed | None]:
        """The stamps of those rows that are there."""
        request = {
            "Keys": [self._key(key) for key in keys],
            "ConsistentRead": True,
            "ProjectionExpression": "#p, #r, #s",
            "ExpressionAttributeNames": {
                "#p": self._keys.partition,
                "#r": self._keys.row,
                "#s": STAMP,
            },
        }
        items = await self._batch(client, "BatchGetItem", "UnprocessedKeys", request)
        return {self._row(item).key: item.get(STAMP) for item in items}

    async def _batch(
        self, client: AwsClient, operation: str, undone: str, request: object
    ) -> list[Item]:
        """Do a batch, what is left undone again; gives the items that it finds."""
        left: Mapping[str, Any] = {self._name: request}
        found: list[Item] = []
        for attempt in range(1, _MAX_ATTEMPTS + 1):
            answer = await client.call(operation, {"RequestItems": left})
            found += answer.get("Responses", {}).get(self._name, ())
            left = answer.get(undone, {})
            if not left:
                return found
            await client.back_off(attempt)
        raise ResourceAwayError(f"The table '{self._name}' is throttled: it does a part only.")

    def _transaction(self, rows: Sequence[Stamped]) -> Mapping[str, Any]:
        """All of them, if none is there. By its token, what is sent again is done once."""
        puts = [
            {
                "Put": {
                    "TableName": self._name,
                    "Item": self._item(row, stamp),
                    "ConditionExpression": _IS_NEW,
                    "ExpressionAttributeNames": {_PARTITION: self._keys.partition},
                }
            }
            for row, stamp in rows
        ]
        return {"TransactItems": puts, "ClientRequestToken": str(uuid4())}

    def _key(self, key: RowKey) -> Item:
        return {self._keys.partition: typed(key.partition), self._keys.row: typed(key.row)}

    def _item(self, row: Row, stamp: str | None) -> Item:
        stamped = {} if stamp is None else {STAMP: typed(stamp)}
        return {**self._key(row.key), **typed_all(row.values), **stamped}

    def _row(self, item: Mapping[str, Typed]) -> Row:
        """The row. Raises `ResourceError` for an item that has other keys."""
        values = untyped_all({name: value for name, value in item.items() if name != STAMP})
        partition, row = (values.pop(each, None) for each in (self._keys.partition, self._keys.row))
        if not isinstance(partition, str) or not isinstance(row, str):
            raise wrong_keys(self._name, self._keys, "others")
        return Row(key=RowKey(partition, row), values=values)
