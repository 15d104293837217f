"""host.json's `functionTimeout`: how long one run of a function may take.

A coroutine is cancelled when its time is over. A plain function cannot be stopped: nobody waits for
it any longer, and its thread is busy until it returns.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from bindings.errors import FunchostError


class FunctionTimeoutError(FunchostError):
    """A function took longer than `functionTimeout` allows."""


@asynccontextmanager
async def at_most(timeout: timedelta | None, name: str) -> AsyncIterator[None]:
    """Raise `FunctionTimeoutError` if what is done meanwhile takes longer; None is for ever."""
    limit = asyncio.timeout(None if timeout is None else timeout.total_seconds())
    try:
        async with limit:
            yield
    except TimeoutError as error:
        if not limit.expired():
            raise  # the function's own
        raise FunctionTimeoutError(
            f"The function '{name}' did not end within {timeout}, the functionTimeout of host.json."
        ) from error
