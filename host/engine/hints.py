"""The hints of what this host stored: each is sent, at once or as soon as the queue takes it.

Once a fact is stored its caller has succeeded, whatever the queue says. So a hint that the queue
refuses, or that a caller no longer waits for, is owed: a loop of the engine sends it in the
background. What is owed dies with the process, and what is more than there is room for is only
counted: recovery finds those instances. Owing keeps no stop waiting.

Hints of a burst to one instance are gathered for a moment (`bursts.py`), and then owed as one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from math import inf
from typing import TypeVar

from host.clock import Clock
from host.engine.bursts import Bursts
from host.engine.store_watch import StoreWatch
from host.errors import DamagedDataError, StorageError
from host.storage.protocol import Created, HubQueues

T = TypeVar("T")

PATIENCE_S = 5.0
"""How long whoever stored something waits for its hint; then it is sent in the background."""
LAST_TRY_S = 1.0
"""How long a stop tries to send what is owed still."""
MAX_OWED = 100_000
SENT_AT_ONCE = 100
GATHER_S = 0.02
"""How often it is looked whether the time of a gathered hint has come."""


class Hints:
    """Sends wake-ups, and owes those that could not be sent. One for all of a host."""

    def __init__(
        self,
        queues: HubQueues,
        clock: Clock,
        bursts: Bursts,
        store_watch: StoreWatch,
        *,
        nudge: Callable[[Sequence[str]], None],
        is_led: Callable[[str], bool],
    ) -> None:
        """`nudge` tells the sessions that are open here, `is_led` says whether an instance has one.

        Those are not hinted at in bursts: no queue is needed to tell them.
        """
        self._queues = queues
        self._clock = clock
        self._bursts = bursts
        self._store_watch = store_watch
        self._nudge = nudge
        self._is_led = is_led
        self._owed: dict[str, bool] = {}
        """Who is to be woken, in order, and whether by a recovery hint."""
        self.dropped = 0
        """How many were not noted for want of room."""
        self._is_owing = asyncio.Event()
        self._gathered: dict[str, float] = {}
        """Who is to be woken, and when, by the monotonic clock: others may come until then."""
        self._is_gathering = asyncio.Event()

    async def send(self, instance_ids: Sequence[str], *, is_recovery: bool = False) -> None:
        """Hint that these instances have something to do: now, or as soon as that works."""
        self._nudge(instance_ids)
        if self._bursts.are_gathered and not is_recovery:
            instance_ids = [each for each in instance_ids if not self._is_gathered(each)]
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self._queues.send_wakeups(instance_ids, is_recovery=is_recovery)
        except (StorageError, TimeoutError) as error:
            self.owe(instance_ids, is_recovery=is_recovery)
            self._store_watch.failed("%d hints are sent later: %s", len(instance_ids), error)
        except asyncio.CancelledError:
            self.owe(instance_ids, is_recovery=is_recovery)
            raise

    async def send_after(self, storing: Awaitable[T], instance_id: str) -> T:
        """Store something of an instance, then hint at it. Raises what storing does.

        It is hinted at, too, if nobody knows what became of it; not if there was nothing to store
        (`storing` gives False, or that another one was kept).
        """
        try:
            stored = await storing
        except DamagedDataError:
            raise
        except (StorageError, asyncio.CancelledError):
            self.owe([instance_id])
            raise
        if stored is not False and stored is not Created.KEPT:
            await self.send([instance_id])
        return stored

    def owe(self, instance_ids: Sequence[str], *, is_recovery: bool = False) -> None:
        """Hint at these soon; returns at once."""
        self._nudge(instance_ids)
        for instance_id in instance_ids:
            if instance_id in self._owed or len(self._owed) < MAX_OWED:
                self._owed[instance_id] = is_recovery or self._owed.get(instance_id, False)
            else:
                self.dropped += 1
        if self._owed:
            self._is_owing.set()

    async def send_owed(self) -> None:
        """Wait until something is owed, and send some of it. Raises `StorageError`."""
        await self._is_owing.wait()
        # One by one: what the queue has against one of them must not hold up the others.
        some = list(self._owed)[:SENT_AT_ONCE]
        answers = await asyncio.gather(*map(self._send_owed, some), return_exceptions=True)
        if not self._owed:
            self._is_owing.clear()
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer

    def _is_gathered(self, instance_id: str) -> bool:
        """Whether this hint is one of many, and goes with others soon."""
        if self._is_led(instance_id):
            return False
        wait_s = self._bursts.wait_s(instance_id)
        if wait_s and (instance_id in self._gathered or len(self._gathered) < MAX_OWED):
            self._gathered.setdefault(instance_id, self._clock.monotonic() + wait_s)
            self._is_gathering.set()
        return instance_id in self._gathered

    async def owe_gathered(self) -> None:
        """Wait until hints are gathered, and a moment; owe those whose time has come."""
        await self._is_gathering.wait()
        await self._clock.sleep(GATHER_S)
        now = self._clock.monotonic()
        self._owe_gathered_until(now)

    def _owe_gathered_until(self, moment: float) -> None:
        due = [each for each, until in self._gathered.items() if until <= moment]
        for instance_id in due:
            del self._gathered[instance_id]
        if not self._gathered:
            self._is_gathering.clear()
        self.owe(due)

    @property
    def are_owed(self) -> bool:
        """Whether there is a hint that the queue has not taken yet, or that had no room."""
        return bool(self._owed or self._gathered or self.dropped)

    async def close(self) -> None:
        """Try once more, for a moment."""
        self._owe_gathered_until(inf)
        with suppress(StorageError, TimeoutError):
            async with asyncio.timeout(LAST_TRY_S):
                while self._owed:
                    await self.send_owed()

    async def _send_owed(self, instance_id: str) -> None:
        is_recovery = self._owed.pop(instance_id)
        try:
            await self._queues.send_wakeups([instance_id], is_recovery=is_recovery)
        except BaseException:
            self.owe([instance_id], is_recovery=is_recovery)
            raise
