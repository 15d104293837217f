"""What one host of a hub does for all: it has the lock of the duty's name.

Nothing depends on it that nobody else does the same: clocks differ, and a host that stood still
takes its lock for its own. What is done twice is done in vain, and that is all.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

from host.clock import Clock
from host.errors import StorageError
from host.storage.protocol import HubStore, NamedLock


class Duty:
    """One host's part in one duty."""

    def __init__(
        self, store: HubStore, clock: Clock, *, name: str, owner: str, hold_s: float
    ) -> None:
        """`hold_s`: when its host has not taken it anew for so many seconds, another may."""
        self._store = store
        self._clock = clock
        self._name = name
        self._owner = owner
        self._hold = timedelta(seconds=hold_s)
        self.is_held = False
        """Whether it is this host's, as far as it knows."""
        self._may_be_held = False
        """The same, where nobody has heard yet what became of the last request."""

    async def take(self) -> bool:
        """Take the duty, or keep it; whether it is this host's. Raises `StorageError`."""
        now = self._clock.now()
        lock = NamedLock(name=self._name, owner=self._owner, expires_at=now + self._hold)
        self._may_be_held = True
        self.is_held = self._may_be_held = await self._store.hold_lock(lock, now)
        return self.is_held

    async def let_go(self) -> None:
        """Leave it to others at once, if it may be this host's."""
        if self._may_be_held:
            self.is_held = self._may_be_held = False
            with suppress(StorageError):  # then it ends by itself
                await self._store.release_lock(self._name, self._owner)
