"""Opening a store that is away: again and again, for as long as a host is to wait for it.

Rules of this file: only what time can mend is waited for (`StoreAwayError`); all else ends the
start at once. It is said soon what is waited for, and once a minute that it still is.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from typing import Any, TypeVar

from host.clock import Clock
from host.errors import StartStoppedError, StorageUnavailableError, StoreAwayError
from host.logs import HostLog
from host.storage.kinds import OpenStore
from host.storage.protocol import HubQueues, HubStore

_logger = HostLog("funchost.host")

T = TypeVar("T")

SETTING = "funchost.startPatienceSeconds"
SLOW_S = 3.0
"""After so long without any answer it is said that there was none."""
FIRST_PAUSE_S = 0.5
MAX_PAUSE_S = 15.0
TOLD_EVERY_S = 60.0


class StoreOpener:
    """Opens one store, however long that takes within `patience_s`.

    The pauses between tries double, and are drawn: hosts that were started together do not come
    together.
    """

    def __init__(
        self,
        opened: Callable[[], OpenStore],
        clock: Clock,
        *,
        patience_s: float,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._opened = opened
        self._clock = clock
        self._patience_s = patience_s
        self._jitter = jitter
        self._began = clock.monotonic()
        self._told_at: float | None = None
        self._tries = 0

    async def open(self, stack: AsyncExitStack) -> tuple[HubStore, HubQueues]:
        """The store and its queues, closed at the end of the stack.

        Raises `ConfigurationError`, and `StorageUnavailableError` for what time does not mend or
        did not in so long.
        """
        told_slow = asyncio.create_task(self._tell_if_slow())
        try:
            while True:
                try:
                    return await stack.enter_async_context(self._opened())
                except StoreAwayError as error:
                    await self._rest(error)
        finally:
            told_slow.cancel()

    async def _rest(self, error: StoreAwayError) -> None:
        """Wait until the next try. Raises `StorageUnavailableError` if the time is over."""
        self._tries += 1
        waited_s = self._clock.monotonic() - self._began
        left_s = self._patience_s - waited_s
        if self._patience_s <= 0:
            raise error
        if left_s <= 0:
            raise StorageUnavailableError(
                f"{error} The host tried {self._tries} times in {waited_s:.0f} s ({SETTING})."
            ) from error
        self._tell(error, left_s)
        pause_s = min(MAX_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(self._tries, 10))
        await self._clock.sleep(min(left_s, pause_s * (0.5 + self._jitter() / 2)))

    def _tell(self, error: StoreAwayError, left_s: float) -> None:
        now = self._clock.monotonic()
        if self._told_at is not None and now - self._told_at < TOLD_EVERY_S:
            return
        if self._told_at is None:
            text = "The host waits for its store, for %.0f s more at most (%s): %s"
            _logger.warning(text, left_s, SETTING, error)
        else:
            text = "The host still waits for its store after %d tries, for %.0f s more at most: %s"
            _logger.warning(text, self._tries, left_s, error)
        self._told_at = now

    async def _tell_if_slow(self) -> None:
        await self._clock.sleep(SLOW_S)
        if not self._tries and self._patience_s > 0:
            _logger.warning(
                "The store has not answered for %.0f s. The host goes on trying.", SLOW_S
            )


async def unless(stopped: asyncio.Event | None, work: Coroutine[Any, Any, T]) -> T:
    """Do it, unless the event is set before its end: then it ends, by `StartStoppedError`."""
    if stopped is None:
        return await work
    try:
        async with asyncio.timeout(None) as limit:
            watching = asyncio.create_task(_end_when(stopped, limit))
            try:
                return await work
            finally:
                watching.cancel()
    except TimeoutError:
        if limit.expired():
            raise StartStoppedError("The host was told to stop before it had started.") from None
        raise


async def _end_when(stopped: asyncio.Event, limit: asyncio.Timeout) -> None:
    await stopped.wait()
    limit.reschedule(asyncio.get_running_loop().time())
