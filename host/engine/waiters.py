"""Who waits in this process for an instance to start or finish.

A wait is over with its caller, and when the host stops. However many wait for an instance, the
store is asked for it once per interval: others may run it, so reports alone would not do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from bindings.errors import TooManyWaitsError
from host.core.records import Instance
from host.engine.callers import CALLER, Caller

POLL_S = 2.0
"""How often the store is asked, for instances that run on other hosts."""
UNBOUNDED = 0

Read: TypeAlias = Callable[[], Awaitable[Instance]]
"""Reads the instance's row. Raises if there is none, or if the store is out of reach."""


class WaitOverError(TimeoutError):
    """Waiting is over before the instance gets there; the text says why."""


class Wait:
    """One wait, until a row of the instance is as it is wanted."""

    def __init__(
        self, instance_id: str, is_there: Callable[[Instance], bool], caller: Caller | None
    ) -> None:
        self.instance_id = instance_id
        self.caller = caller
        """For whose sake it is; None if it is for nobody's."""
        self._is_there = is_there
        self._end: asyncio.Future[Instance | Exception] = asyncio.Future()

    async def end(self) -> Instance:
        """The first such row. Raises `WaitOverError`, or what reading the row raised."""
        end = await self._end
        if isinstance(end, Exception):
            raise end
        return end

    def tell(self, news: Instance | Exception) -> None:
        """The row changed, was read again, or cannot be waited for any longer."""
        if not self._end.done() and (isinstance(news, Exception) or self._is_there(news)):
            self._end.set_result(news)

    def left(self) -> None:
        """The caller went away."""
        self.tell(WaitOverError("The caller is gone: nobody waits for the instance."))


class _Group:
    """All waits for one instance."""

    def __init__(self, read: Read) -> None:
        self.waits: set[Wait] = set()
        self._read = read
        self._reading: asyncio.Task[None] | None = None
        self._timer = self._later()

    def tell(self, news: Instance | Exception) -> None:
        for wait in self.waits:
            wait.tell(news)

    def stop(self) -> None:
        self._timer.cancel()
        if self._reading is not None:
            self._reading.cancel()

    def _later(self) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(POLL_S, self._look)

    def _look(self) -> None:
        self._reading = asyncio.create_task(self._look_at_store())

    async def _look_at_store(self) -> None:
        try:
            self.tell(await self._read())
        except Exception as error:  # noqa: BLE001 - each waiter's to deal with
            self.tell(error)
        self._timer = self._later()


class Waiters:
    """The waits by instance. `limit` is how many callers may wait at once."""

    def __init__(self, limit: int = UNBOUNDED) -> None:
        self.limit = limit
        self.is_closed = False
        """Whether the host stops, so that waiting is over."""
        self._groups: dict[str, _Group] = {}
        self.callers = 0
        """How many waits there are for the sake of a client."""

    def close(self) -> None:
        """Let all go that wait."""
        self.is_closed = True
        for group in self._groups.values():
            group.tell(_stopping())

    def __len__(self) -> int:
        return len(self._groups)

    def check_room(self) -> None:
        """Raise `TooManyWaitsError` if no caller more may wait."""
        if self.limit != UNBOUNDED and self.callers >= self.limit:
            raise TooManyWaitsError(self.limit)

    def begin(self, instance_id: str, is_there: Callable[[Instance], bool], read: Read) -> Wait:
        """A wait for the instance. Begin it, then read the row: nothing can slip between.

        Whoever begins one ends it. Raises `TooManyWaitsError`.
        """
        caller = CALLER.get()
        if caller is not None:
            self.check_room()
        wait = Wait(instance_id, is_there, caller)
        group = self._groups.get(instance_id)
        if group is None:
            group = self._groups[instance_id] = _Group(read)
        group.waits.add(wait)
        if self.is_closed:
            wait.tell(_stopping())
        if caller is not None:
            self.callers += 1
            caller.watch(wait.left)
        return wait

    def end(self, wait: Wait) -> None:
        """The wait is over, whatever came of it."""
        if wait.caller is not None:
            self.callers -= 1
            wait.caller.unwatch(wait.left)
        group = self._groups[wait.instance_id]
        group.waits.discard(wait)
        if not group.waits:
            group.stop()
            del self._groups[wait.instance_id]

    def report(self, row: Instance) -> None:
        """An instance's status changed."""
        group = self._groups.get(row.instance_id)
        if group is not None:
            group.tell(row)


def _stopping() -> WaitOverError:
    return WaitOverError("The host stops before the instance gets there.")
