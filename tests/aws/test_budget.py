"""The budget of calls to AWS: each is paid for, so each is counted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from bindings import FunctionApp, OrchestrationContext, when_all
from tests.kit.aws_bill import Bill, Meter
from tests.kit.aws_engine import AwsHost, aws_host, aws_hub
from tests.kit.manual_clock import PATIENCE_S, ManualClock

CITIES = ("Tokyo", "Seattle", "London", "Paris", "Oslo")
WIDTH = 100
DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "performance.md"

app = FunctionApp()


@app.activity_trigger()
async def say_hello(city: str) -> str:
    return f"Hello {city}!"


@app.activity_trigger()
async def one(number: int) -> int:
    return 1


@app.orchestration_trigger()
async def hello5(context: OrchestrationContext) -> list[str]:
    return [await context.call_activity(say_hello, city) for city in CITIES]


@app.orchestration_trigger()
async def fan_out(context: OrchestrationContext, width: int) -> int:
    return sum(await when_all([context.call_activity(one, number) for number in range(width)]))


@app.orchestration_trigger()
async def listener(context: OrchestrationContext) -> None:
    while True:
        await context.wait_for_external_event("news")


class MeteredHost:
    """A host at rest before and after whatever is counted, on a clock that stands still."""

    def __init__(self, host: AwsHost, meter: Meter) -> None:
        self._host = host
        self._meter = meter

    async def bill_of_run(self, orchestrator: Callable[..., object], input_: object = None) -> Bill:
        """What one session costs, from the start of an orchestration to its end or first wait."""
        self._meter.reset()
        self.instance_id = await self._host.client.schedule_new_orchestration(
            orchestrator, input=input_
        )
        return await self._bill()

    async def bill_of_event(self) -> Bill:
        """What an event costs an orchestration that waits, and then waits for more."""
        await self.bill_of_run(listener)
        self._meter.reset()
        await self._host.client.raise_event(self.instance_id, "news", 1)
        return await self._bill()

    async def result(self) -> object:
        """What the orchestration gave."""
        state = await self._host.client.get_instance(self.instance_id)
        assert state is not None
        return state.output

    async def _bill(self) -> Bill:
        async with asyncio.timeout(PATIENCE_S):
            await self._meter.wake_up_deleted()
        await self._host.sessions_ended()
        return self._meter.bill()


@pytest.fixture
async def host(aws_url: str) -> AsyncIterator[MeteredHost]:
    """A host on a hub of its own, on each server."""
    async with aws_hub(aws_url) as hub:
        meter = Meter(hub.pool, hub.layout, hub.client("dynamodb"))
        async with aws_host(hub, app, ManualClock(), transport=meter) as running:
            await running.idle()
            yield MeteredHost(running, meter)


async def test_five_activities_cost_eight_writes_two_reads_and_three_requests_to_the_queue(
    host: MeteredHost,
) -> None:
    bill = await host.bill_of_run(hello5)
    assert bill.calls == {"write": 8, "read": 2, "send": 1, "receive": 1, "delete": 1}
    assert await host.result() == [f"Hello {city}!" for city in CITIES]
    assert is_documented("hello5", bill)


async def test_a_hundred_activities_side_by_side_cost_no_more_than_one(host: MeteredHost) -> None:
    bill = await host.bill_of_run(fan_out, WIDTH)
    assert bill.calls == {"write": 4, "read": 2, "send": 1, "receive": 1, "delete": 1}
    assert await host.result() == WIDTH
    assert is_documented("a fan-out of 100", bill)


async def test_an_event_costs_one_turn_and_its_way_through_the_inbox(host: MeteredHost) -> None:
    bill = await host.bill_of_event()
    assert bill.calls == {"write": 3, "read": 3, "send": 1, "receive": 1, "delete": 1}
    assert is_documented("one external event", bill)


def is_documented(name: str, bill: Bill) -> bool:
    """Whether docs/performance.md says just this."""
    return bill.row(name) in DOCUMENT.read_text(encoding="utf-8").splitlines()
