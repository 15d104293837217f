"""The hints of what this host stored: each is sent, at once or as soon as the queue takes it.

Once a fact is stored its caller has succeeded, whatever the queue says. So a hint that the queue
refuses, or that a caller no longer waits for, is owed: a loop of the engine sends it in the
background. What is owed dies with the process, and what is more than there is room for is not
noted: recovery finds those instances. Owing keeps no stop waiting.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import TypeVar

from host.engine.store_watch import StoreWatch
from host.errors import DamagedDataError, StorageError
from host.storage.protocol import HubQueues

T = TypeVar("T")

PATIENCE_S = 5.0
"""How long whoever stored something waits for its hint; then it is sent in the background."""
LAST_TRY_S = 1.0
"""How long a stop tries to send what is owed still."""
MAX_OWED = 100_000
SENT_AT_ONCE = 100


class Hints:
    """Sends wake-ups, and owes those that could not be sent. One for all of a host."""

    def __init__(
        self,
        queues: HubQueues,
        nudge: Callable[[Sequence[str]], None],
        store_watch: StoreWatch,
    ) -> None:
        """`nudge` tells the sessions that are open here."""
        self._queues = queues
        self._store_watch = store_watch
        self._nudge = nudge
        self._owed: dict[str, bool] = {}
        """Who is to be woken, in order, and whether by a recovery hint."""
        self._is_owing = asyncio.Event()

    async def send(self, instance_ids: Sequence[str], *, is_recovery: bool = False) -> None:
        """Hint that these instances have something to do: now, or as soon as that works."""
        self._nudge(instance_ids)
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
        (`storing` gives False).
        """
        try:
            stored = await storing
        except DamagedDataError:
            raise
        except (StorageError, asyncio.CancelledError):
            self.owe([instance_id])
            raise
        if stored is not False:
            await self.send([instance_id])
        return stored

    def owe(self, instance_ids: Sequence[str], *, is_recovery: bool = False) -> None:
        """Hint at these soon; returns at once."""
        self._nudge(instance_ids)
        for instance_id in instance_ids:
            if instance_id in self._owed or len(self._owed) < MAX_OWED:
                self._owed[instance_id] = is_recovery or self._owed.get(instance_id, False)
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

    async def close(self) -> None:
        """Try once more, for a moment."""
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
