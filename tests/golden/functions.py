"""The code of the golden histories, in its first generation.

Rules of this file: it is never changed, as what is recorded is what this code did. A new feature
gets a new file of functions, scenes and histories.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from datetime import timedelta
from typing import Any

from bindings import DurableTask, OrchestrationContext, RetryPolicy, when_all, when_any
from bindings.errors import TaskFailedError

MINUTE = timedelta(minutes=1)
RETRIES = RetryPolicy(timedelta(seconds=5), 3, backoff_coefficient=2)


def greet(name: str) -> str:
    return f"Hello {name}!"


def repeat(text: str) -> str:
    return text * 2


async def chain(context: OrchestrationContext, names: list[str]) -> dict[str, Any]:
    greetings = [await context.call_activity(greet, name) for name in names]
    return {
        "greetings": greetings,
        "at": context.current_utc_datetime.isoformat(),
        "ids": [str(context.new_uuid()), str(context.new_uuid())],
    }


def chain_by_generator(
    context: OrchestrationContext, names: list[str]
) -> Generator[DurableTask[Any], Any, list[str]]:
    greetings = []
    for name in names:
        greetings.append((yield context.call_activity("greet", name)))  # noqa: PERF401 - no such thing
    yield context.create_timer(MINUTE)
    return greetings


async def fan_out(context: OrchestrationContext, names: list[str]) -> list[str]:
    first = await when_all([context.call_activity(greet, name) for name in names])
    return await when_all([context.call_activity(greet, name) for name in reversed(first)])


async def race(context: OrchestrationContext) -> str:
    tasks = [context.call_activity(greet, name) for name in ("one", "two")]
    winner = await when_any(tasks)
    return f"{tasks.index(winner)} {winner.result}"


async def timers(context: OrchestrationContext) -> list[Any]:
    await context.create_timer(MINUTE)
    fired_at = context.current_utc_datetime.isoformat()
    limit, work = context.create_timer(60 * MINUTE), context.call_activity(greet, "timer")
    winner = await when_any([limit, work])
    limit.cancel()
    await context.create_timer(context.current_utc_datetime + MINUTE)
    return [fired_at, winner is work, limit.is_cancelled]


async def events(context: OrchestrationContext) -> list[Any]:
    both = [context.wait_for_external_event("Number", int) for _ in range(2)]
    numbers = await when_all(both)
    word = await context.wait_for_external_event("word", str, timeout=MINUTE)
    return [*numbers, word]


async def event_timeout(context: OrchestrationContext) -> str:
    try:
        found: str = await context.wait_for_external_event("never", str, timeout=MINUTE)
    except TimeoutError:
        return "nobody came"
    return found


async def parent(context: OrchestrationContext) -> list[Any]:
    named = context.call_sub_orchestrator("child", 1, instance_id="a-child")
    unnamed = context.call_sub_orchestrator("child", 2)
    return await when_all([named, unnamed])


async def parent_of_failing(context: OrchestrationContext) -> str:
    try:
        await context.call_sub_orchestrator("child", "bad")
    except TaskFailedError as error:
        return f"{error.details.error_type}: {error.details.message}"
    return "no failure"


async def child(context: OrchestrationContext, value: int) -> int:
    await context.call_activity(greet, "parent")
    return value * 2


async def retried(context: OrchestrationContext) -> str:
    result: str = await context.call_activity("flaky", retry_policy=RETRIES)
    return result


async def continued(context: OrchestrationContext, seen: list[str]) -> list[str] | None:
    seen = [*seen, await context.wait_for_external_event("item", str)]
    if len(seen) < 3:
        context.continue_as_new(seen)
        return None
    return seen


async def two_steps(context: OrchestrationContext) -> str:
    first = await context.call_activity(greet, "first")
    second = await context.call_activity(greet, "second")
    return f"{first} {second}"


async def reporting(context: OrchestrationContext) -> str:
    context.set_custom_status({"step": 1})
    await context.call_activity(greet, "status")
    context.set_custom_status("nearly there")
    await context.create_timer(MINUTE)
    context.set_custom_status(None)
    return "reported"


async def sending(context: OrchestrationContext) -> None:
    context.send_event("partner", "ping", {"n": 1})
    await context.wait_for_external_event("pong")
    context.send_event("partner", "done")


async def versioned(context: OrchestrationContext) -> list[str | None]:
    if context.version == "2.0":
        await context.call_activity(greet, "two")
    return [context.version, context.instance_id, context.parent_instance_id]


async def failing(context: OrchestrationContext) -> None:
    await context.call_activity(greet, "before")
    try:
        raise KeyError("lost")
    except KeyError as error:
        raise ValueError("It went wrong.") from error


async def not_caught(context: OrchestrationContext) -> None:
    await context.call_activity("flaky")


async def big(context: OrchestrationContext, text: str) -> int:
    doubled = await context.call_activity(repeat, text)
    return len(doubled)


ORCHESTRATORS: Sequence[Callable[..., Any]] = (
    chain,
    chain_by_generator,
    fan_out,
    race,
    timers,
    events,
    event_timeout,
    parent,
    parent_of_failing,
    child,
    retried,
    continued,
    two_steps,
    reporting,
    sending,
    versioned,
    failing,
    not_caught,
    big,
)
ACTIVITIES: Sequence[Callable[..., Any]] = (greet, repeat)
