"""Least-privilege IAM policies for a hub.

Rules of this file: pure. A role's policy names the actions that its code calls, on this hub's table
and queues and nothing else. SQS's batch requests need the permission of the single action.
Dead-letter queues are SQS's own to fill, so no host touches them. A KMS key is used by DynamoDB and
SQS on behalf of who calls them, so its users need rights on it, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from host.storage.aws.schema import HubLayout, queue_definitions
from host.storage.aws.table.keys import FORMAT_KEY

_READ_ITEMS = ("GetItem", "Query")
_WRITE_ITEMS = ("BatchWriteItem", "DeleteItem", "PutItem", "UpdateItem")
_SEE_TABLE = ("DescribeTable",)
_SEE_QUEUE = ("GetQueueAttributes", "GetQueueUrl")
_FIND = ("GetQueueUrl",)
_SEND = ("GetQueueUrl", "SendMessage")
_SERVE_QUEUE = (
    "ChangeMessageVisibility",
    "DeleteMessage",
    "GetQueueUrl",
    "ReceiveMessage",
    "SendMessage",
)
_SET_UP_TABLE = (
    "CreateTable",
    "DeleteTable",
    "DescribeTable",
    "ListTagsOfResource",
    "TagResource",
)
_SET_KEY = ("UpdateTable",)
_SET_UP_FORMAT = ("GetItem", "PutItem")
_ONLY_FORMAT = {
    "Condition": {
        "ForAllValues:StringEquals": {"dynamodb:LeadingKeys": [FORMAT_KEY["pk"]["S"]]},
    }
}
"""Who sets a hub up reads and writes this one item, and no instance."""
_SET_UP_QUEUE = (
    "CreateQueue",
    "DeleteQueue",
    "GetQueueAttributes",
    "GetQueueUrl",
    "ListQueueTags",
    "SetQueueAttributes",
    "TagQueue",
)
_FEW_QUEUES = 10
_ALL_OF_QUEUE = tuple({*_SET_UP_QUEUE, *_SERVE_QUEUE})
_READ_BY_KEY = ("Decrypt", "DescribeKey")
_WRITE_BY_KEY = (
    *_READ_BY_KEY,
    "Encrypt",
    "GenerateDataKey",
    "GenerateDataKeyWithoutPlaintext",
    "ReEncryptFrom",
    "ReEncryptTo",
)
_GIVE_KEY = (*_WRITE_BY_KEY, "CreateGrant")
"""Who makes a table lets DynamoDB use the key from then on."""


class Role(StrEnum):
    """Who needs access to a hub."""

    HOST = "host"
    """Runs functions."""
    CLIENT = "client"
    """Starts and manages instances and runs none."""
    READ_ONLY = "read-only"
    """Looks at instances, and at the hub: `funchost hub status`."""
    REPAIR = "repair"
    """Looks through the whole hub and puts it right: `funchost hub repair`."""
    SETUP = "setup"
    """Creates and deletes the hub."""
    PROBE = "probe"
    """All of it, on hubs of scratch: `funchost hub probe`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the hub is; `*` for anywhere."""

    region: str = "*"
    account: str = "*"
    partition: str = "aws"

    def arn(self, service: str, resource: str) -> str:
        """The name of a resource here."""
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{resource}"


def policy(role: Role, layout: HubLayout, place: Place) -> dict[str, Any]:
    """The policy document of a role."""
    table = place.arn("dynamodb", f"table/{layout.table_name}")

    def queues(names: Iterable[str]) -> list[str]:
        return [place.arn("sqs", name) for name in names]

    wakeups, work = queues(wakeup_names(layout)), queues([layout.work_queue_name])
    others = [queue.name for queue in queue_definitions(layout)]
    others = [name for name in others if name not in layout.wakeup_queue_names]
    everything = [*wakeups, *queues(others)]
    table_actions, table_and_indexes = _TABLE_ACTIONS[role], [table, f"{table}/index/*"]
    statements = [_allow("Table", "dynamodb", table_actions, table_and_indexes)]
    match role:
        case Role.HOST:
            statements += [_allow("Queues", "sqs", _SERVE_QUEUE, [*wakeups, *work])]
        case Role.CLIENT | Role.REPAIR:
            statements += [
                _allow("Queues", "sqs", _SEND, wakeups),
                _allow("WorkQueue", "sqs", _FIND, work),  # each opens all queues
            ]
        case Role.READ_ONLY:
            statements += [_allow("Queues", "sqs", _SEE_QUEUE, everything)]
        case Role.SETUP:
            statements += [
                _allow("Queues", "sqs", _SET_UP_QUEUE, everything),
                _allow("Format", "dynamodb", _SET_UP_FORMAT, [table]) | _ONLY_FORMAT,
            ]
        case Role.PROBE:
            statements += [_allow("Queues", "sqs", _ALL_OF_QUEUE, everything)]
    if layout.kms_key_arn is not None:
        statements += _key_statements(role, layout.kms_key_arn, table)
    return {"Version": "2012-10-17", "Statement": statements}


def wakeup_names(layout: HubLayout) -> Sequence[str]:
    """The queues of wake-ups as a policy names them: one by one, or many by patterns.

    A policy has room for 6,144 characters, which is some fifty queues. `?` stands for one
    character, so that the dead-letter queue is none of them.
    """
    names = layout.wakeup_queue_names
    if len(names) <= _FEW_QUEUES:
        return names
    digits = {len(str(number)) for number in range(len(names))}
    return tuple(f"{layout.table_name}-wakeups-{'?' * count}.fifo" for count in sorted(digits))


_TABLE_ACTIONS = {
    Role.HOST: (*_READ_ITEMS, *_WRITE_ITEMS),
    Role.CLIENT: (*_READ_ITEMS, *_WRITE_ITEMS),
    Role.READ_ONLY: (*_READ_ITEMS, *_SEE_TABLE),
    Role.REPAIR: (*_READ_ITEMS, *_WRITE_ITEMS, "Scan"),
    Role.SETUP: _SET_UP_TABLE,
    Role.PROBE: (*_SET_UP_TABLE, *_READ_ITEMS, *_WRITE_ITEMS),
}


_KEY_ACTIONS = {
    Role.HOST: _WRITE_BY_KEY,
    Role.CLIENT: _WRITE_BY_KEY,
    Role.READ_ONLY: _READ_BY_KEY,
    Role.REPAIR: _WRITE_BY_KEY,
    Role.SETUP: _GIVE_KEY,
    Role.PROBE: _GIVE_KEY,
}


def _key_statements(role: Role, key_arn: str, table: str) -> Iterable[dict[str, Any]]:
    """What a role needs of the KMS key: through DynamoDB and SQS, and never by itself."""
    region = key_arn.split(":")[3]
    services = [f"{service}.{region}.*" for service in ("dynamodb", "sqs")]
    through = {"Condition": {"StringLike": {"kms:ViaService": services}}}
    yield _allow("Key", "kms", _KEY_ACTIONS[role], [key_arn]) | through
    if role is Role.SETUP:
        yield _allow("KeyOfTable", "dynamodb", _SET_KEY, [table])


def _allow(
    name: str, service: str, actions: Iterable[str], resources: Iterable[str]
) -> dict[str, Any]:
    return {
        "Sid": name,
        "Effect": "Allow",
        "Action": sorted(f"{service}:{action}" for action in actions),
        "Resource": list(resources),
    }
