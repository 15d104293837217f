"""One DynamoDB table: the few operations that a hub needs, each in its simplest form.

Rules of this file: nothing is known of what the items mean. In expressions a name is written
`#name` and stands for itself, so no reserved word is ever in the way. All reads are consistent,
except those of an index, which cannot be, and a scan, which would cost twice as much. A condition
concerns the one item that is written. An answer of DynamoDB may end anywhere, even before its first
item: nobody but this file sees that, or others would take it for the end of what there is.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Coroutine, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar

from host.errors import StorageUnavailableError
from host.storage.aws.table.keys import Item, Key, Value
from host.storage.aws.wire.client import AwsClient
from host.storage.aws.wire.errors import ConditionFailedError

T = TypeVar("T")

BATCH_ITEMS = 25
BATCH_BYTES = 770_000
"""Far below DynamoDB's 16 MB, so that no request holds the event loop up: a megabyte as base64."""
MAX_BATCH_ATTEMPTS = 12
"""How often what a batch left undone is tried again."""
AT_ONCE = 64
"""How many calls one operation makes side by side."""

_NAME = re.compile(r"#(\w+)")
_SMALL_ITEM_BYTES = 1000


class Expression(NamedTuple):
    """A condition or a change in DynamoDB's words, and the values in it."""

    text: str
    values: Mapping[str, Value] = {}


class Deletion(NamedTuple):
    """An item that is to be deleted, and the condition; of one that is missing nothing is."""

    key: Key
    condition: Expression


class Page(NamedTuple):
    """A part of what a query finds: as many items as were asked for, or all that are left.

    `rest` is where it goes on, None at the end: so a page without items has no rest.
    """

    items: list[Item]
    rest: Key | None


MISSING = Expression("attribute_not_exists(#pk)")


class Table:
    """A table, over a client."""

    def __init__(self, client: AwsClient, name: str) -> None:
        self._client = client
        self.name = name
        self.region = client.region

    async def get(self, key: Key, columns: str | None = None) -> Item | None:
        """The item, or only its `columns` (`#a, #b`); None if it is not there."""
        body: dict[str, Any] = {"TableName": self.name, "Key": key, "ConsistentRead": True}
        if columns is not None:
            body |= {"ProjectionExpression": columns} | _names(columns)
        answer = await self._client.call("GetItem", body)
        found: Item | None = answer.get("Item")
        return found or None

    async def put(
        self, item: Item, condition: Expression, *, returning: bool = False
    ) -> Item | None:
        """Write the whole item; with `returning`, what was there before.

        Raises `ConditionFailedError`.
        """
        body = {"TableName": self.name, "Item": item, "ConditionExpression": condition.text}
        body |= {"ReturnValues": "ALL_OLD"} if returning else {}
        call = self._client.call("PutItem", body | _names(condition.text) | _values(condition))
        old: Item | None = (await call).get("Attributes")
        return old

    async def update(
        self, key: Key, change: Expression, condition: Expression, *, returning: bool = False
    ) -> Item:
        """Change an item; with `returning`, what the changed attributes were before.

        Raises `ConditionFailedError`.
        """
        body: dict[str, Any] = {
            "TableName": self.name,
            "Key": key,
            "UpdateExpression": change.text,
            "ConditionExpression": condition.text,
            "ReturnValues": "UPDATED_OLD" if returning else "NONE",
        }
        body |= _names(f"{change.text} {condition.text}") | _values(change, condition)
        answer = await self._client.call("UpdateItem", body)
        old: Item = answer.get("Attributes", {})
        return old

    async def delete(self, key: Key, condition: Expression) -> None:
        """Delete an item. Raises `ConditionFailedError`."""
        body = {"TableName": self.name, "Key": key, "ConditionExpression": condition.text}
        await self._client.call("DeleteItem", body | _names(condition.text) | _values(condition))

    async def delete_if(self, key: Key, condition: Expression) -> bool:
        """Delete an item if the condition holds; whether it did."""
        try:
            await self.delete(key, condition)
        except ConditionFailedError:
            return False
        return True

    async def delete_together(self, deletions: Iterable[Deletion]) -> None:
        """Delete all of the items, or none if one of the conditions does not hold.

        Raises `ConditionFailedError`. Each costs twice as much as one that is deleted alone.
        """
        items = [
            {
                "Delete": {
                    "TableName": self.name,
                    "Key": key,
                    "ConditionExpression": condition.text,
                    **_names(condition.text),
                    **_values(condition),
                }
            }
            for key, condition in deletions
        ]
        await self._client.call("TransactWriteItems", {"TransactItems": items})

    async def query(
        self,
        keys: Expression,
        *,
        limit: int | None,
        index: str | None = None,
        columns: str | None = None,
        is_descending: bool = False,
        rest: Key | None = None,
    ) -> Page:
        """The first `limit` of the items whose keys match, from `rest` on; None for all."""
        body: dict[str, Any] = {
            "TableName": self.name,
            "KeyConditionExpression": keys.text,
            "ScanIndexForward": not is_descending,
            **_names(f"{keys.text} {columns or ''}"),
            **_values(keys),
        }
        body |= {"ConsistentRead": True} if index is None else {"IndexName": index}
        optional = {"ProjectionExpression": columns, "Limit": limit, "ExclusiveStartKey": rest}
        body |= {name: value for name, value in optional.items() if value is not None}
        found: list[Item] = []
        while True:
            answer = await self._client.call("Query", body)
            found += answer.get("Items", ())
            rest = answer.get("LastEvaluatedKey")
            if rest is None or len(found) == limit:
                return Page(found, rest)
            body["ExclusiveStartKey"] = rest
            if limit is not None:
                body["Limit"] = limit - len(found)

    async def query_all(self, keys: Expression, *, columns: str | None = None) -> list[Item]:
        """All items whose keys match, in order."""
        return (await self.query(keys, limit=None, columns=columns)).items

    async def scan(self, columns: str) -> AsyncIterator[Item]:
        """All items of the table; those of one partition key come one after the other.

        It may miss what was written a moment ago.
        """
        body: dict[str, Any] = {"TableName": self.name, "ProjectionExpression": columns}
        body |= _names(columns)
        while True:
            answer = await self._client.call("Scan", body)
            for item in answer.get("Items", []):
                yield item
            if "LastEvaluatedKey" not in answer:
                return
            body["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    async def write_all(self, *, puts: Iterable[Item] = (), deletes: Iterable[Key] = ()) -> None:
        """Put and delete any number of items, unconditionally and in no order.

        No key may occur twice. Raises `StorageUnavailableError` if the table goes on to leave some
        undone.
        """
        requests: list[dict[str, Any]] = [{"PutRequest": {"Item": item}} for item in puts]
        requests += [{"DeleteRequest": {"Key": key}} for key in deletes]
        await together([self._write_batch(part) for part in _parts(requests)])

    async def _write_batch(self, requests: Sequence[Mapping[str, Any]]) -> None:
        left: Mapping[str, Any] = {self.name: requests}
        for attempt in range(1, MAX_BATCH_ATTEMPTS + 1):
            answer = await self._client.call("BatchWriteItem", {"RequestItems": left})
            left = answer.get("UnprocessedItems", {})
            if not left:
                return
            await self._client.back_off(attempt)
        raise StorageUnavailableError(
            f"The table {self.name} takes no more writes: is it throttled?"
        )


async def together(calls: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """Do all calls, some side by side, and wait for all; then raise the first error, if any."""
    if len(calls) == 1:
        return [await calls[0]]
    free = asyncio.Semaphore(AT_ONCE)

    async def in_turn(call: Coroutine[Any, Any, T]) -> T:
        async with free:
            return await call

    outcomes = await asyncio.gather(*map(in_turn, calls), return_exceptions=True)
    answers: list[T] = []
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome
        answers.append(outcome)
    return answers


def _parts(requests: Sequence[dict[str, Any]]) -> Iterable[list[dict[str, Any]]]:
    """The requests in as many batches as they need."""
    part: list[dict[str, Any]] = []
    size = 0
    for request in requests:
        request_size = _size_of(request)
        if part and (len(part) == BATCH_ITEMS or size + request_size > BATCH_BYTES):
            yield part
            part, size = [], 0
        part.append(request)
        size += request_size
    if part:
        yield part


def _size_of(request: Mapping[str, Any]) -> int:
    put = request.get("PutRequest")
    data = put["Item"].get("d") if put else None
    return _SMALL_ITEM_BYTES + (len(data["B"]) if data else 0)


@lru_cache(maxsize=1000)
def _names(text: str) -> dict[str, dict[str, str]]:
    return {"ExpressionAttributeNames": {f"#{name}": name for name in _NAME.findall(text)}}


def _values(*expressions: Expression) -> dict[str, dict[str, Value]]:
    values = {name: value for each in expressions for name, value in each.values.items()}
    return {"ExpressionAttributeValues": values} if values else {}
