"""Long polls that outlive their callers.

Rules of this file: a poll belongs to this object, not to the call that began it, because a poll
that is broken off may take messages along that nobody sees until their time is over. What a poll
brings goes to whoever waits, in order; what nobody waits for is kept a moment for the next call and
then given back. Polls run only while somebody waits, one per queue. Who stops begins no more of
them and hears out those that are under way.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from host.clock import Clock
from host.errors import StorageError
from host.logs import HostLog
from host.storage.protocol import WakeUp, WorkItem

_logger = HostLog("funchost.storage")

KEEP_S = 1.0

AnyHint = TypeVar("AnyHint", WakeUp, WorkItem)

Poll = Callable[[int], Awaitable[Sequence[AnyHint]]]
"""Waits a while for at least one, and brings up to so many; perhaps none."""
GiveBack = Callable[[Sequence[AnyHint]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class _Receiver(Generic[AnyHint]):
    """A call that waits."""

    limit: int
    result: asyncio.Future[Sequence[AnyHint]]


class Polls(Generic[AnyHint]):
    """Serves waiting receivers from several polls."""

    def __init__(
        self, polls: Sequence[Poll[AnyHint]], *, give_back: GiveBack[AnyHint], clock: Clock
    ) -> None:
        self._polls: tuple[tuple[int, Poll[AnyHint]], ...] = tuple(enumerate(polls))
        self._give_back: GiveBack[AnyHint] = give_back
        self._clock = clock
        self._ready: deque[AnyHint] = deque()
        self._receivers: deque[_Receiver[AnyHint]] = deque()
        self._running: dict[int, asyncio.Task[None]] = {}
        self._keeping: asyncio.Task[None] | None = None
        self._is_closed = False

    async def close(self, *, patience_s: float) -> None:
        """Begin no more polls, hear out those under way, give back what they bring. Idempotent.

        `patience_s` is how long they may take: longer than they wait. What a poll would have
        brought after its end is hidden from everybody until its time is over.
        """
        self._is_closed = True
        self._end_calls(None)
        if self._running:
            await asyncio.wait(self._running.values(), timeout=patience_s)
        tasks = [*self._running.values(), *([self._keeping] if self._keeping else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._give_back_ready()

    async def receive(self, limit: int) -> Sequence[AnyHint]:
        """Wait for at least one and take up to `limit`; none once closed."""
        if self._is_closed:
            return ()
        receiver = _Receiver(limit, asyncio.get_running_loop().create_future())
        self._receivers.append(receiver)
        self._serve()
        try:
            return await receiver.result
        except asyncio.CancelledError:
            self._take_back(receiver)
            raise

    def _take_back(self, receiver: _Receiver[AnyHint]) -> None:
        """Give what came to a call that was cancelled in the same moment to another."""
        result = receiver.result
        if not result.cancelled() and result.exception() is None:
            self._ready.extendleft(reversed(result.result()))
        self._serve()

    def _serve(self) -> None:
        """Give to those who wait what there is; then poll for them, or keep what is left."""
        self._receivers = deque(each for each in self._receivers if not each.result.done())
        while self._receivers and self._ready:
            receiver = self._receivers.popleft()
            count = min(receiver.limit, len(self._ready))
            receiver.result.set_result([self._ready.popleft() for _ in range(count)])
        if self._receivers:
            self._start()
        elif self._ready and self._keeping is None and not self._is_closed:
            self._keeping = asyncio.create_task(self._keep())

    def _start(self) -> None:
        for number, poll in self._polls:
            if number not in self._running:
                self._running[number] = asyncio.create_task(self._run(number, poll))

    async def _run(self, number: int, poll: Poll[AnyHint]) -> None:
        try:
            while wanted := self._wanted():
                self._ready.extend(await poll(wanted))
                self._serve()
        except Exception as error:  # noqa: BLE001 - whatever it is, whoever waits must hear of it
            if not self._receivers:
                _logger.warning("Hints could not be received: %s", error)
            self._end_calls(error)
        finally:
            del self._running[number]

    def _wanted(self) -> int:
        """How many hints those who still wait can take."""
        return sum(each.limit for each in self._receivers if not each.result.done())

    def _end_calls(self, error: Exception | None) -> None:
        while self._receivers:
            result = self._receivers.popleft().result
            if result.done():
                continue
            if error is None:
                result.set_result(())
            else:
                result.set_exception(error)

    async def _keep(self) -> None:
        await self._clock.sleep(KEEP_S)
        self._keeping = None
        await self._give_back_ready()

    async def _give_back_ready(self) -> None:
        left = list(self._ready)
        self._ready.clear()
        if not left:
            return
        try:
            await self._give_back(left)
        except StorageError as error:
            _logger.warning("Hints were not given back; they come again soon: %s", error)
