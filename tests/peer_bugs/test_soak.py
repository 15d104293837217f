"""Bugs of peers that only numbers show: many instances, one after the other, on one host.

FUNCHOST_TORTURE=1 makes the numbers those of the list.
"""

from __future__ import annotations

import asyncio
import gc
from datetime import timedelta
from typing import Any

import pytest

from bindings import (
    FunctionApp,
    OrchestrationContext,
    OrchestrationQuery,
    RuntimeStatus,
    when_all,
    when_any,
)
from tests.faults.effort import effort
from tests.kit.hub import Host, Hub

WAVE = 100
CALLS_OF_ONE = 10
CALLS_OF_A_WAVE = WAVE * CALLS_OF_ONE * 2
"""Each instance calls its activities in two executions."""


class Soak:
    """An orchestrator that does nothing, and one that does everything."""

    def __init__(self) -> None:
        self.app = FunctionApp()

        @self.app.activity_trigger()
        async def works(number: int) -> int:
            return number

        @self.app.orchestration_trigger()
        async def no_op(context: OrchestrationContext) -> None:
            return None

        @self.app.orchestration_trigger()
        async def all_sorts(context: OrchestrationContext, is_first: bool) -> Any:
            calls = [context.call_activity(works, number) for number in range(CALLS_OF_ONE)]
            await when_all(calls)
            await context.call_sub_orchestrator(no_op)
            timer = context.create_timer(timedelta(hours=1))
            event = context.wait_for_external_event("go")
            await when_any([timer, event])
            timer.cancel()
            if is_first:
                context.continue_as_new(False)

        self.no_op, self.all_sorts = no_op, all_sorts


@pytest.mark.timeout(600)
async def test_bug_31_no_wait_misses_an_instance_that_ends_at_once(hub: Hub) -> None:
    soak = Soak()
    host = await hub.start(soak.app)
    count = effort(5_000, 100_000)
    for _ in range(count // WAVE):
        states = await asyncio.gather(*(host.run(soak.no_op) for _ in range(WAVE)))
        assert {state.runtime_status for state in states} == {RuntimeStatus.COMPLETED}
        await host.client.purge_instances(OrchestrationQuery())
    assert len(host.engine.parts.waiters) == 0
    # Who misses the report has to look again, and so does everybody while the machine stands still.
    assert host.store.calls["get"] <= count + 2 * WAVE


@pytest.mark.timeout(3600)
async def test_bug_40_a_host_keeps_nothing_of_what_is_over(hub: Hub) -> None:
    soak = Soak()
    host = await hub.start(soak.app)
    await _run(host, soak, 1)
    before = await _objects(hub, host)
    waves = effort(16_000, 1_000_000) // CALLS_OF_A_WAVE
    await _run(host, soak, waves)
    left = await _objects(hub, host) - before
    assert left < waves * WAVE / 10, "less than an object for ten instances"


async def _run(host: Host, soak: Soak, waves: int) -> None:
    for _ in range(waves):
        ids = [await host.begin(soak.all_sorts, True) for _ in range(WAVE)]
        for _ in range(2):
            for instance_id in ids:
                await host.client.raise_event(instance_id, "go")
        await asyncio.gather(*(host.finished(each) for each in ids))
        await host.client.purge_instances(OrchestrationQuery())


async def _objects(hub: Hub, host: Host) -> int:
    """How many objects there are that may hold others, once the host is at rest."""
    host.store.commits.clear()  # the seam's own notes
    await hub.clock.advance(timedelta(hours=2), steps=3)  # what was put off for later is over
    await host.rest()
    gc.collect()
    return len(gc.get_objects())
