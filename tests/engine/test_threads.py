"""Threads for blocking functions: what they hold when they have nothing to do."""

from __future__ import annotations

import asyncio
import gc
import weakref

from host.engine.threads import WorkerThreads


class Large:
    """Stands for the body of a request."""


async def test_found_d2_an_idle_thread_holds_nothing_of_its_last_call() -> None:
    threads, done = WorkerThreads(3), asyncio.Event()
    left = [Large() for _ in range(3)]
    seen = [weakref.ref(each) for each in left]
    ended = 0

    def one_ended(_result: object, _error: BaseException | None) -> None:
        nonlocal ended
        ended += 1
        if ended == len(seen):
            done.set()

    while left:
        threads.submit(lambda value: value, left.pop(), one_ended)
    await done.wait()
    for _ in range(1000):  # the threads let go a moment after they said that they are done
        gc.collect()
        if not any(each() for each in seen):
            break
        await asyncio.sleep(0)
    threads.stop()
    assert [each() for each in seen] == [None] * 3
