"""A sender dies after it has sent, and sends all of it again: what it asked for is done once.

By then the entity has done it long ago, and was loaded anew since.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest

from bindings import EntityId
from host.core.history import EntityCheckpoint, EntityOperationSignaled
from host.core.records import Envelope, Message
from tests.contract.builders import effects
from tests.engine.test_entities import counters, shows, state_of
from tests.engine.test_entity_cleaning import open_aws_hub
from tests.kit.hub import Host, Hub, open_hub, until

A = EntityId("tally", "a")
SENDER, OTHER = "e" * 32, "f" * 32
MANY = 150


@pytest.fixture(params=["memory", "dynamodb"])
async def hub(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Hub]:
    kind = request.param
    async with open_aws_hub() if kind == "dynamodb" else open_hub(kind, tmp_path) as hub:
        yield hub


async def send(hub: Hub, host: Host, task_ids: Iterable[int], sender: str = SENDER) -> None:
    """What a turn sends to the entity by these tasks."""
    events = {
        number: EntityOperationSignaled(
            timestamp=hub.clock.now(),
            task_id=number,
            instance_id=str(A),
            operation="add",
            input="1",
        )
        for number in task_ids
    }
    messages = tuple(
        Envelope(str(A), Message(message_id=f"{sender}.{number}", event=event))
        for number, event in events.items()
    )
    await hub.store.apply(effects("sender", messages=messages))
    await host.queues.send_wakeups([str(A)])


async def all_is_done(hub: Hub, host: Host) -> None:
    async def has_no_mail() -> bool:
        return not await hub.store.read_inbox(str(A))

    await until(has_no_mail)
    await host.rest()


@pytest.mark.parametrize(
    "task_ids", [range(1, MANY + 1), range(2, 2 * MANY + 2, 2)], ids=["in a row", "every second"]
)
async def test_many_signals_of_one_turn_are_done_once(hub: Hub, task_ids: range) -> None:
    host = await hub.start(counters())
    await send(hub, host, task_ids)
    await shows(host, A, MANY)
    await send(hub, host, [1], OTHER)  # what its last batch took in it knows anyway
    await shows(host, A, MANY + 1)
    await host.crash()
    again = await hub.start(counters())
    await send(hub, again, task_ids)
    await send(hub, again, [2], OTHER)
    await all_is_done(hub, again)
    assert await state_of(again, A) == MANY + 2


async def test_those_of_many_senders_are_done_once(hub: Hub) -> None:
    host = await hub.start(counters())
    senders = [f"{number:032x}" for number in range(50)]
    for each in senders:
        await send(hub, host, (5, 6, 9), each)
    await shows(host, A, MANY)
    await host.crash()
    again = await hub.start(counters())
    for each in senders:
        await send(hub, again, (5, 6, 9), each)
    await all_is_done(hub, again)
    assert await state_of(again, A) == MANY


async def test_what_is_stored_of_them_does_not_grow(hub: Hub) -> None:
    host = await hub.start(counters())
    for turn in range(15):
        await send(hub, host, range(turn * 10, turn * 10 + 10))
        await shows(host, A, turn * 10 + 10)
    snapshot = await hub.store.load(str(A))
    assert snapshot is not None
    last = snapshot.batches[-1].batch.events[-1]
    assert isinstance(last, EntityCheckpoint)
    assert last.recent == (f"{SENDER}.0-149",)
    assert await state_of(host, A) == MANY
