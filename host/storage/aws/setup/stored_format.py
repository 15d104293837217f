"""The format item of a hub's table, as commands read, write and change it.

Rules of this file: it blocks (boto3), as all of set-up. Every write has the condition that nobody
wrote in between; who loses says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from botocore.exceptions import ClientError

from host.errors import ConfigurationError
from host.storage.aws.table.hub_format import HubFormat, format_of, item_of
from host.storage.aws.table.keys import FORMAT_KEY, Item
from host.storage.aws.table.parts import GROWING_TAKES

_CONDITION_FAILED = "ConditionalCheckFailedException"
_ATTRIBUTES = ("v", "n", "m")


class StoredFormat:
    """The format of one table. Raises botocore's errors, which its caller translates."""

    def __init__(self, dynamodb: Any, table_name: str) -> None:
        self._dynamodb = dynamodb
        self._table_name = table_name

    def read(self) -> HubFormat | None:
        """What is stored; None if nobody has written it yet."""
        answer = self._dynamodb.get_item(
            TableName=self._table_name, Key=FORMAT_KEY, ConsistentRead=True
        )
        return format_of(answer["Item"]) if "Item" in answer else None

    def write_first(self, new: HubFormat) -> bool:
        """Write the format of a new hub; False if another was first."""
        return self._put(new, None)

    def grow(self, partitions: int, wait: Callable[[float], None]) -> Iterator[str]:
        """Give the indexes more partitions, while hosts run; `wait` passes so many seconds.

        First all hosts are to read the new partitions; when none can be left that does not, new
        entries may go there. Whoever broke that off may do the same again.
        """
        seen = self._read_to_grow(partitions)
        if seen.parts == partitions:
            yield f"The hub has {partitions} partitions."
            return
        reading = seen.reading(partitions)
        if seen.version < reading.version:
            yield "Hosts of older versions do not read new partitions: upgrade all of them first."
        self._replace(seen, reading)
        seconds = GROWING_TAKES.total_seconds()
        yield f"Hosts are to read {partitions} partitions. Waiting {seconds:g} s for all of them."
        wait(seconds)
        self._replace(reading, reading.grown())
        yield f"New orchestrations go to {partitions} partitions instead of {seen.parts}."

    def _read_to_grow(self, partitions: int) -> HubFormat:
        seen, name = self.read(), self._table_name
        if seen is None:
            raise ConfigurationError(
                f"Table {name} has no format yet: `funchost hub create` first."
            )
        if seen.problem is not None:
            raise ConfigurationError(f"Table {name} is left as it is: {seen.problem}")
        if partitions < seen.read_parts:
            raise ConfigurationError(
                f"The hub has {seen.read_parts} partitions: it can only be given more, since "
                "there are entries in all of them."
            )
        return seen

    def _replace(self, seen: HubFormat, new: HubFormat) -> None:
        if new != seen and not self._put(new, item_of(seen)):
            raise ConfigurationError(
                f"Somebody else changed the format of table {self._table_name} meanwhile. "
                "Look at it with `funchost hub status`, and do it again."
            )

    def _put(self, new: HubFormat, seen: Item | None) -> bool:
        if seen is None:
            condition: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(pk)"}
        else:
            tests = [
                f"{name} = :{name}" if name in seen else f"attribute_not_exists({name})"
                for name in _ATTRIBUTES
            ]
            condition = {
                "ConditionExpression": " AND ".join(tests),
                "ExpressionAttributeValues": {
                    f":{name}": seen[name] for name in _ATTRIBUTES if name in seen
                },
            }
        try:
            self._dynamodb.put_item(TableName=self._table_name, Item=item_of(new), **condition)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") == _CONDITION_FAILED:
                return False
            raise
        return True
