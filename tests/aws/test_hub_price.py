"""What a hub costs while little happens on it, however many hosts it has: counted, call by call."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from bindings import FunctionApp, OrchestrationContext
from host.storage.aws.schema import DEFAULT_PARTITIONS
from tests.kit.hub import Host
from tests.kit.shared_hub import SharedHub, shared_hub

WAITING = 400
FEW, MANY = 1, 20
MINUTE_S = 60


class Waits:
    """Orchestrators that wait for a long time, each for something else."""

    def __init__(self) -> None:
        self.app = FunctionApp()
        self.gate = asyncio.Event()

        @self.app.activity_trigger()
        async def runs_on() -> None:
            await self.gate.wait()

        @self.app.orchestration_trigger()
        async def listens(context: OrchestrationContext) -> None:
            await context.wait_for_external_event("news")

        @self.app.orchestration_trigger()
        async def ticks(context: OrchestrationContext, seconds: float) -> None:
            await context.create_timer(timedelta(seconds=seconds))
            context.continue_as_new(seconds)

        @self.app.orchestration_trigger()
        async def works(context: OrchestrationContext) -> None:
            await context.call_activity(runs_on)

        self.listens, self.ticks, self.works = listens, ticks, works


@pytest.fixture
async def hub() -> AsyncIterator[SharedHub]:
    """A hub without hosts."""
    async with shared_hub() as opened:
        yield opened


async def hosts_of(hub: SharedHub, waits: Waits, count: int) -> list[Host]:
    return [await hub.start(waits.app) for _ in range(count)]


async def with_many_waiting(hub: SharedHub, waits: Waits) -> Host:
    """A host, on whose hub many instances wait for an event."""
    host = await hub.start(waits.app, cached_instances=WAITING)
    for number in range(WAITING):
        await host.begin(waits.listens, instance_id=f"i{number}")
    await hub.pass_time(5)
    await host.rest()
    return host


@pytest.mark.parametrize("ends", ["in order", "killed"])
async def test_found_f3_the_start_of_a_host_reads_a_tenth_of_a_read_for_each_waiting_instance(
    hub: SharedHub, ends: str
) -> None:
    waits = Waits()
    before = await with_many_waiting(hub, waits)
    await (before.stop() if ends == "in order" else before.crash())
    hub.reset()
    await hub.start(waits.app)
    await hub.pass_time(30)
    assert hub.reads <= WAITING / 10 + DEFAULT_PARTITIONS  # in each part it looks for entities, too
    assert hub.sends == 0


async def test_when_a_host_was_killed_the_hub_is_swept_once_with_two_reads_an_instance(
    hub: SharedHub,
) -> None:
    waits = Waits()
    before = await with_many_waiting(hub, waits)
    others = await hosts_of(hub, waits, 3)
    await before.crash()
    hub.reset()
    await hub.pass_time(30 * MINUTE_S, step_s=5)
    assert [hub.reads_of(f"i{number}") for number in range(WAITING)] == [2] * WAITING
    assert len(others) == 3


async def test_after_an_ordered_stop_nobody_looks_at_those_that_wait(hub: SharedHub) -> None:
    waits = Waits()
    before = await with_many_waiting(hub, waits)
    await hosts_of(hub, waits, 3)
    await before.stop()
    hub.reset()
    await hub.pass_time(30 * MINUTE_S, step_s=5)
    assert [hub.reads_of(f"i{number}") for number in range(WAITING)] == [0] * WAITING


@pytest.mark.parametrize("count", [FEW, MANY])
async def test_a_timer_with_continue_as_new_costs_three_reads_and_a_message(
    hub: SharedHub, count: int
) -> None:
    waits, rounds = Waits(), 10
    hosts = await hosts_of(hub, waits, count)
    await hosts[0].begin(waits.ticks, 20.0, instance_id="it")
    await hub.pass_time(10)
    hub.reset()
    await hub.pass_time(20.0 * rounds)
    assert hub.sends == rounds
    assert hub.reads_of("it") <= 3 * rounds


@pytest.mark.parametrize("seconds", [61.0, 91.0, 150.0])
async def test_found_f4_a_timer_of_any_length_costs_one_message_among_twenty_hosts(
    hub: SharedHub, seconds: float
) -> None:
    waits, rounds = Waits(), 4
    hosts = await hosts_of(hub, waits, MANY)
    await hosts[0].begin(waits.ticks, seconds, instance_id="it")
    await hub.pass_time(5)
    hub.reset()
    await hub.pass_time(seconds * rounds)
    assert hub.sends == rounds


async def asked(count: int) -> tuple[int, int]:
    """How many reads and sends so many hosts make in a while in which all kinds of things wait."""
    waits = Waits()
    async with shared_hub() as hub:
        hosts = await hosts_of(hub, waits, count)
        for number in range(20):
            await hosts[0].begin(waits.listens, instance_id=f"listens{number}")
        for number in range(5):
            await hosts[0].begin(waits.ticks, 30.0 + number, instance_id=f"ticks{number}")
        for number in range(3):
            await hosts[number % count].begin(waits.works, instance_id=f"works{number}")
        await hub.pass_time(15)
        hub.reset()
        await hub.pass_time(10 * MINUTE_S)
        return hub.reads, hub.sends


async def test_twenty_hosts_read_and_send_hardly_more_than_one() -> None:
    few, many = await asked(FEW), await asked(MANY)
    assert many[0] <= 1.5 * few[0], (few, many)
    assert many[1] <= 1.5 * few[1], (few, many)
