"""Instances whose hosts others end: they are not taken for those who did it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta

from bindings import FunctionApp, OrchestrationContext
from tests.kit.hub import Hub, until
from tests.kit.seams import RedeliveringQueues

SECOND = timedelta(seconds=1)
LEASE = timedelta(seconds=31)
MAX = 3


class Suspects:
    """An orchestration with a long activity, and one whose activity ends its host."""

    def __init__(self) -> None:
        self.app = FunctionApp()
        self.deadly_runs = 0
        self.end_of_long_work = asyncio.Event()

        @self.app.activity_trigger()
        async def takes_long() -> str:
            await self.end_of_long_work.wait()
            return "done"

        @self.app.activity_trigger()
        async def kills() -> None:
            self.deadly_runs += 1
            await asyncio.Event().wait()

        @self.app.orchestration_trigger()
        async def innocent(context: OrchestrationContext) -> str:
            result: str = await context.call_activity(takes_long)
            return result

        @self.app.orchestration_trigger()
        async def deadly(context: OrchestrationContext) -> None:
            await context.call_activity(kills)

        self.innocent, self.deadly = innocent, deadly


async def blamed_until_the_end(hub: Hub, *ids: str) -> set[str]:
    """Hosts die of the deadly one until it is quarantined; whoever is quarantined then."""
    suspects = Suspects()
    host = await hub.start(suspects.app, max_deliveries=MAX)
    await host.begin(suspects.innocent, instance_id="innocent")
    await host.begin(suspects.deadly, instance_id="deadly")
    await until(lambda: suspects.deadly_runs == 1)
    while "deadly" not in (blamed := await quarantined(hub, ids)):
        await host.crash()
        await hub.clock.advance(LEASE)  # what the dead host had parked is anybody's
        queues = RedeliveringQueues()
        await queues.send_wakeups(ids)
        await queues.release(await queues.receive_wakeups(len(ids)))
        runs = suspects.deadly_runs
        host = await hub.start(suspects.app, queues=queues, max_deliveries=MAX)
        for _ in range(15):  # who runs alone parks after two seconds, and the next one begins
            await hub.clock.advance(SECOND)
            if suspects.deadly_runs > runs:
                break
    return blamed


async def quarantined(hub: Hub, ids: Sequence[str]) -> set[str]:
    rows = [await hub.store.get(each) for each in ids]
    return {row.instance_id for row in rows if row is not None and row.is_quarantined}


async def test_who_waits_for_his_turn_is_not_blamed(hub: Hub) -> None:
    assert await blamed_until_the_end(hub, "deadly", "innocent") == {"deadly"}


async def test_who_works_on_after_his_turn_is_not_blamed(hub: Hub) -> None:
    assert await blamed_until_the_end(hub, "innocent", "deadly") == {"deadly"}
