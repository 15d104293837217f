"""Restarts, purges by time window and full listings side by side: nobody gets lost."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from random import Random

import pytest

from bindings import FunctionApp, OrchestrationContext
from bindings.client import OrchestrationQuery
from bindings.errors import ClientError
from tests.kit.hub import Host, Hub

app = FunctionApp()
IDS = [f"i{n}" for n in range(12)]


@app.orchestration_trigger()
async def quick(context: OrchestrationContext, number: int) -> int:
    return number


async def listed(host: Host) -> list[str]:
    """All instances, page by page, with whatever happens in between."""
    found: list[str] = []
    page = await host.client.query_instances(OrchestrationQuery(page_size=3))
    found += [state.instance_id for state in page.items]
    while page.continuation_token is not None:
        await asyncio.sleep(0)
        query = OrchestrationQuery(page_size=3, continuation_token=page.continuation_token)
        page = await host.client.query_instances(query)
        found += [state.instance_id for state in page.items]
    return found


@pytest.mark.parametrize("seed", range(3))
async def test_found_a13_restarts_purges_and_listings_side_by_side_lose_nobody(
    each_hub: Hub, seed: int
) -> None:
    random = Random(seed)
    host = await each_hub.start(app)
    kept = set(IDS[:4])  # restarted, never purged: their creation is after the window
    begun = each_hub.clock.now()
    for number, instance_id in enumerate(IDS):
        await each_hub.clock.advance(timedelta(seconds=1))
        await host.run(quick, number, instance_id=instance_id)
    for instance_id in kept:
        await each_hub.clock.advance(timedelta(seconds=1))
        await host.client.restart_instance(instance_id, restart_with_new_instance_id=False)
        await host.finished(instance_id)

    async def restarts() -> None:
        for _ in range(20):
            each_hub.clock.jump(timedelta(seconds=1))  # as time goes on between two requests
            instance_id = random.choice(IDS)
            try:
                await host.client.restart_instance(instance_id, restart_with_new_instance_id=False)
            except ClientError:
                continue  # purged, or started again
            await host.finished(instance_id)

    async def purges() -> int:
        window = OrchestrationQuery(
            created_time_from=begun, created_time_to=begun + timedelta(seconds=12)
        )
        return sum([await host.client.purge_instances(window) for _ in range(20)])

    async def lists() -> None:
        for _ in range(10):
            assert kept <= set(await listed(host))

    _, purged, _ = await asyncio.gather(restarts(), purges(), lists())
    assert purged <= len(IDS) - len(kept)
    # Whoever is there still was created after the window, is listed once, and can be purged by it.
    left = await listed(host)
    assert len(left) == len(set(left)) == len(IDS) - purged
    after = OrchestrationQuery(created_time_from=begun + timedelta(seconds=12, microseconds=1))
    assert await host.client.purge_instances(after) == len(left)
    assert await listed(host) == []
