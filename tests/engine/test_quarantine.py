"""Instances that their hosts die of: tried a few times, alone, then left alone until redriven."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from bindings import FunctionApp, OrchestrationContext, RuntimeStatus
from bindings.errors import InstanceNotFoundError, InstanceStateError
from host.core.records import Instance
from host.errors import DamagedDataError, StorageError
from tests.kit.hub import Host, Hub, until
from tests.kit.seams import RedeliveringQueues

SECOND = timedelta(seconds=1)
MAX = 3


class Deadly:
    """An activity that hangs while `is_deadly`: its host is then made to crash by the test."""

    def __init__(self) -> None:
        self.app = FunctionApp()
        self.is_deadly = True
        self.runs = 0
        self.replays = 0

        @self.app.activity_trigger()
        async def kills() -> str:
            self.runs += 1
            if self.is_deadly:
                await asyncio.Event().wait()
            return "survived"

        @self.app.orchestration_trigger()
        async def dares(context: OrchestrationContext) -> str:
            self.replays += 1
            result: str = await context.call_activity(kills)
            return result

        @self.app.orchestration_trigger()
        async def peaceful(context: OrchestrationContext) -> Any:
            return await context.wait_for_external_event("go")

        self.dares, self.peaceful = dares, peaceful


async def _row(hub: Hub, instance_id: str) -> Instance:
    row = await hub.store.get(instance_id)
    assert row is not None
    return row


async def _crash_again(hub: Hub, deadly: Deadly, instance_id: str) -> None:
    """A host takes the instance up as one whose host vanished, and dies of it."""
    runs = deadly.runs
    host = await _started(hub, deadly, instance_id)
    await until(lambda: deadly.runs == runs + 1)
    await host.crash()


async def _started(hub: Hub, deadly: Deadly, instance_id: str) -> Host:
    """A host with the hint of the dead one, handed out for the second time."""
    queues = RedeliveringQueues()
    await queues.send_wakeups([instance_id])
    await queues.release(await queues.receive_wakeups(1))
    return await hub.start(deadly.app, queues=queues, max_deliveries=MAX)


async def _killed(hub: Hub, deadly: Deadly) -> str:
    """An instance that has ended its hosts as often as they put up with."""
    host = await hub.start(deadly.app, max_deliveries=MAX)
    instance_id = await host.begin(deadly.dares)
    await until(lambda: deadly.runs == 1)
    await host.crash()
    for _ in range(MAX):
        await _crash_again(hub, deadly, instance_id)
    return instance_id


async def test_it_is_quarantined_after_so_many_tries_with_the_reason(each_hub: Hub) -> None:
    deadly = Deadly()
    instance_id = await _killed(each_hub, deadly)
    host = await _started(each_hub, deadly, instance_id)
    await host.rest()
    assert deadly.runs == 1 + MAX
    state = await host.client.get_instance(instance_id)
    assert state is not None
    assert state.blocked_reason is not None
    assert "Quarantined: A host ended 3 times" in state.blocked_reason


async def test_no_hint_makes_its_code_run_again(hub: Hub) -> None:
    deadly = Deadly()
    instance_id = await _killed(hub, deadly)
    host = await _started(hub, deadly, instance_id)
    await host.rest()
    replays = deadly.replays
    await host.client.raise_event(instance_id, "anything")
    await host.rest()
    await host.stop()
    another = await hub.start(deadly.app)
    await another.rest()
    assert (deadly.replays, deadly.runs) == (replays, 1 + MAX)


async def test_redriving_tries_it_anew(each_hub: Hub) -> None:
    deadly = Deadly()
    instance_id = await _killed(each_hub, deadly)
    host = await _started(each_hub, deadly, instance_id)
    await host.rest()
    deadly.is_deadly = False
    await host.client.redrive_instance(instance_id)
    state = await host.finished(instance_id)
    assert (state.output, state.blocked_reason) == ("survived", None)
    assert (await _row(each_hub, instance_id)).tries == 0


async def test_it_can_be_terminated(hub: Hub) -> None:
    deadly = Deadly()
    instance_id = await _killed(hub, deadly)
    host = await _started(hub, deadly, instance_id)
    await host.rest()
    replays = deadly.replays
    await host.client.terminate_instance(instance_id, "enough")
    state = await host.finished(instance_id)
    assert (state.runtime_status, state.blocked_reason) == (RuntimeStatus.TERMINATED, None)
    assert deadly.replays == replays


async def test_only_quarantined_instances_are_redriven(hub: Hub) -> None:
    deadly = Deadly()
    host = await hub.start(deadly.app)
    instance_id = await host.begin(deadly.peaceful)
    await host.started(instance_id)
    with pytest.raises(InstanceStateError, match="not quarantined"):
        await host.client.redrive_instance(instance_id)
    with pytest.raises(InstanceNotFoundError):
        await host.client.redrive_instance("nobody")


async def test_getting_on_takes_the_count_back(hub: Hub) -> None:
    deadly = Deadly()
    host = await hub.start(deadly.app, max_deliveries=MAX)
    instance_id = await host.begin(deadly.dares)
    await until(lambda: deadly.runs == 1)
    await host.crash()
    await _crash_again(hub, deadly, instance_id)
    assert (await _row(hub, instance_id)).tries == 1
    deadly.is_deadly = False
    again = await _started(hub, deadly, instance_id)
    assert (await again.finished(instance_id)).output == "survived"
    assert (await _row(hub, instance_id)).tries == 0


async def test_an_instance_that_only_waits_is_not_counted_for_long(hub: Hub) -> None:
    deadly = Deadly()
    host = await hub.start(deadly.app)
    instance_id = await host.begin(deadly.peaceful)
    await host.rest()
    await host.crash()
    for _ in range(2 * MAX):
        again = await _started(hub, deadly, instance_id)
        await again.rest()
        await again.crash()
    row = await _row(hub, instance_id)
    assert (row.tries, row.is_quarantined) == (0, False)


async def test_a_host_that_stops_in_order_counts_against_nobody(hub: Hub) -> None:
    deadly = Deadly()
    host = await hub.start(deadly.app)
    instance_id = await host.begin(deadly.dares)
    for number in range(2 * MAX):
        await until(lambda: deadly.runs == number + 1)  # noqa: B023 - awaited at once
        await hub.clock.advance(3 * SECOND)
        await until(lambda: len(host.engine.parts.parked) == 1)  # noqa: B023
        await host.stop()
        host = await hub.start(deadly.app)
    row = await _row(hub, instance_id)
    assert (row.tries, row.is_quarantined) == (0, False)


async def test_who_has_the_last_try_runs_without_other_suspects(hub: Hub) -> None:
    deadly = Deadly()
    host = await hub.start(deadly.app, max_deliveries=MAX)
    suspects = [await host.begin(deadly.dares) for _ in range(3)]
    await until(lambda: deadly.runs == 3)
    await host.crash()
    for _ in range(MAX - 1):
        await _take_up(hub, deadly, suspects)
    before = deadly.runs
    last = await _with_all(hub, deadly, suspects)
    await hub.clock.until_quiet()
    assert deadly.runs == before + 1
    deadly.is_deadly = False
    # The first one parks and is acquitted after a while; then the others have their turn.
    await hub.clock.advance(SECOND, steps=15)
    for instance_id in suspects[1:]:
        assert (await last.finished(instance_id)).output == "survived"
    assert [(await _row(hub, each)).tries for each in suspects] == [0, 0, 0]


async def test_a_trial_survives_a_failing_store(hub: Hub) -> None:
    deadly = Deadly()
    instance_id = await _tried_to_the_last(hub, deadly)
    host = await _started(hub, deadly, instance_id)
    await until(lambda: host.engine.open_sessions == 1)
    await hub.clock.advance(SECOND, steps=3)
    await until(lambda: len(host.engine.parts.parked) == 1)
    host.store.fail("get", StorageError("no"))
    await hub.clock.advance(SECOND, steps=11)
    assert not host.store.pending_faults("get")
    deadly.is_deadly = False
    other = await host.begin(deadly.dares)
    assert (await host.finished(other)).output == "survived"


async def _tried_to_the_last(hub: Hub, deadly: Deadly) -> str:
    host = await hub.start(deadly.app, max_deliveries=MAX)
    instance_id = await host.begin(deadly.dares)
    await until(lambda: deadly.runs == 1)
    await host.crash()
    for _ in range(MAX - 1):
        await _crash_again(hub, deadly, instance_id)
    return instance_id


async def _with_all(hub: Hub, deadly: Deadly, suspects: list[str]) -> Host:
    queues = RedeliveringQueues()
    await queues.send_wakeups(suspects)
    await queues.release(await queues.receive_wakeups(9))
    return await hub.start(deadly.app, queues=queues, max_deliveries=MAX)


async def _take_up(hub: Hub, deadly: Deadly, suspects: list[str]) -> None:
    """A host takes all of them up at the same time, and dies."""
    runs = deadly.runs
    host = await _with_all(hub, deadly, suspects)
    await until(lambda: deadly.runs == runs + len(suspects))
    await host.crash()


async def test_damaged_data_is_quarantined_at_once_and_others_run_on(each_hub: Hub) -> None:
    deadly = Deadly()
    deadly.is_deadly = False
    host = await each_hub.start(deadly.app)

    async def damage(name: str, args: tuple[Any, ...]) -> None:
        if name == "load" and args[0] == "damaged":
            raise DamagedDataError("The history of 'damaged' cannot be read.")

    host.store.before = damage
    await host.begin(deadly.dares, instance_id="damaged")
    assert (await host.run(deadly.dares)).output == "survived"
    await host.rest()
    assert host.store.calls["load"] == 2
    state = await host.client.get_instance("damaged")
    assert state is not None
    assert state.blocked_reason == "Quarantined: The history of 'damaged' cannot be read."


async def test_damaged_data_can_be_terminated_and_then_purged(each_hub: Hub) -> None:
    deadly = Deadly()
    host = await each_hub.start(deadly.app)

    async def damage(name: str, args: tuple[Any, ...]) -> None:
        if name == "load" and args[0] == "damaged":
            raise DamagedDataError("The history of 'damaged' cannot be read.")

    host.store.before = damage
    await host.begin(deadly.peaceful, instance_id="damaged")
    await host.rest()
    await host.client.terminate_instance("damaged", "it is beyond help")
    state = await host.finished("damaged")
    assert (state.runtime_status, state.output) == (RuntimeStatus.TERMINATED, "it is beyond help")
    assert state.blocked_reason is None
    await host.rest()
    assert await host.client.purge_instance("damaged") == 1
