"""A hub as a stack of CloudFormation: the same table and queues that `funchost hub create` makes.

Rules of this file: pure. It is for one hub, with its names written out: CloudFormation imports only
what has a static name, and a reader sees what will be there. Whatever holds data or hints outlives
the stack (`Retain`), which is also what an import asks for.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from host.storage.aws.schema import (
    MAX_DELIVERIES,
    HubLayout,
    QueueDefinition,
    queue_definitions,
    table_definition,
)
from host.storage.aws.setup.policies import Place, Role, policy, wakeup_names

TABLE = "Table"
_POLICY = "HostPolicy"
_RETAINED = {"DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain"}
_NOWHERE = Place()
_QUEUES_HERE = "arn:${AWS::Partition}:sqs:${AWS::Region}:${AWS::AccountId}"


def stack(layout: HubLayout) -> dict[str, Any]:
    """The template: the table, the queues, and the policy of the hosts."""
    resources = {**_kept(layout), _POLICY: _host_policy(layout)}
    return _template(layout) | {"Resources": resources, "Outputs": _outputs(layout)}


def importable_stack(layout: HubLayout) -> dict[str, Any]:
    """The template without what an import may not make: only what `hub create` made."""
    return _template(layout) | {"Resources": _kept(layout)}


def resources_to_import(layout: HubLayout, queue_urls: Mapping[str, str]) -> list[dict[str, Any]]:
    """What the template's names stand for, where the hub exists; the URL of each queue by name."""
    table = ("AWS::DynamoDB::Table", TABLE, {"TableName": layout.table_name})
    queues = [
        ("AWS::SQS::Queue", logical_id(queue), {"QueueUrl": queue_urls[queue.name]})
        for queue in queue_definitions(layout)
    ]
    return [
        {"ResourceType": kind, "LogicalResourceId": name, "ResourceIdentifier": identifier}
        for kind, name, identifier in [table, *queues]
    ]


def logical_id(queue: QueueDefinition) -> str:
    """The name of a queue within the template."""
    return "".join(word.capitalize() for word in queue.part.split("_"))


def _template(layout: HubLayout) -> dict[str, Any]:
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": f"The funchost hub {layout.hub}: one table and its queues, shared by any"
        " number of hosts. Made by `funchost hub template`.",
    }


def _kept(layout: HubLayout) -> dict[str, Any]:
    queues = {
        logical_id(queue): _resource("AWS::SQS::Queue", _queue_properties(layout, queue))
        for queue in queue_definitions(layout)
    }
    return {TABLE: _resource("AWS::DynamoDB::Table", _table_properties(layout)), **queues}


def _resource(kind: str, properties: Mapping[str, Any]) -> dict[str, Any]:
    return {"Type": kind, **_RETAINED, "Properties": properties}


def _table_properties(layout: HubLayout) -> dict[str, Any]:
    properties = table_definition(layout)
    encryption = properties.pop("SSESpecification", None)
    if encryption is not None:
        enabled = encryption.pop("Enabled")
        properties["SSESpecification"] = {"SSEEnabled": enabled, **encryption}
    return properties


def _queue_properties(layout: HubLayout, queue: QueueDefinition) -> dict[str, Any]:
    properties = {"QueueName": queue.name, **{k: typed(v) for k, v in queue.attributes.items()}}
    if queue.dead_letter_name is not None:
        dead = {each.name: logical_id(each) for each in queue_definitions(layout)}
        properties["RedrivePolicy"] = {
            "deadLetterTargetArn": _arn_of(dead[queue.dead_letter_name]),
            "maxReceiveCount": MAX_DELIVERIES,
        }
    tags = [{"Key": key, "Value": value} for key, value in layout.all_tags.items()]
    return {**properties, "Tags": tags}


def typed(attribute: str) -> Any:
    """An attribute of SQS, which are all texts, as what it stands for."""
    try:
        return json.loads(attribute)
    except ValueError:
        return attribute


def _host_policy(layout: HubLayout) -> dict[str, Any]:
    return {
        "Type": "AWS::IAM::ManagedPolicy",
        "Properties": {
            "Description": f"What a host of the funchost hub {layout.hub} needs, and no more.",
            "PolicyDocument": with_arns(policy(Role.HOST, layout, _NOWHERE), _arns(layout)),
        },
    }


def _arns(layout: HubLayout) -> dict[str, Any]:
    """What stands for the ARNs of a policy that was made for nowhere."""
    table = _NOWHERE.arn("dynamodb", f"table/{layout.table_name}")
    queues = {
        _NOWHERE.arn("sqs", queue.name): _arn_of(logical_id(queue))
        for queue in queue_definitions(layout)
    }
    indexes = {f"{table}/index/*": {"Fn::Sub": f"${{{TABLE}.Arn}}/index/*"}}
    patterns = {
        _NOWHERE.arn("sqs", name): {"Fn::Sub": f"{_QUEUES_HERE}:{name}"}
        for name in wakeup_names(layout)
    }
    return {table: _arn_of(TABLE), **indexes, **patterns, **queues}


def with_arns(document: Mapping[str, Any], arns: Mapping[str, Any]) -> dict[str, Any]:
    """The policy document with other words for its resources."""
    return {
        **document,
        "Statement": [
            {**each, "Resource": [arns.get(arn, arn) for arn in each["Resource"]]}
            for each in document["Statement"]
        ],
    }


def _arn_of(name: str) -> dict[str, Any]:
    return {"Fn::GetAtt": [name, "Arn"]}


def _outputs(layout: HubLayout) -> dict[str, Any]:
    queues = {
        f"{logical_id(queue)}QueueName": {
            "Description": "A queue whose age and backlog say when to add hosts.",
            "Value": {"Fn::GetAtt": [logical_id(queue), "QueueName"]},
        }
        for queue in queue_definitions(layout)
        if queue.name in layout.wakeup_queue_names
    }
    return {
        "HostPolicyArn": {
            "Description": "Attach this policy to the role of the hosts, e.g. an ECS task role.",
            "Value": {"Ref": _POLICY},
        },
        **queues,
    }
