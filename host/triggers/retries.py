"""Repeats runs that failed, as the `retry` of their function says.

The value that triggered the function stays in this host meanwhile, and so does the number of tries:
whoever gave it gives it again when the host is gone, and then the first try is the first again.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from bindings.errors import FailureDetails
from bindings.function_retry import FunctionRetry, NotRetried
from bindings.invocation import RetryContext
from host.clock import Clock
from host.core.failures import failure_of, in_words
from host.functions.invocation import Invoker
from host.functions.model import HostFunction
from host.logs import HostLog

_NO_RETRY: Final = 0

_log = HostLog(__name__)


class Retries:
    """Runs one function for what its listener brings."""

    def __init__(
        self, invoker: Invoker, clock: Clock, chance: Callable[[], float] = random.random
    ) -> None:
        """`chance` gives numbers from 0 to 1."""
        self._invoker = invoker
        self._clock = clock
        self._chance = chance
        self._stopped: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def run(self, function: Callable[[], HostFunction], value: object) -> object:
        """Run it until a try succeeds or is the last; gives what `Invoker.invoke` gives.

        `function` gives it as it is now: the app may change between two tries. Raises what the last
        try raised, and `asyncio.CancelledError` once nobody waits for the next try any more.
        """
        count, failure = 0, None
        while True:
            current = function()
            try:
                return await self._invoker.invoke(
                    current, value, _context_of(current.retry, count, failure)
                )
            except NotRetried:
                raise
            except Exception as error:
                delay = self._delay_after(count, function(), error)
                if delay is None:
                    raise
                failure = failure_of(error)
            count += 1
            await self._wait(delay)

    def stop(self) -> None:
        """Wait for no next try from now on."""
        if not self._stopped.done():
            self._stopped.set_result(None)

    def _delay_after(
        self, count: int, function: HostFunction, error: Exception
    ) -> timedelta | None:
        """How long to wait after so many retries and this failure; None if that is the end."""
        retry = function.retry
        if retry is None:
            return None
        tries = (
            f"{count + 1}" if retry.is_endless else f"{count + 1} of {retry.max_retry_count + 1}"
        )
        if not retry.is_endless and count >= retry.max_retry_count:
            _log.warning(
                "'%s' failed and is not run again (try %s): %s",
                function.name,
                tries,
                in_words(error),
            )
            return None
        delay = retry.delay(count + 1, self._chance())
        _log.warning(
            "'%s' failed and is run again at %s (try %s): %s",
            function.name,
            _shown(self._clock.now() + delay),
            tries,
            in_words(error),
        )
        return delay

    async def _wait(self, delay: timedelta) -> None:
        nap = asyncio.ensure_future(self._clock.sleep(delay.total_seconds()))
        try:
            await asyncio.wait({nap, self._stopped}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            nap.cancel()
        if self._stopped.done():
            raise asyncio.CancelledError("Its host stops, or its trigger has changed")


def _context_of(
    retry: FunctionRetry | None, count: int, failure: FailureDetails | None
) -> RetryContext:
    most = _NO_RETRY if retry is None else retry.max_retry_count
    return RetryContext(retry_count=count, max_retry_count=most, exception=failure)


def _shown(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
