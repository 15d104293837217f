"""A host that waits for work in long polls stops at once, and leaves none of them behind."""

from __future__ import annotations

import asyncio

import pytest

from bindings import FunctionApp
from tests.simulation.calm import CalmHub

SOON_S = 1.0
"""A poke, and the way of it from host to host; a poll waits for 20 s."""


@pytest.mark.parametrize("hosts", [1, 2, 8])
def test_a_quiet_host_stops_soon_and_leaves_no_poll_behind(hosts: int) -> None:
    hub = CalmHub()

    async def go() -> float:
        running = [await hub.host(FunctionApp()) for _ in range(hosts)]
        await asyncio.sleep(90)
        begun = hub.loop.time()
        await hub.stop(running[0])
        took_s = hub.loop.time() - begun
        process = running[0].process
        assert [*hub.wakeups.left_by(process), *hub.work.left_by(process)] == []
        await asyncio.sleep(10)  # a poke that came too late is gone by then
        assert (len(hub.wakeups), len(hub.work)) == (0, 0)
        return took_s

    assert hub.run(go()) < SOON_S


def test_an_idle_host_polls_each_queue_three_times_a_minute() -> None:
    hub = CalmHub()

    async def go() -> int:
        await hub.host(FunctionApp(), max_backlog_s=1.0)
        await asyncio.sleep(60)
        before = hub.wakeups.polled + hub.work.polled
        await asyncio.sleep(3600)
        return hub.wakeups.polled + hub.work.polled - before

    assert hub.run(go()) <= 2 * 180
