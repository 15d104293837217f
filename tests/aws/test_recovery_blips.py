"""Recovery on a table that answers nothing for a while.

A peer's bug, number 27 of the list in docs/reliability.md: a failure within recovery was logged and
swallowed, and what it should have found was lost.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import pytest

from bindings import FunctionApp, OrchestrationContext, ReusePolicy, RuntimeStatus
from host.core.records import Instance
from host.storage.aws.schema import DEFAULT_PARTITIONS, UNFINISHED_INDEX
from host.storage.aws.table.store import DynamoStore
from host.storage.aws.wire.transport import Failure, Request, Response, Transport, TransportError
from tests.kit.aws_engine import RULES, AwsHub, aws_host, aws_hub
from tests.kit.hub import until
from tests.kit.manual_clock import ManualClock

pytestmark = pytest.mark.aws

SWEEP_S = 60.0
SWEEP = timedelta(seconds=SWEEP_S)
SECOND = timedelta(seconds=1)
PATIENCE = timedelta(seconds=15)


class Blind:
    """A way to the server on which nobody can look for unfinished instances while `is_blind`."""

    def __init__(self, transport: Transport) -> None:
        self.is_blind = False
        self.tries = 0
        self.answers = 0
        self._transport = transport

    async def __call__(self, request: Request) -> Response:
        is_look = json.loads(request.body).get("IndexName") == UNFINISHED_INDEX
        self.tries += is_look
        if is_look and self.is_blind:
            raise TransportError(Failure.CONNECTION_LOST, "the line is dead")
        response = await self._transport(request)
        self.answers += is_look
        return response


def _app() -> tuple[FunctionApp, list[str]]:
    app, runs = FunctionApp(), list[str]()

    @app.activity_trigger()
    async def works(label: str) -> str:
        runs.append(label)
        return "done"

    @app.orchestration_trigger()
    async def leads(context: OrchestrationContext) -> str:
        return await context.call_activity(works, context.instance_id)

    return app, runs


async def _create_without_a_hint(hub: AwsHub, now: datetime) -> None:
    store = DynamoStore(hub.client("dynamodb"), hub.layout.table_name, lambda: now)
    await store.open()
    row = Instance(
        instance_id="it",
        execution_id="e",
        name="leads",
        status=RuntimeStatus.PENDING,
        created_at=now,
        updated_at=now,
    )
    await store.create(row, ReusePolicy.NEVER)
    await store.close()


async def test_bug_27_a_sweep_that_fails_is_reported_and_a_later_one_finds_the_work(
    aws_url: str,
) -> None:
    app, runs = _app()
    clock = ManualClock()
    async with aws_hub(aws_url) as hub:
        blind = Blind(hub.pool)
        async with aws_host(hub, app, clock, transport=blind, sweep_s=SWEEP_S) as host:
            await until(
                lambda: blind.answers >= DEFAULT_PARTITIONS
            )  # it has looked once, and found nothing
            await _create_without_a_hint(hub, clock.now())
            blind.is_blind = True
            for _ in range(2):
                tries = blind.tries
                await clock.advance(SWEEP)
                await until(lambda before=tries: blind.tries >= before + RULES.attempts)  # type: ignore[misc]
                await until(lambda: len(host.engine.store_problems()) == 1)
                assert "recovery sweep: " in host.engine.store_problems()[0]
                assert "the line is dead" in host.engine.store_problems()[0]
                await clock.advance(SECOND)  # the pause before the loop runs again
            blind.is_blind = False
            await clock.advance(SWEEP)
            state = await host.client.wait_for_instance_completion("it", timeout=PATIENCE)
            assert (state.output, runs) == ("done", ["it"])
            await until(lambda: host.engine.store_problems() == [])
