"""Hosts die of other things, too: who was quarantined for vanished hosts is tried again later."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from bindings import FunctionApp, OrchestrationContext
from host.core.records import Instance
from host.errors import StorageError
from tests.kit.hub import Host, Hub, until
from tests.kit.seams import RedeliveringQueues

MAX = 2
PAUSE_S = 60.0
PAUSE = timedelta(seconds=PAUSE_S)


class _Slow:
    """An activity that takes longer than its hosts live, until `gate` is set."""

    def __init__(self) -> None:
        self.app = FunctionApp()
        self.gate = asyncio.Event()
        self.runs = 0

        @self.app.activity_trigger()
        async def works() -> str:
            self.runs += 1
            await self.gate.wait()
            return "done"

        @self.app.orchestration_trigger()
        async def slow(context: OrchestrationContext) -> str:
            result: str = await context.call_activity(works)
            return result

        @self.app.orchestration_trigger()
        async def waits(context: OrchestrationContext) -> Any:
            return await context.wait_for_external_event("go")

        self.slow, self.waits = slow, waits


async def _row(hub: Hub, instance_id: str) -> Instance:
    row = await hub.store.get(instance_id)
    assert row is not None
    return row


async def _takes_up(hub: Hub, work: _Slow, instance_id: str, **options: Any) -> Host:
    """A host that gets the hint of one that was killed."""
    queues = RedeliveringQueues()
    await queues.send_wakeups([instance_id])
    await queues.release(await queues.receive_wakeups(1))
    options = {"max_deliveries": MAX, "quarantine_pause_s": PAUSE_S} | options
    return await hub.start(work.app, queues=queues, **options)


async def _quarantined(hub: Hub, work: _Slow, **options: Any) -> str:
    """An instance whose hosts were killed, each while its activity ran."""
    host = await hub.start(work.app)
    instance_id = await host.begin(work.slow)
    await until(lambda: work.runs == 1)
    await host.crash()
    for tries in range(MAX):
        await _killed_again(hub, work, instance_id, runs=2 + tries, **options)
    return instance_id


async def _killed_again(
    hub: Hub, work: _Slow, instance_id: str, *, runs: int, **options: Any
) -> None:
    host = await _takes_up(hub, work, instance_id, **options)
    await until(lambda: work.runs == runs)
    await host.crash()


async def test_found_a11_it_is_tried_again_by_itself_after_a_pause(each_hub: Hub) -> None:
    work = _Slow()
    instance_id = await _quarantined(each_hub, work)
    host = await _takes_up(each_hub, work, instance_id)
    await host.rest()
    state = await host.client.get_instance(instance_id)
    assert state is not None
    assert "Quarantined: A host ended 2 times" in (state.blocked_reason or "")
    assert "tried again at 2026-01-01T00:01:00Z" in (state.blocked_reason or "")

    work.gate.set()
    await each_hub.clock.advance(PAUSE - timedelta(seconds=1))
    await host.rest()
    assert work.runs == 1 + MAX
    await each_hub.clock.advance(timedelta(seconds=31))

    state = await host.finished(instance_id)
    assert (state.output, state.blocked_reason) == ("done", None)
    row = await _row(each_hub, instance_id)
    assert (row.tries, row.quarantines, row.retry_at) == (0, 0, None)


async def test_found_a11_each_pause_is_twice_as_long(hub: Hub) -> None:
    work = _Slow()
    instance_id = await _quarantined(hub, work)
    for times in range(1, 4):
        host = await _takes_up(hub, work, instance_id)
        await host.rest()
        row = await _row(hub, instance_id)
        assert row.is_quarantined
        assert row.quarantines == times
        assert row.retry_at == hub.clock.now() + PAUSE * 2 ** (times - 1)
        await hub.clock.advance(PAUSE * 2 ** (times - 1))
        await until(lambda runs=1 + MAX + times: work.runs == runs)  # type: ignore[misc]
        await host.crash()


async def test_found_a11_without_a_pause_it_waits_to_be_redriven(hub: Hub) -> None:
    work = _Slow()
    instance_id = await _quarantined(hub, work, quarantine_pause_s=None)
    host = await _takes_up(hub, work, instance_id, quarantine_pause_s=None)
    await host.rest()
    work.gate.set()
    await hub.clock.advance(timedelta(days=3), steps=3)
    await host.rest()
    assert (await _row(hub, instance_id)).is_quarantined
    await host.client.redrive_instance(instance_id)
    assert (await host.finished(instance_id)).output == "done"


async def test_found_a11_who_gets_on_after_a_pause_has_nothing_against_him(hub: Hub) -> None:
    work = _Slow()
    instance_id = await _quarantined(hub, work)
    host = await _takes_up(hub, work, instance_id)
    await host.rest()
    await host.client.redrive_instance(instance_id)
    row = await _row(hub, instance_id)
    assert (row.quarantines, row.retry_at) == (0, None)


@pytest.mark.parametrize("times", [MAX + 3])
async def test_found_a11_whose_code_did_not_run_is_not_blamed(hub: Hub, times: int) -> None:
    """Each host is killed while it holds an instance that waits for an event."""
    work = _Slow()
    first = await hub.start(work.app)
    instance_id = await first.begin(work.waits)
    await first.rest()
    await first.crash()

    for _ in range(times):
        host = await _takes_up(hub, work, instance_id)
        applied = 0

        async def dies(name: str, _: tuple[Any, ...], host: Host = host) -> None:
            nonlocal applied
            applied += name == "apply"
            if applied > 1:  # not the one that notes a try
                host.store.sever()
                raise StorageError("killed")

        host.store.before = dies
        await hub.clock.until_quiet()
        await host.crash()

    row = await _row(hub, instance_id)
    assert (row.tries, row.is_quarantined) == (0, False)
