"""Creating, checking and deleting what a hub on AWS is made of.

Rules of this file: it blocks (boto3), so only commands call it, never a running host. Everything
can be done again: what exists is kept and brought up to date, what is gone is gone. Each step is
told as a sentence, when it has been done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from time import sleep
from typing import Any

from botocore.exceptions import ClientError

from host.clock import SystemClock
from host.errors import ConfigurationError
from host.settings.connections import AwsOptions
from host.storage.aws.schema import (
    BARE_INDEXES,
    DEFAULT_PARTITIONS,
    ENDED_INDEX,
    FORMAT_VERSION,
    HubLayout,
    queue_definitions,
    table_definition,
)
from host.storage.aws.setup.findings import Finding, existing, key_note, missing
from host.storage.aws.setup.queues import Pause, QueueSetup
from host.storage.aws.setup.sessions import code_of, is_missing, setup_clients, translated
from host.storage.aws.setup.stored_format import StoredFormat
from host.storage.aws.table.hub_format import (
    FORMAT_1,
    LAST_BY_CREATION,
    HubFormat,
    new_format,
)

_WAITER = {"Delay": 2, "MaxAttempts": 90}
_USABLE = frozenset({"ACTIVE", "UPDATING"})
_BEING_CHANGED = frozenset({"CREATING", "UPDATING"})
_DELETING = "DELETING"
_WITHOUT_KEY = frozenset({"INACCESSIBLE_ENCRYPTION_CREDENTIALS", "ARCHIVING", "ARCHIVED"})
_IN_USE = "ResourceInUseException"


class Provisioner:
    """The table and the queues of one hub.

    Raises `ConfigurationError` for what the user has to put right, `StorageUnavailableError` if AWS
    cannot be reached.
    """

    def __init__(self, layout: HubLayout, options: AwsOptions, *, pause: Pause = sleep) -> None:
        self._layout = layout
        clients = setup_clients(options)
        self._dynamodb = clients.dynamodb
        self.region: str = clients.dynamodb.meta.region_name
        self._queues = QueueSetup(layout, clients.sqs, pause)
        self._format = StoredFormat(self._dynamodb, layout.table_name)

    def create(self, partitions: int | None = None) -> Iterator[str]:
        """Create what is missing, bring up to date what is there.

        `partitions` is how many the indexes of a new hub have.
        """
        with translated():
            yield from self._create_table(partitions)
            for queue in queue_definitions(self._layout):
                yield self._queues.create(queue)

    def grow(self, partitions: int, wait: Callable[[float], None]) -> Iterator[str]:
        """Give the indexes more partitions, while hosts run; `wait` passes so many seconds."""
        with translated():
            if self._table() is None:
                raise ConfigurationError(f"{self._layout.table_name}: {missing(self.region)}")
            yield from self._format.grow(partitions, wait)

    def status(self) -> Iterator[Finding]:
        """Look at everything."""
        with translated():
            yield self._table_status()
            for queue in queue_definitions(self._layout):
                yield self._queues.status(queue)

    def delete(self) -> Iterator[str]:
        """Delete everything, and with it all instances.

        Raises `ConfigurationError` if the table is something else's: then nothing is deleted.
        """
        with translated():
            yield self._delete_table()
            for queue in reversed(queue_definitions(self._layout)):
                yield self._queues.delete(queue.name)

    def _create_table(self, partitions: int | None) -> Iterator[str]:
        name, definition = self._layout.table_name, table_definition(self._layout)
        version = self._layout.format_version
        if self._made(definition):
            yield f"Created table {name}."
        else:
            table = self._dynamodb.describe_table(TableName=name)["Table"]
            version = _version_of(table)
            self._check_table(table)
            yield self._bring_up_to_date(table, definition)
        self._wait_for_table()
        yield from self._write_format(partitions, version)

    def _made(self, definition: Mapping[str, Any]) -> bool:
        """Create the table; False if it is there, or somebody else makes it in this moment."""
        table = self._table()
        if table is not None and table["TableStatus"] == _DELETING:
            self._wait_until_gone()
            table = None
        if table is not None:
            return False
        try:
            self._dynamodb.create_table(**definition)
        except ClientError as error:
            if code_of(error) == _IN_USE:
                return False
            raise
        return True

    def _bring_up_to_date(self, table: Mapping[str, Any], definition: Mapping[str, Any]) -> str:
        arn = table["TableArn"]
        tags = self._tags(arn)
        if not self._layout.all_tags.items() <= tags.items():
            self._dynamodb.tag_resource(ResourceArn=arn, Tags=definition["Tags"])
        changes = {}
        if _key_problem(table, self._layout) is not None:
            changes = {"SSESpecification": definition["SSESpecification"]}
            self._dynamodb.update_table(TableName=self._layout.table_name, **changes)
        return existing(f"Table {self._layout.table_name}", tags, changes=list(changes))

    def _tags(self, arn: str) -> dict[str, str]:
        pages = self._dynamodb.get_paginator("list_tags_of_resource").paginate(ResourceArn=arn)
        return {tag["Key"]: tag["Value"] for page in pages for tag in page.get("Tags", ())}

    def _definition_of(self, table: Mapping[str, Any]) -> Mapping[str, Any]:
        """What the table should be, if it is a hub's of the format that its indexes are for."""
        return table_definition(replace(self._layout, format_version=_version_of(table)))

    def _check_table(self, table: Mapping[str, Any]) -> None:
        """Raise if the table is not this hub's, or too new to be touched."""
        name = self._layout.table_name
        problem = _table_problem(table, self._definition_of(table))
        if problem is not None:
            raise ConfigurationError(f"Table {name} exists and cannot be this hub's: {problem}")
        if table["TableStatus"] not in _USABLE | _BEING_CHANGED:
            raise ConfigurationError(f"Table {name} cannot be used: {_state_of(table)}")
        self._wait_for_table()
        problem = _format_problem(self._format.read(), table)
        if problem is not None:
            raise ConfigurationError(f"Table {name} is left as it is: {problem}")

    def _wait_for_table(self) -> None:
        waiter = self._dynamodb.get_waiter("table_exists")
        waiter.wait(TableName=self._layout.table_name, WaiterConfig=_WAITER)

    def _wait_until_gone(self) -> None:
        waiter = self._dynamodb.get_waiter("table_not_exists")
        waiter.wait(TableName=self._layout.table_name, WaiterConfig=_WAITER)

    def _write_format(self, partitions: int | None, version: int) -> Iterator[str]:
        """Write what the first host would write, for those that may only read."""
        found = self._format.read()
        if found is None:
            parts, now = partitions or DEFAULT_PARTITIONS, SystemClock().now()
            new = new_format(parts, now, version=version)
            if self._format.write_first(new):
                yield f"Wrote {_described(new)} into table {self._layout.table_name}."
                return
            found = self._format.read() or FORMAT_1  # a host was first
        if partitions is not None and found.parts != partitions:
            more = f": `funchost hub grow {partitions}` gives it more, while hosts run"
            more = more if partitions > found.parts else " already"
            yield f"The hub has {found.parts} partitions{more}."

    def _table_status(self) -> Finding:
        name, table = self._layout.table_name, self._table()
        if table is None:
            return Finding(name=name, problem=missing(self.region))
        problem = _table_problem(table, self._definition_of(table))
        if problem is None and table["TableStatus"] not in _USABLE:
            problem = _state_of(table)
        if problem is not None:
            return Finding(name=name, problem=problem)
        format_ = self._format.read()
        notes = ["no format yet" if format_ is None else _described(format_)]
        key = _key_of(table)
        if key is not None and self._layout.kms_key_arn is None:
            notes.append(key_note(key))
        return Finding(
            name=name,
            figures={"items": table.get("ItemCount", 0)},  # counted about every six hours
            notes=notes,
            problem=_format_problem(format_, table) or _key_problem(table, self._layout),
        )

    def _delete_table(self) -> str:
        name, table = self._layout.table_name, self._table()
        if table is None:
            return f"There is no table {name}."
        problem = _strangeness(table, self._definition_of(table))
        if problem is not None:
            raise ConfigurationError(
                f"Table {name} in {self.region} is left as it is, and so are the queues: it is no"
                f" hub's, {problem}. Check the hub's name, tablePrefix and tableName."
            )
        if table["TableStatus"] in _BEING_CHANGED:
            self._wait_for_table()  # what is being made, or changed, cannot be deleted
        try:
            self._dynamodb.delete_table(TableName=name)
        except ClientError:
            table = self._table()
            if table is not None and table["TableStatus"] != _DELETING:
                raise
            # It was deleted before, or by somebody else in this moment.
        self._wait_until_gone()
        return f"Deleted table {name}."

    def _table(self) -> dict[str, Any] | None:
        try:
            answer = self._dynamodb.describe_table(TableName=self._layout.table_name)
        except ClientError as error:
            if is_missing(error):
                return None
            raise
        table: dict[str, Any] = answer["Table"]
        return table


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


def _strangeness(table: Mapping[str, Any], definition: Mapping[str, Any]) -> str | None:
    """Why the table cannot be a hub's, not even that of an older or a damaged one."""
    if _keys(table) != _keys(definition):
        return "its keys are others"
    names = {index["IndexName"] for index in definition["GlobalSecondaryIndexes"]}
    if names.isdisjoint(index["IndexName"] for index in table.get("GlobalSecondaryIndexes", ())):
        return "it has none of a hub's indexes"
    return None


def _state_of(table: Mapping[str, Any]) -> str:
    """Why a table cannot be used that is as it should be."""
    state = table["TableStatus"]
    reason = ", since its KMS key cannot be used: see to the key" if state in _WITHOUT_KEY else ""
    return f"it is {state}{reason}"


def _key_of(table: Mapping[str, Any]) -> str | None:
    """The customer's KMS key that the table is encrypted with."""
    key = table.get("SSEDescription", {}).get("KMSMasterKeyArn")
    return None if key is None else str(key)


def _key_problem(table: Mapping[str, Any], layout: HubLayout) -> str | None:
    """What is wrong with the key, if so. A table that has a key and needs none keeps it."""
    if layout.kms_key_arn in {None, _key_of(table)}:
        return None
    return "its KMS key is not that of kmsKeyArn; `funchost hub create` sets it"


def _version_of(table: Mapping[str, Any]) -> int:
    """The format that the table was made for."""
    names = {index["IndexName"] for index in table.get("GlobalSecondaryIndexes", ())}
    return FORMAT_VERSION if ENDED_INDEX in names else LAST_BY_CREATION


def _format_problem(found: HubFormat | None, table: Mapping[str, Any]) -> str | None:
    made_for = _version_of(table)
    if found is None:
        return None
    if found.problem is None and found.is_by_state != (made_for == FORMAT_VERSION):
        return f"its format is {found.version}, and its indexes are those of format {made_for}"
    return found.problem


def _described(found: HubFormat) -> str:
    more = found.read_parts
    growing = f", growing to {more}: `funchost hub grow {more}` ends it if nobody is at it"
    growing = growing if found.is_growing else ""
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
