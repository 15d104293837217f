"""A timer's record in the hub, and the time in between: for one listener.

Who asks here is answered, however long the hub is away, unless the host stops.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from math import inf
from typing import Final, TypeVar
from uuid import uuid4

from bindings.kinds.services import HubRecord, ListenerServices
from host.core.failures import in_words
from host.errors import StorageError
from host.triggers import timer_records
from host.triggers.timer_records import TimerRecord

PAUSE_S: Final = 2.0
"""Before what the hub refused is tried again."""
LEAVE_S: Final = 1.0
"""How long a stop tries to let others go on: the hub may be away."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The record as it was last read, or written by this host."""

    record: TimerRecord
    stamp: str
    wall: datetime
    """When that was, by the clock on the wall."""
    since: float
    """Since when it is so, as far as this host knows, by the clock that never goes back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """There is something under the timer's name that is no record of a timer."""

    stamp: str


class HostStopsError(Exception):
    """The host stops, and the hub does not answer."""


class TimerHub:
    """What the listener of one timer does with the hub and the clock."""

    def __init__(
        self,
        services: ListenerServices,
        key: str,
        show: Callable[[TimerRecord], None],
        check_s: float,
    ) -> None:
        """`show` is given each record that is seen; no rest is longer than `check_s`."""
        self._records = services.records
        self._clock = services.clock
        self._key = key
        self._show = show
        self._check_s = check_s
        self._failed_at = -inf
        self._stopping: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._nudged: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.trouble: str | None = None
        """Why the hub does not answer just now."""

    # ---- the record ----------------------------------------------------------------------------

    async def read(self) -> Seen | Unreadable | None:
        """The record, or None. Raises `HostStopsError`."""
        return await self._patiently(self.read_once)

    async def read_once(self) -> Seen | Unreadable | None:
        """The record, or None. Raises `StorageError`."""
        since = self._clock.monotonic()
        found = await self._records.read(self._key)
        if found is None:
            return None
        record = timer_records.decode(found.data)
        if record is None:
            return Unreadable(stamp=found.stamp)
        self._show(record)
        return Seen(record=record, stamp=found.stamp, wall=self._clock.now(), since=since)

    async def change(self, wanted: TimerRecord, after: str | None) -> Seen | None:
        """Store the record; None, with nothing done, if another host has changed it.

        Raises `HostStopsError`.
        """
        stamp = uuid4().hex  # the same for each try: one whose answer was lost is found done
        return await self._patiently(lambda: self._change(wanted, after, stamp))

    async def change_once(self, wanted: TimerRecord, after: str) -> Seen | None:
        """The same with one try. Raises `StorageError`."""
        return await self._change(wanted, after, uuid4().hex)

    async def change_in_passing(self, wanted: TimerRecord, after: str) -> None:
        """The same if it is done at once: who leaves does not wait for it."""
        with suppress(StorageError, TimeoutError):
            async with asyncio.timeout(LEAVE_S):
                await self.change_once(wanted, after)

    def compared(self, found: Seen, before: Seen) -> Seen:
        """What was found, with since when it is so if it was so before.

        While this host could not ask the hub, others may have been unable to tell it anything.
        """
        if found.stamp != before.stamp:
            return found
        return replace(found, since=max(before.since, self._failed_at))

    async def _change(self, wanted: TimerRecord, after: str | None, stamp: str) -> Seen | None:
        since = self._clock.monotonic()
        record = HubRecord(stamp=stamp, data=timer_records.encode(wanted))
        if not await self._records.change(self._key, record, after=after):
            return None
        self._show(wanted)
        return Seen(record=wanted, stamp=stamp, wall=self._clock.now(), since=since)

    async def _patiently(self, ask: Callable[[], Awaitable[T]]) -> T:
        while True:
            try:
                answer = await ask()
            except StorageError as error:
                self.trouble = f"the hub cannot be asked: {in_words(error)}"
                self._failed_at = self._clock.monotonic()
                if self.is_stopping:
                    raise HostStopsError from error
                await self.pause(PAUSE_S)
            else:
                self.trouble = None
                return answer

    # ---- time ----------------------------------------------------------------------------------

    @property
    def is_stopping(self) -> bool:
        """Whether nothing new is to be begun."""
        return self._stopping.done()

    def stop(self) -> None:
        """Let all rests be over from now on."""
        if not self._stopping.done():
            self._stopping.set_result(None)

    def nudge(self) -> None:
        """Let a rest until a moment be over: the record was changed from here."""
        if not self._nudged.done():
            self._nudged.set_result(None)

    def take_nudge(self) -> bool:
        """Whether the record was changed from here since this was asked last."""
        if not self._nudged.done():
            return False
        self._nudged = asyncio.get_running_loop().create_future()
        return True

    async def rest_until(self, moment: datetime) -> None:
        """Sleep until then; or less, since the clock on the wall may jump meanwhile."""
        await self._rest((moment - self._clock.now()).total_seconds(), self._nudged)

    async def pause(self, seconds: float) -> None:
        """Let so much time pass, or less if the host stops."""
        end = self._clock.monotonic() + seconds
        while not self.is_stopping and (left := end - self._clock.monotonic()) > 0:
            await self._rest(left)

    async def _rest(self, seconds: float, *ends: asyncio.Future[None]) -> None:
        nap = asyncio.ensure_future(self._clock.sleep(min(max(seconds, 0), self._check_s)))
        try:
            await asyncio.wait({nap, self._stopping, *ends}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            nap.cancel()
