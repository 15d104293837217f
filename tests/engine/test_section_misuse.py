"""Critical sections that are used in a wrong way: an error that helps, no deadlock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bindings import OrchestrationContext, RuntimeStatus
from tests.engine.test_critical_sections import A, B, C, accounts, is_free
from tests.kit.hub import Hub


async def call_before_the_lock(context: OrchestrationContext) -> Any:
    context.lock_entities(A)
    return await context.call_entity(A, "get")


async def call_another_before_the_lock(context: OrchestrationContext) -> Any:
    context.lock_entities(A)
    return await context.call_entity(C, "get")


async def child_before_the_lock(context: OrchestrationContext) -> Any:
    context.lock_entities(A)
    return await context.call_sub_orchestrator("old_style")


async def signal_before_the_lock(context: OrchestrationContext) -> Any:
    lock = context.lock_entities(A)
    context.signal_entity(A, "add", 1)
    await lock


async def enter_again(context: OrchestrationContext) -> Any:
    lock = context.lock_entities(A)
    async with lock:
        await context.call_entity(A, "get")
    async with lock:
        return await context.call_entity(A, "get")


async def enter_after_release(context: OrchestrationContext) -> Any:
    section = await context.lock_entities(A)
    section.release()
    with section:
        return "no lock"


async def enter_within(context: OrchestrationContext) -> Any:
    async with context.lock_entities(A) as section:
        with section:
            pass
        return await context.call_entity(A, "get")


async def release_before_the_lock(context: OrchestrationContext) -> Any:
    lock = context.lock_entities(A)
    lock.section.release()
    await lock


async def plain_with(context: OrchestrationContext) -> Any:
    with context.lock_entities(A):  # type: ignore[attr-defined]
        pass


async def awaited_with(context: OrchestrationContext) -> Any:
    async with await context.lock_entities(A):  # type: ignore[attr-defined]
        pass


async def release_the_task(context: OrchestrationContext) -> Any:
    context.lock_entities(A).release()  # type: ignore[attr-defined]


async def await_the_release(context: OrchestrationContext) -> Any:
    section = await context.lock_entities(A)
    await section.release()  # type: ignore[func-returns-value, misc]


@pytest.mark.parametrize(
    ("lead", "says"),
    [
        (call_before_the_lock, "Await the lock before, or cancel it."),
        (call_another_before_the_lock, "Await the lock before, or cancel it."),
        (child_before_the_lock, "nor while one is asked for"),
        (signal_before_the_lock, "a signal would wait until its end"),
        (enter_again, "Lock them again by another lock_entities"),
        (enter_after_release, "Lock them again by another lock_entities"),
        (enter_within, "Leave the inner one out."),
        (release_before_the_lock, "Await the lock before you release it, or cancel() it."),
        (plain_with, "write async with context.lock_entities(...) (in a generator, with (yield"),
        (awaited_with, "leave out the await: async with context.lock_entities(...)"),
        (release_the_task, "it is a task that was not awaited"),
        (await_the_release, "nor does release"),
    ],
)
async def test_misuse_of_a_section_is_an_error_that_helps(
    hub: Hub, lead: Callable[[OrchestrationContext], Any], says: str
) -> None:
    app = accounts()
    app.orchestration_trigger()(lead)
    host = await hub.start(app)
    state = await host.run(lead.__name__)
    assert state.runtime_status is RuntimeStatus.FAILED
    assert says in str(state.output)
    await host.rest()
    for each in (A, B):
        if await host.client.get_entity(each) is not None:
            await is_free(host, each)
