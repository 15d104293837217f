"""Long activities: they run on under a lease while their instance is free for everything else."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from bindings import FunctionApp, OrchestrationContext, RuntimeStatus, when_all
from host.errors import StorageError
from tests.engine.long_work import LEASE_S, SECONDS, LongWork
from tests.kit.hub import Hub, until


async def test_a_long_activity_is_leased_and_its_session_ends(each_hub: Hub) -> None:
    work = LongWork()
    host = await each_hub.start(work.app)
    instance_id = await work.park(host, each_hub)
    snapshot = await each_hub.store.load(instance_id)
    assert snapshot is not None
    (lease,) = snapshot.leases
    assert lease.owner == host.engine.parts.host_id
    assert lease.expires_at > each_hub.clock.now()
    assert snapshot.wake_at == lease.expires_at


async def test_an_event_is_handled_while_a_parked_activity_runs(each_hub: Hub) -> None:
    work = LongWork()
    host = await each_hub.start(work.app)
    instance_id = await work.park(host, each_hub)
    await host.client.raise_event(instance_id, "answer", "yes")
    await host.shows(instance_id, "yes")
    work.gate.set()
    assert (await host.finished(instance_id)).output == ["yes", "done"]
    assert work.runs == 1


async def test_the_result_of_a_parked_activity_comes_by_message(each_hub: Hub) -> None:
    work = LongWork()
    host = await each_hub.start(work.app)
    instance_id = await work.park(host, each_hub)
    work.gate.set()
    await host.rest()
    assert host.store.calls["finish_lease"] == 1
    assert "TaskCompleted" in await host.history(instance_id)
    await host.client.raise_event(instance_id, "answer", 1)
    assert (await host.finished(instance_id)).output == [1, "done"]
    snapshot = await each_hub.store.load(instance_id)
    assert snapshot is not None
    assert (snapshot.leases, snapshot.inbox, snapshot.wake_at) == ((), (), None)


async def test_a_lease_is_renewed_for_as_long_as_its_activity_runs(hub: Hub) -> None:
    work = LongWork()
    host = await hub.start(work.app)
    instance_id = await work.park(host, hub)
    await hub.clock.advance(timedelta(seconds=LEASE_S / 3), steps=20)
    snapshot = await hub.store.load(instance_id)
    assert snapshot is not None
    assert snapshot.leases[0].expires_at > hub.clock.now()
    assert host.store.calls["renew_lease"] >= 19
    assert work.runs == 1
    await host.client.raise_event(instance_id, "answer", 1)
    work.gate.set()
    assert (await host.finished(instance_id)).output == [1, "done"]
    assert work.runs == 1


async def test_an_expired_lease_makes_the_activity_run_again_on_another_host(
    each_hub: Hub,
) -> None:
    work = LongWork()
    first = await each_hub.start(work.app)
    instance_id = await work.park(first, each_hub)
    await first.crash()
    second = await each_hub.start(work.app)
    await second.rest()
    assert work.runs == 1  # the lease still holds
    await each_hub.clock.advance(timedelta(seconds=LEASE_S))
    await until(lambda: work.runs == 2)
    work.gate.set()
    await second.client.raise_event(instance_id, "answer", 1)
    assert (await second.finished(instance_id)).output == [1, "done"]


async def test_terminate_cancels_a_parked_activity(each_hub: Hub) -> None:
    work = LongWork()
    host = await each_hub.start(work.app)
    instance_id = await work.park(host, each_hub)
    await host.client.terminate_instance(instance_id, "enough")
    assert (await host.finished(instance_id)).runtime_status is RuntimeStatus.TERMINATED
    await until(lambda: work.cancelled == 1)
    await host.rest()


async def test_an_activity_whose_lease_was_taken_is_cancelled_and_not_heard(hub: Hub) -> None:
    work = LongWork()
    host = await hub.start(work.app)
    instance_id = await work.park(host, hub)
    snapshot = await hub.store.load(instance_id)
    assert snapshot is not None
    other = await hub.start(work.app)
    await other.client.terminate_instance(instance_id)
    await other.finished(instance_id)
    await hub.clock.advance(timedelta(seconds=LEASE_S / 3))
    await until(lambda: work.cancelled == 1)
    await host.rest()
    assert host.store.calls["finish_lease"] == 0


async def test_a_failing_store_does_not_end_a_parked_activity(hub: Hub) -> None:
    work = LongWork()
    host = await hub.start(work.app)
    instance_id = await work.park(host, hub)
    host.store.fail("commit", StorageError("the disk is away"))
    await host.client.raise_event(instance_id, "answer", "late")
    await until(lambda: host.store.pending_faults("commit") == 0)
    await hub.clock.advance(SECONDS)
    await host.shows(instance_id, "late")
    work.gate.set()
    assert (await host.finished(instance_id)).output == ["late", "done"]
    assert (work.runs, work.cancelled) == (1, 0)


async def test_a_result_waits_for_a_store_that_is_away(hub: Hub) -> None:
    work = LongWork()
    host = await hub.start(work.app)
    instance_id = await work.park(host, hub)
    host.store.fail("finish_lease", StorageError("the disk is away"), times=3)
    work.gate.set()
    await hub.clock.advance(SECONDS, steps=4)
    await host.client.raise_event(instance_id, "answer", 1)
    assert (await host.finished(instance_id)).output == [1, "done"]


async def test_results_of_one_fan_out_come_while_others_are_parked(hub: Hub) -> None:
    app, gates = FunctionApp(), [asyncio.Event() for _ in range(3)]

    @app.activity_trigger()
    async def waits(number: int) -> int:
        await gates[number].wait()
        return number

    @app.orchestration_trigger()
    async def fans_out(context: OrchestrationContext) -> list[int]:
        return await when_all([context.call_activity(waits, n) for n in range(3)])

    host = await hub.start(app)
    instance_id = await host.begin(fans_out)
    await host.started(instance_id)
    for gate in gates:
        await hub.clock.advance(3 * SECONDS)
        gate.set()
    assert (await host.finished(instance_id)).output == [0, 1, 2]


async def test_activities_that_end_in_time_are_never_leased(hub: Hub) -> None:
    app = FunctionApp()

    @app.activity_trigger()
    async def takes_nearly_two_seconds() -> None:
        await hub.clock.sleep(1.9)

    @app.orchestration_trigger()
    async def chain(context: OrchestrationContext) -> str:
        for _ in range(3):
            await context.call_activity(takes_nearly_two_seconds)
        return "done"

    host = await hub.start(app)
    instance_id = await host.begin(chain)
    await host.started(instance_id)
    await hub.clock.advance(SECONDS / 10, steps=3 * 19)
    assert (await host.finished(instance_id)).output == "done"
    assert host.store.calls["apply"] == 0
