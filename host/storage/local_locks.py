"""Named locks of a hub that one process has alone: they end with it, and cost nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from host.storage import rules
from host.storage.protocol import NamedLock


class LocalLocks:
    """The locks of one hub."""

    def __init__(self) -> None:
        self._locks: dict[str, NamedLock] = {}

    def hold(self, lock: NamedLock, now: datetime) -> bool:
        """Take the lock, or keep it."""
        stored = self._locks.get(lock.name)
        if stored is not None and stored.owner != lock.owner:
            latest = rules.too_late(lock.expires_at, now)
            if now < stored.expires_at <= latest:
                return False
        self._locks[lock.name] = lock
        return True

    def release(self, name: str, owner: str) -> None:
        """Let go of a lock of this owner."""
        stored = self._locks.get(name)
        if stored is not None and stored.owner == owner:
            del self._locks[name]

    def named(self, prefix: str) -> Sequence[NamedLock]:
        """The locks whose names begin so."""
        return [lock for name, lock in sorted(self._locks.items()) if name.startswith(prefix)]
