"""The stack that `funchost hub template` prints is the hub that `funchost hub create` makes."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from cfnlint.api import lint

from host.clock import SystemClock
from host.errors import ConfigurationError
from host.settings.connections import AwsOptions
from host.storage.aws.opening import opened_hub
from host.storage.aws.schema import CapacityMode, HubLayout, queue_definitions
from host.storage.aws.setup.cloudformation import importable_stack, stack
from host.storage.aws.setup.policies import Place, Role, policy
from host.storage.aws.setup.provision import Provisioner
from host.storage.aws.setup.templates import Format, Part, template_of
from tests.kit.aws_servers import aws_environment, boto3_client
from tests.kit.hub_layouts import KEY, LAYOUT, LAYOUTS

PLACE = Place(region="eu-west-1", account="123456789012", partition="aws-eu")


def resources(layout: HubLayout, kind: str) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = stack(layout)["Resources"]
    return {name: each for name, each in found.items() if each["Type"] == kind}


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS.keys())
def test_the_linter_of_cloudformation_finds_nothing_to_say(layout: HubLayout) -> None:
    assert [str(match) for match in lint(json.dumps(stack(layout)))] == []
    assert importable_stack(layout)["Resources"].items() <= stack(layout)["Resources"].items()


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS.keys())
def test_whatever_holds_data_or_hints_outlives_the_stack(layout: HubLayout) -> None:
    kept = {
        **resources(layout, "AWS::DynamoDB::Table"),
        **resources(layout, "AWS::SQS::Queue"),
    }
    assert len(kept) == 1 + len(queue_definitions(layout))
    for each in kept.values():
        assert each["DeletionPolicy"] == each["UpdateReplacePolicy"] == "Retain"


def test_names_are_written_out_so_that_what_exists_can_be_imported() -> None:
    tables = resources(LAYOUT, "AWS::DynamoDB::Table").values()
    queues = resources(LAYOUT, "AWS::SQS::Queue").values()
    assert [each["Properties"]["TableName"] for each in tables] == ["funchost-Orders"]
    assert [each["Properties"]["QueueName"] for each in queues] == [
        queue.name for queue in queue_definitions(LAYOUT)
    ]


def test_what_is_imported_is_what_the_command_makes_and_nothing_else() -> None:
    urls = {"region": "cn-north-1", "account": "123456789012"}
    imports = template_of(LAYOUT, Format.CLOUDFORMATION, Part.IMPORTS, **urls)
    template = template_of(LAYOUT, Format.CLOUDFORMATION, Part.HUB, **urls)
    assert "Outputs" not in template
    assert {each["LogicalResourceId"]: each["ResourceType"] for each in imports} == {
        name: each["Type"] for name, each in template["Resources"].items()
    }
    assert imports[0]["ResourceIdentifier"] == {"TableName": "funchost-Orders"}
    server = "https://sqs.cn-north-1.amazonaws.com.cn/123456789012"
    assert imports[-1]["ResourceIdentifier"] == {"QueueUrl": f"{server}/funchost-Orders-work"}


@pytest.mark.parametrize("format_", list(Format))
def test_imports_want_an_account_and_a_region(format_: Format) -> None:
    with pytest.raises(ConfigurationError, match="give --region and --account"):
        template_of(LAYOUT, format_, Part.IMPORTS, region="eu-west-1", account=None)


@pytest.mark.parametrize("region", ["${x}", "us-east-1\n", "*", "eu west", ""])
@pytest.mark.parametrize("format_", list(Format))
def test_imports_want_the_name_of_a_region(format_: Format, region: str) -> None:
    with pytest.raises(ConfigurationError, match=r"is not the name of an AWS region|--region"):
        template_of(LAYOUT, format_, Part.IMPORTS, region=region, account="123456789012")


@pytest.mark.parametrize("queues", [2, 11])
def test_the_stacks_policy_is_the_hosts(queues: int) -> None:
    layout = replace(LAYOUT, wakeup_queues=queues, kms_key_arn=KEY)
    (found,) = resources(layout, "AWS::IAM::ManagedPolicy").values()
    arns = {
        name: PLACE.arn("sqs", each["Properties"]["QueueName"])
        for name, each in resources(layout, "AWS::SQS::Queue").items()
    } | {"Table": PLACE.arn("dynamodb", f"table/{layout.table_name}")}
    document = found["Properties"]["PolicyDocument"]
    for statement in document["Statement"]:
        statement["Resource"] = [resolved(each, arns) for each in statement["Resource"]]
    assert document == policy(Role.HOST, layout, PLACE)


def resolved(resource: Any, arns: dict[str, str]) -> str:
    match resource:
        case {"Fn::GetAtt": [name, "Arn"]}:
            return arns[name]
        case {"Fn::Sub": text}:
            for name, value in {
                "Table.Arn": arns["Table"],
                "AWS::Partition": PLACE.partition,
                "AWS::Region": PLACE.region,
                "AWS::AccountId": PLACE.account,
            }.items():
                text = text.replace(f"${{{name}}}", value)
            return str(text)
    return str(resource)


@pytest.fixture
def moto(moto_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A server, to which the environment leads."""
    for name, value in aws_environment(moto_url).items():
        monkeypatch.setenv(name, value)
    return moto_url


@pytest.mark.aws
@pytest.mark.parametrize("mode", list(CapacityMode))
def test_the_command_finds_nothing_to_change_in_a_stack(moto: str, mode: CapacityMode) -> None:
    layout = replace(LAYOUTS["of many queues"], hub=f"T{uuid4().hex[:12]}", capacity_mode=mode)
    create_stack(moto, layout)
    names = [queue.name for queue in queue_definitions(layout)]
    assert list(Provisioner(layout, AwsOptions()).create()) == [
        f"Table {layout.table_name} exists.",
        f"Wrote format 3, 4 partitions into table {layout.table_name}.",
        *[f"Queue {name} exists." for name in names],
    ]
    problems = [finding.problem for finding in Provisioner(layout, AwsOptions()).status()]
    assert problems == [None] * 7


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
    boto3_client("cloudformation", url).create_stack(
        StackName=f"hub-{layout.hub}",
        TemplateBody=json.dumps(stack(layout)),
        Capabilities=["CAPABILITY_IAM"],
    )
