"""Activities handed out: what one host has no room for, any host runs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from bindings import RuntimeStatus
from host.core.history import TaskScheduled
from host.core.records import Lease, Snapshot
from host.errors import StorageError
from host.storage.local_queues import NO_HINTS, LocalQueues
from host.storage.protocol import WorkItem
from tests.engine.wide_work import SHARES, Wide
from tests.kit.hub import Host, Hub, until
from tests.kit.seams import RememberingWork

SECOND = timedelta(seconds=1)


async def _two(hub: Hub, wide: Wide) -> tuple[LocalQueues, Host, Host]:
    queues = LocalQueues()
    first = await hub.start(wide.app, queues=queues, **SHARES)
    second = await hub.start(wide.app, queues=queues, **SHARES)
    return queues, first, second


async def test_what_one_host_has_no_room_for_another_one_runs(each_hub: Hub) -> None:
    wide = Wide()
    _, first, second = await _two(each_hub, wide)
    instance_id = await first.begin(wide.fans_out, 4)
    await until(lambda: len(wide.runs) == 4)
    assert (len(first.engine.parts.pool), len(second.engine.parts.pool)) == (2, 2)
    wide.gate.set()
    assert (await first.finished(instance_id)).output == [0, 1, 2, 3]
    assert set(wide.runs.values()) == {1}
    snapshot = await each_hub.store.load(instance_id)
    assert snapshot is not None
    assert (snapshot.leases, snapshot.inbox, snapshot.wake_at) == ((), (), None)


async def test_with_more_work_than_room_everything_gets_its_turn(hub: Hub) -> None:
    wide = Wide()
    wide.gate.set()
    _, first, _ = await _two(hub, wide)
    assert (await first.run(wide.fans_out, 60)).output == list(range(60))
    assert set(wide.runs.values()) == {1}


async def test_one_host_alone_runs_what_it_handed_out(hub: Hub) -> None:
    wide = Wide()
    wide.gate.set()
    host = await hub.start(wide.app, **SHARES)
    assert (await host.run(wide.fans_out, 20)).output == list(range(20))


async def test_a_lost_work_item_is_handed_out_anew_when_its_lease_is_over(hub: Hub) -> None:
    wide = Wide()
    wide.gate.set()
    queues = LosingWork()
    host = await hub.start(wide.app, queues=queues, work_lease_s=60.0, **SHARES)
    instance_id = await host.begin(wide.fans_out, 5)
    await host.rest()
    assert len(wide.runs) == 2
    queues.loses = False
    await hub.clock.advance(SECOND, steps=62)
    assert (await host.finished(instance_id)).output == [0, 1, 2, 3, 4]
    assert set(wide.runs.values()) == {1}


@pytest.mark.parametrize("has_room", [True, False])
async def test_what_somebody_takes_in_the_last_moment_is_his(
    hub: Hub, has_room: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    wide, queues, store = Wide(), LosingWork(), hub.store
    if has_room:
        wide.gate.set()
    host = await hub.start(wide.app, queues=queues, work_lease_s=60.0, **SHARES)
    instance_id = await host.begin(wide.fans_out, 3)
    await until(lambda: len(wide.runs) == 2)
    await hub.clock.advance(SECOND, steps=3)
    load = store.load

    async def load_and_lose(instance_id: str) -> Snapshot | None:
        found = await load(instance_id)
        for lease in found.leases if found else ():
            if lease.task_id == 3 and lease.expires_at <= hub.clock.now():
                until = hub.clock.now() + 20 * SECOND
                taken = msgspec.structs.replace(lease, owner="another", expires_at=until)
                assert await store.take_lease(taken, hub.clock.now())
        return found

    monkeypatch.setattr(store, "load", load_and_lose)
    for _ in range(75):
        await hub.clock.advance(SECOND)
    assert wide.runs[2] == 0
    snapshot = await load(instance_id)
    assert snapshot is not None
    assert "another" in {lease.owner for lease in snapshot.leases}


async def test_a_copy_of_a_work_item_runs_nothing_twice(each_hub: Hub) -> None:
    wide = Wide()
    queues = DoublingWork()
    host = await each_hub.start(
        wide.app, queues=queues, **(SHARES | {"max_concurrent_activities": 3, "max_backlog_s": 0.0})
    )
    instance_id = await host.begin(wide.fans_out, 6)
    await until(lambda: len(wide.runs) == 3)
    wide.gate.set()
    assert (await host.finished(instance_id)).output == [0, 1, 2, 3, 4, 5]
    await host.rest()
    assert set(wide.runs.values()) == {1}
    assert queues.counts() == NO_HINTS


async def test_when_the_host_that_took_it_dies_another_one_runs_it(hub: Hub) -> None:
    wide = Wide()
    queues, first, second = await _two(hub, wide)
    instance_id = await first.begin(wide.fans_out, 4)
    await until(lambda: len(wide.runs) == 4)
    taken = second.engine.parts.parked.items()
    await second.crash()
    assert len(taken) == 2
    wide.gate.set()
    await hub.clock.advance(SECOND, steps=31)  # leases are over, and so is the queue's patience
    await queues.release(taken)
    assert (await first.finished(instance_id)).output == [0, 1, 2, 3]
    assert sorted(wide.runs.values()) == [1, 1, 2, 2]


async def test_a_stopping_host_passes_on_what_it_took(hub: Hub) -> None:
    wide = Wide()
    _, first, second = await _two(hub, wide)
    instance_id = await first.begin(wide.fans_out, 4)
    await until(lambda: len(wide.runs) == 4)
    await second.stop()
    wide.gate.set()
    assert (await first.finished(instance_id)).output == [0, 1, 2, 3]
    row = await hub.store.get(instance_id)
    assert row is not None
    assert row.tries == 0


async def test_terminating_cancels_what_others_took(hub: Hub) -> None:
    wide = Wide()
    _, first, second = await _two(hub, wide)
    instance_id = await first.begin(wide.fans_out, 4)
    await until(lambda: len(wide.runs) == 4)
    await first.client.terminate_instance(instance_id)
    state = await first.finished(instance_id)
    assert state.runtime_status is RuntimeStatus.TERMINATED
    await hub.clock.advance(SECOND, steps=11)  # the next renewal is refused
    await until(lambda: len(second.engine.parts.pool) == 0)
    assert not wide.ended


@pytest.mark.parametrize("has_input", [True, False])
async def test_a_work_item_without_input_finds_it_in_the_history(hub: Hub, has_input: bool) -> None:
    wide = Wide()
    wide.gate.set()
    queues = LocalQueues() if has_input else ForgetfulWork()
    host = await hub.start(wide.app, queues=queues, **SHARES)
    assert (await host.run(wide.fans_out, 8)).output == list(range(8))


async def test_a_work_item_of_nobody_is_dropped(hub: Hub) -> None:
    wide, queues = Wide(), LocalQueues()
    host = await hub.start(wide.app, queues=queues, **SHARES)
    scheduled = TaskScheduled(timestamp=hub.clock.now(), task_id=0, name="works", input="0")
    stray = WorkItem(instance_id="nobody", execution_id="e", task_id=0, scheduled=scheduled)
    await queues.send_work([stray, WorkItem(instance_id="nobody", execution_id="e", task_id=1)])
    await host.rest()
    await until(lambda: queues.counts() == NO_HINTS)
    assert not wide.runs


async def test_found_a21_work_whose_hold_lapsed_often_runs_all_the_same(each_hub: Hub) -> None:
    wide = Wide()
    wide.gate.set()
    host = await each_hub.start(wide.app, queues=WornWork(), max_deliveries=2, **SHARES)
    assert (await host.finished(await host.begin(wide.fans_out, 3))).output == [0, 1, 2]


@pytest.mark.parametrize("vanished", [2, 3])
@pytest.mark.parametrize("comes_again", [True, False])
async def test_found_a21_an_activity_with_which_hosts_vanish_fails_in_the_end(
    each_hub: Hub, vanished: int, comes_again: bool
) -> None:
    """By the queue, which hands it out again, or by the leader, who hands it out anew."""
    wide, queues = Wide(), KeptWork()
    host = await each_hub.start(wide.app, queues=queues, max_deliveries=2, **SHARES)
    instance_id = await host.begin(wide.fans_out, 3)
    await until(lambda: len(queues.kept) == 1)
    (item,) = queues.kept
    last = Lease(
        instance_id=instance_id,
        execution_id=item.execution_id,
        task_id=item.task_id,
        owner="gone",
        expires_at=each_hub.clock.now() + 40 * SECOND,
        tries=vanished - 1,
    )
    assert await each_hub.store.take_lease(last, each_hub.clock.now())
    queues.kept.clear()
    wide.gate.set()
    await each_hub.clock.advance(SECOND, steps=41)
    await host.rest()
    if comes_again:
        await LocalQueues.send_work(queues, [item])
    else:  # who leads it next sees what became of it
        await host.crash()
        host = await each_hub.start(wide.app, max_deliveries=2, **SHARES)
        await host.engine.wake([instance_id])
    state = await host.finished(instance_id)
    if vanished == 2:
        assert state.output == [0, 1, 2]
    else:
        assert state.failure_details is not None
        assert "begun 3 times, and each time its host ended" in state.failure_details.message
        assert 2 not in wide.runs


async def test_while_the_store_fails_work_items_wait_and_are_not_given_up(hub: Hub) -> None:
    wide = Wide()
    wide.gate.set()
    host = await hub.start(wide.app, max_deliveries=2, **SHARES)
    host.store.fail("take_lease", StorageError("the table is away"), times=20)
    instance_id = await host.begin(wide.fans_out, 3)
    while host.store.pending_faults("take_lease"):
        await hub.clock.advance(SECOND)
    await hub.clock.advance(SECOND)
    assert (await host.finished(instance_id)).output == [0, 1, 2]
    assert set(wide.runs.values()) == {1}


class LosingWork(LocalQueues):
    """Loses work items while `loses` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.loses = True

    async def send_work(self, items: Any) -> None:
        if not self.loses:
            await super().send_work(items)


class KeptWork(LocalQueues):
    """Work items go to the test, and come from it as if others had had them before."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[WorkItem] = []

    async def send_work(self, items: Sequence[WorkItem]) -> None:
        self.kept.extend(items)

    async def receive_work(self, limit: int) -> Sequence[WorkItem]:
        items = await super().receive_work(limit)
        return [msgspec.structs.replace(item, deliveries=2) for item in items]


class DoublingWork(LocalQueues):
    """Every work item comes twice."""

    async def send_work(self, items: Any) -> None:
        await super().send_work([*items, *items])


class ForgetfulWork(LocalQueues):
    """Work items come without their inputs, as large ones do."""

    async def send_work(self, items: Any) -> None:
        bare = [
            WorkItem(
                instance_id=item.instance_id,
                execution_id=item.execution_id,
                task_id=item.task_id,
            )
            for item in items
        ]
        await super().send_work(bare)


class WornWork(LocalQueues):
    """Every work item was handed out twice before, to hosts that vanished."""

    async def receive_work(self, limit: int) -> Sequence[WorkItem]:
        items = await super().receive_work(limit)
        return [msgspec.structs.replace(item, deliveries=3) for item in items]


async def test_a_copy_that_comes_while_the_result_is_delivered_runs_nothing(hub: Hub) -> None:
    wide, queues, may_finish = Wide(), RememberingWork(), asyncio.Event()
    wide.gate.set()
    host = await hub.start(wide.app, queues=queues, **SHARES)

    async def hold(name: str, _: tuple[Any, ...]) -> None:
        if name == "finish_lease":
            await may_finish.wait()

    host.store.before = hold
    instance_id = await host.begin(wide.fans_out, 3)
    await until(lambda: host.store.calls["finish_lease"] == 1)
    (item,) = queues.held_work()
    await queues.send_work([item])
    await until(lambda: (queues.counts().work_held, queues.counts().work_waiting) == (1, 0))
    await hub.clock.until_quiet()
    may_finish.set()
    assert (await host.finished(instance_id)).output == [0, 1, 2]
    assert set(wide.runs.values()) == {1}
