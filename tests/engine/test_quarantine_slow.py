"""An activity that takes its time to end the host, as one does that fills the memory."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from bindings import FunctionApp, OrchestrationContext
from tests.kit.hub import Hub, until
from tests.kit.seams import RedeliveringQueues

SECOND = timedelta(seconds=1)
LEASE = timedelta(seconds=31)
TAKES_S = 15
"""Longer than suspects are kept apart."""
CRASHES = 20
"""More than enough of them."""


async def test_it_is_quarantined_in_the_end(hub: Hub) -> None:
    app, runs = FunctionApp(), 0

    @app.activity_trigger()
    async def fills_memory() -> None:
        nonlocal runs
        runs += 1
        await asyncio.Event().wait()

    @app.orchestration_trigger()
    async def deadly(context: OrchestrationContext) -> None:
        await context.call_activity(fills_memory)

    host = await hub.start(app)
    instance_id = await host.begin(deadly)
    for crashes in range(1, CRASHES):
        await until(lambda: runs == crashes)  # noqa: B023 - awaited at once
        await hub.clock.advance(SECOND, steps=TAKES_S)
        await host.crash()
        await hub.clock.advance(LEASE)
        queues = RedeliveringQueues()
        await queues.send_wakeups([instance_id])
        await queues.release(await queues.receive_wakeups(1))
        host = await hub.start(app, queues=queues)
        await hub.clock.until_quiet()
        row = await hub.store.get(instance_id)
        assert row is not None
        if row.is_quarantined:
            return
    pytest.fail(f"{CRASHES} hosts died of it, and it still runs")
