"""Bugs that peers had with places that ghosts hold, and with loops that die, end to end."""

from __future__ import annotations

from collections.abc import Sequence

from host.storage.local_queues import LocalQueues
from host.storage.protocol import WakeUp
from tests.kit.hub import Hub, until
from tests.peer_bugs.duties import LEASE, SECOND, Duties


async def test_bug_28_a_ghost_that_is_terminated_does_not_hold_the_only_place(
    each_hub: Hub,
) -> None:
    duties = Duties()
    host = await each_hub.start(duties.app, max_concurrent_activities=1)
    await duties.park(host, each_hub, "ghost")
    waiting = await host.begin(duties.leads, "next")
    await host.client.terminate_instance("ghost")
    await until(lambda: duties.runs["next"] == 1)
    duties.gate.set()
    assert (await host.finished(waiting)).output == "next"


class FragileQueues(LocalQueues):
    """Queues whose next receive fails on demand."""

    def __init__(self) -> None:
        super().__init__()
        self.failures = 0

    async def receive_wakeups(self, limit: int) -> Sequence[WakeUp]:
        """Take wake-ups, or fail."""
        wakeups = await super().receive_wakeups(limit)
        if self.failures:
            self.failures -= 1
            await self.release(wakeups)
            raise RuntimeError("the queue broke")
        return wakeups


async def test_bug_28_a_ghost_that_others_ended_does_not_hold_the_only_place(
    each_hub: Hub,
) -> None:
    duties = Duties()
    other = await each_hub.start(duties.app)
    host = await each_hub.start(duties.app, max_concurrent_activities=1)
    await duties.park(host, each_hub, "ghost")
    waiting = await host.begin(duties.leads, "next")
    await other.client.terminate_instance("ghost")
    await other.finished("ghost")
    assert duties.runs["next"] == 0
    await each_hub.clock.advance(LEASE / 3)  # when the host looks after its leases
    await until(lambda: duties.runs["next"] == 1)
    duties.gate.set()
    assert (await host.finished(waiting)).output == "next"


async def test_bug_30_a_dispatcher_that_dies_is_reported_and_lives_again(each_hub: Hub) -> None:
    duties, queues = Duties(), FragileQueues()
    duties.gate.set()
    host = await each_hub.start(duties.app, queues=queues)
    queues.failures = 2
    instance_id = await host.begin(duties.leads, "work")
    await until(lambda: bool(host.engine.problems()))
    assert host.engine.problems() == ["dispatcher: RuntimeError: the queue broke"]
    await each_hub.clock.advance(SECOND, steps=2)
    assert (await host.finished(instance_id)).output == "work"
    await until(lambda: host.engine.problems() == [])
