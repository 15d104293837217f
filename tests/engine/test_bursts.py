"""Many hints to one instance go as few; few of them go at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

from bindings import FunctionApp, OrchestrationContext
from host.engine.bursts import FREE
from host.storage.local_queues import LocalQueues
from tests.kit.hub import Host, Hub

MAX_GATHER_S = 0.5
MANY = 200


class CountingQueues(LocalQueues):
    """Counts the hints that are sent."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = Counter[str]()

    async def send_wakeups(self, instance_ids: Sequence[str], *, is_recovery: bool = False) -> None:
        self.sent.update(instance_ids)
        await super().send_wakeups(instance_ids, is_recovery=is_recovery)


def _app() -> FunctionApp:
    app = FunctionApp()

    @app.orchestration_trigger()
    async def listens(context: OrchestrationContext, count: int) -> int:
        for _ in range(count):
            await context.wait_for_external_event("news")
        return count

    return app


async def _listening(hub: Hub, count: int) -> tuple[Host, CountingQueues]:
    queues = CountingQueues()
    host = await hub.start(_app(), queues=queues, max_gather_s=MAX_GATHER_S)
    await host.client.schedule_new_orchestration("listens", input=count, instance_id="i")
    await host.rest()
    queues.sent.clear()
    return host, queues


async def test_the_first_hints_of_a_second_go_at_once(hub: Hub) -> None:
    host, queues = await _listening(hub, FREE - 1)  # its start was a hint, too
    for _ in range(FREE - 1):
        await host.client.raise_event("i", "news")
        await host.rest()
    assert queues.sent["i"] == FREE - 1
    assert (await host.finished("i")).output == FREE - 1


async def test_of_a_burst_few_hints_go_and_all_that_they_tell_of_is_seen(hub: Hub) -> None:
    host, queues = await _listening(hub, MANY)
    for _ in range(MANY):
        await host.client.raise_event("i", "news")
        await host.rest()
    assert queues.sent["i"] < FREE
    await hub.clock.advance(timedelta(seconds=MAX_GATHER_S), steps=50)
    await host.rest()
    assert queues.sent["i"] == FREE
    assert (await host.finished("i")).output == MANY


async def test_after_a_quiet_second_a_hint_goes_at_once_again(hub: Hub) -> None:
    host, queues = await _listening(hub, 3 * FREE + 1)
    for _ in range(3 * FREE):
        await host.client.raise_event("i", "news")
        await host.rest()
    await hub.clock.advance(timedelta(seconds=3), steps=150)
    await host.rest()
    queues.sent.clear()
    await host.client.raise_event("i", "news")
    await host.rest()
    assert queues.sent["i"] == 1
    await host.finished("i")


async def test_other_instances_wait_for_no_burst(hub: Hub) -> None:
    host, queues = await _listening(hub, MANY)
    for _ in range(MANY):
        await host.client.raise_event("i", "news")
        await host.rest()
    await host.client.schedule_new_orchestration("listens", input=0, instance_id="other")
    await host.rest()
    assert queues.sent["other"] == 1
    await host.finished("other")


async def test_a_host_that_stops_sends_what_it_has_gathered(hub: Hub) -> None:
    host, queues = await _listening(hub, MANY)
    for _ in range(MANY):
        await host.client.raise_event("i", "news")
        await host.rest()
    sent = queues.sent["i"]
    await host.stop()
    assert queues.sent["i"] == sent + 1
