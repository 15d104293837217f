"""Which unfinished instances may need a wake-up that was lost.

Rules of this file: the index of unfinished instances says who there is, and each is then looked at:
its row, its inbox, the newest batch of each of its executions. That is two or three small reads for
each, so it is for a host's start and for a slow sweep. One that cannot be read keeps nobody from
being found, and is found itself: whoever is woken for it says what is wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bindings.client import RuntimeStatus
from host.core.records import Instance
from host.errors import DamagedDataError
from host.storage import rules
from host.storage.aws.schema import UNFINISHED_INDEX
from host.storage.aws.table.hub_table import HubTable, between, within
from host.storage.aws.table.items import batch_key_of, is_unawaited, reading, run_of
from host.storage.aws.table.keys import (
    BATCHES,
    LEASES,
    MESSAGES,
    Item,
    cut,
    end_of,
    id_of,
    read_number,
    text,
)
from host.storage.aws.table.marks import leave_work
from host.storage.aws.table.table import Expression, Page, together

_PAGE = 200


class Recovery:
    """Looks for instances that may have something to do."""

    def __init__(self, hub: HubTable) -> None:
        self._hub = hub

    async def find(self, after: str, limit: int) -> Sequence[str]:
        """Up to `limit` ids greater than `after`, in order; none only if there are no more."""
        found: list[str] = []
        while len(found) < limit:
            candidates, is_last = await self._unfinished(after)
            checks = await together([self._may_have_work(each) for each in candidates])
            found += [each for each, has_work in zip(candidates, checks, strict=True) if has_work]
            if is_last:
                break
            after = candidates[-1]
        return found[:limit]

    async def _unfinished(self, after: str) -> tuple[list[str], bool]:
        """The unfinished instances next after an id, and whether there are no more."""
        pages = await together(
            [self._read(part, after) for part in await self._hub.parts.to_read()]
        )
        ends = [id_of(page.items[-1]) for page in pages if page.rest is not None]
        ids = sorted(id_of(item) for page in pages for item in page.items)
        return [each for each in ids if not ends or each <= min(ends)], not ends

    async def _read(self, part: str, after: str) -> Page:
        keys = Expression("#u = :u", {":u": text(part)})
        if after:
            keys = Expression("#u = :u AND #us > :us", {**keys.values, ":us": text(cut(after))})
        return await self._hub.table.query(keys, index=UNFINISHED_INDEX, limit=_PAGE)

    async def _may_have_work(self, instance_id: str) -> bool:
        try:
            return await self._has_work(instance_id)
        except DamagedDataError:
            return True

    async def _has_work(self, instance_id: str) -> bool:
        found = await self._hub.find(instance_id, even_damaged=True)
        if found is None:
            return False
        if found.row.is_finished:
            return await self._has_unawaited(instance_id, found.run)
        if found.damage is not None:
            raise found.damage
        row = found.row
        if row.blocked_reason is not None or await self._has_mail(instance_id, found.run):
            return True
        newest = await self._newest_batches(instance_id, found.run)
        if not newest and row.status is RuntimeStatus.PENDING:
            return not _starts_later(row, self._hub.now())
        with reading(instance_id, "its newest batches"):
            return leave_work(newest, found.item)

    async def _has_unawaited(self, instance_id: str, run: str) -> bool:
        """Whether nobody has some unawaited activity."""
        keys = within(instance_id, LEASES)
        items = await self._hub.table.query_all(keys, columns="#r, #n, #ex")
        with reading(instance_id, "its leases"):
            left = [each for each in items if run_of(each) == run and is_unawaited(each)]
            now = rules.micros(self._hub.now())
            return any(read_number(each, "ex") <= now for each in left)

    async def _has_mail(self, instance_id: str, run: str) -> bool:
        keys = within(instance_id, MESSAGES)
        items = await self._hub.table.query_all(keys, columns="#r")
        with reading(instance_id, "its inbox"):
            return any(run_of(item) == run for item in items)

    async def _newest_batches(self, instance_id: str, run: str) -> list[Item]:
        """The newest batch of each execution of the run."""
        newest: list[Item] = []
        last = end_of(BATCHES)
        while True:
            page = await self._hub.table.query(
                between(instance_id, BATCHES, last),
                columns="#pk, #sk, #r, #o",
                is_descending=True,
                limit=1,
            )
            if not page.items:
                return newest
            item = page.items[0]
            with reading(instance_id, "its newest batches"):
                if run_of(item) == run:
                    newest.append(item)
                last = f"{BATCHES}{batch_key_of(item).execution_id}#"


def _starts_later(row: Instance, now: datetime) -> bool:
    return row.scheduled_start_at is not None and row.scheduled_start_at > now
