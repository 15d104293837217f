"""Retention: what was finished for long enough is deleted, by one host of a hub for all.

Only what is finished is deleted, and by its execution: who was started anew meanwhile stays.
Children are instances as others are: each goes when it is old itself. Entities never finish: those
go that have no state, and nothing to do. So do entries of the audit that were kept for long enough.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import datetime, timedelta

from bindings.client import RuntimeStatus
from bindings.errors import InstanceStateError
from host.core.records import UNCHANGED, Instance, Unchanged
from host.engine.audit import KEPT, forget_old
from host.engine.duties import Duty
from host.engine.entity_cleaning import EntityCleaner
from host.engine.entity_locks import EntityLocks
from host.engine.parts import EngineParts
from host.engine.together import together
from host.logs import HostLog
from host.storage.protocol import InstanceFilter

RETENTION = "retention"
DEFAULT = timedelta(days=30)
"""How long finished instances are kept where nobody says so, in hubs that know when they were made:
older ones were made when nothing was ever deleted."""
LONGEST = timedelta(days=36_500)
"""What is to be kept for longer is kept for ever."""
MIN_PAUSE_S, MAX_PAUSE_S = 1.0, 3600.0
PAGE = 200
FINISHED = tuple(status for status in RuntimeStatus if status.is_finished)

_logger = HostLog("funchost.engine")

Periods = Mapping[RuntimeStatus, timedelta]


class Retention:
    """One host's part in it. `given` says how long to keep what has ended so; None is for ever.

    `entities` says the same of entities without a state, from their last operation on.
    """

    def __init__(
        self,
        parts: EngineParts,
        given: Mapping[RuntimeStatus, timedelta | None],
        entities: timedelta | Unchanged | None = UNCHANGED,
    ) -> None:
        self._parts = parts
        self._given = given
        self._given_of_entities = entities
        self._cleaner = EntityCleaner(parts, EntityLocks(parts))
        self._of_entities: timedelta | None = None
        self._periods: Periods | None = None
        self._duty: Duty | None = None
        self.pause_s = MAX_PAUSE_S
        """In how many seconds to come again."""

    async def sweep(self) -> None:
        """Delete what is old, if that is this host's duty now. Raises `StorageError`."""
        if self._periods is None:
            self._periods = await self._begin()
        if self._duty is not None and await self._duty.take():
            await self._sweep(self._periods)
            await self._sweep_entities(self._of_entities)
            await forget_old(self._parts.store, self._parts.clock.now())

    async def leave(self) -> None:
        """The host ends in order: others need not wait."""
        if self._duty is not None:
            await self._duty.let_go()

    async def _begin(self) -> Periods:
        made_at = await self._parts.store.made_at()
        periods = periods_of(self._given, made_at)
        if made_at is None and any(status not in self._given for status in FINISHED):
            _logger.info(
                "Finished instances are kept until somebody deletes them: this hub is older than "
                "retention is. Say in host.json how long: extensions.durableTask.retention."
            )
        self._of_entities = period_of_entities(self._given_of_entities, made_at)
        kept = [*periods.values(), *filter(None, [self._of_entities]), KEPT]
        self.pause_s = pause_of(kept)
        parts = self._parts
        self._duty = Duty(
            parts.store,
            parts.clock,
            name=RETENTION,
            owner=parts.host_id,
            hold_s=self.pause_s * 1.2,
        )
        return periods

    async def _sweep(self, periods: Periods) -> None:
        now = self._parts.clock.now()
        deleted: Counter[RuntimeStatus] = Counter()
        for period in sorted(set(periods.values())):
            statuses = frozenset(each for each in periods if periods[each] == period)
            async for rows in self._old(statuses, now - period):
                deleted += await self._delete(rows)
        if deleted:
            counts = ", ".join(f"{count} {status.value}" for status, count in deleted.items())
            _logger.info("Retention deleted %d instances: %s.", deleted.total(), counts)

    async def _sweep_entities(self, period: timedelta | None) -> None:
        """Remove empty entities; on AWS those that the sweep before has marked."""
        if period is None:
            return
        removed = await self._cleaner.sweep(self._parts.clock.now() - period)
        if removed:
            _logger.info("Retention removed %d entities without a state.", removed)

    async def _old(
        self, statuses: frozenset[RuntimeStatus], latest: datetime
    ) -> AsyncIterator[Sequence[Instance]]:
        """Those that have ended so, and were changed last by then, in pages.

        They were created by then, too: so no younger one is even looked at. What was imported since
        then was not kept here for as long, however old it is.
        """
        filter_ = InstanceFilter(statuses=statuses, created_to=latest, updated_to=latest)
        token: str | None = None
        while True:
            page = await self._parts.store.query(
                filter_,
                limit=PAGE,
                token=token,
                max_bytes=self._parts.options.max_page_bytes,
            )
            yield [row for row in page.instances if not _came_after(row, latest)]
            token = page.token
            if token is None:
                return

    async def _delete(self, rows: Sequence[Instance]) -> Counter[RuntimeStatus]:
        answers = await together([self._is_deleted(row) for row in rows])
        pairs = zip(rows, answers, strict=True)
        return Counter(row.status for row, is_deleted in pairs if is_deleted)

    async def _is_deleted(self, row: Instance) -> bool:
        try:
            return await self._parts.store.purge(row.instance_id, row.execution_id)
        except InstanceStateError:  # it goes on: somebody has rewound it
            return False


def _came_after(row: Instance, latest: datetime) -> bool:
    return row.imported_at is not None and row.imported_at > latest


def periods_of(
    given: Mapping[RuntimeStatus, timedelta | None], made_at: datetime | None
) -> Periods:
    """How long to keep what has ended so; what is kept for ever is not in it."""
    default = None if made_at is None else DEFAULT
    wanted = {status: given.get(status, default) for status in FINISHED}
    return {
        status: period
        for status, period in wanted.items()
        if period is not None and period <= LONGEST
    }


def period_of_entities(
    given: timedelta | Unchanged | None, made_at: datetime | None
) -> timedelta | None:
    """How long to keep entities without a state; None is for ever."""
    default = None if made_at is None else DEFAULT
    wanted = default if given is UNCHANGED else given
    return None if wanted is None or wanted > LONGEST else wanted


def pause_of(periods: Collection[timedelta]) -> float:
    """How often to look for what is old, in seconds."""
    return min(max(min(periods).total_seconds() / 10, MIN_PAUSE_S), MAX_PAUSE_S)
