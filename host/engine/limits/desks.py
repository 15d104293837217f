"""All desks of a host, and what the limits are now: as host.json says, or as somebody changed them.

A change that somebody made at run time is a record of the hub, which wins over host.json on every
host until it is taken back. Each host reads these records every few seconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from random import SystemRandom
from uuid import uuid4

import msgspec

from host.clock import Clock
from host.core.limits import Limit, Use, alive, without_past
from host.engine.limits.desk import Desk
from host.engine.limits.ended import EndedHolders
from host.engine.limits.parts import DeskParts
from host.engine.limits.record import SLOTS
from host.engine.limits.stored import decode, record_key
from host.engine.store_watch import StoreWatch
from host.engine.together import together
from host.storage.protocol import HubStore, NamedRecord

CHANGED_LIMIT = "limit"
"""The kind of the records that say what a limit is in place of host.json."""
FOLLOW_S = 8.0
"""How often they are read: with a read and its answer all hosts know after ten seconds."""

_encode = msgspec.json.encode
_decoder = msgspec.json.Decoder(Limit)


class Desks:
    """The desks of a host, by limit and key. Everything of it is for the event loop's thread."""

    def __init__(
        self,
        configured: Mapping[str, Limit],
        *,
        store: HubStore,
        clock: Clock,
        host_id: str,
        is_alone: bool,
        lease_s: float,
        store_watch: StoreWatch,
    ) -> None:
        self.configured = configured
        self._changed: dict[str, Limit] = {}
        self._changes = 0
        self._parts = DeskParts(
            store=store,
            clock=clock,
            host_id=host_id,
            is_alone=is_alone,
            lease_s=lease_s,
            store_watch=store_watch,
            draw=SystemRandom().random,
        )
        self._open: dict[tuple[str, str], Desk] = {}

    # ---- desks ----------------------------------------------------------------------------------

    def desk(self, name: str, key: str) -> Desk:
        """Where tasks with this key wait for the limit."""
        key = self._counted_by(name, key)
        desk = self._open.get((name, key))
        if desk is None:
            desk = Desk(
                self._parts,
                name,
                key,
                rule=partial(self.limit, name),
                closed=lambda: self._close(name, key),
            )
            self._open[name, key] = desk
        return desk

    def _counted_by(self, name: str, key: str) -> str:
        """The key by which a task with this one is counted: none if all count together."""
        limit = self.limit(name)
        return key if limit is not None and limit.per_key else ""

    def _close(self, name: str, key: str) -> None:
        self._open.pop((name, key), None)

    def open_now(self) -> list[Desk]:
        """Those at which somebody waits, or has a slot."""
        return list(self._open.values())

    def new_look(self) -> EndedHolders:
        """For somebody who looks for slots that nobody gave back."""
        return EndedHolders(self._parts.store, self._parts.clock)

    @property
    def is_at_work(self) -> bool:
        """Whether any of them does anything but wait for the clock, or for others."""
        return any(desk.is_at_work for desk in self._open.values())

    async def rest(self) -> None:
        """Wait until none of them does."""
        for desk in self.open_now():
            await desk.rest()

    async def leave(self) -> None:
        """The host ends: what it has is free for others. Raises `StorageError`."""
        await together([desk.leave() for desk in self.open_now()])

    # ---- what the limits are --------------------------------------------------------------------

    def limit(self, name: str) -> Limit | None:
        """What the limit is now; None if there is none of this name."""
        given = self.configured.get(name)
        return None if given is None else self._changed.get(name, given)

    def is_changed(self, name: str) -> bool:
        """Whether somebody has changed it since host.json was read."""
        return name in self._changed

    async def follow(self) -> None:
        """Learn what others have changed. Raises `StorageError`."""
        changes, found = self._changes, dict[str, Limit]()
        after: str | None = ""
        while after is not None:
            page = await self._parts.store.records(CHANGED_LIMIT, after=after)
            for record in page.records:
                with suppress(msgspec.DecodeError, ValueError):  # a later version wrote it
                    found[record.key] = _decoder.decode(record.data)
            after = page.rest
        if changes == self._changes:  # a change of this host must not be undone by an older read
            self._take(found)

    async def change(self, name: str, limit: Limit) -> None:
        """Let the limit be this on all hosts. Raises `StorageError`."""
        record = NamedRecord(kind=CHANGED_LIMIT, key=name, stamp=uuid4().hex, data=_encode(limit))
        await self._parts.store.put_record(record)
        self._changes += 1
        self._take(self._changed | {name: limit})

    async def take_back(self, name: str) -> None:
        """Let the limit be what host.json says. Raises `StorageError`."""
        await self._parts.store.remove_record(CHANGED_LIMIT, name)
        self._changes += 1
        self._take({key: each for key, each in self._changed.items() if key != name})

    def _take(self, changed: Mapping[str, Limit]) -> None:
        if changed != self._changed:
            self._changed = dict(changed)
            for desk in self.open_now():
                desk.look()

    # ---- who uses them --------------------------------------------------------------------------

    async def use_of(self, name: str, key: str) -> Use:
        """Who uses the limit beside a task with this key, as stored. Raises `StorageError`."""
        key = self._counted_by(name, key)
        record = await self._parts.store.record(SLOTS, record_key(name, key))
        return self._own(decode(record, name, key))

    async def uses(self, at_most: int) -> Sequence[Use]:
        """Who uses which limits and keys, in order of name. Raises `StorageError`."""
        found: dict[tuple[str, str], Use] = {}
        after: str | None = ""
        while after is not None and len(found) < at_most:
            page = await self._parts.store.records(SLOTS, after=after)
            for record in page.records:
                use = decode(record, *record.key.partition("/")[::2])
                if not await self._is_forgotten(record, use):
                    found[use.limit, use.key] = use
            after = page.rest
        for (name, key), desk in self._open.items():
            found.setdefault((name, key), desk.use)
        return [self._own(found[each]) for each in sorted(found)]

    async def _is_forgotten(self, record: NamedRecord, use: Use) -> bool:
        """Whether it says only what is past: its host died, and nobody asked since then."""
        limit, now = self.limit(use.limit), self._parts.clock.now().timestamp()
        use = without_past(self._own(use), None if limit is None else limit.rate, now)
        if not use.is_empty or (use.limit, use.key) in self._open:
            return False
        return await self._parts.store.remove_record(SLOTS, record.key, after=record.stamp)

    def _own(self, use: Use) -> Use:
        """The same with this host's part as it is now, and without what is gone."""
        desk, parts = self._open.get((use.limit, use.key)), self._parts
        if desk is not None:
            return desk.over(use)
        now, me, is_alone = parts.clock.now().timestamp(), parts.host_id, parts.is_alone
        return alive(use, now, me, longest_s=parts.lease_s, is_alone=is_alone)
