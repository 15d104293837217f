"""The record of a limit, or of one key of it, as this host knows it: read anew when it is old."""

from __future__ import annotations

from math import inf
from uuid import uuid4

from host.clock import Clock
from host.core.limits import Use
from host.engine.limits.stored import decode, encode, record_key
from host.storage.protocol import HubStore, NamedRecord

SLOTS = "slots"
"""The kind of the records."""
FRESH_S = 1.0
"""What was read longer ago than this is read again before anything is decided by it."""


class SlotsRecord:
    """What is stored, and by which stamp it is changed."""

    def __init__(
        self, store: HubStore, clock: Clock, name: str, key: str, *, is_alone: bool
    ) -> None:
        self._store = store
        self._clock = clock
        self._name, self._key = name, key
        self._is_alone = is_alone
        self.use = Use(name, key)
        self.stored_at = -inf
        """When this host stored it last; monotonic."""
        self._stamp: str | None = None
        self._read_at = -inf

    @property
    def is_there(self) -> bool:
        """Whether anything is stored, as far as is known."""
        return self._stamp is not None

    def forget(self) -> None:
        """What is known of it may not be true."""
        self._read_at = -inf

    async def refresh(self) -> None:
        """Read it if what is known is old. Raises `StorageError`.

        Nobody else writes to a store that one process has for itself.
        """
        age_s = self._clock.monotonic() - self._read_at
        if age_s < FRESH_S or (self._is_alone and self._read_at > -inf):
            return
        record = await self._store.record(SLOTS, record_key(self._name, self._key))
        self.use = decode(record, self._name, self._key)
        self._stamp = None if record is None else record.stamp
        self._read_at = self._clock.monotonic()

    async def store(self, wanted: Use) -> bool:
        """Store this, if nobody else has changed it; whether it is so. Raises `StorageError`."""
        key, stamp, new_stamp = record_key(self._name, self._key), self._stamp, None
        if wanted.is_empty:
            is_done = stamp is None or await self._store.remove_record(SLOTS, key, after=stamp)
        else:
            new_stamp = uuid4().hex
            record = NamedRecord(kind=SLOTS, key=key, stamp=new_stamp, data=encode(wanted))
            is_done = await self._store.change_record(record, after=stamp)
        if is_done:
            self.use, self._stamp = wanted, new_stamp
            self._read_at = self.stored_at = self._clock.monotonic()
        return is_done
