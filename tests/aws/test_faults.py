"""A tenth of all calls to AWS fails in some way, and still everything completes exactly."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any, NamedTuple

import pytest

from bindings import FunctionApp, OrchestrationContext, RuntimeStatus, when_all
from host.clock import SystemClock
from host.engine.client import HubClient
from tests.kit.aws_engine import aws_host, aws_hub
from tests.kit.faulty_transport import FaultyTransport

RATE = 0.1
SEEDS = (1, 2, 3)
OF_EACH_KIND = 10
EVENTS = 5
PATIENCE = timedelta(seconds=40)
VISIBILITY_S = 3
"""Short: a wake-up whose receipt was lost on the way comes again after this."""

app = FunctionApp()


@app.activity_trigger()
async def increment(number: int) -> int:
    return number + 1


@app.activity_trigger()
def double(number: int) -> int:
    return number * 2


@app.orchestration_trigger()
async def chain(context: OrchestrationContext, number: int) -> int:
    for _ in range(3):
        number = await context.call_activity(increment, number)
        number = await context.call_activity(double, number)
    return number


@app.orchestration_trigger()
async def fan_out(context: OrchestrationContext, width: int) -> int:
    return sum(await when_all([context.call_activity(increment, n) for n in range(width)]))


@app.orchestration_trigger()
async def parent(context: OrchestrationContext, number: int) -> list[int]:
    both = [context.call_sub_orchestrator(child, number + each) for each in range(2)]
    return await when_all(both)


@app.orchestration_trigger()
async def child(context: OrchestrationContext, number: int) -> int:
    return await context.call_activity(double, number)


@app.orchestration_trigger()
async def sleeper(context: OrchestrationContext, number: int) -> int:
    for _ in range(2):
        await context.create_timer(timedelta(milliseconds=100))
    return number


@app.orchestration_trigger()
async def collector(context: OrchestrationContext, collected: list[int]) -> list[int] | None:
    """Two events in each execution, so that others arrive while it continues as new."""
    for _ in range(2):
        collected.append(await context.wait_for_external_event("item"))
        if len(collected) == EVENTS:
            return collected
    context.continue_as_new(collected)
    return None


@app.orchestration_trigger()
async def countdown(context: OrchestrationContext, left: int) -> str:
    if left > 0:
        context.continue_as_new(left - 1)
        return ""
    return f"lift-off at {await context.call_sub_orchestrator(child, 21)}"


class Job(NamedTuple):
    """An orchestration, and what it must give."""

    function: Callable[..., Any]
    input: Any
    expected: Any

    async def run(self, client: HubClient) -> None:
        """Start it, feed it, wait for its end."""
        instance_id = await client.schedule_new_orchestration(self.function, input=self.input)
        if self.function is collector:
            for number in range(EVENTS):
                await client.raise_event(instance_id, "item", number)
        state = await client.wait_for_instance_completion(instance_id, timeout=PATIENCE)
        assert state.runtime_status is RuntimeStatus.COMPLETED, state
        assert state.output == self.expected, state


def jobs() -> list[Job]:
    """Ten of each kind, well mixed."""
    return [
        job
        for n in range(OF_EACH_KIND)
        for job in (
            Job(chain, n, ((n + 1) * 2 + 1) * 4 + 2),
            Job(fan_out, 10 + n, sum(range(11 + n))),
            Job(parent, n, [2 * n, 2 * n + 2]),
            Job(sleeper, n, n),
            Job(collector, [], list(range(EVENTS))),
            Job(countdown, 3, "lift-off at 42"),
        )
    ]


@pytest.mark.aws
@pytest.mark.parametrize("seed", SEEDS)
async def test_everything_completes_exactly_though_a_tenth_of_all_calls_fails(
    ministack_url: str, seed: int
) -> None:
    async with aws_hub(ministack_url) as hub:
        faulty = FaultyTransport(hub.pool, seed=seed, rate=RATE)
        async with aws_host(
            hub,
            app,
            SystemClock(),
            transport=faulty,
            visibility_s=VISIBILITY_S,
            hold_s=VISIBILITY_S / 4,
        ) as host:
            await asyncio.gather(*(job.run(host.client) for job in jobs()))
            await host.sessions_ended()
    happened = faulty.faults.keys()
    assert happened >= {"throttled", "failed", "request lost", "answer lost"}
    assert happened & {"half done", "half sent"}
