"""A host that stops in the midst of waiting: what it holds another one takes up at once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bindings import FunctionApp, OrchestrationContext
from host.errors import StorageError
from host.storage.local_queues import LocalQueues
from tests.kit.hub import Host, Hub, until
from tests.kit.seams import RedeliveringQueues


class Work:
    """An orchestration with one activity, which runs until the test lets it end."""

    def __init__(self) -> None:
        self.app = FunctionApp()
        self.gate = asyncio.Event()
        self.runs = 0

        @self.app.activity_trigger()
        async def works() -> str:
            self.runs += 1
            await self.gate.wait()
            return "done"

        @self.app.orchestration_trigger()
        async def leads(context: OrchestrationContext) -> Any:
            return await context.call_activity(works)

        self.leads = leads


async def stop_and_see_it_go_on(
    hub: Hub, work: Work, first: Host, second: Host, instance_id: str
) -> None:
    """The other host leads it though the clock stands still, and thinks of nobody as vanished."""
    runs = work.runs
    await first.stop()
    await until(lambda: work.runs > runs)
    row = await hub.store.get(instance_id)
    assert row is not None
    assert row.tries == 0
    assert second.engine.counters()["redeliveries"] == 0
    work.gate.set()
    assert (await second.finished(instance_id)).output == "done"


async def test_a_hint_that_waits_for_an_earlier_session_is_passed_on(each_hub: Hub) -> None:
    work, queues = Work(), RedeliveringQueues()
    first = await each_hub.start(work.app, queues=queues)
    instance_id = await first.begin(work.leads)
    await until(lambda: work.runs == 1)
    await queues.redeliver()  # the queue lost patience, and this host gets the hint again
    await until(lambda: not queues.counts().wakeups_waiting)
    await each_hub.clock.until_quiet()
    second = await each_hub.start(work.app, queues=queues)
    await stop_and_see_it_go_on(each_hub, work, first, second, instance_id)


@pytest.mark.parametrize("method", ["load", "commit"])
async def test_a_hint_that_waits_for_the_store_is_passed_on(each_hub: Hub, method: str) -> None:
    work, queues = Work(), LocalQueues()
    first = await each_hub.start(work.app, queues=queues)
    first.store.fail(method, StorageError("the disk is away"))
    instance_id = await first.begin(work.leads)
    await until(lambda: not first.store.pending_faults(method))
    await each_hub.clock.until_quiet()
    second = await each_hub.start(work.app, queues=queues)
    await each_hub.clock.until_quiet()
    assert work.runs == 0
    await stop_and_see_it_go_on(each_hub, work, first, second, instance_id)


async def test_a_hint_that_waits_after_a_defect_is_passed_on(each_hub: Hub) -> None:
    work, queues = Work(), LocalQueues()
    first = await each_hub.start(work.app, queues=queues)
    first.store.fail("load", ZeroDivisionError("a defect"))
    instance_id = await first.begin(work.leads)
    await until(lambda: not first.store.pending_faults("load"))
    await each_hub.clock.until_quiet()
    second = await each_hub.start(work.app, queues=queues)
    await stop_and_see_it_go_on(each_hub, work, first, second, instance_id)
