"""Bugs that peers had with recovery: a store that fails for a moment while work is looked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from bindings import FunctionApp, OrchestrationContext, RuntimeStatus
from host.engine.options import EngineOptions
from host.errors import StorageError
from host.storage.local_queues import LocalQueues
from tests.kit.hub import Host, Hub, until

SWEEP_S = 60.0
SWEEP = timedelta(seconds=SWEEP_S)
BLIP = StorageError("a blip")
MORE_THAN_TWO_PAGES = 2100


class Steps:
    """An orchestrator of one step, which counts who took it."""

    def __init__(self) -> None:
        self.app = FunctionApp()
        self.runs: Counter[str] = Counter()

        @self.app.activity_trigger()
        async def works(label: str) -> str:
            self.runs[label] += 1
            return label

        @self.app.orchestration_trigger()
        async def leads(context: OrchestrationContext) -> str:
            return await context.call_activity(works, context.instance_id)

        self.leads = leads


class BrittleQueues(LocalQueues):
    """Queues that lose hints, or fail to take recovery's, on demand."""

    def __init__(self) -> None:
        super().__init__()
        self.loses = False
        self.refuses = False

    async def send_wakeups(self, instance_ids: Sequence[str], *, is_recovery: bool = False) -> None:
        """Hint, lose the hint, or fail."""
        if is_recovery and self.refuses:
            raise BLIP
        if is_recovery or not self.loses:
            await super().send_wakeups(instance_ids, is_recovery=is_recovery)


@pytest.mark.parametrize("what", ["the store", "the queue"])
async def test_bug_27_a_sweep_that_fails_is_reported_and_a_later_one_finds_the_work(
    each_hub: Hub, what: str
) -> None:
    steps, queues = Steps(), BrittleQueues()
    host = await each_hub.start(steps.app, queues=queues, sweep_s=SWEEP_S)
    await each_hub.clock.until_quiet()
    is_away = True

    async def fail_while_away(name: str, _: tuple[Any, ...]) -> None:
        if name == "recoverable" and is_away:
            raise BLIP

    queues.loses = True
    instance_id = await host.begin(steps.leads)
    if what == "the store":
        host.store.before = fail_while_away
    else:
        queues.refuses = True
    for _ in range(2):
        await each_hub.clock.advance(SWEEP)
        await until(
            lambda: host.engine.store_problems() == ["recovery sweep: StorageError: a blip"]
        )
        assert await host.status(instance_id) is RuntimeStatus.PENDING
    is_away = queues.refuses = False
    await each_hub.clock.advance(SWEEP, steps=2)
    assert (await host.finished(instance_id)).output == instance_id
    await host.rest()
    assert host.engine.store_problems() == []
    assert steps.runs[instance_id] == 1


async def test_bug_27_a_start_that_fails_half_way_through_its_recovery_loses_nothing(
    hub: Hub,
) -> None:
    steps = Steps()
    first = await hub.start(steps.app)
    await first.stop()
    ids = [await first.begin(steps.leads) for _ in range(MORE_THAN_TWO_PAGES)]

    second = Host(hub, steps.app, LocalQueues(), EngineOptions())

    async def fail_at_the_second_page(name: str, _: tuple[Any, ...]) -> None:
        if name == "recoverable" and second.store.calls[name] == 2:
            raise BLIP

    second.store.before = fail_at_the_second_page
    with pytest.raises(StorageError, match="a blip"):
        await second.engine.start()
    await second.crash()
    assert not steps.runs

    third = await hub.start(steps.app)
    await third.rest()
    assert [await third.status(each) for each in ids] == [RuntimeStatus.COMPLETED] * len(ids)
    assert steps.runs == dict.fromkeys(ids, 1)
