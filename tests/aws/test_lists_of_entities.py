"""What lists cost on AWS where entities are many, or orchestrations beside few of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from bindings.client import ReusePolicy, RuntimeStatus
from host.core.history import EntityOperationSignaled
from host.core.records import Message
from host.storage.aws.table.hub_format import new_format
from host.storage.protocol import InstanceFilter
from tests.aws.test_lists_by_state import Hub
from tests.contract.builders import NOW, instance

PENDING = RuntimeStatus.PENDING
FEW, MANY = 20, 700
PLAIN = InstanceFilter()
ENTITIES = InstanceFilter(entities=True)


async def hub_with(*, orchestrations: int, entities: int) -> Hub:
    hub = Hub(new_format(3))
    await hub.store.open()
    for number in range(orchestrations):
        await hub.store.create(instance(f"i{number}"), ReusePolicy.NEVER)
    for number in range(entities):
        id_ = f"@counter@{number}"
        event = EntityOperationSignaled(timestamp=NOW, task_id=0, instance_id=id_, operation="add")
        await hub.store.send(id_, Message(message_id=f"m{number}", event=event))
    hub.reset()
    return hub


@pytest.fixture(scope="module")
def hubs() -> tuple[Hub, Hub, Hub]:
    """One of few, one of many entities, one of many orchestrations."""
    return (
        asyncio.run(hub_with(orchestrations=FEW, entities=FEW)),
        asyncio.run(hub_with(orchestrations=FEW, entities=MANY)),
        asyncio.run(hub_with(orchestrations=MANY, entities=FEW)),
    )


async def cost_of_list(hub: Hub, filter_: InstanceFilter) -> float:
    hub.reset()
    assert len(await hub.listed(filter_)) == FEW
    return hub.units


async def cost_of_count(hub: Hub, filter_: InstanceFilter) -> float:
    hub.reset()
    assert await hub.store.count(filter_) == {PENDING: FEW}
    return hub.units


@pytest.mark.parametrize("cost_of", [cost_of_list, cost_of_count])
@pytest.mark.parametrize(
    "filter_",
    [PLAIN, InstanceFilter(statuses=frozenset({PENDING})), InstanceFilter(id_prefix="i")],
    ids=["all", "by status", "by prefix"],
)
async def test_orchestrations_are_found_at_the_same_cost_beside_many_entities(
    hubs: tuple[Hub, Hub, Hub],
    filter_: InstanceFilter,
    cost_of: Callable[[Hub, InstanceFilter], Awaitable[float]],
) -> None:
    few, many_entities, _ = hubs
    assert await cost_of(many_entities, filter_) <= await cost_of(few, filter_)


@pytest.mark.parametrize("cost_of", [cost_of_list, cost_of_count])
async def test_entities_are_found_at_the_same_cost_beside_many_orchestrations(
    hubs: tuple[Hub, Hub, Hub],
    cost_of: Callable[[Hub, InstanceFilter], Awaitable[float]],
) -> None:
    few, _, many_orchestrations = hubs
    assert await cost_of(many_orchestrations, ENTITIES) <= await cost_of(few, ENTITIES)


async def test_all_entities_are_found_by_lists_and_by_who_looks_for_lost_hints(
    hubs: tuple[Hub, Hub, Hub],
) -> None:
    _, many, _ = hubs
    found = set(await many.listed(ENTITIES, limit=500))
    assert len(found) == MANY
    sought, after = set[str](), ""
    while True:
        page = await many.store.recoverable(after=after)
        sought |= set(page.instance_ids)
        if page.rest is None:
            break
        after = page.rest
    assert found < sought
