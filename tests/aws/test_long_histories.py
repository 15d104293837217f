"""Histories that no answer of DynamoDB holds in one piece.

A peer's bug, number 51 of the list in docs/reliability.md: when the state came in several pages,
the first run and the replay saw different things.
"""

from __future__ import annotations

import random
from datetime import timedelta
from hashlib import sha256
from typing import Any

import pytest

from bindings import FunctionApp, OrchestrationContext
from host.clock import SystemClock
from tests.kit.aws_engine import aws_host, aws_hub
from tests.kit.hub import until
from tests.kit.sqs_hub import CountingTransport

pytestmark = pytest.mark.aws

PATIENCE = timedelta(seconds=20)
STEPS = 10
LENGTH = 300_000
"""Of a result, in hexadecimal digits: about half of it is left when it is compressed."""


def _app(flags: list[bool]) -> FunctionApp:
    app = FunctionApp()

    @app.activity_trigger()
    async def writes(number: int) -> str:
        return random.Random(number).randbytes(LENGTH // 2).hex()

    @app.orchestration_trigger()
    async def collects(context: OrchestrationContext) -> list[Any]:
        digests = []
        for number in range(STEPS):
            flags.append(context.is_replaying)
            text = await context.call_activity(writes, number)
            digests.append(sha256(text.encode()).hexdigest())
        flags.append(context.is_replaying)
        context.set_custom_status("waits")
        await context.wait_for_external_event("go")
        flags.append(context.is_replaying)
        return digests

    return app


async def test_bug_51_a_history_of_several_pages_is_replayed_as_it_was(aws_url: str) -> None:
    clock, first_flags, flags = SystemClock(), list[bool](), list[bool]()
    expected = [
        sha256(random.Random(number).randbytes(LENGTH // 2).hex().encode()).hexdigest()
        for number in range(STEPS)
    ]
    async with aws_hub(aws_url) as hub:
        async with aws_host(hub, _app(first_flags), clock) as first:
            await first.client.schedule_new_orchestration("collects", instance_id="it")

            async def waits() -> bool:
                state = await first.client.get_instance("it")
                return state is not None and state.custom_status == "waits"

            await until(waits)
        counting = CountingTransport(hub.pool)
        async with aws_host(hub, _app(flags), clock, transport=counting) as second:
            await until(lambda: second.engine.open_sessions == 0)
            counting.operations.clear()
            assert (await second.engine.instances.history("it"))[-1] is not None
            assert counting.operations["Query"] > 1
            await second.client.raise_event("it", "go")
            state = await second.client.wait_for_instance_completion("it", timeout=PATIENCE)
    assert state.output == expected
    assert first_flags == [False] * (STEPS + 1)
    assert flags == [True] * (STEPS + 1) + [False]
