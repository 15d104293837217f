"""Suspects that wait for their turn: they take nobody's room meanwhile."""

from __future__ import annotations

from datetime import timedelta

from bindings import RuntimeStatus
from tests.engine.test_quarantine import Deadly
from tests.kit.hub import Host, Hub, until
from tests.kit.seams import RedeliveringQueues

SECOND = timedelta(seconds=1)
ROOM = 2
MOST_HELD = 10 * ROOM
"""Of suspects so many are held at most."""
ONE_TRY = 1
"""Everybody has his last try at once: of such suspects only one runs at a time."""


async def left_by_a_crash(hub: Hub, deadly: Deadly, count: int) -> list[str]:
    """Instances whose host vanished with them."""
    host = await hub.start(deadly.app)
    suspects = [await host.begin(deadly.dares, instance_id=f"suspect-{n}") for n in range(count)]
    await until(lambda: deadly.runs == count)
    await host.crash()
    return suspects


async def taken_up(hub: Hub, deadly: Deadly, suspects: list[str]) -> Host:
    """A host with little room that gets the hints of the one that vanished."""
    queues = RedeliveringQueues()
    await queues.send_wakeups(suspects)
    await queues.release(await queues.receive_wakeups(len(suspects)))
    return await hub.start(
        deadly.app, queues=queues, max_deliveries=ONE_TRY, max_concurrent_orchestrators=ROOM
    )


async def runs_at_once(host: Host, deadly: Deadly) -> bool:
    """Whether the host has room for an instance of which nobody dies."""
    new = await host.begin(deadly.peaceful)
    await host.client.raise_event(new, "go", "went")
    return bool((await host.finished(new)).output == "went")


async def test_a_new_instance_runs_while_they_wait(each_hub: Hub) -> None:
    deadly = Deadly()
    suspects = await left_by_a_crash(each_hub, deadly, 4)
    host = await taken_up(each_hub, deadly, suspects)
    await until(lambda: deadly.runs == len(suspects) + 1)
    for _ in range(2 * ROOM):
        assert await runs_at_once(host, deadly)
    assert deadly.runs == len(suspects) + 1
    for suspect in suspects:
        assert await host.status(suspect) is RuntimeStatus.RUNNING


async def test_more_of_them_than_are_held_at_once_are_all_tried_in_the_end(hub: Hub) -> None:
    deadly = Deadly()
    suspects = await left_by_a_crash(hub, deadly, 2 * MOST_HELD)
    host = await taken_up(hub, deadly, suspects)
    await until(lambda: deadly.runs == len(suspects) + 1)
    await hub.clock.until_quiet()
    assert host.engine.open_sessions == MOST_HELD
    deadly.is_deadly = False
    await hub.clock.advance(SECOND, steps=30)
    for suspect in suspects[1:]:
        assert (await host.finished(suspect)).output == "survived"
    assert await runs_at_once(host, deadly)
