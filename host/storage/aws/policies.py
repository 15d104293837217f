"""Least-privilege IAM policies for a hub.

Rules of this file: pure. A role's policy names the actions that its code calls, on this hub's table
and queues and nothing else. SQS's batch requests need the permission of the single action.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from host.storage.aws.schema import HubLayout, queue_definitions

_READ_ITEMS = ("DescribeTable", "GetItem", "Query")
_WRITE_ITEMS = ("BatchWriteItem", "DeleteItem", "PutItem", "UpdateItem")
_SEE_QUEUE = ("GetQueueAttributes", "GetQueueUrl")
_SEND = ("GetQueueUrl", "SendMessage")
_SERVE_QUEUE = (
    "ChangeMessageVisibility",
    "DeleteMessage",
    "GetQueueAttributes",
    "GetQueueUrl",
    "ReceiveMessage",
    "SendMessage",
)
_SET_UP_TABLE = (
    "CreateTable",
    "DeleteTable",
    "DescribeTable",
    "DescribeTimeToLive",
    "TagResource",
    "UpdateTimeToLive",
)
_SET_UP_QUEUE = (
    "CreateQueue",
    "DeleteQueue",
    "GetQueueAttributes",
    "GetQueueUrl",
    "SetQueueAttributes",
    "TagQueue",
)


class Role(StrEnum):
    """Who needs access to a hub."""

    HOST = "host"
    """Runs functions."""
    CLIENT = "client"
    """Starts and manages instances and runs none."""
    READ_ONLY = "read-only"
    """Looks at instances, and at how much waits."""
    SETUP = "setup"
    """Creates and deletes the hub."""


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
    table_actions, queue_actions = _ACTIONS[role]
    table = place.arn("dynamodb", f"table/{layout.table_name}")
    queues = [place.arn("sqs", name) for name in _queue_names(role, layout)]
    return {
        "Version": "2012-10-17",
        "Statement": [
            _allow("Table", "dynamodb", table_actions, [table, f"{table}/index/*"]),
            _allow("Queues", "sqs", queue_actions, queues),
        ],
    }


_ACTIONS = {
    Role.HOST: ((*_READ_ITEMS, *_WRITE_ITEMS), _SERVE_QUEUE),
    Role.CLIENT: ((*_READ_ITEMS, *_WRITE_ITEMS), _SEND),
    Role.READ_ONLY: (_READ_ITEMS, _SEE_QUEUE),
    Role.SETUP: (_SET_UP_TABLE, _SET_UP_QUEUE),
}


def _queue_names(role: Role, layout: HubLayout) -> Iterable[str]:
    if role is Role.CLIENT:
        return layout.wakeup_queue_names
    if role is Role.HOST:
        return (*layout.wakeup_queue_names, layout.work_queue_name)
    return (queue.name for queue in queue_definitions(layout))


def _allow(
    name: str, service: str, actions: Iterable[str], resources: Iterable[str]
) -> dict[str, Any]:
    return {
        "Sid": name,
        "Effect": "Allow",
        "Action": sorted(f"{service}:{action}" for action in actions),
        "Resource": list(resources),
    }
