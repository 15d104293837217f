"""Creating, checking and deleting what a hub on AWS is made of.

Rules of this file: it blocks (boto3), so only commands call it, never a running host. Everything
can be done again: what exists is kept and brought up to date, what is gone is gone. Each step is
told as a sentence, when it has been done.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoRegionError

from host.errors import ConfigurationError, StorageUnavailableError
from host.storage.aws.schema import (
    BARE_INDEXES,
    DEFAULT_PARTITIONS,
    MAX_DELIVERIES,
    UNFINISHED_INDEX,
    HubLayout,
    QueueDefinition,
    queue_definitions,
    table_definition,
)
from host.storage.aws.setup.stored_format import StoredFormat
from host.storage.aws.table.hub_format import FORMAT_1, HubFormat, new_format
from host.storage.aws.wire.endpoints import AwsOptions

_CONFIG = Config(
    connect_timeout=5, read_timeout=20, retries={"mode": "standard", "total_max_attempts": 3}
)
_WAITER = {"Delay": 2, "MaxAttempts": 90}
_NO_SUCH = frozenset(
    {
        "ResourceNotFoundException",
        "AWS.SimpleQueueService.NonExistentQueue",
        "QueueDoesNotExist",
    }
)
_DENIED = frozenset({"AccessDenied", "AccessDeniedException"})
_ADVICE = {
    "AWS.SimpleQueueService.QueueDeletedRecently": "Wait a minute and do it again.",
    "QueueDeletedRecently": "Wait a minute and do it again.",
}
_USABLE = frozenset({"ACTIVE", "UPDATING"})
_MISSING = "it is missing; `funchost hub create` makes it"
_QUEUE_FIGURES = {
    "waiting": "ApproximateNumberOfMessages",
    "held": "ApproximateNumberOfMessagesNotVisible",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What is there of one table or queue. `problem` is None if it is as it should be."""

    name: str
    figures: Mapping[str, int] = field(default_factory=dict)
    notes: Sequence[str] = ()
    problem: str | None = None


class Provisioner:
    """The table and the queues of one hub.

    Raises `ConfigurationError` for what the user has to put right, `StorageUnavailableError` if AWS
    cannot be reached.
    """

    def __init__(self, layout: HubLayout, options: AwsOptions) -> None:
        self._layout = layout
        with _translated():
            session = boto3.session.Session(
                # boto3 alone of AWS's tools does not know AWS_REGION.
                region_name=options.region or os.environ.get("AWS_REGION"),
                profile_name=options.profile,
            )
            self._dynamodb = session.client(
                "dynamodb",
                endpoint_url=options.dynamodb_endpoint_url or options.endpoint_url,
                config=_CONFIG,
            )
            self._sqs = session.client(
                "sqs", endpoint_url=options.sqs_endpoint_url or options.endpoint_url, config=_CONFIG
            )
        self._format = StoredFormat(self._dynamodb, layout.table_name)

    def create(self, partitions: int | None = None) -> Iterator[str]:
        """Create what is missing, bring up to date what is there.

        `partitions` is how many the indexes of a new hub have.
        """
        with _translated():
            yield from self._create_table(partitions)
            for queue in queue_definitions(self._layout):
                yield from self._create_queue(queue)

    def grow(self, partitions: int, wait: Callable[[float], None]) -> Iterator[str]:
        """Give the indexes more partitions, while hosts run; `wait` passes so many seconds."""
        with _translated():
            if self._table() is None:
                raise ConfigurationError(f"{self._layout.table_name}: {_MISSING}")
            yield from self._format.grow(partitions, wait)

    def status(self) -> Iterator[Finding]:
        """Look at everything."""
        with _translated():
            yield self._table_status()
            for queue in queue_definitions(self._layout):
                yield self._queue_status(queue)

    def delete(self) -> Iterator[str]:
        """Delete everything, and with it all instances."""
        with _translated():
            yield self._delete_table()
            for queue in reversed(queue_definitions(self._layout)):
                yield self._delete_queue(queue.name)

    def _create_table(self, partitions: int | None) -> Iterator[str]:
        name, definition = self._layout.table_name, table_definition(self._layout)
        table = self._table()
        if table is None:
            self._dynamodb.create_table(**definition)
            yield f"Created table {name}."
        else:
            self._check_table(table, definition)
            self._dynamodb.tag_resource(ResourceArn=table["TableArn"], Tags=definition["Tags"])
            yield f"Table {name} exists."
        self._wait_for_table()
        yield from self._write_format(partitions, table)

    def _check_table(self, table: Mapping[str, Any], definition: Mapping[str, Any]) -> None:
        """Raise if the table is not this hub's, or too new to be touched."""
        name = self._layout.table_name
        problem = _table_problem(table, definition)
        if problem is not None:
            raise ConfigurationError(f"Table {name} exists and cannot be this hub's: {problem}")
        self._wait_for_table()
        problem = _format_problem(self._format.read())
        if problem is not None:
            raise ConfigurationError(f"Table {name} is left as it is: {problem}")

    def _wait_for_table(self) -> None:
        waiter = self._dynamodb.get_waiter("table_exists")
        waiter.wait(TableName=self._layout.table_name, WaiterConfig=_WAITER)

    def _write_format(
        self, partitions: int | None, table: Mapping[str, Any] | None
    ) -> Iterator[str]:
        """Write what the first host would write, for those that may only read."""
        found = self._format.read()
        if found is None:
            has_marks = table is None or not _is_bare(table, UNFINISHED_INDEX)
            new = new_format(partitions or DEFAULT_PARTITIONS, has_marks=has_marks)
            if self._format.write_first(new):
                yield f"Wrote {_described(new)} into table {self._layout.table_name}."
                return
            found = self._format.read() or FORMAT_1  # a host was first
        if partitions is not None and found.parts != partitions:
            more = f": `funchost hub grow {partitions}` gives it more, while hosts run"
            more = more if partitions > found.parts else " already"
            yield f"The hub has {found.parts} partitions{more}."

    def _create_queue(self, queue: QueueDefinition) -> Iterator[str]:
        attributes = self._attributes_of(queue)
        url = self._queue_url(queue.name)
        if url is None:
            self._sqs.create_queue(
                QueueName=queue.name, Attributes=attributes, tags=self._layout.all_tags
            )
            yield f"Created queue {queue.name}."
            return
        changes = self._differences(url, attributes)
        if changes:
            self._sqs.set_queue_attributes(QueueUrl=url, Attributes=changes)
        self._sqs.tag_queue(QueueUrl=url, Tags=self._layout.all_tags)
        changed = f"; set {', '.join(sorted(changes))}" if changes else ""
        yield f"Queue {queue.name} exists{changed}."

    def _table_status(self) -> Finding:
        name, table = self._layout.table_name, self._table()
        if table is None:
            return Finding(name=name, problem=_MISSING)
        problem = _table_problem(table, table_definition(self._layout))
        if problem is None and table["TableStatus"] not in _USABLE:
            problem = f"it is {table['TableStatus']}"
        if problem is not None:
            return Finding(name=name, problem=problem)
        format_ = self._format.read()
        return Finding(
            name=name,
            figures={"items": table.get("ItemCount", 0)},  # counted about every six hours
            notes=["no format yet" if format_ is None else _described(format_)],
            problem=_format_problem(format_),
        )

    def _queue_status(self, queue: QueueDefinition) -> Finding:
        url = self._queue_url(queue.name)
        if url is None:
            return Finding(name=queue.name, problem=_MISSING)
        changes = self._differences(url, self._attributes_of(queue))
        found = self._found_attributes(url)
        return Finding(
            name=queue.name,
            figures={word: int(found.get(name, 0)) for word, name in _QUEUE_FIGURES.items()},
            problem=f"{', '.join(sorted(changes))} differ; `funchost hub create` sets them"
            if changes
            else None,
        )

    def _delete_table(self) -> str:
        name = self._layout.table_name
        if self._table() is None:
            return f"There is no table {name}."
        self._dynamodb.delete_table(TableName=name)
        self._dynamodb.get_waiter("table_not_exists").wait(TableName=name, WaiterConfig=_WAITER)
        return f"Deleted table {name}."

    def _delete_queue(self, name: str) -> str:
        url = self._queue_url(name)
        if url is None:
            return f"There is no queue {name}."
        self._sqs.delete_queue(QueueUrl=url)
        return f"Deleted queue {name}."

    def _table(self) -> dict[str, Any] | None:
        try:
            answer = self._dynamodb.describe_table(TableName=self._layout.table_name)
        except ClientError as error:
            if _code(error) in _NO_SUCH:
                return None
            raise
        table: dict[str, Any] = answer["Table"]
        return table

    def _queue_url(self, name: str) -> str | None:
        try:
            return str(self._sqs.get_queue_url(QueueName=name)["QueueUrl"])
        except ClientError as error:
            if _code(error) in _NO_SUCH:
                return None
            raise

    def _found_attributes(self, url: str) -> dict[str, str]:
        answer = self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
        found: dict[str, str] = answer.get("Attributes", {})
        return found

    def _attributes_of(self, queue: QueueDefinition) -> dict[str, str]:
        """The definition's attributes, with the dead-letter queue as SQS wants it: by its ARN."""
        attributes = dict(queue.attributes)
        url = queue.dead_letter_name and self._queue_url(queue.dead_letter_name)
        if url:
            redrive = {
                "deadLetterTargetArn": self._found_attributes(url)["QueueArn"],
                "maxReceiveCount": str(MAX_DELIVERIES),
            }
            attributes["RedrivePolicy"] = json.dumps(redrive)
        return attributes

    def _differences(self, url: str, wanted: Mapping[str, str]) -> dict[str, str]:
        found = self._found_attributes(url)
        return {
            name: value
            for name, value in wanted.items()
            if _meaning(found.get(name)) != _meaning(value)
        }


def _meaning(attribute: str | None) -> object:
    """An attribute as it can be compared: JSON has many spellings, numbers in it may be texts."""
    if attribute is None or not attribute.startswith("{"):
        return attribute
    return {name: str(value) for name, value in json.loads(attribute).items()}


def _table_problem(table: Mapping[str, Any], definition: Mapping[str, Any]) -> str | None:
    """Why the table cannot be used, if so. Its capacity is the owner's to change."""
    if _keys(table) != _keys(definition):
        return "its keys are others"
    types = {each["AttributeName"]: each["AttributeType"] for each in table["AttributeDefinitions"]}
    for each in definition["AttributeDefinitions"]:
        if types.get(each["AttributeName"]) != each["AttributeType"]:
            return f"the attribute {each['AttributeName']} is not a string key"
    indexes = {index["IndexName"]: index for index in table.get("GlobalSecondaryIndexes", ())}
    for index in definition["GlobalSecondaryIndexes"]:
        found = indexes.get(index["IndexName"])
        if found is None or _keys(found) != _keys(index):
            return f"its index {index['IndexName']} is missing or has other keys"
        is_older = index["IndexName"] in BARE_INDEXES and _is_bare(table, index["IndexName"])
        if _copied(found) != _copied(index) and not is_older:
            return f"its index {index['IndexName']} holds other attributes"
    return None


def _format_problem(found: HubFormat | None) -> str | None:
    return None if found is None else found.problem


def _described(found: HubFormat) -> str:
    growing = f", growing to {found.read_parts}" if found.is_growing else ""
    return f"format {found.version}, {found.parts} partitions{growing}"


def _is_bare(table: Mapping[str, Any], index: str) -> bool:
    """Whether an index holds nothing besides its keys."""
    indexes = {each["IndexName"]: each for each in table.get("GlobalSecondaryIndexes", ())}
    return _copied(indexes[index]) == ("KEYS_ONLY", frozenset())


def _copied(index: Mapping[str, Any]) -> tuple[str, frozenset[str]]:
    projection = index["Projection"]
    return projection["ProjectionType"], frozenset(projection.get("NonKeyAttributes", ()))


def _keys(schema: Mapping[str, Any]) -> dict[str, str]:
    return {each["KeyType"]: each["AttributeName"] for each in schema["KeySchema"]}


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


@contextmanager
def _translated() -> Iterator[None]:
    """Turn boto3's errors into the host's, one sentence each."""
    try:
        yield
    except ClientError as error:
        advice = _ADVICE.get(_code(error), "")
        if _code(error) in _DENIED:
            advice = "`funchost hub iam-policy --role setup` prints what is needed."
        raise ConfigurationError(f"AWS refused: {error}. {advice}".rstrip()) from error
    except NoRegionError as error:
        raise ConfigurationError(
            "No AWS region is set: give --region, or set AWS_REGION, or choose a profile with one."
        ) from error
    except (BotoCoreError, ValueError) as error:
        raise StorageUnavailableError(f"AWS cannot be used: {error}") from error
