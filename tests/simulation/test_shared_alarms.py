"""Timers of hosts that share a hub fire in time: whatever their clocks say, and whoever stops."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from bindings import FunctionApp, OrchestrationContext
from tests.simulation.calm import CalmHub

SOON_S = 5.0


def _waiting(seconds: float) -> FunctionApp:
    app = FunctionApp()

    @app.orchestration_trigger()
    async def waits(context: OrchestrationContext) -> None:
        await context.create_timer(timedelta(seconds=seconds))

    return app


@pytest.mark.parametrize("seconds", [30.0, 300.0])
def test_a_timer_is_hardly_late_when_a_host_is_told_of_it_whose_clock_is_behind(
    seconds: float,
) -> None:
    hub = CalmHub()

    async def go() -> float:
        app = _waiting(seconds)
        hosts = [await hub.host(app, max_backlog_s=1.0) for _ in range(2)]
        hosts[1].clock.set_off_by(-1.0)
        client = hosts[0].client
        await asyncio.sleep(100)
        begun = hub.loop.time()
        ids = [await client.schedule_new_orchestration("waits") for _ in range(20)]
        patience = timedelta(seconds=seconds + 200)
        await asyncio.gather(
            *(client.wait_for_instance_completion(each, timeout=patience) for each in ids)
        )
        return hub.loop.time() - begun - seconds

    assert hub.run(go()) < SOON_S


@pytest.mark.parametrize("before_s", [1.0, 12.0, 25.0, 38.0])
@pytest.mark.parametrize("seconds", [60.0, 300.0])
def test_an_ordered_stop_of_the_host_that_rings_makes_no_timer_late(
    seconds: float, before_s: float
) -> None:
    hub = CalmHub()

    async def go() -> float:
        app = _waiting(seconds)
        rings = await hub.host(app, max_backlog_s=1.0)
        other = await hub.host(app, max_backlog_s=1.0)
        await asyncio.sleep(100)
        begun = hub.loop.time()
        ids = [await rings.client.schedule_new_orchestration("waits") for _ in range(20)]
        await asyncio.sleep(seconds - before_s)
        await hub.stop(rings)
        patience = timedelta(seconds=seconds + 200)
        await asyncio.gather(
            *(other.client.wait_for_instance_completion(each, timeout=patience) for each in ids)
        )
        return hub.loop.time() - begun - seconds

    assert hub.run(go()) < SOON_S


@pytest.mark.parametrize("seconds", [40.0, 95.0])
def test_nor_does_a_stop_that_takes_long(seconds: float) -> None:
    hub = CalmHub()

    async def go() -> float:
        app = _waiting(seconds)

        @app.activity_trigger(at_most_once=True)
        async def works(work: dict[str, str]) -> None:
            await asyncio.sleep(seconds + 60)

        @app.orchestration_trigger()
        async def works_long(context: OrchestrationContext) -> None:
            await context.call_activity(works, {"label": "long"})

        rings = await hub.host(app, max_backlog_s=1.0)
        await rings.client.schedule_new_orchestration("works_long")
        other = await hub.host(app, max_backlog_s=1.0)
        await asyncio.sleep(10)
        begun = hub.loop.time()
        ids = [await rings.client.schedule_new_orchestration("waits") for _ in range(20)]
        await asyncio.sleep(10)
        stop = asyncio.create_task(hub.stop(rings, seconds + 100))
        patience = timedelta(seconds=seconds + 200)
        await asyncio.gather(
            *(other.client.wait_for_instance_completion(each, timeout=patience) for each in ids)
        )
        took_s = hub.loop.time() - begun
        await stop
        return took_s - seconds

    assert hub.run(go()) < SOON_S
