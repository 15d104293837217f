"""What runs for an instance that is terminated hears of it: coroutines, threads, on every host."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from functools import partial
from threading import Lock
from typing import Any

from bindings import FunctionApp, FunctionContext, OrchestrationContext, RuntimeStatus, when_all
from host.storage.local_queues import LocalQueues
from tests.kit.hub import Host, Hub
from tests.kit.hub import until as until_in_time

TERMINATED = RuntimeStatus.TERMINATED
LEASE = timedelta(seconds=30)
PATIENCE_S = 50.0
"""A bound for broken runs: a hundred threads start as the machine lets them."""
until = partial(until_in_time, patience_s=PATIENCE_S)


class Tree:
    """Three levels; at the lowest each runs an activity for ever: plain, or a coroutine."""

    def __init__(self, width: int) -> None:
        """Each but the lowest has so many children."""
        self.width = width
        self.app = FunctionApp()
        self.lock = Lock()
        self.running: list[str] = []
        self.told: list[str] = []

        @self.app.activity_trigger()
        def plain(label: str, context: FunctionContext) -> None:
            self.note(self.running, label)
            if context.cancelled.wait(PATIENCE_S):
                self.note(self.told, label)

        @self.app.activity_trigger()
        async def coroutine(label: str, context: FunctionContext) -> None:
            self.note(self.running, label)
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                assert context.cancelled.is_set()
                self.note(self.told, label)
                raise

        @self.app.orchestration_trigger()
        async def grandchild(context: OrchestrationContext, number: int) -> None:
            await context.call_activity((plain, coroutine)[number % 2], context.instance_id)

        @self.app.orchestration_trigger()
        async def child(context: OrchestrationContext) -> None:
            await when_all(calls(context, grandchild, width))

        @self.app.orchestration_trigger()
        async def parent(context: OrchestrationContext) -> None:
            await when_all(calls(context, child, width))

        self.parent = parent

    def note(self, where: list[str], label: str) -> None:
        with self.lock:
            where.append(label)


def calls(context: OrchestrationContext, function: Any, count: int) -> list[Any]:
    return [
        context.call_sub_orchestrator(function, n, instance_id=f"{context.instance_id}-{n}")
        for n in range(count)
    ]


def family(width: int) -> list[str]:
    children = [f"i-{n}" for n in range(width)]
    return ["i", *children, *(f"{of}-{n}" for of in children for n in range(width))]


async def all_ended(hub: Hub, width: int) -> bool:
    rows = [await hub.store.get(instance_id) for instance_id in family(width)]
    return all(row is not None and row.status is TERMINATED for row in rows)


async def all_ended_soon(hub: Hub, width: int) -> bool:
    """Where two hosts lead: who was refused a turn, since the other took it, waits a moment."""
    await hub.clock.advance(timedelta(seconds=1))
    return await all_ended(hub, width)


async def test_all_of_a_tree_ends_and_all_that_runs_for_it_hears_of_it(each_hub: Hub) -> None:
    tree = Tree(10)
    host = await each_hub.start(tree.app, max_concurrent_activities=100)
    await host.begin(tree.parent, instance_id="i")
    await until(lambda: len(tree.running) == 100)
    await host.client.terminate_instance("i", "enough")
    await until(lambda: all_ended(each_hub, tree.width))
    await until(lambda: sorted(tree.told) == sorted(tree.running))
    await host.rest()


async def test_so_does_what_runs_on_another_host_within_its_lease(each_hub: Hub) -> None:
    tree, queues = Tree(4), LocalQueues()
    hosts = [
        await each_hub.start(tree.app, queues=queues, max_concurrent_activities=10, max_backlog_s=0)
        for _ in range(2)
    ]
    await hosts[0].begin(tree.parent, instance_id="i")
    await until_all_run(each_hub, tree)
    await hosts[1].client.terminate_instance("i", "enough")
    await until(partial(all_ended_soon, each_hub, tree.width))
    await each_hub.clock.advance(LEASE / 2, steps=15)
    await until(lambda: sorted(tree.told) == sorted(tree.running))
    await rest(hosts)


async def until_all_run(hub: Hub, tree: Tree) -> None:
    """Until what is handed out runs, too."""
    for _ in range(5):
        await hub.clock.advance(timedelta(seconds=1))
        if len(set(tree.running)) == tree.width**2:
            return
    await until(lambda: len(set(tree.running)) == tree.width**2)


async def rest(hosts: list[Host]) -> None:
    for host in hosts:
        await host.rest()


async def test_what_nobody_cancels_is_not_told_so(each_hub: Hub) -> None:
    app, seen = FunctionApp(), list[bool]()

    @app.activity_trigger()
    def plain(context: FunctionContext) -> None:
        seen.append(context.cancelled.is_set())

    @app.activity_trigger()
    async def coroutine(context: FunctionContext) -> None:
        seen.append(context.cancelled.is_set())

    @app.orchestration_trigger()
    async def calls_both(context: OrchestrationContext) -> None:
        await context.call_activity(plain)
        await context.call_activity(coroutine)

    host = await each_hub.start(app)
    state = await host.run(calls_both)
    assert state.runtime_status is RuntimeStatus.COMPLETED, state
    assert seen == [False, False]
