"""A hub as a module of Terraform: the same table and queues that `funchost hub create` makes.

Rules of this file: pure. It is in Terraform's JSON syntax, which is made to be written by programs.
Every text in it is a template: nothing that a user may choose holds a `$` or `%`. Whatever holds
data or hints is not destroyed by accident.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from host.storage.aws.schema import (
    MAX_DELIVERIES,
    CapacityMode,
    HubLayout,
    QueueDefinition,
    queue_definitions,
    table_definition,
)
from host.storage.aws.setup.cloudformation import typed, with_arns
from host.storage.aws.setup.policies import Place, Role, policy, wakeup_names

_TABLE, _QUEUE, _POLICY = "aws_dynamodb_table", "aws_sqs_queue", "aws_iam_policy"
_HUB, _HOST = "hub", "host"
_NOWHERE = Place()
_KEPT = {"lifecycle": {"prevent_destroy": True}}
_ATTRIBUTES = {
    "ContentBasedDeduplication": "content_based_deduplication",
    "DeduplicationScope": "deduplication_scope",
    "DelaySeconds": "delay_seconds",
    "FifoQueue": "fifo_queue",
    "FifoThroughputLimit": "fifo_throughput_limit",
    "KmsDataKeyReusePeriodSeconds": "kms_data_key_reuse_period_seconds",
    "KmsMasterKeyId": "kms_master_key_id",
    "MaximumMessageSize": "max_message_size",
    "MessageRetentionPeriod": "message_retention_seconds",
    "ReceiveMessageWaitTimeSeconds": "receive_wait_time_seconds",
    "SqsManagedSseEnabled": "sqs_managed_sse_enabled",
    "VisibilityTimeout": "visibility_timeout_seconds",
}
"""Terraform's names for the attributes of a queue."""


def module(layout: HubLayout) -> dict[str, Any]:
    """The module: the table, the queues, and the policy of the hosts."""
    queues = {queue.part: _queue(layout, queue) for queue in queue_definitions(layout)}
    return {
        "terraform": {
            "required_version": ">= 1.5",
            "required_providers": {"aws": {"source": "hashicorp/aws", "version": ">= 5.0"}},
        },
        **_locals(layout),
        "resource": {
            _TABLE: {_HUB: _table(layout)},
            _QUEUE: queues,
            _POLICY: {_HOST: _host_policy(layout)},
        },
        "output": _outputs(layout),
    }


def import_blocks(layout: HubLayout, queue_urls: Mapping[str, str]) -> dict[str, Any]:
    """What the module's names stand for, where the hub exists; the URL of each queue by name."""
    table = {"to": f"{_TABLE}.{_HUB}", "id": layout.table_name}
    queues = [
        {"to": f"{_QUEUE}.{queue.part}", "id": queue_urls[queue.name]}
        for queue in queue_definitions(layout)
    ]
    return {"import": [table, *queues]}


def _table(layout: HubLayout) -> dict[str, Any]:
    definition = table_definition(layout)
    return {
        "name": definition["TableName"],
        "billing_mode": definition["BillingMode"],
        **_keys(definition),
        **_capacity(layout),
        "attribute": [
            {"name": each["AttributeName"], "type": each["AttributeType"]}
            for each in definition["AttributeDefinitions"]
        ],
        "global_secondary_index": [
            {
                "name": index["IndexName"],
                **_keys(index),
                **_projection(index["Projection"]),
                **_capacity(layout),
            }
            for index in definition["GlobalSecondaryIndexes"]
        ],
        **_encryption(layout),
        "tags": layout.all_tags,
        **_KEPT,
    }


def _keys(definition: Mapping[str, Any]) -> dict[str, str]:
    names = {each["KeyType"]: each["AttributeName"] for each in definition["KeySchema"]}
    return {"hash_key": names["HASH"], "range_key": names["RANGE"]}


def _projection(projection: Mapping[str, Any]) -> dict[str, Any]:
    copied = projection.get("NonKeyAttributes")
    names = {"non_key_attributes": copied} if copied else {}
    return {"projection_type": projection["ProjectionType"], **names}


def _capacity(layout: HubLayout) -> dict[str, int]:
    if layout.capacity_mode is CapacityMode.ON_DEMAND:
        return {}
    return {"read_capacity": layout.read_units, "write_capacity": layout.write_units}


def _encryption(layout: HubLayout) -> dict[str, Any]:
    if layout.kms_key_arn is None:
        return {}
    return {"server_side_encryption": {"enabled": True, "kms_key_arn": layout.kms_key_arn}}


def _queue(layout: HubLayout, queue: QueueDefinition) -> dict[str, Any]:
    attributes = {_ATTRIBUTES[name]: typed(value) for name, value in queue.attributes.items()}
    redrive = {}
    if queue.dead_letter_name is not None:
        parts = {each.name: each.part for each in queue_definitions(layout)}
        target = {
            "deadLetterTargetArn": _arn_of(_QUEUE, parts[queue.dead_letter_name]),
            "maxReceiveCount": MAX_DELIVERIES,
        }
        redrive = {"redrive_policy": json.dumps(target, separators=(",", ":"))}
    return {"name": queue.name, **attributes, **redrive, "tags": layout.all_tags, **_KEPT}


def _host_policy(layout: HubLayout) -> dict[str, Any]:
    document = with_arns(policy(Role.HOST, layout, _NOWHERE), _arns(layout))
    return {
        "name_prefix": f"{layout.table_name}-host-",
        "description": f"What a host of the funchost hub {layout.hub} needs, and no more.",
        "policy": json.dumps(document),
    }


def _arns(layout: HubLayout) -> dict[str, str]:
    """What stands for the ARNs of a policy that was made for nowhere."""
    table, found = _NOWHERE.arn("dynamodb", f"table/{layout.table_name}"), _arn_of(_TABLE, _HUB)
    queues = {
        _NOWHERE.arn("sqs", queue.name): _arn_of(_QUEUE, queue.part)
        for queue in queue_definitions(layout)
    }
    patterns = {
        _NOWHERE.arn("sqs", name): f"${{local.{_local_of(name)}}}" for name in _patterns(layout)
    }
    return {table: found, f"{table}/index/*": f"{found}/index/*", **patterns, **queues}


def _locals(layout: HubLayout) -> dict[str, Any]:
    """What stands for many queues at once: the ARN of one of them, with `?` for its number.

    The policy is a text, and no quotes may be in what stands in a text.
    """
    one = _arn_of(_QUEUE, "wakeups_0")[2:-1]
    values = {
        _local_of(name): f'${{replace({one}, "-0.fifo", "-{"?" * name.count("?")}.fifo")}}'
        for name in _patterns(layout)
    }
    return {"locals": values} if values else {}


def _patterns(layout: HubLayout) -> Sequence[str]:
    return [name for name in wakeup_names(layout) if "?" in name]


def _local_of(pattern: str) -> str:
    return f"wakeups_of_{pattern.count('?')}_digits"


def _arn_of(kind: str, name: str) -> str:
    return f"${{{kind}.{name}.arn}}"


def _outputs(layout: HubLayout) -> dict[str, Any]:
    queues = {
        f"{queue.part}_queue_name": {
            "description": "A queue whose age and backlog say when to add hosts.",
            "value": f"${{{_QUEUE}.{queue.part}.name}}",
        }
        for queue in queue_definitions(layout)
        if queue.name in layout.wakeup_queue_names
    }
    return {
        "host_policy_arn": {
            "description": "Attach this policy to the role of the hosts, e.g. an ECS task role.",
            "value": _arn_of(_POLICY, _HOST),
        },
        **queues,
    }
