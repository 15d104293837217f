"""Keeps the host's loops alive: a loop that fails is reported, shown in health, and run again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from typing import NamedTuple

from host.clock import Clock
from host.core.failures import in_words
from host.engine.store_watch import StoreWatch
from host.errors import StorageError
from host.logs import HostLog

_logger = HostLog("funchost.engine")

MAX_PAUSE_S = 5.0
SHOWN_FOR_S = 60.0
"""A problem that did not come back for this long is over, also if its loop only waits."""


class _Problem(NamedTuple):
    text: str
    at: float
    is_of_store: bool


class Supervisor:
    """Runs endless coroutines as tasks until they are stopped."""

    def __init__(self, clock: Clock, store_watch: StoreWatch) -> None:
        self._clock = clock
        self._store_watch = store_watch
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._problems: dict[str, _Problem] = {}

    def run(self, name: str, loop: Callable[[], Awaitable[None]]) -> None:
        """Run `loop` for ever. When it has worked again after a failure, call `recovered`."""
        self._tasks[name] = asyncio.create_task(self._supervise(name, loop), name=name)

    def recovered(self, name: str) -> None:
        """The loop did a round without failing."""
        problem = self._problems.pop(name, None)
        if problem is not None and problem.is_of_store:
            self._store_watch.worked(name)

    def problems(self, *, of_store: bool) -> list[str]:
        """What is failing right now: of the store, or by a defect of the host."""
        since = self._clock.monotonic() - SHOWN_FOR_S
        return [
            f"{name}: {each.text}"
            for name, each in self._problems.items()
            if each.at > since and each.is_of_store is of_store
        ]

    async def stop(self, *, keeping: Collection[str] = ()) -> None:
        """Cancel all loops, except those that are to be kept, and wait for their end."""
        tasks = [self._tasks.pop(name) for name in tuple(self._tasks) if name not in keeping]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _supervise(self, name: str, loop: Callable[[], Awaitable[None]]) -> None:
        failures = 0
        while True:
            try:
                await loop()
                return
            except Exception as error:
                failures = failures + 1 if name in self._problems else 1
                problem, is_of_store = in_words(error), isinstance(error, StorageError)
                self._problems[name] = _Problem(problem, self._clock.monotonic(), is_of_store)
                pause_s = min(MAX_PAUSE_S, 0.1 * 2 ** min(failures, 10))
                if is_of_store:
                    text = "The host's %s failed; it runs again soon: %s"
                    self._store_watch.failed(text, name, error, part=name)
                else:
                    text = "The host's %s failed; it runs again in %.1f s: %s"
                    _logger.exception(text, name, pause_s, problem)
                await self._clock.sleep(pause_s)
