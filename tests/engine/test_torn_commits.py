"""Crashes between a batch and its effects, as on a store whose commit is only the append (law 3).

The hint of the dead host is delivered again; whoever gets it does the effects of the last batch
once more, and they have the effect of once.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any

import pytest

from bindings import FunctionApp, OrchestrationContext, RuntimeStatus
from tests.kit.hub import Host, Hub, until
from tests.kit.seams import RedeliveringQueues

MINUTE = timedelta(minutes=1)

Orchestrator = Callable[..., Coroutine[Any, Any, Any]]


class Senders:
    """Orchestrators whose first turn sends something to others, in every way there is."""

    def __init__(self) -> None:
        self.app = FunctionApp()

        @self.app.orchestration_trigger()
        async def listener(context: OrchestrationContext) -> list[str]:
            heard = [await context.wait_for_external_event("said")]
            try:
                heard.append(await context.wait_for_external_event("said", timeout=10 * MINUTE))
            except TimeoutError:
                heard.append("silence")
            return heard

        @self.app.orchestration_trigger()
        async def sends(context: OrchestrationContext) -> str:
            context.send_event("listener", "said", "hello")
            await context.create_timer(MINUTE)
            return "sent"

        @self.app.orchestration_trigger()
        async def sends_and_ends(context: OrchestrationContext) -> str:
            context.send_event("listener", "said", "hello")
            return "sent"

        @self.app.orchestration_trigger()
        async def sends_and_continues(context: OrchestrationContext, is_first: bool) -> str:
            if is_first:
                context.send_event("listener", "said", "hello")
                context.continue_as_new(False)
            return "sent"

        @self.app.orchestration_trigger()
        async def has_child(context: OrchestrationContext) -> str:
            return await context.call_sub_orchestrator(sends_and_ends)

        self.listener, self.sends, self.has_child = listener, sends, has_child
        self.sends_and_ends, self.sends_and_continues = sends_and_ends, sends_and_continues

    def all(self) -> dict[str, Orchestrator]:
        """The senders by name."""
        return {
            "sends": self.sends,
            "sends_and_ends": self.sends_and_ends,
            "sends_and_continues": self.sends_and_continues,
            "has_child": self.has_child,
        }


async def _crash_after_append(hub: Hub, host: Host, queues: RedeliveringQueues) -> None:
    await until(lambda: host.store.is_severed)
    await host.crash()
    await queues.redeliver()
    await hub.clock.until_quiet()


@pytest.mark.parametrize("sender", Senders().all())
async def test_what_a_turn_sent_is_delivered_once_whatever_batch_the_crash_tore(
    hub: Hub, sender: str
) -> None:
    senders, queues = Senders(), RedeliveringQueues()
    first = await hub.start(senders.app, queues=queues)
    await first.begin(senders.listener, instance_id="listener")
    await first.started("listener")
    await first.rest()
    first.store.tears_commits = True
    await first.begin(senders.all()[sender], sender == "sends_and_continues", instance_id="sender")
    await _crash_after_append(hub, first, queues)

    second = await hub.start(senders.app, queues=queues)
    await second.rest()
    await hub.clock.advance(2 * MINUTE)
    assert (await second.finished("sender")).output == "sent"
    await hub.clock.advance(10 * MINUTE)
    assert (await second.finished("listener")).output == ["hello", "silence"]


@pytest.mark.parametrize("torn", range(4))
async def test_a_family_survives_a_crash_at_each_of_its_turns(hub: Hub, torn: int) -> None:
    senders, queues = Senders(), RedeliveringQueues()
    first = await hub.start(senders.app, queues=queues)
    await first.begin(senders.listener, instance_id="listener")
    await first.started("listener")
    await first.rest()
    turns = 0

    async def tear_one(name: str, _: tuple[Any, ...]) -> None:
        nonlocal turns
        if name == "commit":
            first.store.tears_commits = turns == torn
            turns += 1

    first.store.before = tear_one
    await first.begin(senders.has_child, instance_id="sender")
    await _crash_after_append(hub, first, queues)
    second = await hub.start(senders.app, queues=queues)
    assert (await second.finished("sender")).runtime_status is RuntimeStatus.COMPLETED
    await second.rest()
    await hub.clock.advance(20 * MINUTE)
    assert (await second.finished("listener")).output == ["hello", "silence"]
