"""What a hub on AWS is made of: one table and its queues, as data.

Rules of this file: definitions are pure functions of a hub's layout, in the words of DynamoDB's
`CreateTable` and SQS's `CreateQueue`. The command that creates a hub, the CloudFormation template,
the policies and the tests all take them from here, so there is one truth about names and keys.
All key attributes are strings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

DEFAULT_PREFIX = "funchost-"
FORMAT_VERSION = 3
"""The format of new hubs."""
BY_STATE_SINCE = 3
"""From this format on instances are found by state and by name, before that by creation only."""
LISTING_INDEX = "listing"
UNFINISHED_INDEX = "unfinished"
ENDED_INDEX = "ended"
NAMED_INDEX = "named"
ALARMS_INDEX = "alarms"

VISIBILITY_TIMEOUT_S = 30
MAX_VISIBILITY_TIMEOUT_S = 4 * 3600
"""No hold is longer in all than `MAX_HELD_S`, and it is made longer for six hours."""
MIN_VISIBILITY_TIMEOUT_S = 3
"""The shortest poll takes a second: a hold that is no longer may be over when it is answered."""
MAX_HELD_S = 12 * 3600
"""How long SQS lets a message be held in all, from when it was received."""
LONG_POLL_S = 20
MAX_POLLS = 4
"""So many polls of one queue run side by side, as long as they bring as much as they may."""
# The engine quarantines an instance long before; this only keeps a message that no host can read
# from going round for ever.
MAX_DELIVERIES = 100

_RETENTION_S = 14 * 24 * 3600
_MAX_MESSAGE_BYTES = 256 * 1024
"""Said, since the default differs: SQS's own is larger, Terraform's is this, and old regions know
no more. A hint has at most a quarter of it."""
MAX_QUEUE_NAME = 80
_KEY_REUSE_S = 3600
"""How long SQS uses one data key: each new one is paid for, by host and queue."""
_TABLE_KEYS = ("pk", "sk")
BARE_INDEXES = frozenset({UNFINISHED_INDEX})
"""Indexes that held nothing besides the keys when older versions made them."""

DEFAULT_PARTITIONS = 4
STARTS_PER_PARTITION = 250
"""What a partition of the indexes is good for in a second: of each index, an orchestration of five
activities writes its entry twice, one that waits in between up to four times, and DynamoDB takes
1,000 writes a second."""


class Index(NamedTuple):
    """An index of the table: its keys, and what it holds besides them.

    That is there so that listing by status reads no rows, and a sweep only those of instances that
    may have something to do.
    """

    name: str
    keys: tuple[str, str]
    copied: tuple[str, ...] = ()


_ALARMS = Index(ALARMS_INDEX, ("w", "ws"))
_INDEXES_BY_CREATION = (
    Index(LISTING_INDEX, ("l", "ls"), ("st", "fn")),
    Index(UNFINISHED_INDEX, ("u", "us"), ("k", "st")),
    _ALARMS,
)
_INDEXES_BY_STATE = (
    Index(NAMED_INDEX, ("l", "ls")),
    Index(UNFINISHED_INDEX, ("u", "ls"), ("k", "st", "fn")),
    Index(ENDED_INDEX, ("f", "ls"), ("st", "fn")),
    _ALARMS,
)


class CapacityMode(StrEnum):
    """How a table is paid for: by request, or by units that are provisioned (and scaled by you)."""

    ON_DEMAND = "PAY_PER_REQUEST"
    PROVISIONED = "PROVISIONED"


@dataclass(frozen=True, slots=True, kw_only=True)
class HubLayout:
    """The names and choices of one hub. `wakeup_queues` must be the same for all its hosts.

    `table` is the table's name where it is not the hub's: a table that was restored has a new one.
    `kms_key_arn` is the customer's key for all that is stored; None for keys that AWS keeps.
    `format_version` is that of the hub: it says which indexes there are.
    """

    hub: str
    prefix: str = DEFAULT_PREFIX
    table: str | None = None
    kms_key_arn: str | None = None
    wakeup_queues: int = 1
    capacity_mode: CapacityMode = CapacityMode.ON_DEMAND
    read_units: int = 25
    write_units: int = 25
    tags: Mapping[str, str] = field(default_factory=dict)
    format_version: int = FORMAT_VERSION

    @property
    def table_name(self) -> str:
        """The one table; the names of all queues start with the same words.

        So the queues are the table's own: a host that goes on with the table from before a restore
        takes no hint that is meant for the restored one.
        """
        return self.table or f"{self.prefix}{self.hub}"

    @property
    def wakeup_queue_names(self) -> tuple[str, ...]:
        """The FIFO queues of wake-ups; the hash of an instance's id chooses among them."""
        if self.wakeup_queues == 1:
            return (f"{self.table_name}-wakeups.fifo",)
        numbers = range(self.wakeup_queues)
        return tuple(f"{self.table_name}-wakeups-{number}.fifo" for number in numbers)

    @property
    def work_queue_name(self) -> str:
        """The standard queue of work items."""
        return f"{self.table_name}-work"

    @property
    def all_tags(self) -> dict[str, str]:
        """The tags of everything in the hub: the user's, and the hub's name."""
        return {**self.tags, "funchost:hub": self.hub}


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueDefinition:
    """One queue. What was received too often moves on to `dead_letter_name`, if there is one.

    `part` says in small letters which of the hub's queues it is: its name in a template.
    """

    part: str
    name: str
    attributes: Mapping[str, str]
    dead_letter_name: str | None = None


def partitions_for(starts_per_second: int) -> int:
    """How many partitions a hub needs that starts so many orchestrations a second."""
    return max(DEFAULT_PARTITIONS, -(-starts_per_second // STARTS_PER_PARTITION))


def indexes_of(format_version: int) -> tuple[Index, ...]:
    """The indexes of a hub of this format."""
    return _INDEXES_BY_STATE if format_version >= BY_STATE_SINCE else _INDEXES_BY_CREATION


def table_definition(layout: HubLayout) -> dict[str, Any]:
    """The request that creates the table, in full."""
    indexes = indexes_of(layout.format_version)
    keys = dict.fromkeys(
        name for pair in (_TABLE_KEYS, *(x.keys for x in indexes)) for name in pair
    )
    return {
        "TableName": layout.table_name,
        "AttributeDefinitions": [{"AttributeName": name, "AttributeType": "S"} for name in keys],
        "KeySchema": _key_schema(_TABLE_KEYS),
        "GlobalSecondaryIndexes": [
            {
                "IndexName": each.name,
                "KeySchema": _key_schema(each.keys),
                "Projection": _projection(each),
                **_throughput(layout),
            }
            for each in indexes
        ],
        "BillingMode": layout.capacity_mode.value,
        **_throughput(layout),
        **_table_encryption(layout),
        "Tags": [{"Key": key, "Value": value} for key, value in layout.all_tags.items()],
    }


def queue_definitions(layout: HubLayout) -> tuple[QueueDefinition, ...]:
    """All queues, a dead-letter queue before those that lead to it."""
    dead_wakeups = f"{layout.table_name}-wakeups-dead.fifo"
    dead_work = f"{layout.table_name}-work-dead"
    names = layout.wakeup_queue_names
    parts = ["wakeups"] if len(names) == 1 else [f"wakeups_{n}" for n in range(len(names))]
    return (
        _queue(layout, "dead_wakeups", dead_wakeups),
        *(
            _queue(layout, part, name, dead=dead_wakeups)
            for part, name in zip(parts, names, strict=True)
        ),
        _queue(layout, "dead_work", dead_work),
        _queue(layout, "work", layout.work_queue_name, dead=dead_work),
    )


def longest_queue_name(layout: HubLayout) -> str:
    """The queue name that meets SQS's limit first (`MAX_QUEUE_NAME` characters)."""
    return max((queue.name for queue in queue_definitions(layout)), key=len)


def _key_schema(pair: tuple[str, str]) -> list[dict[str, str]]:
    return [
        {"AttributeName": name, "KeyType": kind}
        for name, kind in zip(pair, ("HASH", "RANGE"), strict=True)
    ]


def _projection(index: Index) -> dict[str, Any]:
    if not index.copied:
        return {"ProjectionType": "KEYS_ONLY"}
    return {"ProjectionType": "INCLUDE", "NonKeyAttributes": list(index.copied)}


def _throughput(layout: HubLayout) -> dict[str, Any]:
    if layout.capacity_mode is CapacityMode.ON_DEMAND:
        return {}
    units = {"ReadCapacityUnits": layout.read_units, "WriteCapacityUnits": layout.write_units}
    return {"ProvisionedThroughput": units}


def _table_encryption(layout: HubLayout) -> dict[str, Any]:
    if layout.kms_key_arn is None:
        return {}
    key = {"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": layout.kms_key_arn}
    return {"SSESpecification": key}


def _queue_encryption(layout: HubLayout) -> dict[str, str]:
    if layout.kms_key_arn is None:
        return {"SqsManagedSseEnabled": "true"}
    return {
        "KmsMasterKeyId": layout.kms_key_arn,
        "KmsDataKeyReusePeriodSeconds": str(_KEY_REUSE_S),
    }


def _queue(layout: HubLayout, part: str, name: str, *, dead: str | None = None) -> QueueDefinition:
    attributes = {
        "VisibilityTimeout": str(VISIBILITY_TIMEOUT_S),
        "DelaySeconds": "0",  # the default; a queue that was there may have had another
        "MaximumMessageSize": str(_MAX_MESSAGE_BYTES),
        "MessageRetentionPeriod": str(_RETENTION_S),
        "ReceiveMessageWaitTimeSeconds": str(LONG_POLL_S),
        **_queue_encryption(layout),
    }
    if name.endswith(".fifo"):  # groups are independent: none waits for another, neither for room
        attributes |= {
            "FifoQueue": "true",
            "ContentBasedDeduplication": "false",
            "DeduplicationScope": "messageGroup",
            "FifoThroughputLimit": "perMessageGroupId",
        }
    return QueueDefinition(part=part, name=name, attributes=attributes, dead_letter_name=dead)
