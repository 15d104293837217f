"""An orchestrator's code sees no event loop, and its context works in its own turns only.

Nothing here waits: what the code awaits of asyncio is refused before it begins.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from datetime import timedelta
from typing import Any

import pytest

from bindings import ForeignAwaitError, FunctionApp, OrchestrationContext, RuntimeStatus
from tests.kit.hub import Host, Hub

Ctx = OrchestrationContext
Code = Callable[[Ctx], Awaitable[Any]]
HOUR = timedelta(hours=1)


async def part() -> int:
    return 1


async def async_timeout(context: Ctx) -> None:
    async with asyncio.timeout(1):
        await context.create_timer(HOUR)


async def async_timeout_at(context: Ctx) -> None:
    async with asyncio.timeout_at(1):
        await context.create_timer(HOUR)


async def no_timeout(context: Ctx) -> None:
    async with asyncio.timeout(None):
        await context.create_timer(HOUR)


async def task_group(context: Ctx) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(part())


async def create_task(context: Ctx) -> Any:
    coroutine = part()
    try:
        return asyncio.create_task(coroutine)
    finally:
        coroutine.close()


async def ensure_future(context: Ctx) -> Any:
    coroutine = part()
    try:
        return asyncio.ensure_future(coroutine)
    finally:
        coroutine.close()


async def gather(context: Ctx) -> Any:
    coroutine = part()
    try:
        return await asyncio.gather(coroutine)
    finally:
        coroutine.close()


async def wait_for(context: Ctx) -> Any:
    coroutine = part()
    try:
        return await asyncio.wait_for(coroutine, 1)
    finally:
        coroutine.close()


async def to_thread(context: Ctx) -> Any:
    return await asyncio.to_thread(len, "abc")


async def sleep(context: Ctx) -> None:
    await asyncio.sleep(1)


async def event(context: Ctx) -> None:
    await asyncio.Event().wait()


async def running_loop(context: Ctx) -> Any:
    return asyncio.get_running_loop()


async def event_loop(context: Ctx) -> Any:
    return asyncio.get_event_loop().create_future()


async def current_task(context: Ctx) -> Any:
    return asyncio.current_task()


async def future(context: Ctx) -> Any:
    return await asyncio.Future()


async def in_a_function_of_its_own(context: Ctx) -> None:
    async def inner() -> None:
        async with asyncio.timeout(1):
            await context.create_timer(HOUR)

    await inner()


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        (async_timeout, "when_any([task, context.create_timer"),
        (async_timeout_at, "when_any([task, context.create_timer"),
        (no_timeout, "when_any([task, context.create_timer"),
        (task_group, "when_all"),
        (create_task, "when_all"),
        (ensure_future, "when_all"),
        (gather, "when_all"),
        (wait_for, "when_any([task, context.create_timer"),
        (to_thread, "a plain def runs in a thread"),
        (sleep, "create_timer"),
        (event, "wait_for_external_event"),
        (running_loop, "activity"),
        (event_loop, "activity"),
        (current_task, "activity"),
        (future, "activity"),
        (in_a_function_of_its_own, "when_any([task, context.create_timer"),
    ],
)
@pytest.mark.parametrize("when", ["at first", "after a wait"])
async def test_found_b1_asyncio_is_a_foreign_await_however_it_is_used(
    hub: Hub, code: Code, advice: str, when: str
) -> None:
    app = FunctionApp()

    @app.activity_trigger()
    async def work() -> None: ...

    @app.orchestration_trigger()
    async def uses(context: Ctx) -> None:
        if when == "after a wait":
            await context.call_activity(work)
        await code(context)

    host = await hub.start(app)
    state = await host.run(uses)
    assert state.failure_details is not None
    assert state.failure_details.error_type == ForeignAwaitError.__name__
    assert advice in state.failure_details.message
    assert f"{__file__}:" in state.failure_details.message
    assert "TimerCreated" not in await host.history(state.instance_id)


async def test_found_b1_an_error_of_the_code_that_only_sounds_like_it_stays(hub: Hub) -> None:
    app = FunctionApp()

    @app.orchestration_trigger()
    async def fails(context: Ctx) -> None:
        raise RuntimeError("there is no loop in this story")

    state = await (await hub.start(app)).run(fails)
    assert state.failure_details is not None
    assert state.failure_details.error_type == "RuntimeError"


async def test_found_b1_the_code_sees_no_loop_in_replays_and_when_it_is_let_go(hub: Hub) -> None:
    app, seen = FunctionApp(), list[str]()

    def look() -> str:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return "none"
        return "a loop"

    @app.orchestration_trigger()
    async def looks(context: Ctx) -> None:
        try:
            while True:
                seen.append(look())
                await context.wait_for_external_event("again")
        finally:
            seen.append(look())

    first = await hub.start(app)
    instance_id = await first.begin(looks)
    await first.rest()
    await first.crash()
    second = await hub.start(app)
    await second.client.raise_event(instance_id, "again")
    await second.rest()
    await second.stop()
    assert len(seen) >= 5
    assert set(seen) == {"none"}
    assert asyncio.get_running_loop().is_running()


# ---- async generators ----------------------------------------------------------------------------


def generator_app() -> tuple[FunctionApp, Any, list[str]]:
    """A generator that is left in the midst, whose clean-up calls an activity."""
    app, cleaned = FunctionApp(), list[str]()

    @app.activity_trigger()
    async def clean() -> None:
        cleaned.append("by activity")

    async def numbers(context: Ctx) -> AsyncGenerator[int, None]:
        try:
            for number in range(5):
                await context.create_timer(timedelta(0))
                yield number
        finally:
            cleaned.append("begun")
            await context.call_activity(clean)

    @app.orchestration_trigger()
    async def leaves(context: Ctx, closes: bool) -> int:
        found = -1
        if closes:
            async with aclosing(numbers(context)) as closing:
                async for number in closing:
                    found = number
                    break
        else:
            async for number in numbers(context):
                found = number
                break
        await context.wait_for_external_event("go")
        return found

    return app, leaves, cleaned


async def test_found_b1_a_generator_that_is_left_records_nothing_outside_the_code(
    hub: Hub, caplog: pytest.LogCaptureFixture
) -> None:
    app, leaves, cleaned = generator_app()
    first = await hub.start(app)
    with caplog.at_level(logging.WARNING, logger="funchost.engine"):
        instance_id = await first.begin(leaves, False)
        await first.rest()
    assert "numbers" in caplog.text
    assert "aclosing" in caplog.text
    gc.collect()
    await first.crash()
    second = await hub.start(app)
    await second.client.raise_event(instance_id, "go")
    state = await second.finished(instance_id)
    assert state.output == 0
    assert "TaskScheduled" not in await second.history(instance_id)
    assert cleaned == ["begun", "begun"]


async def test_found_b1_a_generator_that_is_closed_by_the_code_may_do_anything(hub: Hub) -> None:
    app, leaves, cleaned = generator_app()
    first = await hub.start(app)
    instance_id = await first.begin(leaves, True)
    await first.rest()
    await first.crash()
    second = await hub.start(app)
    await second.client.raise_event(instance_id, "go")
    assert (await second.finished(instance_id)).output == 0
    assert cleaned.count("by activity") == 1


# ---- the context outside of turns ----------------------------------------------------------------

OPERATIONS: dict[str, Callable[[Ctx], Any]] = {
    "call_activity": lambda context: context.call_activity("note"),
    "call_sub_orchestrator": lambda context: context.call_sub_orchestrator("child"),
    "create_timer": lambda context: context.create_timer(HOUR),
    "wait": lambda context: context.wait_for_external_event("go"),
    "send_event": lambda context: context.send_event("other", "e"),
    "continue_as_new": lambda context: context.continue_as_new(1),
    "set_custom_status": lambda context: context.set_custom_status("outside"),
    "new_uuid": lambda context: context.new_uuid(),
}


def outsider_app(operation: str) -> tuple[FunctionApp, Any, list[str], dict[str, Any]]:
    app, errors, kept = FunctionApp(), list[str](), dict[str, Any]()

    def attempt() -> None:
        try:
            OPERATIONS[operation](kept["context"])
        except Exception as error:  # noqa: BLE001 - which one is what is looked at
            errors.append(f"{type(error).__name__}: {error}")
        else:
            errors.append("none")

    kept["attempt"] = attempt

    @app.activity_trigger()
    async def on_the_loop() -> None:
        attempt()

    @app.activity_trigger()
    def in_a_thread() -> None:
        attempt()

    @app.orchestration_trigger()
    async def other(context: Ctx) -> None:
        attempt()

    @app.orchestration_trigger()
    async def lends(context: Ctx) -> str:
        kept["context"] = context
        first = str(context.new_uuid())
        thread = threading.Thread(target=attempt)
        thread.start()
        thread.join()
        await context.call_activity(on_the_loop)
        await context.call_activity(in_a_thread)
        await context.call_sub_orchestrator(other)
        await context.wait_for_external_event("go")
        return f"{first} {context.new_uuid()}"

    return app, lends, errors, kept


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_found_b1_context_operations_outside_a_turn_are_refused_and_record_nothing(
    hub: Hub, operation: str
) -> None:
    app, lends, errors, kept = outsider_app(operation)
    host = await hub.start(app)
    instance_id = await host.begin(lends)
    await host.rest()
    kept["attempt"]()  # while it waits in the cache
    asyncio.get_running_loop().call_soon(kept["attempt"])
    await host.rest()
    assert len(errors) == 6
    assert all(each.startswith("OrchestrationError: ") for each in errors), errors
    assert all("outside its turn" in each for each in errors)
    before = await host.history(instance_id)
    await host.crash()
    again = await hub.start(app)
    await again.client.raise_event(instance_id, "go")
    state = await again.finished(instance_id)
    assert state.runtime_status is RuntimeStatus.COMPLETED
    assert (await again.history(instance_id))[: len(before)] == before
    assert before.count("TaskScheduled") == 2
    assert not {"TimerCreated", "EventSent", "ContinueAsNew"} & {*before}
    assert state.custom_status is None
    assert state.output is not None
    kept["attempt"]()
    assert errors[-1].startswith("OrchestrationError: ")


async def test_found_b1_nothing_is_cancelled_outside_a_turn(hub: Hub) -> None:
    app, kept = FunctionApp(), dict[str, Any]()

    @app.orchestration_trigger()
    async def lends(context: Ctx) -> str:
        kept["timer"] = context.create_timer(HOUR)
        kept["event"] = context.wait_for_external_event("e", timeout=2 * HOUR)
        await kept["timer"]
        return "rang"

    host: Host = await hub.start(app)
    instance_id = await host.begin(lends)
    await host.rest()
    for task in kept.values():
        with pytest.raises(Exception, match="outside its turn"):
            task.cancel()
        assert not task.is_completed
    await hub.clock.advance(HOUR)
    assert (await host.finished(instance_id)).output == "rang"
