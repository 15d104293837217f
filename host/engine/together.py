"""Calls side by side, some at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

T = TypeVar("T")

AT_ONCE = 64


async def together(calls: Sequence[Coroutine[Any, Any, T]], *, at_once: int = AT_ONCE) -> list[T]:
    """Do all calls, some side by side, and wait for all; then raise the first error, if any."""
    free = asyncio.Semaphore(at_once)

    async def in_turn(call: Coroutine[Any, Any, T]) -> T:
        async with free:
            return await call

    try:
        outcomes = await asyncio.gather(*map(in_turn, calls), return_exceptions=True)
    finally:
        for call in calls:  # those that a cancellation kept from beginning are awaited by nobody
            call.close()
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome
    return [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]
