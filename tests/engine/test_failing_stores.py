"""A store that fails: nothing is lost, health says so, and everything goes on afterwards."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from bindings import FunctionApp, OrchestrationContext, RuntimeStatus
from host.errors import StorageError
from tests.kit.hub import Hub, until
from tests.kit.seams import RefusingQueues

SECOND = timedelta(seconds=1)
AWAY = StorageError("the disk is away")
OFTEN = 12


class Counting:
    """An orchestrator that calls an activity three times, and one that sleeps."""

    def __init__(self) -> None:
        self.app = FunctionApp()
        self.runs = list[int]()

        @self.app.activity_trigger()
        async def works(number: int) -> int:
            self.runs.append(number)
            return number

        @self.app.orchestration_trigger()
        async def counts(context: OrchestrationContext) -> list[int]:
            return [await context.call_activity(works, n) for n in range(3)]

        @self.app.orchestration_trigger()
        async def sleeps(context: OrchestrationContext) -> str:
            await context.create_timer(60 * SECOND)
            return "woke"

        self.counts, self.sleeps = counts, sleeps


@pytest.mark.parametrize("method", ["load", "commit"])
async def test_an_instance_goes_on_when_the_store_is_back(each_hub: Hub, method: str) -> None:
    counting = Counting()
    host = await each_hub.start(counting.app)
    host.store.fail(method, AWAY, times=3)
    instance_id = await host.begin(counting.counts)
    while host.store.pending_faults(method):
        await each_hub.clock.advance(SECOND)
    await each_hub.clock.advance(SECOND)
    assert (await host.finished(instance_id)).output == [0, 1, 2]
    assert counting.runs == [0, 1, 2]


@pytest.mark.parametrize("method", ["load", "commit"])
async def test_however_often_the_store_fails_the_instance_is_not_to_blame(
    each_hub: Hub, method: str
) -> None:
    counting = Counting()
    host = await each_hub.start(counting.app, max_deliveries=3)
    host.store.fail(method, AWAY, times=OFTEN)
    instance_id = await host.begin(counting.counts)
    while host.store.pending_faults(method):
        await each_hub.clock.advance(30 * SECOND)
    await each_hub.clock.advance(30 * SECOND)
    assert (await host.finished(instance_id)).output == [0, 1, 2]


@pytest.mark.parametrize("refused", [{"child"}, {"child", "parent"}], ids=["some", "all"])
async def test_however_often_the_queue_fails_the_instance_is_not_to_blame(
    each_hub: Hub, refused: set[str]
) -> None:
    app, queues = FunctionApp(), RefusingQueues(refused)

    @app.orchestration_trigger()
    async def child(context: OrchestrationContext) -> str:
        return "done"

    @app.orchestration_trigger()
    async def parent(context: OrchestrationContext) -> str:
        await context.wait_for_external_event("go")
        return await context.call_sub_orchestrator(child, instance_id="child")

    host = await each_hub.start(app, queues=queues, max_deliveries=3, sweep_s=60.0)
    await host.begin(parent, instance_id="parent")
    await host.rest()
    await host.client.raise_event("parent", "go")
    queues.is_away = True
    for _ in range(OFTEN):
        await each_hub.clock.advance(SECOND, steps=30)
        await queues.redeliver()  # nobody could give the hint back
    row = await each_hub.store.get("parent")
    assert row is not None
    assert not row.is_quarantined
    queues.is_away = False
    await each_hub.clock.advance(30 * SECOND, steps=4)
    assert (await host.finished("parent")).output == "done"


async def test_found_a19_a_store_that_fails_in_the_middle_costs_no_run(each_hub: Hub) -> None:
    counting = Counting()
    host = await each_hub.start(counting.app)
    commits = 0

    async def fail_the_third(name: str, _: tuple[Any, ...]) -> None:
        nonlocal commits
        commits += name == "commit"
        if name == "commit" and commits == 3:
            raise AWAY

    host.store.before = fail_the_third
    instance_id = await host.begin(counting.counts)
    await until(lambda: commits == 3)
    await each_hub.clock.advance(SECOND)
    assert (await host.finished(instance_id)).output == [0, 1, 2]
    assert counting.runs == [0, 1, 2]


async def test_a_failing_loop_shows_in_the_problems_and_recovers(each_hub: Hub) -> None:
    counting = Counting()
    host = await each_hub.start(counting.app)
    instance_id = await host.begin(counting.sleeps)
    await host.started(instance_id)
    assert host.engine.store_problems() == []
    host.store.fail("due_alarms", AWAY, times=2)
    await each_hub.clock.advance(60 * SECOND)
    await until(lambda: len(host.engine.store_problems()) == 1)
    assert "alarm pump" in host.engine.store_problems()[0]
    assert "the disk is away" in host.engine.store_problems()[0]
    await each_hub.clock.advance(SECOND, steps=2)
    await until(lambda: host.engine.store_problems() == [])
    assert (await host.finished(instance_id)).output == "woke"


async def test_a_loop_that_fails_by_a_defect_runs_again_too(hub: Hub) -> None:
    counting = Counting()
    host = await hub.start(counting.app)
    instance_id = await host.begin(counting.sleeps)
    await host.started(instance_id)
    host.store.fail("due_alarms", ZeroDivisionError("a defect"))
    await hub.clock.advance(60 * SECOND)
    assert "ZeroDivisionError: a defect" in host.engine.problems()[0]
    await hub.clock.advance(SECOND)
    await host.finished(instance_id)
    assert host.engine.problems() == []


async def test_an_instance_whose_turns_always_fail_is_quarantined_with_the_reason(
    each_hub: Hub,
) -> None:
    counting = Counting()
    first = await each_hub.start(counting.app)

    async def fail_one(name: str, args: tuple[Any, ...]) -> None:
        if name == "load" and args[0] == "broken":
            raise ValueError("this item is damaged")

    first.store.before = fail_one
    await first.begin(counting.counts, instance_id="broken")
    healthy = await first.begin(counting.counts)
    assert (await first.finished(healthy)).output == [0, 1, 2]
    await each_hub.clock.advance(SECOND, steps=10)
    await first.rest()
    assert first.store.calls["load"] == 5 + 1
    state = await first.client.get_instance("broken")
    assert state is not None
    assert state.blocked_reason is not None
    assert "this item is damaged" in state.blocked_reason
    await first.stop()

    second = await each_hub.start(counting.app)
    await second.rest()
    assert await second.status("broken") is not RuntimeStatus.COMPLETED
    await second.client.redrive_instance("broken")
    state = await second.finished("broken")
    assert (state.output, state.blocked_reason) == ([0, 1, 2], None)


async def test_a_quarantined_instance_can_be_terminated_when_it_loads_again(hub: Hub) -> None:
    counting = Counting()
    host = await hub.start(counting.app)
    host.store.fail("load", ValueError("damaged"), times=5)
    instance_id = await host.begin(counting.sleeps)
    await hub.clock.advance(SECOND, steps=10)
    await host.rest()
    await host.client.terminate_instance(instance_id)
    assert (await host.finished(instance_id)).runtime_status is RuntimeStatus.TERMINATED


async def test_a_start_that_the_store_refuses_is_an_error_for_the_caller(hub: Hub) -> None:
    counting = Counting()
    host = await hub.start(counting.app)
    host.store.fail("create", AWAY)
    with pytest.raises(StorageError, match="the disk is away"):
        await host.begin(counting.counts, instance_id="it")
    assert await host.client.get_instance("it") is None
