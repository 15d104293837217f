"""The template in deploy/ creates what `funchost hub create` creates."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # comes with moto, without types

from host.storage.aws.policies import Place, Role, policy
from host.storage.aws.schema import (
    MAX_DELIVERIES,
    HubLayout,
    QueueDefinition,
    queue_definitions,
    table_definition,
    ttl_specification,
)

DEPLOY = Path(__file__).parents[2] / "deploy"
LAYOUT = HubLayout(hub="Orders")
PLACE = Place(region="eu-west-1", account="123456789012", partition="aws-eu")

PARAMETERS = {"Prefix": LAYOUT.prefix, "Hub": LAYOUT.hub}


def construct(loader: Any, suffix: str, node: Any) -> dict[str, str]:
    """CloudFormation's short form of a function, as its long form."""
    return {suffix: str(loader.construct_scalar(node))}


Loader = type("Loader", (yaml.SafeLoader,), {})
yaml.add_multi_constructor("!", construct, Loader)

TEMPLATE = yaml.load((DEPLOY / "hub.cloudformation.yaml").read_text(), Loader)
RESOURCES: dict[str, Any] = TEMPLATE["Resources"]


def resolved(value: Any) -> Any:
    """A value of the template as CloudFormation would make it."""
    if isinstance(value, list):
        return [resolved(each) for each in value]
    if not isinstance(value, dict):
        return value
    match value:
        case {"Sub": str(text)}:
            return substituted(text)
        case {"Ref": str(name)}:
            return PARAMETERS[name]
        case {"GetAtt": str(path)}:
            return arn(path.removesuffix(".Arn"))
    return {key: resolved(each) for key, each in value.items()}


def substituted(text: str) -> str:
    for name, value in PARAMETERS.items():
        text = text.replace(f"${{{name}}}", value)
    return text.replace("${Table.Arn}", arn("Table"))


def arn(resource: str) -> str:
    if resource == "Table":
        return PLACE.arn("dynamodb", f"table/{LAYOUT.table_name}")
    return PLACE.arn("sqs", resolved(RESOURCES[resource]["Properties"]["QueueName"]))


def properties(kind: str) -> list[dict[str, Any]]:
    return [resolved(each["Properties"]) for each in RESOURCES.values() if each["Type"] == kind]


def as_template(queue: QueueDefinition) -> dict[str, Any]:
    """A queue as the template has it."""
    made = {"QueueName": queue.name, **{k: typed(v) for k, v in queue.attributes.items()}}
    if queue.dead_letter_name:
        made["RedrivePolicy"] = {
            "deadLetterTargetArn": PLACE.arn("sqs", queue.dead_letter_name),
            "maxReceiveCount": MAX_DELIVERIES,
        }
    return {**made, "Tags": tags(LAYOUT.all_tags)}


def typed(attribute: str) -> Any:
    return yaml.safe_load(attribute)


def tags(values: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in values.items()]


def test_the_table_is_the_same() -> None:
    expected = {**table_definition(LAYOUT), "TimeToLiveSpecification": ttl_specification()}
    assert properties("AWS::DynamoDB::Table") == [expected]


def test_the_queues_are_the_same() -> None:
    expected = [as_template(queue) for queue in queue_definitions(LAYOUT)]
    assert properties("AWS::SQS::Queue") == expected


def test_the_hosts_policy_is_the_same() -> None:
    (found,) = properties("AWS::IAM::ManagedPolicy")
    assert found["PolicyDocument"] == policy(Role.HOST, LAYOUT, PLACE)


@pytest.mark.parametrize("role", list(Role))
def test_no_policy_reaches_beyond_the_hub(role: Role) -> None:
    for statement in policy(role, LAYOUT, PLACE)["Statement"]:
        assert all(LAYOUT.table_name in resource for resource in statement["Resource"])
        assert not any("*" in action for action in statement["Action"])


def test_a_reader_can_change_nothing() -> None:
    actions = {
        action
        for statement in policy(Role.READ_ONLY, LAYOUT, PLACE)["Statement"]
        for action in statement["Action"]
    }
    assert {action.partition(":")[2] for action in actions} == {
        "DescribeTable",
        "GetItem",
        "GetQueueAttributes",
        "GetQueueUrl",
        "Query",
    }


def test_the_compose_file_starts_two_hosts_that_share_a_hub() -> None:
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    hosts = [services[name] for name in ("host-1", "host-2")]
    assert [host["command"][:6] for host in hosts] == [
        ["start", "/app", "--storage", "aws", "--hub", "Demo"]
    ] * 2
    assert services["setup"]["command"] == ["hub", "create", "--storage", "aws", "--hub", "Demo"]
    assert all((DEPLOY / path).exists() for path in ("Dockerfile", "../samples/chaining"))
