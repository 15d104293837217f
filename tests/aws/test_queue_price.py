"""What messages of functions' queues cost on SQS, as docs/performance.md says: counted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import pytest

from bindings.kinds.queues import OutgoingMessage
from tests.kit.manual_clock import ManualClock
from tests.kit.queues_on_sqs import HostOnSqs
from tests.kit.simulated_sqs import SimulatedSqs

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "performance.md"
USD_PER_REQUEST = {"orders": 0.40e-6, "orders.fifo": 0.50e-6}
"""List prices, us-east-1."""
MESSAGES = 100
MONTH = timedelta(days=30)
Way = Callable[[HostOnSqs, str], Awaitable[None]]


@pytest.fixture
async def sqs() -> AsyncIterator[SimulatedSqs]:
    service = SimulatedSqs(ManualClock())
    yield service
    await service.close()


async def done(clock: ManualClock, doing: Awaitable[object]) -> None:
    task = asyncio.ensure_future(doing)
    while not task.done():
        await clock.pass_time(timedelta(milliseconds=10))
    await task


async def one_by_one(host: HostOnSqs, name: str) -> None:
    """Each message is sent, received and deleted while no other is on its way."""
    source = host.queue_source(name)
    for number in range(MESSAGES):
        message = OutgoingMessage(body=str(number), group_id=f"g{number}")
        await host.queue(name).send([message])
        await source.delete(await source.receive(16))


async def many_at_once(host: HostOnSqs, name: str) -> None:
    """As fast as it goes: a host has sixteen in work, and asks again when half are left."""
    messages = [OutgoingMessage(body=str(n), group_id=f"g{n}") for n in range(MESSAGES)]
    await host.queue(name).send(messages)
    source = host.queue_source(name)
    seen = 0
    while seen < MESSAGES:
        received = await source.receive(10)
        seen += len(received)
        await source.delete(received)


@pytest.mark.parametrize("name", USD_PER_REQUEST)
@pytest.mark.parametrize(
    ("way", "words", "requests"),
    [
        (one_by_one, "that come one by one", 3.0),
        (many_at_once, "that come many at once", 0.3),
    ],
)
async def test_what_a_million_messages_cost_is_what_the_page_says(
    sqs: SimulatedSqs, name: str, way: Way, words: str, requests: float
) -> None:
    sqs.add(name)
    host = HostOnSqs(sqs, sqs.clock)
    await done(sqs.clock, host.queue(name).attributes())
    sqs.operations.clear()
    await done(sqs.clock, way(host, name))
    assert sqs.operations.total() / MESSAGES == pytest.approx(requests, abs=0.02)
    kind = "a FIFO queue" if name.endswith(".fifo") else "a standard queue"
    usd = 1e6 * requests * USD_PER_REQUEST[name]
    row = f"| a million messages of {kind} {words} | {requests:g} | {usd:.2f} |"
    assert row in DOCUMENT.read_text(encoding="utf-8")


async def test_a_month_of_waiting_costs_what_the_page_says(sqs: SimulatedSqs) -> None:
    sqs.add("orders")
    source = HostOnSqs(sqs, sqs.clock).queue_source("orders")
    waiting = asyncio.ensure_future(source.receive(16))
    await sqs.clock.pass_time(timedelta(hours=1))
    waiting.cancel()
    polls = sqs.operations["ReceiveMessage"] * (MONTH / timedelta(hours=1))
    row = f"| a queue and a host that wait for a month | 3 a minute | {polls * 0.40e-6:.2f} |"
    assert row in DOCUMENT.read_text(encoding="utf-8")
