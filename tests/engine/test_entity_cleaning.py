"""Cleaning: what is stored of empty entities is removed, and nothing that anybody asked for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bindings import CleanEntityStorageResult, EntityId, FunctionApp, OrchestrationContext
from bindings.errors import InvalidArgumentError
from host.storage.aws.table.hub_format import new_format
from host.storage.protocol import REMOVED_AFTER, InstanceFilter
from tests.engine.test_entities import counters, state_of
from tests.kit.hub import Host, Hub, open_hub, until
from tests.kit.manual_clock import ManualClock
from tests.kit.simulated_dynamo import SimulatedDynamo

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
A, B, C = (EntityId("tally", key) for key in "abc")


@pytest.fixture(params=["memory", "sqlite", "dynamodb"])
async def any_hub(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Hub]:
    """A hub of each kind; that on AWS is in memory."""
    kind = request.param
    async with open_aws_hub() if kind == "dynamodb" else open_hub(kind, tmp_path) as hub:
        yield hub


@pytest.fixture
async def aws_hub() -> AsyncIterator[Hub]:
    """That on AWS alone."""
    async with open_aws_hub() as hub:
        yield hub


@asynccontextmanager
async def open_aws_hub() -> AsyncIterator[Hub]:
    """A hub on a table of DynamoDB that is simulated."""
    clock = ManualClock()
    hub = Hub(SimulatedDynamo(new_format(3, clock.now()), now=clock.now).store(), clock)
    await hub.store.open()
    yield hub
    await hub.close()


async def all_rows(hub: Hub) -> set[str]:
    page = await hub.store.query(InstanceFilter(entities=True), limit=1000)
    return {row.instance_id for row in page.instances}


async def asked(host: Host, entity_id: EntityId, *operations: str) -> None:
    """Have the entity do all of them."""
    for operation in operations:
        await host.client.signal_entity(entity_id, operation, 1 if operation == "add" else None)
    await host.rest()


async def clean(hub: Hub, host: Host, **how: Any) -> CleanEntityStorageResult:
    """Clean to the end: the clock moves on while the host waits."""
    cleaning = asyncio.ensure_future(host.client.clean_entity_storage(**how))
    while not cleaning.done():
        await hub.clock.advance(timedelta(seconds=1))
    return await cleaning


async def test_only_what_is_empty_and_idle_is_removed(any_hub: Hub) -> None:
    hub = any_hub
    host = await hub.start(counters())
    await asked(host, A, "add")
    await asked(host, B, "add", "forget")
    hub.clock.jump(HOUR)
    await asked(host, C, "add", "forget")
    assert await all_rows(hub) == {str(A), str(B), str(C)}
    assert (await clean(hub, host)).empty_entities_removed == 1
    assert await all_rows(hub) == {str(A), str(C)}
    assert await state_of(host, A) == 1
    hub.clock.jump(HOUR)
    assert (await clean(hub, host)).empty_entities_removed == 1
    assert await all_rows(hub) == {str(A)}


async def test_who_has_a_removed_entity_in_memory_asks_a_new_one(any_hub: Hub) -> None:
    hub = any_hub
    host = await hub.start(counters())
    await asked(host, A, "add", "add", "forget")
    hub.clock.jump(MINUTE)
    assert (await clean(hub, host, idle_for=timedelta(0))).empty_entities_removed == 1
    await asked(host, A, "add")
    assert await state_of(host, A) == 1
    other = await hub.start(counters())
    await asked(other, A, "add")
    assert await state_of(other, A) == 2


async def test_a_signal_that_waits_for_its_time_keeps_its_entity(any_hub: Hub) -> None:
    hub = any_hub
    host = await hub.start(counters())
    await host.client.signal_entity(A, "add", 1, signal_time=2 * HOUR)
    await host.rest()
    hub.clock.jump(HOUR)
    assert (await clean(hub, host)).empty_entities_removed == 0
    await hub.clock.advance(HOUR)
    await host.rest()
    assert await state_of(host, A) == 1


async def test_operations_that_wait_for_their_function_keep_their_entity(any_hub: Hub) -> None:
    hub = any_hub
    host = await hub.start(FunctionApp())
    await host.client.signal_entity(A, "add", 1)
    await host.rest()
    hub.clock.jump(HOUR)
    assert (await clean(hub, host)).empty_entities_removed == 0
    host.swap(counters())

    async def is_done() -> bool:
        return bool(await state_of(host, A) == 1)

    await until(is_done)


async def test_large_hubs_are_cleaned_page_by_page(any_hub: Hub) -> None:
    hub = any_hub
    host = await hub.start(counters())
    for number in range(7):
        await host.client.signal_entity(EntityId("tally", str(number)), "forget")
    await host.rest()
    hub.clock.jump(HOUR)
    cleaner = host.engine.instances.entities.cleaner
    removed, pages, token = 0, 0, None
    while True:
        page = await cleaner.page(token=token, size=3)
        removed, pages, token = removed + page.removed, pages + 1, page.token
        hub.clock.jump(page.wait)
        if token is None:
            break
    assert removed == 7
    assert pages >= 3
    assert await all_rows(hub) == set()


@pytest.mark.parametrize(
    "token", ["", "nonsense", "3-0.", "1x1.", f"1-{'9' * 18}.", "1-0.nonsense"]
)
async def test_a_token_that_is_none_is_refused(hub: Hub, token: str) -> None:
    host = await hub.start(counters())
    with pytest.raises(InvalidArgumentError):
        await host.client.clean_entity_storage(
            continuation_token=token, continue_until_complete=False
        )


@pytest.mark.parametrize("idle_for", [timedelta(seconds=-1), 30, None])
async def test_how_long_an_entity_is_idle_is_checked(hub: Hub, idle_for: Any) -> None:
    host = await hub.start(counters())
    with pytest.raises(InvalidArgumentError):
        await host.client.clean_entity_storage(idle_for=idle_for)
    assert (await host.client.clean_entity_storage(idle_for=timedelta.max)).entities_marked == 0


async def test_calls_and_cleanings_at_the_same_time_lose_nothing(any_hub: Hub) -> None:
    hub = any_hub
    app = counters()

    @app.orchestration_trigger()
    async def lead(context: OrchestrationContext) -> int:
        for _ in range(10):
            await context.call_entity(A, "add", 1)
            await context.call_entity(A, "forget")
        return int(await context.call_entity(A, "add", 5))

    host = await hub.start(app)
    running = asyncio.ensure_future(host.run(lead))
    while not running.done():
        await clean(hub, host, idle_for=timedelta(0))
    assert (await running).output == 5


async def test_on_aws_nothing_goes_at_first_sight_and_it_is_said_how_long_to_wait(
    aws_hub: Hub,
) -> None:
    host = await aws_hub.start(counters())
    await asked(host, A, "add", "forget")
    aws_hub.clock.jump(HOUR)
    first = await host.client.clean_entity_storage(continue_until_complete=False)
    assert (first.empty_entities_removed, first.entities_marked) == (0, 1)
    assert first.wait >= REMOVED_AFTER
    assert await all_rows(aws_hub) == {str(A)}
    aws_hub.clock.jump(first.wait)
    second = await host.client.clean_entity_storage(
        continuation_token=first.continuation_token, continue_until_complete=False
    )
    assert second == CleanEntityStorageResult(empty_entities_removed=1)
    assert await all_rows(aws_hub) == set()


async def test_on_aws_who_is_signaled_meanwhile_stays(aws_hub: Hub) -> None:
    host = await aws_hub.start(counters())
    for each in (A, B):
        await asked(host, each, "add", "forget")
    aws_hub.clock.jump(HOUR)
    first = await host.client.clean_entity_storage(continue_until_complete=False)
    await asked(host, A, "add", "add")
    aws_hub.clock.jump(first.wait)
    second = await host.client.clean_entity_storage(
        continuation_token=first.continuation_token, continue_until_complete=False
    )
    assert second.empty_entities_removed == 1
    assert await state_of(host, A) == 2
