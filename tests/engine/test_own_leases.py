"""Leases of this very host that could not be renewed in time: who runs here is not lost."""

from __future__ import annotations

import pytest

from host.core.records import Lease
from tests.engine.leased_work import (
    LEASE_S,
    SECOND,
    Outage,
    Work,
    let_its_lease_be_over,
    outlast_its_lease,
)
from tests.kit.hub import Hub

KINDS = pytest.mark.parametrize("at_most_once", [True, False], ids=["at most once", "usual"])


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
    await outlast_its_lease(each_hub, host)
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
