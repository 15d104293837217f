"""A table that was restored from a point in time goes on as the hub, by the steps of the guide."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bindings import FunctionApp, OrchestrationContext, RuntimeStatus
from host.cli.main import main
from host.clock import SystemClock
from tests.kit.aws_engine import AwsHub, aws_host, aws_hub
from tests.kit.aws_servers import aws_environment, boto3_client

pytestmark = pytest.mark.aws

app = FunctionApp()


@app.orchestration_trigger()
async def order(context: OrchestrationContext) -> str:
    return f"paid by {await context.wait_for_external_event('paid')}"


class Owner:
    """Who runs the steps: AWS's tools and the commands, in a folder with a host.json."""

    def __init__(self, hub: AwsHub, folder: Path) -> None:
        self._hub = hub
        self._folder = folder
        self.dynamodb = boto3_client("dynamodb", hub.url)
        self.write()

    def write(self, **provider: str) -> None:
        """The host.json of the hub."""
        durable_task = {"hubName": self._hub.layout.hub, "storageProvider": provider}
        text = json.dumps({"version": "2.0", "extensions": {"durableTask": durable_task}})
        (self._folder / "host.json").write_text(text)

    def hub(self, command: str) -> Result:
        """`funchost hub ...`"""
        words = ["hub", command, "--app", str(self._folder)]
        return CliRunner().invoke(main, words, env=aws_environment(self._hub.url))

    def restore_to(self, name: str) -> None:
        """A new table, as the hub's is now."""
        source = self._hub.layout.table_name
        self.dynamodb.update_continuous_backups(
            TableName=source,
            PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
        )
        self.dynamodb.restore_table_to_point_in_time(
            SourceTableName=source, TargetTableName=name, UseLatestRestorableTime=True
        )
        self.dynamodb.get_waiter("table_exists").wait(TableName=name)


@pytest.fixture
async def hub(aws_url: str) -> AsyncIterator[AwsHub]:
    async with aws_hub(aws_url) as hub:
        yield hub


async def waiting_instance(hub: AwsHub) -> str:
    """An order that waits to be paid; its host has stopped."""
    async with aws_host(hub, app, SystemClock()) as host:
        instance_id = await host.client.schedule_new_orchestration(order)
        await host.idle()
        return instance_id


async def paid(hub: AwsHub, instance_id: str) -> object:
    async with aws_host(hub, app, SystemClock()) as host:
        await host.client.raise_event(instance_id, "paid", "card")
        return (await host.client.wait_for_instance_completion(instance_id)).output


async def test_a_restored_table_serves_the_hub_under_its_new_name(
    hub: AwsHub, tmp_path: Path
) -> None:
    instance_id = await waiting_instance(hub)
    owner = Owner(hub, tmp_path)
    restored = f"{hub.layout.table_name}-restored"
    await asyncio.to_thread(owner.restore_to, restored)
    late = await waiting_instance(hub)  # begun after the moment that was restored
    owner.write(tableName=restored)
    create = await asyncio.to_thread(owner.hub, "create")
    assert create.output.startswith(f"Table {restored} exists.\n")
    assert create.output.count(f"Created queue {restored}-") == 4
    assert (await asyncio.to_thread(owner.hub, "status")).exit_code == 0
    repair = await asyncio.to_thread(owner.hub, "repair")
    assert repair.exit_code == 0
    there = replace(hub, layout=replace(hub.layout, table=restored))
    assert await paid(there, instance_id) == "paid by card"
    async with aws_host(there, app, SystemClock()) as host:
        assert await host.client.get_instance(late) is None
    async with aws_host(hub, app, SystemClock()) as host:  # the table of before is as it was
        before = await host.client.get_instance(instance_id)
        assert before is not None
        assert before.runtime_status is RuntimeStatus.RUNNING


async def test_a_restored_table_goes_back_to_its_old_name_by_a_backup(
    moto_url: str, tmp_path: Path
) -> None:
    async with aws_hub(moto_url) as hub:
        instance_id = await waiting_instance(hub)
        owner = Owner(hub, tmp_path)
        await asyncio.to_thread(go_back, owner, hub.layout.table_name)
        assert (await asyncio.to_thread(owner.hub, "create")).exit_code == 0
        assert (await asyncio.to_thread(owner.hub, "status")).exit_code == 0
        assert await paid(hub, instance_id) == "paid by card"


def go_back(owner: Owner, name: str) -> None:
    """Restore into another table, and from there into one with the old name."""
    owner.restore_to(f"{name}-restored")
    dynamodb = owner.dynamodb
    backup = dynamodb.create_backup(TableName=f"{name}-restored", BackupName="back")
    dynamodb.delete_table(TableName=name)
    dynamodb.get_waiter("table_not_exists").wait(TableName=name)
    arn = backup["BackupDetails"]["BackupArn"]
    dynamodb.restore_table_from_backup(TargetTableName=name, BackupArn=arn)
    dynamodb.get_waiter("table_exists").wait(TableName=name)
