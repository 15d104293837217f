"""Instances whose hosts others end: they are not taken for those who did it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest

from bindings import EntityId, FunctionApp, OrchestrationContext
from host.core.limits import Limit
from host.engine.limits import entities as limited
from tests.engine.limited_entities import LimitedDesks
from tests.kit.hub import Host, Hub, until
from tests.kit.seams import RedeliveringQueues

SECOND = timedelta(seconds=1)
LEASE = timedelta(seconds=31)
MAX = 3
ONE = {"few": Limit(concurrency=1)}


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


async def crashed(hub: Hub, host: Host, work: LimitedDesks, ids: Sequence[str]) -> Host:
    """Another host after this one has died, with the hints that it had held, in this order."""
    await host.crash()
    queues = RedeliveringQueues()
    await queues.send_wakeups(ids)
    await queues.release(await queues.receive_wakeups(len(ids)))
    return await hub.start(work.app, limits=ONE, queues=queues, max_deliveries=MAX)


async def tries(hub: Hub, ids: Sequence[str]) -> list[int]:
    return [row.tries for row in [await hub.store.get(each) for each in ids] if row is not None]


async def test_entities_that_wait_for_a_slot_while_hosts_die_are_not_blamed(hub: Hub) -> None:
    work, ids = LimitedDesks(), [f"@desk@{key}" for key in "abc"]
    host = await hub.start(work.app, limits=ONE, max_deliveries=MAX)
    for each in ids:
        await host.client.signal_entity(EntityId.parse(each), "work")
    for number in range(MAX + 1):
        await until(lambda: len(work.begun) > number)  # noqa: B023 - it is called at once
        await hub.clock.advance(SECOND)
        await hub.clock.until_quiet()
        assert await tries(hub, ids) == [number, 0, 0]
        host = await crashed(hub, host, work, ids)
    await until(lambda: work.begun == [*"aaaa", "b"])
    assert await quarantined(hub, ids) == {"@desk@a"}


async def test_who_goes_without_a_slot_is_acquitted_of_nothing(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limited, "MAX_IN_SESSIONS", 1)
    work, ids = LimitedDesks(), [f"@desk@{key}" for key in "cab"]
    host = await hub.start(work.app, limits=ONE, max_deliveries=MAX)
    for each in ids:
        await host.client.signal_entity(EntityId.parse(each), "work")
    await until(lambda: work.begun == ["c"])
    host = await crashed(hub, host, work, ids)
    await until(lambda: work.begun == ["c", "c"])
    await crashed(hub, host, work, [*ids[1:], *ids[:1]])
    await until(lambda: work.begun == ["c", "c", "a"])
    await hub.clock.advance(SECOND, steps=5)
    await hub.clock.until_quiet()
    assert await tries(hub, ids) == [1, 1, 0]
