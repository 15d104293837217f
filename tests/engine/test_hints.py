"""Hints that are lost, held and handed over: the tables stay the truth."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from bindings import FunctionApp, OrchestrationContext
from host.storage.local_queues import LocalQueues
from host.storage.protocol import Hint
from tests.kit.hub import Hub, until


class _LosingQueues(LocalQueues):
    """Loses every hint while `loses` is set, and notes what is held longer or given back."""

    def __init__(self) -> None:
        super().__init__()
        self.loses = False
        self.extended: list[str] = []
        self.released: list[str] = []

    async def send_wakeups(self, instance_ids: Sequence[str], *, is_recovery: bool = False) -> None:
        if not self.loses:
            await super().send_wakeups(instance_ids, is_recovery=is_recovery)

    def hold_left_s(self, hint: Hint) -> float:
        return 0.5

    async def extend(self, hints: Sequence[Hint]) -> None:
        self.extended += [each.instance_id for each in hints]

    async def release(self, hints: Sequence[Hint]) -> None:
        self.released += [each.instance_id for each in hints]
        await super().release(hints)


def _app() -> tuple[FunctionApp, Callable[..., Any], asyncio.Event]:
    app, may_end = FunctionApp(), asyncio.Event()

    @app.activity_trigger()
    async def waits() -> None:
        await may_end.wait()

    @app.orchestration_trigger()
    async def works(context: OrchestrationContext) -> str:
        await context.call_activity(waits)
        await context.call_activity(waits)
        return "done"

    return app, works, may_end


async def test_the_sweep_finds_an_instance_whose_hint_was_lost(hub: Hub) -> None:
    app, works, may_end = _app()
    may_end.set()
    queues = _LosingQueues()
    host = await hub.start(app, queues=queues, sweep_s=60.0)
    queues.loses = True
    instance_id = await host.begin(works)
    await hub.clock.advance(timedelta(seconds=59))
    assert await host.status(instance_id) == "Pending"

    queues.loses = False
    await hub.clock.advance(timedelta(seconds=1))

    assert (await host.finished(instance_id)).output == "done"


async def test_wake_ups_are_held_longer_while_their_sessions_last(hub: Hub) -> None:
    app, works, _ = _app()
    queues = _LosingQueues()
    host = await hub.start(app, queues=queues, hold_s=1.0, park_after_s=60.0)
    instance_id = await host.begin(works)
    await host.started(instance_id)

    for _ in range(3):
        await hub.clock.advance(timedelta(seconds=1 / 4))

    assert queues.extended == [instance_id] * 3


async def test_a_host_that_stops_gives_back_what_it_has_not_done(hub: Hub) -> None:
    app, works, may_end = _app()
    queues = _LosingQueues()
    host = await hub.start(app, queues=queues)
    instance_id = await host.begin(works)
    await host.started(instance_id)

    stopping = asyncio.create_task(host.stop(10.0))
    await hub.clock.until_quiet()
    may_end.set()
    await stopping

    (again,) = await queues.receive_wakeups(9)
    assert (again.instance_id, again.deliveries) == (instance_id, 1)  # nobody vanished with it


async def test_a_host_that_stops_finishes_the_wake_up_of_an_instance_that_only_waits(
    hub: Hub,
) -> None:
    app = FunctionApp()

    @app.orchestration_trigger()
    async def listens(context: OrchestrationContext) -> None:
        await context.wait_for_external_event("never")

    queues = _LosingQueues()
    host = await hub.start(app, queues=queues)
    await host.started(await host.begin(listens))
    await until(lambda: host.engine.open_sessions == 0)

    await host.stop(10.0)

    assert queues.released == []
