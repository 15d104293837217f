"""Who is there: each host of a hub keeps a record of itself, and anybody lists them.

A record says when its host was seen last. It goes in an ordered stop; one that was not made anew
for `GONE_S` is of a host that vanished; where one host at a time has the store, the next one knows
that sooner. Nothing depends on these records: they are for people.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import uuid4

import msgspec

from host.clock import Clock
from host.errors import StorageError
from host.storage.protocol import HubStore, NamedRecord

HOST = "host"
EACH_S = 120.0
"""How often a host says that it is there: on AWS that is a write unit."""
GONE_S = 300.0
FORGOTTEN_S = 3600.0
"""Records that are so old are removed by whoever lists the hosts."""
MAX_NAMES_BYTES = 600
"""So much of a record are the names of functions: all of it is to be one write unit, a kilobyte."""
_MAX_HOSTS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What a host says of itself: the versions of funchost and of the app, what the app has."""

    version: str
    app_version: str | None
    functions: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What a host does right now: how many instances it leads, how many activities it runs."""

    sessions: int = 0
    activities: int = 0


class HostRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One host, as it was when it was seen last."""

    host_id: str
    version: str
    started_at: datetime
    seen_at: datetime
    app_version: str | None = None
    sessions: int = 0
    activities: int = 0
    functions: tuple[str, ...] = ()
    more_functions: int = 0
    """How many there are besides, whose names would make the record too large."""


_encode = msgspec.json.encode
_decoder = msgspec.json.Decoder(HostRecord)


class Hosts:
    """The hosts of a hub, of which this is one."""

    def __init__(
        self,
        store: HubStore,
        clock: Clock,
        *,
        host_id: str,
        about: Callable[[], About] | None,
        load: Callable[[], Load],
    ) -> None:
        self._store = store
        self._clock = clock
        self._host_id = host_id
        self._about = about
        self._load = load
        self._started_at = clock.now()
        self._may_be_there = False

    @property
    def is_listed(self) -> bool:
        """Whether this host is to be among them."""
        return self._about is not None

    async def appear(self) -> None:
        """Say that this host is there, and what it does. Raises `StorageError`."""
        if self._store.was_interrupted and not self._may_be_there:
            await self._forget_others()
        if self._about is not None:
            data = _encode(self._record(self._about()))
            self._may_be_there = True
            await self._store.put_record(
                NamedRecord(kind=HOST, key=self._host_id, stamp=uuid4().hex, data=data)
            )

    async def _forget_others(self) -> None:
        """They had the store alone, one after the other, and were killed."""
        async for record in self._records():
            if record.host_id != self._host_id:
                await self._store.remove_record(HOST, record.host_id)

    async def leave(self) -> None:
        """The host ends in order."""
        if self._may_be_there:
            self._may_be_there = False
            with suppress(StorageError):  # then the record is old soon
                await self._store.remove_record(HOST, self._host_id)

    async def all(self) -> list[HostRecord]:
        """Those that are there, in order of their start. Raises `StorageError`.

        This one is as it is now; the others are as they were at their `seen_at`.
        """
        now = self._clock.now()
        found: list[HostRecord] = []
        async for stored in self._records():
            record = self._as_it_is(stored) if stored.host_id == self._host_id else stored
            if now - record.seen_at > timedelta(seconds=FORGOTTEN_S):
                await self._store.remove_record(HOST, record.host_id)
            elif now - record.seen_at <= timedelta(seconds=GONE_S):
                found.append(record)
        return sorted(found, key=lambda each: (each.started_at, each.host_id))[:_MAX_HOSTS]

    async def _records(self) -> AsyncIterator[HostRecord]:
        after: str | None = ""
        while after is not None:
            page = await self._store.records(HOST, after=after)
            for record in page.records:
                with suppress(msgspec.DecodeError, ValueError):  # anybody may have written it
                    yield _decoder.decode(record.data)
            after = page.rest

    def _as_it_is(self, stored: HostRecord) -> HostRecord:
        """The host that asks, now: for that nothing has to be written."""
        return stored if self._about is None else self._record(self._about())

    def _record(self, about: About) -> HostRecord:
        load, names = self._load(), _fitting(about.functions)
        return HostRecord(
            host_id=self._host_id,
            version=about.version,
            app_version=about.app_version,
            started_at=self._started_at,
            seen_at=self._clock.now(),
            sessions=load.sessions,
            activities=load.activities,
            functions=names,
            more_functions=len(about.functions) - len(names),
        )


def _fitting(names: Sequence[str]) -> tuple[str, ...]:
    """The first of the names, as many as there is room for."""
    left = MAX_NAMES_BYTES
    for count, name in enumerate(names):
        left -= len(name.encode(errors="replace")) + 3
        if left < 0:
            return tuple(names[:count])
    return tuple(names)
