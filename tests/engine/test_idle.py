"""`Engine.idle` waits for all that a host has to do now, and for nothing else."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from bindings import FunctionApp, OrchestrationContext, RuntimeStatus
from host.clock import SystemClock
from host.core.converter import Converter
from host.engine.client import HubClient
from host.engine.engine import Engine
from host.engine.options import EngineOptions
from host.errors import StorageError
from host.functions.catalog import Catalog
from host.storage.local_queues import LocalQueues
from tests.kit.hub import Hub, NoLinks, loaded, until

SECOND = timedelta(seconds=1)


class Work:
    """An app with an activity that can be held up."""

    def __init__(self) -> None:
        self.app = FunctionApp()
        self.gate = asyncio.Event()
        self.runs = 0

        @self.app.activity_trigger()
        async def held() -> str:
            self.runs += 1
            await self.gate.wait()
            return "held"

        @self.app.activity_trigger()
        def quick(number: int) -> int:
            return number

        @self.app.orchestration_trigger()
        async def asks(context: OrchestrationContext) -> Any:
            return await context.call_activity(held)

        @self.app.orchestration_trigger()
        async def family(context: OrchestrationContext) -> Any:
            return [await context.call_sub_orchestrator(child, number) for number in range(3)]

        @self.app.orchestration_trigger()
        async def child(context: OrchestrationContext, number: int) -> Any:
            return await context.call_activity(quick, number)

        @self.app.orchestration_trigger()
        async def rings(context: OrchestrationContext) -> Any:
            await context.create_timer(10 * SECOND)
            return await context.wait_for_external_event("go")

        self.asks, self.family, self.rings = asks, family, rings


async def test_what_was_started_before_is_done(each_hub: Hub) -> None:
    work = Work()
    host = await each_hub.start(work.app)
    ids = [await host.begin(work.family) for _ in range(3)]
    await host.engine.idle()
    assert [await host.status(each) for each in ids] == [RuntimeStatus.COMPLETED] * 3


async def test_so_it_is_by_the_clock_of_the_machine(hub: Hub) -> None:
    work = Work()
    catalog = Catalog(loaded(work.app), Converter())
    engine = Engine(
        store=hub.store,
        queues=LocalQueues(),
        catalog=catalog,
        converter=Converter(),
        clock=SystemClock(),
        options=EngineOptions(),
    )
    await engine.idle()
    await engine.start()
    await HubClient(engine, NoLinks()).schedule_new_orchestration(work.family, instance_id="it")
    await engine.idle()
    row = await hub.store.get("it")
    assert row is not None
    assert row.is_finished
    await engine.stop()
    await engine.idle()


async def test_who_waits_for_an_event_or_for_the_clock_keeps_nobody_waiting(
    each_hub: Hub,
) -> None:
    work = Work()
    host = await each_hub.start(work.app)
    await host.begin(work.rings, instance_id="it")
    await host.engine.idle()
    assert await host.history("it") == ["OrchestratorStarted", "ExecutionStarted", "TimerCreated"]
    await each_hub.clock.advance(10 * SECOND)
    await host.engine.idle()
    assert "TimerFired" in await host.history("it")
    await host.client.raise_event("it", "go")
    await host.engine.idle()
    assert await host.status("it") is RuntimeStatus.COMPLETED


async def test_an_activity_is_waited_for_also_without_its_session(each_hub: Hub) -> None:
    work = Work()
    host = await each_hub.start(work.app)
    await host.begin(work.asks, instance_id="it")
    await until(lambda: work.runs == 1)
    idle = asyncio.ensure_future(host.engine.idle())
    await each_hub.clock.advance(SECOND, steps=4)  # it is parked by now
    await until(lambda: host.engine.open_sessions == 0)
    await each_hub.clock.until_quiet()
    assert not idle.done()
    work.gate.set()
    await idle
    assert await host.status("it") is RuntimeStatus.COMPLETED


async def test_a_result_that_the_store_refuses_is_waited_for(each_hub: Hub) -> None:
    work = Work()
    host = await each_hub.start(work.app)
    await host.begin(work.asks, instance_id="it")
    await until(lambda: work.runs == 1)
    await each_hub.clock.advance(SECOND, steps=4)
    await until(lambda: host.engine.open_sessions == 0)  # it is parked now
    host.store.fail("finish_lease", StorageError("away"))
    work.gate.set()
    await until(lambda: not host.store.pending_faults("finish_lease"))
    idle = asyncio.ensure_future(host.engine.idle())
    await each_hub.clock.until_quiet()
    assert not idle.done()
    while not idle.done():  # a store with a thread may not have begun its pause yet
        await each_hub.clock.advance(SECOND)
    await idle
    assert await host.status("it") is RuntimeStatus.COMPLETED


async def test_a_work_item_of_another_host_is_waited_for(each_hub: Hub) -> None:
    work, queues = Work(), LocalQueues()
    shares: dict[str, Any] = {"max_backlog_s": 0.0, "max_concurrent_activities": 1}
    first, second = [await each_hub.start(work.app, queues=queues, **shares) for _ in range(2)]
    for number in range(2):
        await first.begin(work.asks, instance_id=f"it-{number}")
    await until(lambda: work.runs == 2)
    idle = [asyncio.ensure_future(host.engine.idle()) for host in (first, second)]
    await each_hub.clock.advance(SECOND, steps=4)
    assert not any(each.done() for each in idle)
    work.gate.set()
    await asyncio.gather(*idle)
