"""Several hosts on one hub: whoever wins the write leads, and nothing happens twice."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any

from bindings import FunctionApp, OrchestrationContext, ReusePolicy, when_all
from host.storage.local_queues import LocalQueues
from tests.kit.hub import Host, Hub, until
from tests.kit.seams import EchoQueues, RedeliveringQueues


class Work:
    """A chain, a parent of chains, and a collector of events."""

    def __init__(self) -> None:
        self.app = FunctionApp()
        self.runs: Counter[str] = Counter()

        @self.app.activity_trigger()
        async def works(label: str) -> str:
            self.runs[label] += 1
            await asyncio.sleep(0)
            return label

        @self.app.orchestration_trigger()
        async def chain(context: OrchestrationContext, label: str) -> list[str]:
            return [await context.call_activity(works, f"{label}{n}") for n in range(4)]

        @self.app.orchestration_trigger()
        async def parent(context: OrchestrationContext) -> Any:
            children = [context.call_sub_orchestrator(chain, f"c{n}-") for n in range(3)]
            return await when_all(children)

        @self.app.orchestration_trigger()
        async def collects(context: OrchestrationContext, count: int) -> list[int]:
            return [await context.wait_for_external_event("number") for _ in range(count)]

        self.chain, self.parent, self.collects = chain, parent, collects


async def _finished(hosts: list[Host], instance_id: str) -> Any:
    """The output of an instance that may end on any of the hosts."""
    waits = {asyncio.create_task(host.finished(instance_id)) for host in hosts}
    done, pending = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
    return done.pop().result().output


async def test_hosts_that_share_their_queues_share_the_work(hub: Hub) -> None:
    work, queues = Work(), LocalQueues()
    hosts = [
        await hub.start(work.app, queues=queues, cached_instances=0, max_concurrent_orchestrators=5)
        for _ in range(3)
    ]
    ids = [await hosts[0].begin(work.parent) for _ in range(20)]
    for instance_id in ids:
        assert len(await _finished(hosts, instance_id)) == 3
    assert all(host.store.calls["commit"] > 0 for host in hosts)
    assert sum(work.runs.values()) == 20 * 12
    history = await hosts[0].history(ids[0])
    assert history.count("SubOrchestrationInstanceCompleted") == 3


async def test_hosts_that_all_get_every_hint_still_agree_on_one_history(each_hub: Hub) -> None:
    work, group = Work(), list[LocalQueues]()
    hosts = [await each_hub.start(work.app, queues=EchoQueues(group)) for _ in range(2)]
    ids = [await hosts[0].begin(work.parent) for _ in range(5)]
    expected = [[f"c{child}-{n}" for n in range(4)] for child in range(3)]
    for instance_id in ids:
        assert await _finished(hosts, instance_id) == expected
    for host in hosts:
        await each_hub.clock.advance(timedelta(seconds=1), steps=5)
        await host.rest()
    for instance_id in ids:
        history = await hosts[0].history(instance_id)
        assert history.count("SubOrchestrationInstanceCreated") == 3
        assert history.count("SubOrchestrationInstanceCompleted") == 3
        assert history.count("ExecutionCompleted") == 1


async def test_every_event_is_taken_once_although_all_hosts_hear_of_it(each_hub: Hub) -> None:
    work, group = Work(), list[LocalQueues]()
    hosts = [await each_hub.start(work.app, queues=EchoQueues(group)) for _ in range(2)]
    instance_id = await hosts[0].begin(work.collects, 20)
    for number in range(20):
        await hosts[number % 2].client.raise_event(instance_id, "number", number)
    assert await _finished(hosts, instance_id) == list(range(20))


async def test_a_dead_hosts_work_is_taken_over_when_its_hints_come_back(hub: Hub) -> None:
    work, queues = Work(), RedeliveringQueues()
    first = await hub.start(work.app, queues=queues)
    ids = [await first.begin(work.parent) for _ in range(10)]
    await until(lambda: first.store.calls["commit"] > 15)
    await first.crash()
    second = await hub.start(work.app, queues=queues)
    await queues.redeliver()
    for instance_id in ids:
        assert len((await second.finished(instance_id)).output) == 3
    assert max(work.runs.values()) <= 2 * 10


async def test_a_host_with_an_old_copy_in_its_cache_does_not_miss_a_replacement(hub: Hub) -> None:
    work, group = Work(), list[LocalQueues]()
    first = await hub.start(work.app)
    second_queues = EchoQueues(group)
    await first.begin(work.collects, 1, instance_id="it")
    await first.started("it")
    await first.rest()
    second = await hub.start(work.app, queues=second_queues)
    await second.begin(work.chain, "new", instance_id="it", reuse=ReusePolicy.REPLACE)
    await second.finished("it")
    await second.begin(work.collects, 1, instance_id="it")
    await second.started("it")
    await second.rest()
    await first.client.raise_event("it", "number", 7)  # the hint goes to the old copy's host
    assert (await first.finished("it")).output == [7]


async def test_a_host_with_an_old_copy_in_its_cache_does_not_drop_an_answer(hub: Hub) -> None:
    app = FunctionApp()

    @app.orchestration_trigger()
    async def asks(context: OrchestrationContext) -> Any:
        await context.wait_for_external_event("go")
        return await context.call_sub_orchestrator(answers, instance_id="child")

    @app.orchestration_trigger()
    async def answers(context: OrchestrationContext) -> Any:
        return await context.wait_for_external_event("answer")

    first = await hub.start(app)
    await first.begin(asks, instance_id="parent")
    await first.started("parent")
    await first.rest()
    second = await hub.start(app)
    await second.client.raise_event("parent", "go")
    await second.rest()
    await second.started("child")
    await second.rest()
    await first.client.raise_event("child", "answer", 7)  # the old copy has not asked yet
    assert (await first.finished("parent")).output == 7


async def test_a_sweep_takes_over_what_a_dead_host_left_although_an_old_copy_is_in_the_cache(
    hub: Hub,
) -> None:
    app, runs = FunctionApp(), Counter[str]()

    @app.activity_trigger()
    async def hangs_once() -> int:
        runs["hangs_once"] += 1
        if runs["hangs_once"] == 1:
            await asyncio.Event().wait()
        return runs["hangs_once"]

    @app.orchestration_trigger()
    async def works(context: OrchestrationContext) -> Any:
        await context.wait_for_external_event("go")
        return await context.call_activity(hangs_once)

    first = await hub.start(app, sweep_s=60.0)
    await first.begin(works, instance_id="it")
    await first.started("it")
    await first.rest()
    second = await hub.start(app)
    await second.client.raise_event("it", "go")
    await until(lambda: runs["hangs_once"] == 1)
    await second.crash()  # its queue goes with it
    await hub.clock.advance(timedelta(seconds=61))
    assert (await first.finished("it")).output == 2
