"""Changes in a hub's table that no host makes: items that somebody wrote or deleted by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from host.storage.aws.schema import HubLayout
from host.storage.aws.table.keys import Item, Value, sort_key_of
from host.storage.aws.wire.client import AwsClient


class HandWritten:
    """The table of a hub."""

    def __init__(self, client: AwsClient, layout: HubLayout) -> None:
        self._client = client
        self._name = layout.table_name

    async def keys(self, instance_id: str) -> Sequence[str]:
        """The sort keys of all that is stored of an instance."""
        return [sort_key_of(item) for item in await self._items(instance_id)]

    async def change(
        self, instance_id: str, sort_key: str, attributes: Mapping[str, Value | None]
    ) -> None:
        """Change the first item with this beginning of its sort key; None removes an attribute."""
        item = await self._first(instance_id, sort_key) | dict(attributes)
        whole = {name: value for name, value in item.items() if value is not None}
        await self._client.call("PutItem", {"TableName": self._name, "Item": whole})

    async def delete(self, instance_id: str, sort_key: str) -> None:
        """Delete the first item with this beginning of its sort key."""
        item = await self._first(instance_id, sort_key)
        key = {name: item[name] for name in ("pk", "sk")}
        await self._client.call("DeleteItem", {"TableName": self._name, "Key": key})

    async def _first(self, instance_id: str, sort_key: str) -> Item:
        items = await self._items(instance_id)
        return next(item for item in items if sort_key_of(item).startswith(sort_key))

    async def _items(self, instance_id: str) -> Sequence[Item]:
        answer = await self._client.call(
            "Query",
            {
                "TableName": self._name,
                "ConsistentRead": True,
                "KeyConditionExpression": "pk = :pk",
                "ExpressionAttributeValues": {":pk": {"S": f"i#{instance_id}"}},
            },
        )
        items: Sequence[Item] = answer["Items"]
        return items
