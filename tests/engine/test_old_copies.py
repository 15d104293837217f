"""Copies in memory that other hosts have left behind: they only save reads, the store decides."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from bindings import FunctionApp, OrchestrationContext, RuntimeStatus
from tests.kit.hub import Host, Hub, until

TIMER = timedelta(seconds=1)


class _Work:
    """Waits for an event, then for a timer, then runs an activity and starts a child."""

    def __init__(self) -> None:
        self.app = FunctionApp()
        self.runs: list[str] = []

        @self.app.activity_trigger()
        async def works(label: str) -> str:
            self.runs.append(label)
            return label

        @self.app.orchestration_trigger()
        async def child(context: OrchestrationContext) -> str:
            return await context.call_activity(works, "child")

        @self.app.orchestration_trigger()
        async def waits(context: OrchestrationContext) -> str:
            await context.wait_for_external_event("go")
            await context.create_timer(TIMER)
            return "rang"

        @self.app.orchestration_trigger()
        async def ends(context: OrchestrationContext) -> str:
            await context.wait_for_external_event("go")
            await context.call_activity(works, "work")
            return await context.call_sub_orchestrator(child, instance_id="kid")

        self.waits: Callable[..., Any] = waits
        self.ends: Callable[..., Any] = ends


async def _left_behind(hub: Hub, work: _Work, orchestrator: Callable[..., Any]) -> tuple[Host, str]:
    """A host with a copy of an instance that another host has led on, and is gone since."""
    first = await hub.start(work.app)
    instance_id = await first.begin(orchestrator)
    await first.rest()
    assert len(first.engine.parts.cache) == 1
    second = await hub.start(work.app)
    await second.client.raise_event(instance_id, "go")
    await second.rest()
    await second.crash()
    return first, instance_id


async def test_found_a22_a_timer_that_wakes_an_old_copy_fires_at_once(each_hub: Hub) -> None:
    work = _Work()
    host, instance_id = await _left_behind(each_hub, work, work.waits)

    await each_hub.clock.advance(TIMER)
    await until(lambda: not host.queues.counts().wakeups_waiting and not host.engine.open_sessions)
    # The pump of this host reads the alarms rarely, and that of the other is gone.
    await host.engine.wake([instance_id])

    assert (await host.finished(instance_id)).output == "rang"


async def test_found_a22_an_old_copy_is_not_kept(hub: Hub) -> None:
    work = _Work()
    host, instance_id = await _left_behind(hub, work, work.waits)
    loads = host.store.calls["load"]

    await host.engine.wake([instance_id])  # nothing is due yet
    await host.rest()
    assert host.store.calls["load"] == loads + 1
    await host.engine.wake([instance_id])
    await host.rest()

    assert host.store.calls["load"] == loads + 1, "what was loaded is current"


async def test_found_a22_what_a_turn_proved_is_not_asked_for_again(hub: Hub) -> None:
    work = _Work()
    host = await hub.start(work.app)
    instance_id = await host.begin(work.waits)
    await host.rest()

    await host.client.raise_event(instance_id, "go")
    await host.rest()

    assert host.store.calls["is_latest"] == 0


async def test_found_a10_no_turn_of_a_purged_instance_is_taken(each_hub: Hub) -> None:
    work = _Work()
    first = await each_hub.start(work.app)
    instance_id = await first.begin(work.ends)
    await first.rest()
    second = await each_hub.start(work.app)
    await second.client.raise_event(instance_id, "go")
    await second.finished(instance_id)
    assert await second.client.purge_instance(instance_id)
    runs = list(work.runs)

    await first.engine.wake([instance_id])
    await first.rest()

    assert work.runs == runs
    assert await second.client.get_instance("kid") is None
    assert not len(first.engine.parts.cache)


async def test_found_a10_a_copy_of_a_run_that_was_replaced_is_dropped(each_hub: Hub) -> None:
    work = _Work()
    first = await each_hub.start(work.app)
    instance_id = await first.begin(work.waits)
    await first.rest()
    second = await each_hub.start(work.app)
    await second.client.terminate_instance(instance_id)
    await second.finished(instance_id)
    await second.client.schedule_new_orchestration(work.waits, instance_id=instance_id)
    await second.rest()

    await first.client.raise_event(instance_id, "go")
    await first.rest()
    await each_hub.clock.advance(TIMER)
    done = await asyncio.wait_for(first.finished(instance_id), 5)

    assert done.runtime_status is RuntimeStatus.COMPLETED
