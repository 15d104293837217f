"""The code of the golden histories in which entities are asked. It is never changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from bindings import EntityId, OrchestrationContext
from bindings.errors import TaskFailedError

COUNTER = EntityId("Counter", "Größe")


async def asks_entities(context: OrchestrationContext) -> list[Any]:
    context.signal_entity(COUNTER, "add", 1)
    context.signal_entity(COUNTER, "add", {"n": 2}, signal_time=timedelta(minutes=1))
    counted = await context.call_entity(COUNTER, "get")
    try:
        await context.call_entity(COUNTER, "fail", [])
    except TaskFailedError as error:
        return [counted, error.details.error_type]
    return []


async def locks_entities(context: OrchestrationContext) -> list[Any]:
    other = EntityId("Counter", "other")
    try:
        async with context.lock_entities(COUNTER, other):
            await context.call_entity(COUNTER, "fail")
    except TaskFailedError as error:
        kept = await context.lock_entities(other)
        return [error.details.error_type, len(kept.entities)]
    return []


async def locks_one(context: OrchestrationContext) -> int:
    async with context.lock_entities(COUNTER):
        return await context.call_entity(COUNTER, "add", 1, return_type=int)


ORCHESTRATORS: Sequence[Callable[..., Any]] = (asks_entities, locks_entities, locks_one)
