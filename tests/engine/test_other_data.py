"""Code that gives other inputs on replay goes on with those that are recorded, and is warned of."""

from __future__ import annotations

import itertools
import logging

import pytest

from bindings import FunctionApp, OrchestrationContext, RuntimeStatus
from tests.kit.hub import Hub, until


class Counting:
    """An orchestrator whose activity gets another number each time that its code runs."""

    def __init__(self, *, is_pure: bool) -> None:
        self.app = FunctionApp()
        self.got: list[int] = []
        number = itertools.repeat(7) if is_pure else itertools.count(7)

        @self.app.activity_trigger()
        async def keep(n: int) -> int:
            self.got.append(n)
            return n

        @self.app.orchestration_trigger()
        async def counts(context: OrchestrationContext) -> int:
            kept = await context.call_activity(keep, next(number))
            await context.wait_for_external_event("look")
            await context.wait_for_external_event("end")
            return kept

        self.counts = counts


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [each.getMessage() for each in caplog.records if each.levelno == logging.WARNING]


async def replayed_twice(hub: Hub, counting: Counting) -> str:
    """Led by three hosts one after the other, and by the last one twice; gives its id."""
    host = await hub.start(counting.app)
    instance_id = await host.begin(counting.counts)
    await until(lambda: bool(counting.got))
    await host.rest()
    await host.crash()

    host = await hub.start(counting.app)
    await host.client.raise_event(instance_id, "look")
    await host.rest()
    live = host.engine.parts.cache.take(instance_id)
    assert live is not None
    live.close()  # as if it had been pushed out of the cache: the next event loads it again
    await host.client.raise_event(instance_id, "end")
    state = await host.finished(instance_id)
    assert (state.runtime_status, state.output) == (RuntimeStatus.COMPLETED, 7)
    assert counting.got == [7]
    return instance_id


async def test_found_b6_other_data_on_replay_are_told_once_of_each_instance(
    each_hub: Hub, caplog: pytest.LogCaptureFixture
) -> None:
    instance_id = await replayed_twice(each_hub, Counting(is_pure=False))

    [warning] = warnings(caplog)
    assert f"Orchestrator 'counts' of '{instance_id}' gives other data now" in warning
    assert "to #1 a call of activity 'keep' than its history records" in warning
    assert "What is recorded counts." in warning
    assert "uuid4" in warning


async def test_found_b6_the_same_data_on_replay_are_not_told(
    each_hub: Hub, caplog: pytest.LogCaptureFixture
) -> None:
    await replayed_twice(each_hub, Counting(is_pure=True))

    assert not warnings(caplog)
