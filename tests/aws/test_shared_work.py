"""Activities that one host has no room for come to another one over SQS."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from bindings import FunctionApp, OrchestrationContext, when_all
from host.clock import SystemClock
from host.storage.aws.wire.client import AwsClient
from tests.kit.aws_engine import aws_host, aws_hub
from tests.kit.hub import until

pytestmark = pytest.mark.aws

PATIENCE = timedelta(seconds=20)
COUNT = 24


class Crew:
    """The same functions on several hosts, which note who ran what."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.runs: Counter[int] = Counter()
        self.by_host: Counter[str] = Counter()

    def app(self, host: str) -> FunctionApp:
        app = FunctionApp()

        @app.activity_trigger()
        async def works(number: int) -> int:
            self.runs[number] += 1
            self.by_host[host] += 1
            await self.gate.wait()
            return number

        @app.orchestration_trigger()
        async def fans_out(context: OrchestrationContext, count: int) -> int:
            results = await when_all([context.call_activity(works, n) for n in range(count)])
            return sum(results)

        return app


async def test_two_hosts_share_a_fan_out_and_each_part_runs_once(aws_url: str) -> None:
    crew, clock = Crew(), SystemClock()
    shares: dict[str, Any] = {"max_backlog_s": 0.0, "max_concurrent_activities": 4}
    async with aws_hub(aws_url) as hub:
        async with (
            aws_host(hub, crew.app("a"), clock, **shares) as a,
            aws_host(hub, crew.app("b"), clock, **shares) as b,
        ):
            instance_id = await a.client.schedule_new_orchestration("fans_out", input=COUNT)
            await until(lambda: len(crew.by_host) == 2)
            crew.gate.set()
            state = await a.client.wait_for_instance_completion(instance_id, timeout=PATIENCE)
            assert state.output == sum(range(COUNT))
            for host in (a, b):  # the row is written before what is left is deleted
                await host.sessions_ended()
        assert crew.runs == dict.fromkeys(range(COUNT), 1)
        snapshot = await _left(hub.client("dynamodb"), hub.layout.table_name)
        assert not [sk for sk in snapshot if sk.startswith(("m#", "a#"))]


async def _left(client: AwsClient, table: str) -> list[str]:
    """The sort keys of all items that are left."""
    answer = await client.call("Scan", {"TableName": table})
    return [item["sk"]["S"] for item in answer["Items"]]
