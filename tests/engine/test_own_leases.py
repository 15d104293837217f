"""Leases of this very host that could not be renewed in time: who runs here is not lost."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from bindings import FunctionApp, OrchestrationContext, TaskFailedError
from host.core.records import Lease
from host.errors import StorageError
from tests.kit.hub import Host, Hub, until

SECOND = timedelta(seconds=1)
LEASE_S = 30
KINDS = pytest.mark.parametrize("at_most_once", [True, False], ids=["at most once", "usual"])


class Work:
    """An activity that runs until the test lets it end."""

    def __init__(self, *, at_most_once: bool = False) -> None:
        self.app = FunctionApp()
        self.gate = asyncio.Event()
        self.runs = 0
        self.cancelled = 0

        @self.app.activity_trigger(at_most_once=at_most_once)
        async def works() -> str:
            self.runs += 1
            try:
                await self.gate.wait()
            except asyncio.CancelledError:
                self.cancelled += 1
                raise
            return "done"

        @self.app.orchestration_trigger()
        async def leads(context: OrchestrationContext) -> str:
            try:
                result: str = await context.call_activity(works)
            except TaskFailedError as error:
                return error.details.error_type
            return result

        self.leads = leads

    async def park(self, host: Host, hub: Hub, **named: Any) -> str:
        """Start an instance and wait until its activity is parked."""
        runs, parked = self.runs, len(host.engine.parts.parked)
        instance_id = await host.begin(self.leads, **named)
        await until(lambda: self.runs == runs + 1)
        await hub.clock.advance(3 * SECOND)
        await until(lambda: len(host.engine.parts.parked) == parked + 1)
        await until(lambda: len(host.engine._sessions) == 0)
        return instance_id


class Outage:
    """Calls of a method fail while it lasts: those for one instance, or all."""

    def __init__(self, host: Host, method: str, instance_id: str | None = None) -> None:
        self.is_on = True
        self._method, self._instance_id = method, instance_id
        host.store.before = self._fail

    async def _fail(self, name: str, args: tuple[Any, ...]) -> None:
        if self.is_on and name == self._method:
            lease: Lease = args[0]
            if self._instance_id in {None, lease.instance_id}:
                raise StorageError("the table is away")


async def let_its_lease_be_over(hub: Hub, host: Host) -> None:
    """Have the instance led on after the time of its lease."""
    loads = host.store.calls["load"]
    await hub.clock.advance(SECOND, steps=LEASE_S + 2)
    await until(lambda: host.store.calls["load"] > loads)
    await until(lambda: len(host.engine._sessions) == 0)


async def lease_of(hub: Hub, instance_id: str) -> Lease:
    snapshot = await hub.store.load(instance_id)
    assert snapshot is not None
    (lease,) = snapshot.leases
    return lease


@KINDS
async def test_what_still_runs_here_is_neither_lost_nor_begun_again(
    each_hub: Hub, at_most_once: bool
) -> None:
    work = Work(at_most_once=at_most_once)
    host = await each_hub.start(work.app)
    instance_id = await work.park(host, each_hub)
    outage = Outage(host, "renew_lease")
    await let_its_lease_be_over(each_hub, host)
    outage.is_on = False
    await each_hub.clock.advance(SECOND, steps=LEASE_S)
    work.gate.set()
    assert (await host.finished(instance_id)).output == "done"
    assert (work.runs, work.cancelled) == (1, 0)


@KINDS
async def test_what_is_still_being_delivered_is_neither_lost_nor_begun_again(
    each_hub: Hub, at_most_once: bool
) -> None:
    work = Work(at_most_once=at_most_once)
    host = await each_hub.start(work.app)
    instance_id = await work.park(host, each_hub)
    outage = Outage(host, "finish_lease")
    work.gate.set()
    await let_its_lease_be_over(each_hub, host)
    outage.is_on = False
    await each_hub.clock.advance(SECOND, steps=2)
    assert (await host.finished(instance_id)).output == "done"
    assert work.runs == 1


async def test_what_still_runs_here_is_not_handed_out_either(each_hub: Hub) -> None:
    work = Work()
    host = await each_hub.start(work.app, max_backlog_s=0.0, max_concurrent_activities=1)
    instance_id = await work.park(host, each_hub)
    outage = Outage(host, "renew_lease")
    await let_its_lease_be_over(each_hub, host)
    assert (await lease_of(each_hub, instance_id)).owner == host.engine.parts.host_id
    outage.is_on = False
    await each_hub.clock.advance(SECOND, steps=LEASE_S)
    work.gate.set()
    assert (await host.finished(instance_id)).output == "done"
    assert (work.runs, work.cancelled) == (1, 0)


async def test_a_lease_that_is_not_renewed_keeps_no_other_from_it(hub: Hub) -> None:
    work = Work()
    host = await hub.start(work.app)
    ids = [await work.park(host, hub, instance_id=each) for each in ("first", "second")]
    for unlucky, lucky in (ids, reversed(ids)):
        outage = Outage(host, "renew_lease", unlucky)
        await hub.clock.advance(SECOND, steps=LEASE_S + 2)
        assert (await lease_of(hub, unlucky)).expires_at < hub.clock.now()
        assert (await lease_of(hub, lucky)).expires_at > hub.clock.now()
        outage.is_on = False
        await hub.clock.advance(SECOND, steps=LEASE_S)
    work.gate.set()
    for instance_id in ids:
        assert (await host.finished(instance_id)).output == "done"
    assert work.runs == 2


async def test_a_lease_that_is_not_renewed_is_soon_tried_again(hub: Hub) -> None:
    work = Work()
    host = await hub.start(work.app)
    instance_id = await work.park(host, hub)
    outage = Outage(host, "renew_lease")
    before = await lease_of(hub, instance_id)
    attempts = host.store.calls["renew_lease"]
    while host.store.calls["renew_lease"] == attempts:
        await hub.clock.advance(SECOND)
    outage.is_on = False
    await hub.clock.advance(SECOND, steps=3)
    assert (await lease_of(hub, instance_id)).expires_at > before.expires_at
