"""The keys of a hub, as one of its hosts knows them: it follows their record, and changes it.

A host reads the record every few seconds, and besides when somebody shows a key that it does not
know, which may have been made a moment ago on another host. That is once a second at most, however
many keys are guessed. While the store is away, the keys that are known go on working.

A read that began before a change of this host ended must not undo it here: a key that was deleted
would open again for a while.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from http import HTTPStatus
from typing import ClassVar, Final, NamedTuple
from uuid import uuid4

from host.clock import Clock
from host.core.failures import in_words
from host.engine.repeated import RepeatedLines
from host.errors import StorageError
from host.http import kept_keys
from host.http.kept_keys import KeptKeys, UnreadableKeysError
from host.http.key_ring import Key, KeyRing
from host.http.keys import KeyFile
from host.http.link_tokens import MARK
from host.http.refusals import RefusalError
from host.logs import HostLog
from host.storage.protocol import HubStore, NamedRecord

EACH_S: Final = 8.0
"""How often the record is read: on AWS a read unit each time for 4 KB. With `PATIENCE_S` it is how
long a key that was deleted on another host opens: ten seconds, as the documents say."""
STRANGER_S: Final = 1.0
"""How soon after a look for an unknown key another one may be looked for."""
PATIENCE_S: Final = 2.0
"""How long a look may take: requests wait for it."""
MIN_VALUE: Final = 32
MAX_VALUE: Final = 256
_TRIES: Final = 8

_logger = HostLog(__name__)


class KeysUnchangedError(RefusalError):
    """The hub's keys cannot be changed now."""

    status: ClassVar[HTTPStatus] = HTTPStatus.CONFLICT
    summary: ClassVar[str] = "The hub's keys cannot be changed"


class _Found(NamedTuple):
    kept: KeptKeys
    stamp: str | None


class HubKeys:
    """The keys of a host's file and of its hub."""

    def __init__(self, file: KeyFile, store: HubStore, clock: Clock) -> None:
        self._file = file
        self._store = store
        self._clock = clock
        self._lines = RepeatedLines(clock, _logger)
        self.ring = KeyRing(file, None)
        """The keys as they are known now."""
        self._stamp: str | None = ""  # that of no record, and not that there is none
        self._changes = 0
        self._next_stranger_at = clock.monotonic()
        self._looking: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def followed(self) -> AsyncIterator[None]:
        """Follow the record meanwhile; it was read once when this begins, if the store answers."""
        await self._look()
        following = asyncio.create_task(self._follow(), name="hub keys")
        try:
            yield
        finally:
            tasks = [task for task in (following, self._looking) if task is not None]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def find(self, presented: str) -> Key | None:
        """The key that was presented."""
        found = self.ring.find(presented, self._clock.now())
        if found is None and _may_be_a_key(presented):
            await self._look_for_stranger()
            found = self.ring.find(presented, self._clock.now())
        return found

    async def referred(self, reference: str) -> Key | None:
        """The key that a genuine session names; another host may have made it a moment ago."""
        found = self.ring.referred(reference, self._clock.now())
        if found is None:
            await self._look_for_stranger()
            found = self.ring.referred(reference, self._clock.now())
        return found

    async def change(self, change: Callable[[KeyRing, datetime], KeptKeys]) -> None:
        """Store what `change` makes of the keys; it is called again if others were faster.

        Raises what it raises, `KeysUnchangedError` and `StorageError`.
        """
        for _ in range(_TRIES):
            try:
                found = await self._read()
            except UnreadableKeysError as error:
                raise KeysUnchangedError(f"Their record in the hub: {error}.") from error
            kept = change(KeyRing(self._file, found.kept), self._clock.now())
            data = kept_keys.encode(kept)
            if len(data) > kept_keys.MAX_BYTES:
                raise KeysUnchangedError(
                    f"All keys of a hub have {kept_keys.MAX_BYTES // 1024} KiB. Delete some."
                )
            stamp = uuid4().hex
            record = NamedRecord(kind=kept_keys.KIND, key=kept_keys.KEY, stamp=stamp, data=data)
            if await self._store.change_record(record, after=found.stamp):
                self._changes += 1
                self._take(_Found(kept=kept, stamp=stamp))
                return
        raise KeysUnchangedError("Others change them all the time. Try again.")

    async def _follow(self) -> None:
        while True:
            await self._clock.sleep(EACH_S)
            await self._look()

    async def _look_for_stranger(self) -> None:
        """Look once for all that ask meanwhile, unless somebody has just looked."""
        if self._looking is None:
            now = self._clock.monotonic()
            if now < self._next_stranger_at:
                return
            self._next_stranger_at = now + STRANGER_S
            self._looking = asyncio.create_task(self._look())
            self._looking.add_done_callback(self._has_looked)
        await asyncio.wait({self._looking})  # one that asks may go; the others wait on

    def _has_looked(self, _: asyncio.Task[None]) -> None:
        self._looking = None

    async def _look(self) -> None:
        """Learn the keys anew. If that fails, those that are known stay."""
        changes = self._changes
        try:
            async with asyncio.timeout(PATIENCE_S):
                found = await self._read()
        except (StorageError, TimeoutError, UnreadableKeysError) as error:
            text = "%s cannot be read, and those that are known stay: %s"
            self._lines.warn(text, "The hub's keys", in_words(error))
        except Exception:
            _logger.exception("Reading the hub's keys failed")
        else:
            if changes == self._changes:
                self._take(found)

    async def _read(self) -> _Found:
        record = await self._store.record(kept_keys.KIND, kept_keys.KEY)
        if record is None:
            return _Found(kept=KeptKeys(), stamp=None)
        return _Found(kept=kept_keys.decode(record.data), stamp=record.stamp)

    def _take(self, found: _Found) -> None:
        if found.stamp != self._stamp:
            self._stamp = found.stamp
            self.ring = KeyRing(self._file, found.kept)


def _may_be_a_key(presented: str) -> bool:
    return MIN_VALUE <= len(presented) <= MAX_VALUE and not presented.startswith(MARK)
