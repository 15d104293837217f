"""What operations of entities write on AWS, and so cost, as docs/performance.md says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import pytest

from bindings import Entity, EntityId, FunctionApp, OrchestrationContext
from tests.kit.aws_bill import USD_PER_MILLION, Bill, Meter
from tests.kit.aws_engine import AwsHost, aws_host, aws_hub
from tests.kit.hub import until
from tests.kit.manual_clock import PATIENCE_S, ManualClock

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "performance.md"
ONE = EntityId("counter", "one")
MANY = 100
SECOND = timedelta(seconds=1)

app = FunctionApp()
done: list[int] = []
"""What was added, on all hubs."""


@app.entity_trigger()
class Counter(Entity[int]):
    initial_state = 0

    def add(self, number: int) -> int:
        done.append(number)
        self.state += number
        return self.state


@app.orchestration_trigger()
async def rests(context: OrchestrationContext) -> None:
    """Does nothing."""


@app.orchestration_trigger()
async def calls(context: OrchestrationContext) -> int:
    return int(await context.call_entity(ONE, "add", 1))


@app.orchestration_trigger()
async def signals(context: OrchestrationContext) -> None:
    for _ in range(MANY):
        context.signal_entity(ONE, "add", 1)


class Metered:
    """A host, and what it asks of the table; its queue is asked once for each wake-up at most."""

    def __init__(self, host: AwsHost, meter: Meter, clock: ManualClock) -> None:
        self.client = host.client
        self._host = host
        self._meter = meter
        self._clock = clock
        self._count = len(done)
        self.first: Bill

    async def bill(self, work: Awaitable[object], operations: int = 1) -> Bill:
        """What this cost, with so many operations that follow from it."""
        self._meter.reset()
        await work
        return await self._rest(operations)

    async def signal(self) -> None:
        """Signal the entity."""
        await self.client.signal_entity(ONE, "add", 1)

    async def signal_later(self) -> None:
        """Signal it for a time, and let that come."""
        await self.client.signal_entity(ONE, "add", 1, signal_time=5 * SECOND)
        async with asyncio.timeout(PATIENCE_S):
            await self._meter.wake_up_deleted()
        await self._host.sessions_ended()
        await self._clock.advance(SECOND, steps=6)

    async def run(self, orchestrator: Callable[..., object]) -> None:
        """An orchestration from its start to its end."""
        instance_id = await self.client.schedule_new_orchestration(orchestrator)
        patience = timedelta(seconds=PATIENCE_S)
        await self.client.wait_for_instance_completion(instance_id, timeout=patience)

    async def _rest(self, operations: int) -> Bill:
        self._count += operations
        async with asyncio.timeout(PATIENCE_S):
            await until(lambda: len(done) == self._count)
            await self._meter.wake_up_deleted()
            await self._host.sessions_ended()
            await self._host.idle()
        return self._meter.bill()


@pytest.fixture
async def hub(aws_url: str) -> AsyncIterator[Metered]:
    """A host on a hub of its own, on each server; the entity is there."""
    clock = ManualClock()
    async with aws_hub(aws_url) as opened:
        meter = Meter(opened.pool, opened.layout, opened.client("dynamodb"))
        async with aws_host(opened, app, clock, transport=meter) as host:
            await host.idle()
            found = Metered(host, meter, clock)
            found.first = await found.bill(found.signal())
            yield found


async def test_the_first_signal_makes_the_entity(hub: Metered) -> None:
    assert is_documented("the first signal to an entity", hub.first)


async def test_a_signal_is_put_and_deleted_and_its_batch_written(hub: Metered) -> None:
    bill = await hub.bill(hub.signal())
    assert bill.calls["write"] == 3
    assert is_documented("a signal", bill)


async def test_a_signal_for_later_is_kept_in_a_batch_with_an_alarm(hub: Metered) -> None:
    assert is_documented("a signal for later", await hub.bill(hub.signal_later()))


async def test_a_call_is_a_message_there_and_one_back(hub: Metered) -> None:
    without = await hub.bill(hub.run(rests), 0)
    bill = await hub.bill(hub.run(calls))
    assert bill.calls["write"] - without.calls["write"] == 8
    assert is_documented("an orchestration that does nothing", without)
    assert is_documented("an orchestration that calls an entity once", bill)


async def test_a_hundred_signals_of_one_turn_are_one_batch_of_the_entity(hub: Metered) -> None:
    bill = await hub.bill(hub.run(signals), MANY)
    assert is_documented("an orchestration that signals an entity 100 times", bill)


def is_documented(what: str, bill: Bill) -> bool:
    """Whether docs/performance.md says just this. Reads depend on what meets what."""
    usd = bill.write_units * USD_PER_MILLION["write unit"]
    row = f"| {what} | {bill.calls['write']} | {bill.write_units} | {usd:.2f} |"
    return row in DOCUMENT.read_text(encoding="utf-8").splitlines()
