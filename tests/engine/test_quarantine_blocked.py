"""Instances that wait for their function: a host vanished with them, and nobody dies of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta

import msgspec
import pytest

from bindings import FunctionApp
from host.core.records import Instance
from host.storage.local_queues import LocalQueues
from host.storage.protocol import WakeUp
from tests.engine.long_work import LEASE_S, LongWork
from tests.kit.hub import Host, Hub, until

SECOND = timedelta(seconds=1)
LEASE = (LEASE_S + 1) * SECOND
HOUR = timedelta(hours=1)
MAX = 2
TIMES = 3 * MAX
TRIAL_S = 15
"""Longer than suspects are kept apart."""


class WornQueues(LocalQueues):
    """Every hint was handed out before, to a host that vanished."""

    async def receive_wakeups(self, limit: int) -> Sequence[WakeUp]:
        wakeups = await super().receive_wakeups(limit)
        return [msgspec.structs.replace(each, deliveries=2) for each in wakeups]


async def by_events(_: Hub, host: Host, instance_id: str) -> None:
    await host.client.raise_event(instance_id, "unrelated")


async def by_alarms(hub: Hub, host: Host, instance_id: str) -> None:
    await hub.clock.advance(HOUR)


async def by_sweeps(_: Hub, host: Host, instance_id: str) -> None:
    await host.queues.send_wakeups([instance_id], is_recovery=True)


async def row_of(hub: Hub, instance_id: str) -> Instance:
    row = await hub.store.get(instance_id)
    assert row is not None
    return row


async def left_by_a_crash(hub: Hub, work: LongWork) -> str:
    """An instance whose activity was parked by a host that is gone, and whose lease is over."""
    host = await hub.start(work.app, max_deliveries=MAX)
    instance_id = await work.park(host, hub)
    await host.crash()
    await hub.clock.advance(LEASE)
    return instance_id


@pytest.mark.parametrize("queues_of", [LocalQueues, WornQueues])
@pytest.mark.parametrize("load", [by_events, by_alarms, by_sweeps])
async def test_however_often_it_is_loaded_without_its_function_it_is_not_quarantined(
    each_hub: Hub,
    load: Callable[[Hub, Host, str], Awaitable[None]],
    queues_of: type[LocalQueues],
) -> None:
    work = LongWork()
    instance_id = await left_by_a_crash(each_hub, work)
    bare = await each_hub.start(FunctionApp(), queues=queues_of(), max_deliveries=MAX)
    for _ in range(TIMES):
        loads = bare.store.calls["load"]
        await load(each_hub, bare, instance_id)
        await until(lambda: bare.store.calls["load"] > loads)  # noqa: B023 - awaited at once
        await each_hub.clock.advance(SECOND, steps=TRIAL_S)
        await bare.rest()
    row = await row_of(each_hub, instance_id)
    assert (row.is_quarantined, row.tries) == (False, 0)
    assert row.blocked_reason is not None
    assert "is missing" in row.blocked_reason
    await bare.stop()

    work.gate.set()
    whole = await each_hub.start(work.app, max_deliveries=MAX)
    await whole.client.raise_event(instance_id, "answer", "yes")
    assert (await whole.finished(instance_id)).output == ["yes", "done"]
    assert (await row_of(each_hub, instance_id)).tries == 0


async def test_once_its_function_is_back_a_try_is_a_try_again(each_hub: Hub) -> None:
    work = LongWork()
    instance_id = await left_by_a_crash(each_hub, work)
    bare = await each_hub.start(FunctionApp(), max_deliveries=MAX)
    for _ in range(TIMES):
        await by_events(each_hub, bare, instance_id)
        await each_hub.clock.advance(SECOND, steps=TRIAL_S)
    await bare.crash()
    whole = await each_hub.start(work.app, max_deliveries=MAX)
    await until(lambda: work.runs == 2)
    assert (await row_of(each_hub, instance_id)).tries == 1
    await whole.crash()
