"""The template in deploy/ creates what `funchost hub create` creates."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import pytest
import yaml  # type: ignore[import-untyped]  # comes with moto, without types

from host.clock import SystemClock
from host.storage.aws.opening import opened_hub
from host.storage.aws.schema import (
    MAX_DELIVERIES,
    CapacityMode,
    HubLayout,
    QueueDefinition,
    queue_definitions,
    table_definition,
)
from host.storage.aws.setup.policies import Place, Role, policy
from host.storage.aws.setup.provision import Provisioner
from host.storage.aws.setup.settings import AwsSettings
from host.storage.aws.wire.endpoints import AwsOptions
from tests.kit.aws_servers import ACCESS_KEY, REGION, SECRET_KEY, aws_environment

DEPLOY = Path(__file__).parents[2] / "deploy"
TEMPLATE_FILE = DEPLOY / "hub.cloudformation.yaml"
LAYOUT = HubLayout(hub="Orders")
PROVISIONED = replace(LAYOUT, capacity_mode=CapacityMode.PROVISIONED, read_units=7, write_units=9)
PLACE = Place(region="eu-west-1", account="123456789012", partition="aws-eu")

MODES = {CapacityMode.ON_DEMAND: "onDemand", CapacityMode.PROVISIONED: "provisioned"}
FUNCTIONS = ("Sub", "Ref", "GetAtt", "Equals", "If")
NO_VALUE = object()
VOLUME = "/var/lib/funchost"


def construct(loader: Any, suffix: str, node: Any) -> dict[str, Any]:
    """CloudFormation's short form of a function, as its long form."""
    if isinstance(node, yaml.SequenceNode):
        return {suffix: loader.construct_sequence(node, deep=True)}
    return {suffix: str(loader.construct_scalar(node))}


Loader = type("Loader", (yaml.SafeLoader,), {})
yaml.add_multi_constructor("!", construct, Loader)

TEMPLATE = yaml.load(TEMPLATE_FILE.read_text(), Loader)
RESOURCES: dict[str, Any] = TEMPLATE["Resources"]


def parameters_of(layout: HubLayout) -> dict[str, str]:
    """What the owner of a stack chooses, for this hub."""
    return {
        "Prefix": layout.prefix,
        "Hub": layout.hub,
        "CapacityMode": MODES[layout.capacity_mode],
        "ReadCapacityUnits": str(layout.read_units),
        "WriteCapacityUnits": str(layout.write_units),
    }


@dataclass(frozen=True)
class Stack:
    """The template with parameters."""

    layout: HubLayout

    def properties(self, kind: str) -> list[dict[str, Any]]:
        """The properties of all resources of a kind, as CloudFormation would make them."""
        found = [each["Properties"] for each in RESOURCES.values() if each["Type"] == kind]
        return [self._resolved(each) for each in found]

    def _resolved(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._resolved(each) for each in value]
        if not isinstance(value, dict):
            return value
        if len(value) == 1 and (function := next(iter(value))) in FUNCTIONS:
            return self._call(function, value[function])
        members = {key: self._resolved(each) for key, each in value.items()}
        return {key: each for key, each in members.items() if each is not NO_VALUE}

    def _call(self, function: str, argument: Any) -> Any:
        match function, argument:
            case "Sub", text:
                result: Any = self._substituted(text)
            case "Ref", name:
                result = NO_VALUE if name == "AWS::NoValue" else self._parameter(name)
            case "GetAtt", path:
                result = self._arn(path.removesuffix(".Arn"))
            case "Equals", (one, other):
                result = self._resolved(one) == self._resolved(other)
            case "If", (condition, then, otherwise):
                holds = self._resolved(TEMPLATE["Conditions"][condition])
                result = self._resolved(then if holds else otherwise)
        return result

    def _parameter(self, name: str) -> Any:
        value = parameters_of(self.layout)[name]
        return int(value) if TEMPLATE["Parameters"][name]["Type"] == "Number" else value

    def _substituted(self, text: str) -> str:
        for name, value in parameters_of(self.layout).items():
            text = text.replace(f"${{{name}}}", value)
        return text.replace("${Table.Arn}", self._arn("Table"))

    def _arn(self, resource: str) -> str:
        if resource == "Table":
            return PLACE.arn("dynamodb", f"table/{self.layout.table_name}")
        return PLACE.arn("sqs", self._resolved(RESOURCES[resource]["Properties"]["QueueName"]))


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


@pytest.mark.parametrize("layout", [LAYOUT, PROVISIONED], ids=lambda layout: layout.capacity_mode)
def test_the_table_is_the_same(layout: HubLayout) -> None:
    assert Stack(layout).properties("AWS::DynamoDB::Table") == [table_definition(layout)]


def test_the_queues_are_the_same() -> None:
    expected = [as_template(queue) for queue in queue_definitions(LAYOUT)]
    assert Stack(LAYOUT).properties("AWS::SQS::Queue") == expected


def test_the_hosts_policy_is_the_same() -> None:
    (found,) = Stack(LAYOUT).properties("AWS::IAM::ManagedPolicy")
    assert found["PolicyDocument"] == policy(Role.HOST, LAYOUT, PLACE)


def test_what_is_not_chosen_is_as_in_host_json() -> None:
    given = {"Hub": LAYOUT.hub}
    defaults = {k: str(v["Default"]) for k, v in TEMPLATE["Parameters"].items() if "Default" in v}
    assert given | defaults == parameters_of(AwsSettings().layout(LAYOUT.hub))


def test_the_stack_says_what_makes_a_hub_with_more_queues() -> None:
    assert "wakeupQueues" in TEMPLATE["Description"]
    assert "funchost hub create" in TEMPLATE["Description"]


@pytest.fixture
def moto(moto_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A server, to which the environment leads."""
    for name, value in aws_environment(moto_url).items():
        monkeypatch.setenv(name, value)
    return moto_url


@pytest.mark.aws
@pytest.mark.parametrize("mode", list(CapacityMode))
def test_the_command_finds_nothing_to_change_in_a_stack(moto: str, mode: CapacityMode) -> None:
    layout = replace(PROVISIONED, hub=f"T{uuid4().hex[:12]}", capacity_mode=mode)
    create_stack(moto, layout)
    assert list(Provisioner(layout, AwsOptions()).create()) == [
        f"Table {layout.table_name} exists.",
        f"Wrote format 2, 4 partitions into table {layout.table_name}.",
        *[f"Queue {queue.name} exists." for queue in queue_definitions(layout)],
    ]
    problems = [finding.problem for finding in Provisioner(layout, AwsOptions()).status()]
    assert problems == [None] * 5


@pytest.mark.aws
async def test_a_host_opens_what_a_stack_alone_has_made(moto: str) -> None:
    layout = replace(LAYOUT, hub=f"T{uuid4().hex[:12]}")
    await asyncio.to_thread(create_stack, moto, layout)
    async with opened_hub({}, layout.hub, SystemClock()) as (store, _):
        assert await store.get("nobody") is None
    lines = await asyncio.to_thread(lambda: list(Provisioner(layout, AwsOptions()).create()))
    assert [line for line in lines if "format" in line] == []  # the host has written it


def create_stack(url: str, layout: HubLayout) -> None:
    """Deploy the template on a server."""
    cloudformation = boto3.client(
        "cloudformation",
        endpoint_url=url,
        region_name=REGION,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
    )
    cloudformation.create_stack(
        StackName=f"hub-{layout.hub}",
        TemplateBody=TEMPLATE_FILE.read_text(),
        Parameters=[
            {"ParameterKey": name, "ParameterValue": value}
            for name, value in parameters_of(layout).items()
        ],
        Capabilities=["CAPABILITY_IAM"],
    )


def test_the_compose_file_starts_two_hosts_that_share_a_hub() -> None:
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    hosts = [services[name] for name in ("host-1", "host-2")]
    assert [host["command"][:6] for host in hosts] == [
        ["start", "/app", "--storage", "aws", "--hub", "Demo"]
    ] * 2
    assert services["setup"]["command"] == ["hub", "create", "--storage", "aws", "--hub", "Demo"]
    keys = [host["environment"]["FUNCHOST_KEYS_FILE"] for host in hosts]
    assert keys == [f"{VOLUME}/shared.json"] * 2
    assert all(f"keys:{VOLUME}:ro" in host["volumes"] for host in hosts)
    assert f"funchost keys {keys[0]}" in services["keys"]["entrypoint"][-1]
    assert services["keys"]["volumes"] == [f"keys:{VOLUME}"]
    assert all((DEPLOY / path).exists() for path in ("Dockerfile", "../samples/chaining"))
