"""Removes entities that are empty, without a state, tags, or anything to do; unlocks orphaned ones.

All entities are walked through, a page a call. A store that many hosts share only marks what it
finds, so there is a second walk, later, that removes it. Nothing is kept in memory between two
calls: the token says which walk it is, and up to when the entities must have been idle.

An entity that is idle for less than half an hour stays where nobody says otherwise: it knows the
ids of its last messages, and a sender that dies sends again what it has sent.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from bindings.entity_cleaning import IDLE_ENTITY
from bindings.errors import InvalidArgumentError
from host.core import arguments
from host.core.arguments import MAX_PAGE_SIZE
from host.core.history import EntityCheckpoint
from host.core.instance_state import InstanceState
from host.core.records import Instance, Snapshot
from host.engine.entity_locks import EntityLocks
from host.engine.parts import EngineParts
from host.engine.together import together
from host.errors import DamagedDataError
from host.storage import rules
from host.storage.protocol import REMOVED_AFTER, InstanceFilter, Removal

PAGE_SIZE = 200
_MARGIN = timedelta(seconds=1)
_TOKEN = re.compile(r"(?P<walk>[12])(?P<marked>[m-])(?P<latest>[0-9]{1,17})\.(?P<rest>.*)")


class CleanedPage(NamedTuple):
    """What came of some entities; `token` is for the next ones, None after the last."""

    removed: int
    marked: int
    """How many go in the next walk."""
    token: str | None
    released: int = 0
    """How many were unlocked, since nobody is in the section that had locked them."""
    wait: timedelta = timedelta(0)
    """How long to wait before the token is used."""


class _Place(NamedTuple):
    """How far a cleaning has come."""

    latest: datetime
    walk: int = 1
    has_marked: bool = False
    rest: str | None = None

    @property
    def token(self) -> str:
        mark = "m" if self.has_marked else "-"
        return f"{self.walk}{mark}{rules.micros(self.latest)}.{self.rest or ''}"


class _LookedAt(NamedTuple):
    """What came of a page of entities; `rest` is where the next one begins."""

    removals: Counter[Removal]
    rest: str | None
    released: int


class EntityCleaner:
    """Cleans the entities of a hub."""

    def __init__(self, parts: EngineParts, locks: EntityLocks) -> None:
        self._parts = parts
        self._locks = locks

    async def page(
        self,
        *,
        idle_for: timedelta = IDLE_ENTITY,
        token: str | None = None,
        size: int = PAGE_SIZE,
    ) -> CleanedPage:
        """Go through the next entities. Raises `InvalidArgumentError`."""
        arguments.instance_of(idle_for, timedelta, "How long an entity must be idle")
        if idle_for < timedelta(0):
            raise InvalidArgumentError("An entity cannot be idle for less than no time.")
        size = arguments.whole(size, "The page size", 1, MAX_PAGE_SIZE)
        place = _Place(self._latest(idle_for)) if token is None else _place_of(token)
        looked_at = await self._clean(place.latest, place.rest, size)
        page = _page(place, looked_at.removals, looked_at.rest)
        return page._replace(released=looked_at.released)

    def _latest(self, idle_for: timedelta) -> datetime:
        """When an entity must have done its last thing by, that has been idle for so long."""
        now, before_all = self._parts.clock.now(), rules.from_micros(0)
        return now - min(idle_for, now - before_all)

    async def sweep(self, latest: datetime) -> int:
        """Go through all once: remove those that were marked before; how many."""
        removed, rest = 0, None
        while True:
            looked_at = await self._clean(latest, rest, PAGE_SIZE)
            removed += looked_at.removals[Removal.GONE]
            rest = looked_at.rest
            if rest is None:
                return removed

    async def _clean(self, latest: datetime, rest: str | None, size: int) -> _LookedAt:
        """What became of some of those that have been idle since then."""
        page = await self._parts.store.query(
            InstanceFilter(entities=True, created_to=latest, updated_to=latest),
            limit=size,
            token=rest,
            max_bytes=self._parts.options.max_page_bytes,
        )
        removals = await together([self._remove(row, latest) for row in _empty(page.instances)])
        released = await together([self._release(row) for row in _locked(page.instances)])
        return _LookedAt(Counter(removals), page.token, sum(released))

    async def _release(self, row: Instance) -> bool:
        """Unlock it if nobody is in the section that has locked it; whether it was so."""
        try:
            snapshot = await self._parts.store.load(row.instance_id)
            return snapshot is not None and await self._locks.release_if_orphaned(snapshot)
        except DamagedDataError:
            return False

    async def _remove(self, row: Instance, latest: datetime) -> Removal:
        store = self._parts.store
        try:
            snapshot = await store.load(row.instance_id)
            if snapshot is None or not _may_go(snapshot, latest):
                return Removal.KEPT
            number = -1 if (last := _last(snapshot)) is None else last.number
            return await store.remove_entity(
                row.instance_id, snapshot.instance.execution_id, number
            )
        except DamagedDataError:
            return Removal.KEPT


def _page(place: _Place, removals: Counter[Removal], rest: str | None) -> CleanedPage:
    removed, marked = removals[Removal.GONE], removals[Removal.MARKED]
    has_marked = place.has_marked or bool(marked)
    if rest is not None:
        token = place._replace(rest=rest, has_marked=has_marked).token
        return CleanedPage(removed, marked, token)
    if place.walk > 1 or not has_marked:
        return CleanedPage(removed, marked, None)
    token = _Place(place.latest, walk=2).token
    return CleanedPage(removed, marked, token, wait=REMOVED_AFTER + _MARGIN)


def _place_of(token: str) -> _Place:
    found = _TOKEN.fullmatch(token)
    try:
        if found is None:
            raise ValueError(token)
        latest = rules.from_micros(int(found["latest"]))
    except (ValueError, OverflowError) as error:
        raise InvalidArgumentError("That is no continuation token of a cleaning.") from error
    return _Place(latest, int(found["walk"]), found["marked"] == "m", found["rest"] or None)


def _empty(rows: Iterable[Instance]) -> Iterable[Instance]:
    """Those whose rows say nothing of a state or tags: only these are worth a look."""
    return (row for row in rows if not (row.tags or (row.entity and row.entity.has_state)))


def _locked(rows: Iterable[Instance]) -> Iterable[Instance]:
    return (row for row in rows if row.entity is not None and row.entity.locked_by is not None)


def _last(snapshot: Snapshot) -> EntityCheckpoint | None:
    events = snapshot.batches[-1].batch.events if snapshot.batches else ()
    return events[-1] if events and isinstance(events[-1], EntityCheckpoint) else None


def _may_go(snapshot: Snapshot, latest: datetime) -> bool:
    """Whether an entity is empty, and was when it did something last, by that time."""
    last = _last(snapshot)
    if snapshot.inbox or InstanceState(snapshot).may_lack_effects:
        return False
    if last is None:
        return not snapshot.batches and snapshot.instance.created_at <= latest
    is_empty = last.state is None and not last.tags and not last.delayed and last.lock is None
    return is_empty and last.timestamp <= latest
