"""Calls in a thread of their own, which the end of the process does not wait for."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")


async def in_thread(function: Callable[[], T], name: str) -> T:
    """Call it in a daemon thread; what it gives, or raises.

    asyncio's own threads are waited for in the end: a module that hangs while it is imported would
    keep the process from ending. Whoever is cancelled leaves the thread to itself.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def give(result: T) -> None:
        if not done.done():
            done.set_result(result)

    def fail(error: BaseException) -> None:
        if not done.done():
            done.set_exception(error)

    def call() -> None:
        try:
            result = function()
        except BaseException as error:  # noqa: BLE001 - it is raised where it is waited for
            failed = error
            with suppress(RuntimeError):  # the loop has ended: nobody waits
                loop.call_soon_threadsafe(fail, failed)
        else:
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(give, result)

    threading.Thread(target=call, name=name, daemon=True).start()
    return await done
