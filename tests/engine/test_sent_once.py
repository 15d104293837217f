"""What a turn sent is not sent again: by then another run may have the id of whom it was for."""

from __future__ import annotations

from typing import Any

import pytest

from bindings import FunctionApp, OrchestrationContext, ReusePolicy, RuntimeStatus
from tests.kit.hub import Host, Hub

WAYS = pytest.mark.parametrize("is_restarted", [True, False], ids=["restarted", "not cached"])


class Senders:
    """Who sends an event or starts a child at once or later, and then waits; and who hears."""

    def __init__(self) -> None:
        self.app = FunctionApp()
        self.children = 0

        @self.app.orchestration_trigger()
        async def hears(context: OrchestrationContext) -> Any:
            return await context.wait_for_external_event("go")

        @self.app.orchestration_trigger()
        async def is_started(context: OrchestrationContext) -> Any:
            self.children += not context.is_replaying
            return await context.wait_for_external_event("go")

        @self.app.orchestration_trigger()
        async def sends(context: OrchestrationContext, at_once: bool) -> Any:
            if not at_once:
                await context.wait_for_external_event("begin")
            context.send_event("X", "go", "from the sender")
            return await context.wait_for_external_event("end")

        @self.app.orchestration_trigger()
        async def starts(context: OrchestrationContext, at_once: bool) -> Any:
            if not at_once:
                await context.wait_for_external_event("begin")
            return await context.call_sub_orchestrator(is_started, instance_id="X")

        self.hears, self.sends, self.starts = hears, sends, starts


async def load_again(hub: Hub, senders: Senders, host: Host, *, is_restarted: bool) -> Host:
    """Have the sender loaded from the store, and take a turn that has nothing to do with X."""
    if is_restarted:
        await host.stop()
        host = await hub.start(senders.app)
    await host.client.raise_event("P", "unrelated")
    await host.rest()
    assert "unrelated" in await heard_by_the_sender(hub)
    return host


async def heard_by_the_sender(hub: Hub) -> set[str]:
    """The events that the sender took in."""
    snapshot = await hub.store.load("P")
    assert snapshot is not None
    events = [event for stored in snapshot.batches for event in stored.batch.events]
    return {str(getattr(event, "name", "")) for event in events}


@WAYS
@pytest.mark.parametrize("at_once", [True, False])
async def test_an_event_does_not_come_again_to_a_later_run(
    each_hub: Hub, at_once: bool, is_restarted: bool
) -> None:
    senders = Senders()
    host = await each_hub.start(senders.app, cached_instances=0)
    await host.begin(senders.hears, instance_id="X")
    await host.begin(senders.sends, at_once, instance_id="P")
    if not at_once:
        await host.client.raise_event("P", "begin")
    assert (await host.finished("X")).output == "from the sender"
    await host.rest()

    await host.begin(senders.hears, instance_id="X")
    await host.rest()
    host = await load_again(each_hub, senders, host, is_restarted=is_restarted)
    assert await host.status("X") is RuntimeStatus.RUNNING
    await host.client.raise_event("X", "go", "from the test")
    assert (await host.finished("X")).output == "from the test"
    await host.client.raise_event("P", "end", "at last")
    assert (await host.finished("P")).output == "at last"


@WAYS
@pytest.mark.parametrize("at_once", [True, False])
async def test_a_child_whose_id_was_taken_and_given_free_again_is_not_started_again(
    each_hub: Hub, at_once: bool, is_restarted: bool
) -> None:
    senders = Senders()
    host = await each_hub.start(senders.app, cached_instances=0)
    await parent_whose_child_is_replaced(host, senders, at_once=at_once)
    await host.client.raise_event("X", "go")
    await host.finished("X")
    assert await host.client.purge_instance("X") == 1

    host = await load_again(each_hub, senders, host, is_restarted=is_restarted)
    assert await host.client.get_instance("X") is None
    assert senders.children == 1


@WAYS
@pytest.mark.parametrize("at_once", [True, False])
async def test_a_start_that_was_done_is_not_refused_later(
    each_hub: Hub, at_once: bool, is_restarted: bool
) -> None:
    senders = Senders()
    host = await each_hub.start(senders.app, cached_instances=0)
    await parent_whose_child_is_replaced(host, senders, at_once=at_once)

    host = await load_again(each_hub, senders, host, is_restarted=is_restarted)
    assert await host.status("P") is RuntimeStatus.RUNNING
    assert "SubOrchestrationInstanceFailed" not in await host.history("P")


async def parent_whose_child_is_replaced(host: Host, senders: Senders, *, at_once: bool) -> None:
    """A client gives the child's id to another run, so that the parent never hears of it."""
    await host.begin(senders.starts, at_once, instance_id="P")
    if not at_once:
        await host.client.raise_event("P", "begin")
    await host.rest()
    assert senders.children == 1
    await host.begin(senders.hears, instance_id="X", reuse=ReusePolicy.REPLACE)
    await host.started("X")
    await host.rest()
