"""A session that is busy for half a day keeps its hold, though no queue lets it hold so long."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from bindings import FunctionApp, OrchestrationContext
from host.engine.observer import Observer, TurnCommitted
from tests.simulation.calm import CalmHub

STEP_S = 300
BUSY = {"park_after_s": 1e9, "tick_s": 5.0, "inbox_poll_s": 60.0}
"""A step of minutes is short here: the session waits for it."""


def _app() -> tuple[FunctionApp, Counter[int]]:
    app, runs = FunctionApp(), Counter[int]()

    @app.activity_trigger()
    async def step(work: dict[str, int]) -> int:
        runs[work["label"]] += 1
        await asyncio.sleep(STEP_S)
        return work["label"]

    @app.orchestration_trigger()
    async def chain(context: OrchestrationContext, steps: int) -> int:
        return sum(
            [await context.call_activity(step, {"label": number}) for number in range(steps)]
        )

    return app, runs


@pytest.mark.timeout(600)
@pytest.mark.parametrize("hours", [13, 30])
def test_found_f1_a_chain_that_is_busy_for_many_hours_keeps_its_hold(hours: int) -> None:
    app, runs = _app()
    hub, steps = CalmHub(), hours * 3600 // STEP_S
    turns: list[tuple[str, int]] = []

    def teller(name: str) -> Observer:
        return Observer(
            name=name, sees={TurnCommitted: lambda event: turns.append((name, event.commit.number))}
        )

    async def go() -> None:
        hosts = [await hub.host(app, observers=[teller(name)], **BUSY) for name in ("a", "b")]
        client = hosts[0].client
        await client.schedule_new_orchestration("chain", input=steps, instance_id="i")
        await asyncio.sleep(hours * 3600 + 600)
        state = await client.get_instance("i")
        assert state is not None
        assert state.output == sum(range(steps))
        for host in hosts:
            counted = host.engine.counters()
            assert (counted["redeliveries"], counted["conflicts"]) == (0, 0)

    hub.run(go())
    assert set(runs.values()) == {1}
    assert hub.wakeups.expired_holds == 0
    assert [number for _, number in turns] == list(range(len(turns)))
    changes = sum(turns[n][0] != turns[n - 1][0] for n in range(1, len(turns)))
    assert changes <= hours // 6
