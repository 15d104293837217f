"""No partition key of a hub is written to more often than DynamoDB allows.

One run is counted, and what each key gets of it is multiplied by the rate: on paper, for no server
that can be had here is fast enough.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path

import pytest

from bindings import FunctionApp, OrchestrationContext
from host.storage.aws.schema import (
    ALARMS_INDEX,
    ENDED_INDEX,
    NAMED_INDEX,
    UNFINISHED_INDEX,
    partitions_for,
)
from host.storage.aws.table.keys import FORMAT_KEY, part_of
from tests.kit.aws_bill import Meter
from tests.kit.aws_engine import AwsHost, aws_host, aws_hub
from tests.kit.manual_clock import PATIENCE_S, ManualClock

pytestmark = pytest.mark.aws

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "scaling.md"
CITIES = ("Tokyo", "Seattle", "London", "Paris", "Oslo")
MOST_WRITES = 1000
"""What DynamoDB takes in a second for one partition key."""
INDEXES = (NAMED_INDEX, UNFINISHED_INDEX, ENDED_INDEX, ALARMS_INDEX)

app = FunctionApp()


@app.activity_trigger()
async def say_hello(city: str) -> str:
    return f"Hello {city}!"


@app.orchestration_trigger()
async def hello5(context: OrchestrationContext) -> list[str]:
    return [await context.call_activity(say_hello, city) for city in CITIES]


@app.orchestration_trigger()
async def waits_for_news(context: OrchestrationContext) -> None:
    await context.wait_for_external_event("news")


@app.orchestration_trigger()
async def waits_an_hour(context: OrchestrationContext) -> None:
    await context.create_timer(context.current_utc_datetime + timedelta(hours=1))


class Counted:
    """A host whose writes are counted by the key that they go to."""

    def __init__(self, host: AwsHost, meter: Meter, clock: ManualClock) -> None:
        self._host = host
        self._meter = meter
        self._clock = clock

    async def hello5(self) -> Counter[str]:
        """How often one hello5 writes to each index; "" is the instance itself."""
        return await self._count(hello5)

    async def waits_for_news(self) -> Counter[str]:
        """One that waits for an event and gets it."""
        counts = await self._count(waits_for_news)
        self._meter.reset()
        await self._host.client.raise_event(self._instance_id, "news")
        return counts + await self._counts()

    async def waits_an_hour(self) -> Counter[str]:
        """One that waits for a timer, until it rings."""
        counts = await self._count(waits_an_hour)
        self._meter.reset()
        await self._clock.advance(timedelta(minutes=61))
        return counts + await self._counts()

    async def _count(self, orchestrator: Callable[..., object]) -> Counter[str]:
        self._meter.reset()
        self._instance_id = await self._host.client.schedule_new_orchestration(orchestrator)
        return await self._counts()

    async def _counts(self) -> Counter[str]:
        async with asyncio.timeout(PATIENCE_S):
            await self._meter.wake_up_deleted()
        await self._host.sessions_ended()
        counts: Counter[str] = Counter()
        for place, times in self._meter.writes.items():
            is_hosts_own = place.key == FORMAT_KEY["pk"]["S"]
            counts["hub" if is_hosts_own else place.where] += times
        return counts


@pytest.fixture
async def host(ministack_url: str) -> AsyncIterator[Counted]:
    """A host on a hub of its own."""
    clock = ManualClock()
    async with aws_hub(ministack_url) as hub:
        meter = Meter(hub.pool, hub.layout, hub.client("dynamodb"))
        async with aws_host(hub, app, clock, transport=meter) as running:
            await running.idle()
            yield Counted(running, meter, clock)


def busiest(counts: Counter[str], rate: int) -> float:
    """Writes a second to the partition key that gets most, at so many orchestrations a second."""
    parts = partitions_for(rate)
    spread = Counter(part_of(f"{number:032x}", parts) for number in range(rate))
    share = max(spread.values())
    return max(counts[index] * share for index in INDEXES)


@pytest.mark.parametrize("rate", [1000, 10_000, 100_000])
async def test_found_f7_at_any_rate_no_key_gets_more_writes_than_dynamodb_takes(
    host: Counted, rate: int
) -> None:
    counts = await host.hello5()
    assert counts[""] <= 10  # of an instance itself, once in its life
    assert not counts["hub"]  # all instances would share it
    assert busiest(counts, rate) <= MOST_WRITES


async def test_what_waits_in_between_fits_as_well(host: Counted) -> None:
    for counts in (await host.waits_for_news(), await host.waits_an_hour()):
        assert busiest(counts, 10_000) <= MOST_WRITES


async def test_the_guide_says_how_often_each_index_is_written_to(host: Counted) -> None:
    rows = {
        "hello5": await host.hello5(),
        "waits for an event, gets it, ends": await host.waits_for_news(),
        "waits for a timer, ends": await host.waits_an_hour(),
    }
    said = DOCUMENT.read_text(encoding="utf-8").splitlines()
    for name, counts in rows.items():
        numbers = " | ".join(str(counts[index]) for index in ("", *INDEXES))
        assert f"| {name} | {numbers} |" in said
