"""The audit: who changed what over HTTP, when, from where, and what came of it; kept in the hub.

Rules of this file: an entry is a record of its own, written once and never changed. Its key counts
down, so that pages go from the newest on. Whoever was served waits a moment for his entry to be
stored; if the store takes longer it is stored later, and a stop waits for it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import uuid4

import msgspec

from bindings.errors import InvalidArgumentError
from host.clock import Clock
from host.core.records import TICK
from host.engine.together import together
from host.errors import StorageError
from host.logs import HostLog
from host.storage import rules
from host.storage.protocol import HubStore, NamedRecord

AUDIT = "audit"
KEPT = timedelta(days=90)
PATIENCE_S = 1.0
"""So long a request waits for its entry to be stored."""
RETRY_S = 2.0
STOP_S = 2.0
"""So long a stop waits for the entries that are still to be stored."""
MAX_OWED = 1000
"""So many entries wait for a store that is away; more are lost, and the log says so."""
MAX_PAGE = 1000
MAX_LOOKED_AT = 2000
"""A page looks at so many entries at most, whether they match or not."""

_READ = 100
_AT_ONCE = 16
_LATEST = 10**18
_KEY = re.compile(r"[0-9]{18}\.[0-9a-f]{12}")

_log = HostLog(__name__)


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One change that was allowed, and asked for. `what` is the operation's id."""

    at: datetime
    who: str
    what: str
    target: str = ""
    detail: str = ""
    address: str = ""
    outcome: str = ""
    status: int = 0
    """That of the HTTP answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """Which entries to find: texts are parts of what they say, in any case; None is any."""

    who: str | None = None
    what: str | None = None
    target: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def matches(self, entry: AuditEntry) -> bool:
        """Whether the entry is one of them; the times the keys tell."""
        return (
            _has(entry.who, self.who)
            and _has(entry.what, self.what)
            and _has(entry.target, self.target)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditPage:
    """Some entries, the newest first. `token` continues; None at the end. A page may be short."""

    entries: Sequence[AuditEntry]
    token: str | None


_encode = msgspec.json.encode
_decoder = msgspec.json.Decoder(AuditEntry)


class AuditLog:
    """Writes and reads the audit of a hub."""

    def __init__(self, store: HubStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._owed: dict[str, tuple[AuditEntry, asyncio.Event]] = {}
        self._writing: asyncio.Task[None] | None = None

    async def write(self, entry: AuditEntry) -> None:
        """Store it, or have it stored soon. Never raises."""
        stored = self.owe(entry)
        if stored is None:
            return
        waiting = asyncio.ensure_future(stored.wait())
        try:
            await asyncio.wait([waiting], timeout=PATIENCE_S)
        finally:
            waiting.cancel()

    def owe(self, entry: AuditEntry) -> asyncio.Event | None:
        """Have it stored soon; gives what is set then. None if there is no room. Never raises."""
        if len(self._owed) >= MAX_OWED:
            _log.error("The store is away, and the audit has no room for this: %s", _words(entry))
            return None
        stored = asyncio.Event()
        self._owed[f"{_place(entry.at)}.{uuid4().hex[:12]}"] = entry, stored
        if self._writing is None:
            self._writing = asyncio.create_task(self._write())
        return stored

    async def stop(self) -> None:
        """Wait a moment for what is still to be stored. Idempotent."""
        if self._writing is not None:
            await asyncio.wait([self._writing], timeout=STOP_S)
        if self._writing is not None:
            self._writing.cancel()
        for entry, _ in self._owed.values():
            _log.error("The store did not take this of the audit: %s", _words(entry))
        self._owed.clear()

    async def page(self, wanted: AuditFilter, *, limit: int, token: str | None) -> AuditPage:
        """Up to so many entries, the newest first.

        Raises `InvalidArgumentError` for a token that is none, and `StorageError`.
        """
        after = _begin(wanted, token)
        found: list[AuditEntry] = []
        looked_at = 0
        while looked_at < MAX_LOOKED_AT:
            page = await self._store.records(AUDIT, after=after, limit=_READ)
            for record in page.records:
                looked_at, after = looked_at + 1, record.key
                entry = _entry(record)
                if entry is None:
                    continue
                if wanted.since is not None and entry.at < wanted.since:
                    return AuditPage(entries=found, token=None)
                if wanted.matches(entry):
                    found.append(entry)
                    if len(found) == limit:
                        return AuditPage(entries=found, token=after)
            if page.rest is None:
                return AuditPage(entries=found, token=None)
            after = page.rest
        return AuditPage(entries=found, token=after)

    async def all(self, wanted: AuditFilter) -> AsyncIterator[Sequence[AuditEntry]]:
        """All of them, page by page. Raises `StorageError`."""
        token: str | None = None
        while True:
            page = await self.page(wanted, limit=_READ, token=token)
            if page.entries:
                yield page.entries
            token = page.token
            if token is None:
                return

    async def _write(self) -> None:
        try:
            while self._owed:
                try:
                    await together([self._put(key) for key in list(self._owed)], at_once=_AT_ONCE)
                except StorageError as error:
                    _log.warning("The audit waits for the store: %s", error)
                    await self._clock.sleep(RETRY_S)
        finally:
            self._writing = None

    async def _put(self, key: str) -> None:
        entry, stored = self._owed[key]
        record = NamedRecord(kind=AUDIT, key=key, stamp=uuid4().hex, data=_encode(entry))
        await self._store.put_record(record)
        self._owed.pop(key, None)
        stored.set()


async def forget_old(store: HubStore, now: datetime) -> int:
    """Remove the entries that were kept for long enough; how many. Raises `StorageError`."""
    removed = 0
    after: str | None = _place(now - KEPT)
    while after is not None:
        page = await store.records(AUDIT, after=after, limit=_READ)
        removals = [store.remove_record(AUDIT, each.key) for each in page.records]
        removed += len(await together(removals, at_once=_AT_ONCE))
        after = page.rest
    return removed


def _begin(wanted: AuditFilter, token: str | None) -> str:
    """The key behind which a page begins."""
    if token is not None:
        if not _KEY.fullmatch(token):
            raise InvalidArgumentError("The continuation token is not from a list of the audit.")
        return token
    return "" if wanted.until is None else _place(wanted.until + TICK)


def _place(at: datetime) -> str:
    """The first part of a key: the later, the less."""
    return f"{max(_LATEST - rules.micros(at), 0):018d}"


def _has(text: str, part: str | None) -> bool:
    return part is None or part.lower() in text.lower()


def _entry(record: NamedRecord) -> AuditEntry | None:
    try:
        return _decoder.decode(record.data)
    except (msgspec.DecodeError, ValueError):
        return None


def _words(entry: AuditEntry) -> str:
    return f"{entry.who} did {entry.what} {entry.target} at {entry.at} ({entry.outcome})"
