"""Long polls that outlive their callers.

Rules of this file: a poll belongs to this object, not to the call that began it, because a poll
that is broken off may take messages along that nobody sees until their time is over. What a poll
brings goes to whoever waits, in order; what nobody waits for is kept a moment for the next call and
then given back. Polls run only while somebody waits: one per queue, and more while they bring as
much as they may. Who stops begins no more of them, pokes the queues so that those under way end
soon, and hears them out. A queue that others read, too, is never poked: its polls are heard out as
they are. That the queues are away, those who receive tell: nothing says so here.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from host.clock import Clock
from host.errors import HostError, StorageError
from host.logs import HostLog

_logger = HostLog("funchost.storage")

KEEP_S = 1.0
POKE_AGAIN_S = 1.0
"""When a poke ended no poll for so long, it went astray, and another one is sent."""

AnyHint = TypeVar("AnyHint")


@dataclass(frozen=True, slots=True)
class Polled(Generic[AnyHint]):
    """What a poll brought."""

    hints: Sequence[AnyHint]
    is_full: bool
    """Whether it was all that the poll could bring: there may be more."""
    own_pokes: int = 0
    ends_waiting: bool = False
    """Whether those who wait are answered, though it brought nothing."""


@dataclass(slots=True, eq=False)
class Source(Generic[AnyHint]):
    """A queue that is polled."""

    poll: Callable[[int], Awaitable[Polled[AnyHint]]]
    """Waits a while for at least one, and brings up to so many; perhaps none."""
    poke: Callable[[], Awaitable[None]] | None = None
    """Sends what ends one poll of this host, or of another one, which sends it on."""
    running: set[asyncio.Task[None]] = field(default_factory=set)
    allowed: int = 1
    """How many polls may run now."""
    asked: int = 0
    """How many hints those that run may bring."""
    pokes_out: int = 0
    """How many pokes were sent that did not come yet."""


GiveBack = Callable[[Sequence[AnyHint]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class _Receiver(Generic[AnyHint]):
    """A call that waits."""

    limit: int
    result: asyncio.Future[Sequence[AnyHint]]


class Polls(Generic[AnyHint]):
    """Serves waiting receivers from several polls."""

    def __init__(
        self,
        sources: Sequence[Source[AnyHint]],
        *,
        give_back: GiveBack[AnyHint],
        clock: Clock,
        at_once: int,
        max_polls: int,
    ) -> None:
        """A poll brings up to `at_once` hints; up to `max_polls` of one queue run side by side."""
        self._sources: Sequence[Source[AnyHint]] = sources
        self._give_back: GiveBack[AnyHint] = give_back
        self._clock = clock
        self._at_once = at_once
        self._max_polls = max_polls
        self._ready: deque[AnyHint] = deque()
        self._receivers: deque[_Receiver[AnyHint]] = deque()
        self._keeping: asyncio.Task[None] | None = None
        self._poking: set[asyncio.Task[None]] = set()
        self._is_closed = False

    async def close(self, *, patience_s: float) -> None:
        """Begin no more polls, hear out those under way, give back what they bring. Idempotent.

        `patience_s` is how long they may take. What a poll would have brought after its end is
        hidden from everybody until its time is over.
        """
        self._is_closed = True
        self._end_calls(None)
        with suppress(TimeoutError):
            async with asyncio.timeout(patience_s):
                await asyncio.gather(*map(self._hear_out, self._sources))
        tasks = [task for source in self._sources for task in source.running]
        tasks += [*self._poking, *([self._keeping] if self._keeping else [])]
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
            for source in self._sources:
                self._start(source)
        elif self._ready and self._keeping is None and not self._is_closed:
            self._keeping = asyncio.create_task(self._keep())

    def _start(self, source: Source[AnyHint]) -> None:
        wanted = self._wanted()
        while len(source.running) < source.allowed and source.asked < wanted:
            limit = min(self._at_once, wanted - source.asked)
            source.asked += limit
            source.running.add(asyncio.create_task(self._run(source, limit)))

    async def _run(self, source: Source[AnyHint], limit: int) -> None:
        """One poll after the other, while they are wanted."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - coroutines run in tasks
        try:
            while limit > 0:
                polled = await source.poll(limit)
                self._take(source, polled)
                source.asked -= limit
                limit = 0
                self._serve()
                if polled.ends_waiting:
                    self._end_calls(None)
                if len(source.running) <= source.allowed:
                    limit = max(0, min(self._at_once, self._wanted() - source.asked))
                    source.asked += limit
        except HostError as error:
            _logger.debug("Hints could not be received: %s", error)
            self._end_calls(error)  # if nobody waits, who comes next meets the same, and tells it
        except Exception as error:  # noqa: BLE001 - whatever it is, whoever waits must hear of it
            if not self._receivers:
                _logger.error("Hints could not be received: %r", error)
            self._end_calls(error)
        finally:
            source.asked -= limit
            source.running.discard(task)

    def _take(self, source: Source[AnyHint], polled: Polled[AnyHint]) -> None:
        """What a poll brought. As long as polls are full there may be more than one can bring."""
        source.pokes_out -= polled.own_pokes
        source.allowed = min(self._max_polls, source.allowed + 1) if polled.is_full else 1
        self._ready.extend(polled.hints)

    async def _hear_out(self, source: Source[AnyHint]) -> None:
        """Wait until no poll of this queue runs, and see to it that this is soon."""
        while source.running and source.poke is None:
            await asyncio.wait(source.running)
        while source.running:
            if source.pokes_out <= 0 and source.poke is not None:
                source.pokes_out = 1
                poking = asyncio.create_task(self._poke(source.poke))
                self._poking.add(poking)
                poking.add_done_callback(self._poking.discard)
            nap = asyncio.ensure_future(self._clock.sleep(POKE_AGAIN_S))
            try:
                await asyncio.wait([*source.running, nap], return_when=asyncio.FIRST_COMPLETED)
                if nap.done():
                    source.pokes_out = 0
            finally:
                nap.cancel()

    async def _poke(self, poke: Callable[[], Awaitable[None]]) -> None:
        try:
            await poke()
        except StorageError as error:
            _logger.debug("Nobody hears that a poll is to end: %s", error)

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
            _logger.debug("Hints were not given back; they come again soon: %s", error)
