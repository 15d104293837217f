"""Suspects that wait for their turn: they take nobody's room meanwhile."""

from __future__ import annotations

from datetime import timedelta

from bindings import RuntimeStatus
from host.engine.sessions import MAX_HELD
from tests.engine.test_quarantine import Deadly
from tests.kit.hub import Host, Hub, until
from tests.kit.seams import RedeliveringQueues

SECOND = timedelta(seconds=1)
MAX = 3
ROOM = 2


async def taken_up(hub: Hub, deadly: Deadly, suspects: list[str], *, room: int) -> Host:
    """A host that finds the hints of one that vanished."""
    queues = RedeliveringQueues()
    await queues.send_wakeups(suspects)
    await queues.release(await queues.receive_wakeups(len(suspects)))
    return await hub.start(
        deadly.app, queues=queues, max_deliveries=MAX, max_concurrent_orchestrators=room
    )


async def tried_to_the_last(hub: Hub, deadly: Deadly, count: int) -> list[str]:
    """Instances with one try left each: of these only one runs at a time."""
    host = await hub.start(deadly.app, max_deliveries=MAX)
    suspects = [await host.begin(deadly.dares, instance_id=f"suspect-{n}") for n in range(count)]
    await until(lambda: deadly.runs == count)
    await host.crash()
    for _ in range(MAX - 1):
        runs = deadly.runs
        host = await taken_up(hub, deadly, suspects, room=count)
        await until(lambda: deadly.runs == runs + count)  # noqa: B023 - awaited at once
        await host.crash()
    return suspects


async def test_a_new_instance_runs_while_they_wait(each_hub: Hub) -> None:
    deadly = Deadly()
    suspects = await tried_to_the_last(each_hub, deadly, 4)
    runs = deadly.runs
    host = await taken_up(each_hub, deadly, suspects, room=ROOM)
    await until(lambda: deadly.runs == runs + 1)
    new = await host.begin(deadly.peaceful)
    await host.client.raise_event(new, "go", "went")
    assert (await host.finished(new)).output == "went"
    assert deadly.runs == runs + 1
    for suspect in suspects:
        assert await host.status(suspect) is RuntimeStatus.RUNNING


async def test_more_of_them_than_may_be_held_are_all_tried_in_the_end(hub: Hub) -> None:
    deadly = Deadly()
    suspects = await tried_to_the_last(hub, deadly, 2 * MAX_HELD * ROOM)
    runs = deadly.runs
    host = await taken_up(hub, deadly, suspects, room=ROOM)
    await until(lambda: deadly.runs == runs + 1)
    assert len(host.engine._sessions) <= MAX_HELD * ROOM
    deadly.is_deadly = False
    await hub.clock.advance(SECOND, steps=30)
    for suspect in suspects[1:]:
        assert (await host.finished(suspect)).output == "survived"


async def test_who_had_their_turn_leave_the_room_to_others(hub: Hub) -> None:
    deadly = Deadly()
    suspects = await tried_to_the_last(hub, deadly, 4)
    host = await taken_up(hub, deadly, suspects, room=ROOM)
    deadly.is_deadly = False
    await hub.clock.advance(SECOND, steps=15)
    for _ in range(3 * ROOM):
        new = await host.begin(deadly.peaceful)
        await host.client.raise_event(new, "go", "went")
        assert (await host.finished(new)).output == "went"
