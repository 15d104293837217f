"""Calls in threads that are waited for to their end, also by who is cancelled meanwhile.

A thread cannot be broken off. If its caller went on before it ended, what the thread makes (a file,
a lock) would be there after the caller has cleaned up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


async def in_thread(call: Callable[P, R], *args: P.args, **named: P.kwargs) -> R:
    """What the call gives or raises. Raises `CancelledError` only when it has ended."""
    running = asyncio.ensure_future(asyncio.to_thread(call, *args, **named))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running])
        if not running.cancelled():
            running.exception()  # nobody asks for it: else the loop says that none did
        raise
