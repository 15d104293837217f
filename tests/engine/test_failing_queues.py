"""A queue that fails: what it was to tell is told soon after, not only when a lease is over."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from bindings import RuntimeStatus
from host.errors import StorageError
from tests.engine.leased_work import LEASE_S, Work
from tests.engine.wide_work import SHARES, Wide
from tests.kit.hub import Host, Hub, until
from tests.kit.seams import RefusingQueues, RefusingWork

SECOND = timedelta(seconds=1)
SOON_S = 5
"""Much less than a lease holds."""
WORK_LEASE_S = 3600.0
MAX_PAUSE_S = 30


async def ends_within(hub: Hub, host: Host, instance_id: str, seconds: int) -> bool:
    """Whether the instance ends within so many seconds of the hub's clock."""
    for _ in range(seconds):
        if await host.status(instance_id) is RuntimeStatus.COMPLETED:
            return True
        await hub.clock.advance(SECOND)
    return await host.status(instance_id) is RuntimeStatus.COMPLETED


@pytest.mark.parametrize("at_most_once", [True, False], ids=["at most once", "usual"])
@pytest.mark.parametrize("away_for_s", [0, 10])
async def test_a_delivered_result_whose_hint_fails_is_taken_in_soon(
    hub: Hub, at_most_once: bool, away_for_s: int
) -> None:
    work, queues = Work(at_most_once=at_most_once), RefusingQueues({"it"})
    host = await hub.start(work.app, queues=queues, lease_s=10 * LEASE_S)
    await work.park(host, hub, instance_id="it")
    queues.is_away = True
    work.gate.set()
    await until(lambda: host.store.calls["finish_lease"] == 1)
    await until(lambda: queues.refusals > 0)
    await hub.clock.advance(SECOND, steps=away_for_s)
    queues.is_away = False
    assert await ends_within(hub, host, "it", SOON_S)
    assert (await host.finished("it")).output == "done"
    assert work.runs == 1


async def test_a_result_of_which_the_store_did_not_say_that_it_is_delivered_is_taken_in_soon(
    hub: Hub,
) -> None:
    work, faults = Work(), 1
    host = await hub.start(work.app)
    instance_id = await work.park(host, hub)

    async def deliver_and_fail(name: str, args: tuple[Any, ...]) -> None:
        nonlocal faults
        if name == "finish_lease" and faults:
            faults -= 1
            await host.store.inner.finish_lease(*args)
            raise StorageError("the answer was lost")

    host.store.before = deliver_and_fail
    work.gate.set()
    await until(lambda: not faults)
    assert await ends_within(hub, host, instance_id, SOON_S)
    assert (await host.finished(instance_id)).output == "done"
    assert work.runs == 1


@pytest.mark.parametrize("times", [1, 4])
async def test_what_could_not_be_handed_out_is_soon_handed_out_anew(hub: Hub, times: int) -> None:
    wide, queues = Wide(), RefusingWork()
    wide.gate.set()
    host = await hub.start(wide.app, queues=queues, work_lease_s=WORK_LEASE_S, **SHARES)
    instance_id = await host.begin(wide.fans_out, 4)
    await until(lambda: queues.refusals == 1)
    for _ in range(MAX_PAUSE_S):
        if queues.refusals >= times:
            break
        await hub.clock.advance(SECOND)
    queues.is_away = False
    assert await ends_within(hub, host, instance_id, 2 * MAX_PAUSE_S)
    assert (await host.finished(instance_id)).output == [0, 1, 2, 3]
