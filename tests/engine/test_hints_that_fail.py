"""What a turn sent is told to whom it was for, though the queue failed meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from bindings import FunctionApp, OrchestrationContext, RuntimeStatus
from host.core.records import Effects
from host.errors import StorageError
from host.storage.protocol import Hint
from tests.engine.leased_work import SECOND, Outage, Work, outlast_its_lease
from tests.engine.wide_work import SHARES, Wide
from tests.kit.hub import Hub, until
from tests.kit.seams import RedeliveringQueues, RefusingQueues, RefusingWork


@pytest.mark.parametrize("sweep_s", [None, 600.0])
@pytest.mark.parametrize("how", ["start", "event"])
async def test_whom_a_turn_concerns_goes_on_soon_after_the_queue_is_back(
    hub: Hub, how: str, sweep_s: float | None
) -> None:
    app, queues = FunctionApp(), RefusingQueues({"X"})

    @app.orchestration_trigger()
    async def hears(context: OrchestrationContext) -> Any:
        return how == "start" or await context.wait_for_external_event("go")

    @app.orchestration_trigger()
    async def sends(context: OrchestrationContext) -> Any:
        await context.wait_for_external_event("begin")
        if how == "start":
            return await context.call_sub_orchestrator(hears, instance_id="X")
        context.send_event("X", "go", True)
        return await context.wait_for_external_event("end")

    host = await hub.start(app, queues=queues, sweep_s=sweep_s)
    if how == "event":
        await host.begin(hears, instance_id="X")
    await host.begin(sends, instance_id="P")
    await host.rest()
    await hub.clock.advance(SECOND)
    await host.client.raise_event("P", "begin")
    queues.is_away = True
    await until(lambda: queues.refusals == 1)
    queues.is_away = False
    await hub.clock.advance(SECOND, steps=5)
    await host.rest()
    assert await host.status("X") is RuntimeStatus.COMPLETED


async def test_what_runs_here_runs_on_while_the_rest_cannot_be_handed_out(hub: Hub) -> None:
    wide, queues = Wide(), RefusingWork()
    host = await hub.start(wide.app, queues=queues, **SHARES)
    await host.begin(wide.fans_out, 4)
    await hub.clock.advance(SECOND, steps=60)
    assert wide.runs == {0: 1, 1: 1}


async def test_a_lease_that_cannot_be_renewed_costs_no_other_a_write_a_second(hub: Hub) -> None:
    work = Work()
    host = await hub.start(work.app)
    ids = [await work.park(host, hub) for _ in range(5)]
    Outage(host, "renew_lease", ids[0])
    before = host.store.calls["renew_lease"]
    await hub.clock.advance(SECOND, steps=60)
    assert host.store.calls["renew_lease"] - before <= 60 + 4 * 7


async def test_the_alarm_of_a_lease_stays_while_its_activity_runs_here(hub: Hub) -> None:
    work = Work()
    host = await hub.start(work.app)
    instance_id = await work.park(host, hub)
    await outlast_its_lease(hub, host)
    snapshot = await hub.store.load(instance_id)
    assert snapshot is not None
    assert snapshot.leases
    assert snapshot.wake_at is not None


class KeepingQueues(RedeliveringQueues):
    """Cannot let go of hints while `is_away` is set."""

    is_away = False

    async def finish(self, hints: Sequence[Hint]) -> None:
        if self.is_away:
            raise StorageError("the queue is away")
        await super().finish(hints)


async def test_a_hint_that_cannot_be_finished_is_not_held_against_its_instance(hub: Hub) -> None:
    work, queues = Work(), KeepingQueues()
    hosts = [await hub.start(work.app, queues=queues, max_deliveries=3) for _ in range(3)]
    instance_id = await hosts[0].begin(work.leads)
    await until(lambda: work.runs == 1)
    await hub.clock.advance(3 * SECOND)
    await hosts[0].client.raise_event(instance_id, "unrelated")
    queues.is_away = True
    for _ in range(12):
        await hub.clock.advance(SECOND, steps=30)
        await queues.redeliver()
        await hub.clock.until_quiet()
        row = await hub.store.get(instance_id)
        assert row is not None
        assert not row.is_quarantined


@pytest.mark.parametrize("lost", ["commit", "apply"])
async def test_whom_the_last_turn_concerns_goes_on_though_nobody_heard_that_it_was_stored(
    hub: Hub, lost: str
) -> None:
    app = FunctionApp()

    @app.orchestration_trigger()
    async def hears(context: OrchestrationContext) -> Any:
        return await context.wait_for_external_event("go")

    @app.orchestration_trigger()
    async def sends(context: OrchestrationContext) -> None:
        context.send_event("X", "go", 1)

    host = await hub.start(app)
    await host.begin(hears, instance_id="X")
    await host.rest()
    undone = lost == "apply"

    async def do_it_and_fail(name: str, args: tuple[Any, ...]) -> None:
        nonlocal undone
        if name == "commit" and args[0].effects.messages and undone:
            undone = False
            nothing = Effects(instance_id="P")
            await hub.store.commit(replace(args[0], effects=nothing))
            raise StorageError("no answer")
        if name == lost and (name == "apply" or args[0].effects.messages):
            host.store.before = None
            await getattr(hub.store, name)(*args)
            raise StorageError("no answer")

    host.store.before = do_it_and_fail
    await host.begin(sends, instance_id="P")
    await hub.clock.advance(SECOND, steps=10)
    await host.rest()
    assert await host.status("P") is RuntimeStatus.COMPLETED
    assert (await host.finished("X")).output == 1
