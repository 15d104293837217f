"""Entities of which more is asked than they do at once: what waits costs nothing until its turn."""

from __future__ import annotations

import asyncio

from bindings import Entity, EntityId, FunctionApp
from host.core.ledger import RECENT_REQUESTS
from tests.kit.hub import Host, Hub, until

ONE = EntityId("Counter", "one")
SIGNALS, ROUNDS = 30, 6


class Busy:
    """A counter whose first operation waits for a gate."""

    def __init__(self) -> None:
        self.app = FunctionApp()
        self.gate = asyncio.Event()
        self.begun = 0
        busy = self

        @self.app.entity_trigger()
        class Counter(Entity[int]):
            initial_state = 0

            async def add(self) -> None:
                busy.begun += 1
                await busy.gate.wait()
                self.state += 1


async def has_counted(host: Host, count: int) -> None:
    async def is_so() -> bool:
        found = await host.client.get_entity(ONE)
        return found is not None and found.state == count

    await until(is_so)


async def test_found_the_inbox_is_not_read_while_an_operation_runs(each_hub: Hub) -> None:
    busy = Busy()
    host = await each_hub.start(busy.app)
    await host.client.signal_entity(ONE, "add")
    await until(lambda: busy.begun == 1)
    before = host.store.calls["read_inbox"]
    for _ in range(SIGNALS):
        await host.client.signal_entity(ONE, "add")
    assert host.store.calls["read_inbox"] == before
    busy.gate.set()
    await has_counted(host, SIGNALS + 1)


async def test_found_what_must_be_recognised_does_not_grow_with_the_age(each_hub: Hub) -> None:
    busy = Busy()
    busy.gate.set()
    host = await each_hub.start(busy.app)
    for round_ in range(1, ROUNDS + 1):
        await asyncio.gather(*(host.client.signal_entity(ONE, "add") for _ in range(SIGNALS)))
        await has_counted(host, round_ * SIGNALS)
    await host.rest()
    live = host.engine.parts.cache.take(str(ONE))
    assert live is not None
    assert len([*live.state.ledger.consumed]) <= RECENT_REQUESTS + SIGNALS
