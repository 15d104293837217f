"""Timers: never early, once, however long they are and whatever happened meanwhile."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from bindings import FunctionApp, OrchestrationContext, RuntimeStatus, when_any
from tests.kit.hub import Hub, until
from tests.kit.seams import StoreSeam

SECOND = timedelta(seconds=1)


class Sleepers:
    """Orchestrators that sleep for so many seconds, or several times."""

    def __init__(self) -> None:
        self.app = FunctionApp()

        @self.app.orchestration_trigger()
        async def sleeps(context: OrchestrationContext, seconds: float) -> list[datetime]:
            begin = context.current_utc_datetime
            await context.create_timer(timedelta(seconds=seconds))
            return [begin, context.current_utc_datetime]

        @self.app.orchestration_trigger()
        async def races(context: OrchestrationContext) -> str:
            early, late = context.create_timer(SECOND), context.create_timer(60 * SECOND)
            winner = await when_any([early, late])
            if winner is early:
                late.cancel()
            return "early" if winner is early else "late"

        self.sleeps, self.races = sleeps, races


@pytest.mark.parametrize("seconds", [0.001, 0.5, 60, 86_400, 30 * 86_400, 3650 * 86_400])
async def test_a_timer_of_any_length_fires_when_it_is_due_and_not_before(
    hub: Hub, seconds: float
) -> None:
    sleepers = Sleepers()
    host = await hub.start(sleepers.app)
    instance_id = await host.begin(sleepers.sleeps, seconds)
    await host.started(instance_id)
    await hub.clock.advance(timedelta(seconds=seconds) - timedelta(microseconds=1))
    assert await host.status(instance_id) is RuntimeStatus.RUNNING
    await hub.clock.advance(timedelta(microseconds=1))
    begin, end = (await host.finished(instance_id)).output
    slept = datetime.fromisoformat(end) - datetime.fromisoformat(begin)
    assert slept == timedelta(seconds=seconds)
    assert (await host.history(instance_id)).count("TimerFired") == 1


async def test_a_timer_that_came_due_while_no_host_ran_fires_once_after_the_start(
    each_hub: Hub,
) -> None:
    sleepers = Sleepers()
    first = await each_hub.start(sleepers.app)
    instance_id = await first.begin(sleepers.sleeps, 60)
    await first.started(instance_id)
    await first.crash()
    await each_hub.clock.advance(600 * SECOND)
    second = await each_hub.start(sleepers.app)
    await second.finished(instance_id)
    assert (await second.history(instance_id)).count("TimerFired") == 1


async def test_a_shorter_timer_is_not_held_up_by_a_longer_one_that_came_first(
    each_hub: Hub,
) -> None:
    sleepers = Sleepers()
    host = await each_hub.start(sleepers.app)
    await host.started(await host.begin(sleepers.sleeps, 1000))
    instance_id = await host.begin(sleepers.sleeps, 1)
    await host.started(instance_id)
    await each_hub.clock.advance(SECOND)
    await host.finished(instance_id)


async def test_a_cancelled_timer_leaves_no_alarm(each_hub: Hub) -> None:
    sleepers = Sleepers()
    host = await each_hub.start(sleepers.app)
    instance_id = await host.begin(sleepers.races)
    await host.started(instance_id)
    await each_hub.clock.advance(SECOND)
    assert (await host.finished(instance_id)).output == "early"
    assert await each_hub.store.next_alarm(each_hub.clock.now()) is None


async def test_thousands_of_timers_that_are_due_together_all_fire_within_seconds(
    hub: Hub,
) -> None:
    sleepers = Sleepers()
    first = await hub.start(sleepers.app, max_concurrent_orchestrators=5000)
    ids = [await first.begin(sleepers.sleeps, 60) for _ in range(3500)]
    await first.rest()
    await first.crash()
    await hub.clock.advance(3600 * SECOND)
    second = await hub.start(sleepers.app)
    for _ in range(20):
        await hub.clock.advance(timedelta(seconds=0.1))
    await second.rest()
    finished = [await second.status(each) for each in ids]
    assert finished == [RuntimeStatus.COMPLETED] * len(ids)


async def test_an_instance_with_a_start_time_waits_for_it(each_hub: Hub) -> None:
    sleepers = Sleepers()
    host = await each_hub.start(sleepers.app)
    instance_id = await host.begin(sleepers.sleeps, 0.001, start_at=timedelta(hours=1))
    await each_hub.clock.advance(timedelta(minutes=59))
    assert await host.status(instance_id) is RuntimeStatus.PENDING
    await each_hub.clock.advance(timedelta(minutes=1))
    await host.started(instance_id)
    await each_hub.clock.advance(SECOND)
    await host.finished(instance_id)


async def test_a_start_time_that_passed_while_no_host_ran_is_made_up_for(each_hub: Hub) -> None:
    sleepers = Sleepers()
    first = await each_hub.start(sleepers.app)
    instance_id = await first.begin(sleepers.sleeps, 0.001, start_at=timedelta(hours=1))
    await first.crash()
    await each_hub.clock.advance(timedelta(hours=2))
    second = await each_hub.start(sleepers.app)
    await second.started(instance_id)


async def test_found_a_start_that_is_stored_after_its_time_begins_at_once(hub: Hub) -> None:
    """Its alarm rang in vain, before it was stored."""
    sleepers, seam = Sleepers(), StoreSeam(hub.store)
    hub.store = seam.as_store
    host = await hub.start(sleepers.app, sweep_s=300.0)

    async def take_long(method: str, _: tuple[Any, ...]) -> None:
        if method == "create":
            seam.before = None
            await hub.clock.advance(SECOND, steps=5)

    seam.before = take_long
    instance_id = await host.begin(sleepers.sleeps, 0.001, start_at=2 * SECOND)
    await host.started(instance_id)


async def test_an_idle_host_hardly_reads_alarms(hub: Hub) -> None:
    host = await hub.start(FunctionApp())
    await until(lambda: host.store.calls["due_alarms"] == 1)
    await hub.clock.advance(SECOND, steps=25)
    assert host.store.calls["due_alarms"] == 1


@pytest.mark.parametrize("jump", [timedelta(minutes=10), timedelta(days=400)])
async def test_found_g13_a_timer_fires_soon_after_the_clock_jumped_over_its_time(
    each_hub: Hub, jump: timedelta
) -> None:
    sleepers = Sleepers()
    host = await each_hub.start(sleepers.app)
    instance_id = await host.begin(sleepers.sleeps, 600)
    await host.started(instance_id)
    await each_hub.clock.advance(SECOND / 2)
    each_hub.clock.set_wall(jump)
    await each_hub.clock.advance(SECOND)
    await host.finished(instance_id)


async def test_found_g13_alarms_are_read_as_often_as_ever_after_the_clock_was_set_back(
    hub: Hub,
) -> None:
    host = await hub.start(FunctionApp())
    await until(lambda: host.store.calls["due_alarms"] == 1)
    hub.clock.set_wall(timedelta(days=-1))
    await hub.clock.advance(SECOND, steps=40)
    assert host.store.calls["due_alarms"] == 2


async def test_the_timer_of_a_suspended_instance_fires_after_it_is_resumed(each_hub: Hub) -> None:
    sleepers = Sleepers()
    host = await each_hub.start(sleepers.app)
    instance_id = await host.begin(sleepers.sleeps, 60)
    await host.started(instance_id)
    await host.client.suspend_instance(instance_id)
    await host.rest()
    await each_hub.clock.advance(120 * SECOND)
    await host.rest()
    assert await host.status(instance_id) is RuntimeStatus.SUSPENDED
    await host.client.resume_instance(instance_id)
    await host.finished(instance_id)
