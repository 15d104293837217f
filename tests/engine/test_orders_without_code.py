"""Orders need no author code: they show, end and count whether the function can run here or not."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from bindings import FunctionApp, OrchestrationContext, RuntimeStatus
from host.core.history import EventRaised
from host.core.records import Effects, Message
from host.storage.local_queues import LocalQueues
from tests.kit.hub import Host, Hub, until
from tests.kit.seams import RedeliveringQueues

SECOND = timedelta(seconds=1)


class Complete:
    """An app with an orchestrator that waits for events, and one whose activity is busy."""

    def __init__(self) -> None:
        self.app = FunctionApp()
        self.gate = asyncio.Event()
        self.replays = 0

        @self.app.activity_trigger()
        async def works() -> str:
            await self.gate.wait()
            return "worked"

        @self.app.orchestration_trigger()
        async def waits(context: OrchestrationContext) -> list[Any]:
            self.replays += 1
            return [await context.wait_for_external_event("go") for _ in range(2)]

        @self.app.orchestration_trigger()
        async def busy(context: OrchestrationContext) -> str:
            return await context.call_activity(works)

        self.waits, self.busy = waits, busy


ORDERS = {
    ("suspend",): RuntimeStatus.SUSPENDED,
    ("suspend", "resume"): RuntimeStatus.RUNNING,
    ("suspend", "event", "resume", "suspend"): RuntimeStatus.SUSPENDED,
    ("resume",): RuntimeStatus.RUNNING,
    ("event", "suspend", "event"): RuntimeStatus.SUSPENDED,
    ("suspend", "terminate"): RuntimeStatus.TERMINATED,
    ("event", "terminate"): RuntimeStatus.TERMINATED,
}


async def give(host: Host, order: str) -> None:
    match order:
        case "suspend":
            await host.client.suspend_instance("x")
        case "resume":
            await host.client.resume_instance("x")
        case "terminate":
            await host.client.terminate_instance("x")
        case _:
            await host.client.raise_event("x", "go", order)


@pytest.mark.parametrize(("orders", "shown"), ORDERS.items(), ids="-".join)
@pytest.mark.parametrize("at_once", [True, False], ids=["at once", "one by one"])
async def test_found_a3_orders_show_although_the_function_is_missing(
    each_hub: Hub, orders: tuple[str, ...], shown: RuntimeStatus, at_once: bool
) -> None:
    complete = Complete()
    first = await each_hub.start(complete.app)
    await first.begin(complete.waits, instance_id="x")
    await first.started("x")
    await first.rest()
    await first.stop()

    without = await each_hub.start(FunctionApp())
    for order in orders:
        await give(without, order)
        if not at_once:
            await without.rest()
    await without.rest()
    assert await without.status("x") is shown
    await without.stop()
    if shown is RuntimeStatus.TERMINATED:
        return

    back = await each_hub.start(complete.app)
    await back.rest()
    assert await back.status("x") is shown
    await back.client.resume_instance("x")
    for n in range(2 - orders.count("event")):
        await back.client.raise_event("x", "go", n)
    expected = ["event"] * orders.count("event") + [0, 1]
    assert (await back.finished("x")).output == expected[:2]


async def test_found_a3_a_pending_instance_without_its_function_is_held_and_let_go(
    each_hub: Hub,
) -> None:
    complete = Complete()
    first = await each_hub.start(complete.app)
    await first.stop()
    await first.begin(complete.waits, instance_id="x")
    without = await each_hub.start(FunctionApp())
    await without.client.suspend_instance("x")
    await without.rest()
    assert await without.status("x") is RuntimeStatus.SUSPENDED
    await without.client.resume_instance("x")
    await without.rest()
    assert await without.status("x") is RuntimeStatus.PENDING


async def test_found_a3_orders_show_in_quarantine_too(each_hub: Hub) -> None:
    complete = Complete()
    host = await each_hub.start(complete.app)
    await host.begin(complete.waits, instance_id="x")
    await host.started("x")
    await host.rest()
    row = await each_hub.store.get("x")
    assert row is not None
    await host.engine.parts.quarantine.put(row, "It ends hosts.", each_hub.clock.now())
    await host.stop()
    host = await each_hub.start(complete.app)
    await give(host, "suspend")
    await until(lambda: _shows(host, RuntimeStatus.SUSPENDED))
    await host.client.redrive_instance("x")
    await host.rest()
    assert await host.status("x") is RuntimeStatus.SUSPENDED
    await give(host, "resume")
    await host.rest()
    assert await host.status("x") is RuntimeStatus.RUNNING


async def test_found_a3_hosts_with_and_without_the_function_do_not_undo_each_others_orders(
    each_hub: Hub,
) -> None:
    complete = Complete()
    knows = await each_hub.start(complete.app)
    without = await each_hub.start(FunctionApp())
    await knows.begin(complete.waits, instance_id="x")
    await knows.started("x")
    await knows.rest()
    await give(without, "suspend")
    await without.rest()
    assert await knows.status("x") is RuntimeStatus.SUSPENDED
    await each_hub.store.get("x")
    await give(knows, "resume")
    await knows.rest()
    assert await without.status("x") is RuntimeStatus.RUNNING


async def _shows(host: Host, status: RuntimeStatus) -> bool:
    return await host.status("x") is status


async def crowded(hub: Hub, complete: Complete) -> Host:
    """A host where `x` waits behind six busy suspects."""
    first = await hub.start(complete.app)
    ids = [f"busy{n}" for n in range(6)]
    for instance_id in ids:
        await first.begin(complete.busy, instance_id=instance_id)
    await first.begin(complete.waits, instance_id="x")
    await first.started("x")
    await until(lambda: len(first.engine.parts.pool) == 6)
    await first.crash()
    for instance_id in [*ids, "x"]:  # their hosts were killed four times
        row = await hub.store.get(instance_id)
        assert row is not None
        tried = msgspec.structs.replace(row, tries=4, updated_at=row.next_update(hub.clock.now()))
        await hub.store.apply(Effects(instance_id=instance_id, row=tried))
    # Else nothing of `x` can have run, and it would be no suspect.
    noise = EventRaised(timestamp=hub.clock.now(), name="noise")
    await hub.store.send("x", Message(message_id="noise", event=noise))
    second = await hub.start(complete.app, queues=LocalQueues(), sweep_s=3600.0)
    second.engine.parts.suspects.update([*ids, "x"])
    await second.queues.send_wakeups([*ids, "x"])
    await hub.clock.until_quiet()
    return second


@pytest.mark.parametrize("order", ["suspend", "terminate"])
@pytest.mark.parametrize("hears_of_it", [True, False], ids=["here", "through another host"])
async def test_found_a17_orders_do_not_wait_behind_suspects(
    hub: Hub, order: str, hears_of_it: bool
) -> None:
    complete = Complete()
    host = await crowded(hub, complete)
    assert host.engine.parts.quarantine.waiting
    replays = complete.replays
    if hears_of_it:
        await give(host, order)
    else:
        other = await hub.start(complete.app, queues=LocalQueues(), sweep_s=3600.0)
        await other.stop()
        await give(other, order)
    await hub.clock.advance(0.25 * SECOND, steps=8)
    expected = {"suspend": RuntimeStatus.SUSPENDED, "terminate": RuntimeStatus.TERMINATED}[order]
    assert await host.status("x") is expected
    assert complete.replays == replays
    assert host.engine.parts.quarantine.waiting == (6 if order == "suspend" else 5)


async def test_found_a17_what_is_let_go_again_goes_on_when_its_turn_has_come(hub: Hub) -> None:
    complete = Complete()
    host = await crowded(hub, complete)
    await give(host, "suspend")
    await hub.clock.advance(0.25 * SECOND, steps=8)
    await give(host, "resume")
    await give(host, "event")
    await hub.clock.advance(0.25 * SECOND, steps=8)
    assert await host.status("x") is RuntimeStatus.RUNNING
    await give(host, "event")
    complete.gate.set()
    await hub.clock.advance(SECOND, steps=80)
    assert (await host.finished("x")).output == ["event", "event"]


async def test_found_a17_a_suspect_that_waits_keeps_no_stop_waiting(hub: Hub) -> None:
    complete = Complete()
    host = await crowded(hub, complete)
    before = hub.clock.now()
    complete.gate.set()
    await host.stop(grace_s=10.0)
    assert hub.clock.now() == before


async def test_found_a17_an_instance_whose_code_ends_hosts_is_ended_without_it(hub: Hub) -> None:
    complete = Complete()
    first = await hub.start(complete.app)
    await first.begin(complete.waits, instance_id="x")
    await first.started("x")
    await first.crash()
    second = await hub.start(complete.app, sweep_s=3600.0)
    second.engine.parts.suspects.add("x")
    replays = complete.replays
    await give(second, "terminate")
    assert (await second.finished("x")).runtime_status is RuntimeStatus.TERMINATED
    assert complete.replays == replays


async def test_what_came_after_the_end_takes_nothing_from_it(each_hub: Hub) -> None:
    """The last turn is stored and its host dies: the row is written by who runs the code again."""
    app = FunctionApp()

    @app.orchestration_trigger()
    async def tells(context: OrchestrationContext) -> str:
        await context.wait_for_external_event("go")
        context.set_custom_status("as told at the end")
        return "ended"

    first = await each_hub.start(app)
    await first.begin(tells, instance_id="x")
    await first.rest()
    first.store.tears_commits = True
    await first.client.raise_event("x", "go", 1)
    await until(lambda: first.store.is_severed)
    await first.crash()
    late = EventRaised(timestamp=each_hub.clock.now(), name="go", input="2")
    await each_hub.store.send("x", Message(message_id="late", event=late))

    queues = RedeliveringQueues()
    await queues.send_wakeups(["x"])
    await queues.release(await queues.receive_wakeups(1))
    second = await each_hub.start(app, queues=queues)
    state = await second.finished("x")
    assert (state.output, state.custom_status) == ("ended", "as told at the end")
