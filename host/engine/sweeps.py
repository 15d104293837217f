"""Sweeps of a hub that several hosts share: one host at a time looks for wake-ups that were lost.

A *quick* sweep is about those that nobody has led to a wait yet, and those that are blocked: an
index knows them. It is made every so often by the host whose duty that is, and by one that starts,
unless another host did so a moment ago. A wake-up of an instance that waits is lost only with a
host that ended unannounced, or with its queue. So a *full* sweep, which looks at every instance, is
made when a host has vanished, and otherwise a few times a day; at a pace that leaves room.

A host that runs has a lock of its own, which it lets go in an ordered stop when it owes no hint. A
lock whose time is over says that its host has vanished. It goes when a full sweep is done.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from itertools import count

from host.clock import Clock
from host.engine.duties import Duty
from host.engine.recovery import pages, wake, wake_blocked, wake_recoverable
from host.storage import rules
from host.storage.protocol import HubQueues, HubStore, NamedLock, Sought

SWEEP, FULL_SWEEP, HOST = "sweep", "full-sweep", "host#"
FIRST_TRIES = 5
"""So often a host that starts asks soon whether sweeps are its duty: a dead one may have it."""
REFUSED_PAUSE_S = 1.0
"""How soon a host says anew that it is there, whose lock is being removed for its absence."""
FULL_PAGE, FULL_PAGE_PAUSE_S = 200, 1.0
"""About so many instances are looked at, then others have the table for a while."""


class Sweeps:
    """One host's part in them."""

    def __init__(
        self,
        store: HubStore,
        queues: HubQueues,
        clock: Clock,
        *,
        host_id: str,
        sweep_s: float,
        full_sweep_s: float,
        host_lock_s: float,
    ) -> None:
        self._store = store
        self._queues = queues
        self._clock = clock
        self._host_id = host_id
        self._sweep_s = sweep_s
        self._full_sweep_s = full_sweep_s
        self._host_lock_s = host_lock_s
        self._sweeping = self._duty(SWEEP, host_id, sweep_s * 1.2)
        self._presence = self._duty(f"{HOST}{host_id}", host_id, host_lock_s)
        self._full: Duty | None = None
        """The full sweep that this host has begun, and not ended yet."""
        self._names = (f"{host_id}.{number}" for number in count())
        self._tries = 0
        self._has_looked = False
        """Whether those were woken that may have waited for this host's functions."""

    def _duty(self, name: str, owner: str, hold_s: float) -> Duty:
        return Duty(self._store, self._clock, name=name, owner=owner, hold_s=hold_s)

    async def appear(self) -> float:
        """Say that this host is there; in how many seconds to say so again.

        Raises `StorageError`.
        """
        is_there = await self._presence.take()
        return self._host_lock_s * 0.4 if is_there else REFUSED_PAUSE_S

    async def ask_for_all(self) -> None:
        """Have all looked at soon, as if a host had vanished: this one lost hints.

        Raises `StorageError`.
        """
        await self._duty(f"{HOST}{next(self._names)}", self._host_id, 0.0).take()

    async def sweep(self) -> int:
        """Sweep, if that is this host's duty now; how many instances were woken.

        Raises `StorageError`.
        """
        self._tries += 1
        found = 0
        if await self._sweeping.take():
            found = await self._sweep()
        elif not self._has_looked:
            found = await wake_blocked(self._store, self._queues, ())
        self._has_looked = True
        return found

    async def _sweep(self) -> int:
        locks = await self._store.locks("")
        vanished = [each for each in locks if each.name.startswith(HOST) and self._is_over(each)]
        if not (vanished or await self._is_time_for_all(locks)):
            return await wake_recoverable(self._store, self._queues, sought=Sought.UNLED)
        found = await self._sweep_all()
        for lock in vanished:
            await self._remove(lock)
        return found

    async def _remove(self, lock: NamedLock) -> None:
        """Remove a lock that is over, unless its host has come back: that one may vanish again."""
        removing = self._duty(lock.name, next(self._names), self._host_lock_s)
        if await removing.take():
            await removing.let_go()

    @property
    def pause_s(self) -> float:
        """In how many seconds to come again."""
        is_new = not self._sweeping.is_held and self._tries < FIRST_TRIES
        return self._sweep_s / FIRST_TRIES if is_new else self._sweep_s

    async def leave(self, *, owes_hints: bool) -> None:
        """The host ends in order: others need not wait. What it owes, a full sweep is to find."""
        left = [each for each in (self._full, self._sweeping) if each is not None]
        left += [] if owes_hints else [self._presence]
        await asyncio.gather(*(each.let_go() for each in left))

    async def _is_time_for_all(self, locks: Sequence[NamedLock]) -> bool:
        """Whether all are to be looked at, though no host has vanished. Then it is begun."""
        if self._full is not None:
            return True  # one that was begun here failed, or may have been begun
        if any(each.name == FULL_SWEEP and self._keeps_others_out(each) for each in locks):
            return False
        self._full = self._duty(FULL_SWEEP, next(self._names), self._full_sweep_s)
        if not await self._full.take():
            self._full = None
        return self._full is not None

    async def _sweep_all(self) -> int:
        found = 0
        taken_at = self._clock.monotonic()
        async for page in pages(self._store, Sought.ALL, FULL_PAGE):
            found += await wake(self._queues, page.instance_ids)
            if page.rest is not None:
                await self._clock.sleep(FULL_PAGE_PAUSE_S)
            if self._clock.monotonic() - taken_at > self._sweep_s / 2:
                taken_at = self._clock.monotonic()
                await self._sweeping.take()
        self._full = None
        return found

    def _keeps_others_out(self, lock: NamedLock) -> bool:
        """Whether the last full sweep was begun a moment ago, and not by a clock that was off."""
        now = self._clock.now()
        latest = rules.too_late(now + timedelta(seconds=self._full_sweep_s), now)
        return now < lock.expires_at <= latest

    def _is_over(self, lock: NamedLock) -> bool:
        return lock.expires_at <= self._clock.now()
