"""Which unfinished instances may need a wake-up that was lost.

Rules of this file: the index of unfinished instances says who there is, and of each that somebody
has led, to what: who waits is looked at only in a search for all. A look is two small reads: of the
newest message, or the row behind it, and of the newest batch. One that cannot be read keeps nobody
from being found, and is found itself: whoever is woken for it says what is wrong.

It is gone through in the order that it has: in hubs of formats 1 and 2 that of ids, else the newest
first.

An index of a hub of format 1 says only who there is. There, who was looked at and found to wait is
remembered, and passed over until all are sought.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from bindings.client import RuntimeStatus
from host.core.records import Instance
from host.errors import DamagedDataError
from host.storage import rules
from host.storage.aws.schema import UNFINISHED_INDEX
from host.storage.aws.table.hub_table import Found, HubTable, between, within
from host.storage.aws.table.items import (
    Led,
    batch_key_of,
    is_unawaited,
    led_of,
    reading,
    row_of,
    run_of,
    run_or_none,
    stand_in,
)
from host.storage.aws.table.keys import (
    BATCHES,
    LEASES,
    MESSAGES,
    META,
    Item,
    Key,
    cut,
    end_of,
    id_of,
    read_number,
    read_text,
    sort_key_of,
    text,
)
from host.storage.aws.table.marks import leave_work
from host.storage.aws.table.merged import Entries, first_entries
from host.storage.aws.table.placing import unfinished
from host.storage.aws.table.table import Expression, Page, together
from host.storage.protocol import RecoverablePage, Sought


class _Entry(NamedTuple):
    """An entry of the index; no two have one place, so nothing else of them is compared."""

    place: str
    instance_id: str
    sort_key: str
    led: Led | None


class Recovery:
    """Looks for instances that may have something to do."""

    def __init__(self, hub: HubTable) -> None:
        self._hub = hub
        self._waiting: set[str] = set()
        """Those whose entries say nothing, and that waited for nothing when they were looked at."""
        self._silent: set[str] = set()
        """Those whose entries say nothing, in the search that is under way."""

    async def find(self, after: str, limit: int, sought: Sought) -> RecoverablePage:
        """Those among about `limit` unfinished instances next after a place of the index."""
        entries, is_all = await self._unfinished(after, limit)
        checks = await together(
            [self._is_found(each.instance_id, each.led, sought) for each in entries]
        )
        found = [x.instance_id for x, has_work in zip(entries, checks, strict=True) if has_work]
        self._remember(entries, is_first=not after, is_last=is_all)
        return RecoverablePage(
            instance_ids=tuple(found), rest=None if is_all else entries[-1].place
        )

    async def _is_found(self, instance_id: str, led: Led | None, sought: Sought) -> bool:
        if led is Led.TO_A_BLOCK:
            return True
        if led is Led.TO_A_WAIT and sought is not Sought.ALL:
            return False
        if sought is Sought.BLOCKED:
            return True  # it may be: whoever asked looks
        if sought is Sought.UNLED and instance_id in self._waiting:
            return False
        has_work = await self._may_have_work(instance_id)
        if led is None:  # else its entry says so, as long as that is true
            (self._waiting.discard if has_work else self._waiting.add)(instance_id)
        return has_work

    def _remember(self, entries: Sequence[_Entry], *, is_first: bool, is_last: bool) -> None:
        """Know of those that wait what a search has found, as long as each has an entry."""
        if is_first:
            self._silent = set()
        self._silent |= {each.instance_id for each in entries if each.led is None}
        if is_last:
            self._waiting &= self._silent

    async def _unfinished(self, after: str, limit: int) -> Entries[_Entry]:
        """The entries of the unfinished instances next after a place."""
        parts = keys_of_parts = await self._hub.parts.to_read()
        order = _BY_ID
        if self._hub.parts.format.is_by_state:
            order = _NEWEST_FIRST
            both = (False, True)
            keys_of_parts = [unfinished(each, entities=x) for each in parts for x in both]
        after_it = {":after": text(cut(after))} if after else {}

        async def read(part: str, limit: int, rest: Key | None) -> Page:
            begin = f" AND #{order.key} {order.comes_after} :after" if after else ""
            keys = Expression(f"#u = :u{begin}", {":u": text(part), **after_it})
            return await self._hub.table.query(
                keys,
                index=UNFINISHED_INDEX,
                limit=limit,
                rest=rest,
                is_descending=order.is_descending,
            )

        return await first_entries(
            read,
            keys_of_parts,
            order.entry_of,
            wanted=limit,
            is_descending=order.is_descending,
            spread=len(parts),
        )

    async def _may_have_work(self, instance_id: str) -> bool:
        try:
            return await self._has_work(instance_id)
        except DamagedDataError:
            return True

    async def _has_work(self, instance_id: str) -> bool:
        item = await self._newest_message_or_row(instance_id)
        has_mail = item is not None and sort_key_of(item) != META
        found = await self._found(item, is_row=not has_mail) if item is not None else None
        if found is None:
            return False
        if found.row.is_finished:
            return await self._has_unawaited(instance_id, found.run)
        return has_mail or await self._leaves_work(found)

    async def _leaves_work(self, found: Found) -> bool:
        """Whether an unfinished instance without mail has something to do."""
        if found.damage is not None:
            raise found.damage
        row = found.row
        if row.blocked_reason is not None:
            return True
        newest = await self._newest_batches(row.instance_id, row.execution_id, found.run)
        if not newest and row.status is RuntimeStatus.PENDING:
            return not _starts_later(row, self._hub.now())
        with reading(row.instance_id, "its newest batches"):
            return leave_work(newest, found.item)

    async def _newest_message_or_row(self, instance_id: str) -> Item | None:
        """What lies first of the inbox and the row behind it; None if there is neither."""
        page = await self._hub.table.query(between(instance_id, MESSAGES, META), limit=1)
        return page.items[0] if page.items else None

    async def _found(self, item: Item, *, is_row: bool) -> Found | None:
        """The row, or a stand-in: of its item, unless the item is another or has chunks."""
        if not is_row or "c" in item:
            return await self._hub.find(id_of(item), even_damaged=True)
        try:
            with reading(id_of(item), "its row"):
                return Found(row_of(item, {}), run_of(item), item)
        except DamagedDataError as error:
            return Found(stand_in(item, error), run_or_none(item), item, error)

    async def _has_unawaited(self, instance_id: str, run: str) -> bool:
        """Whether nobody has some unawaited activity."""
        keys = within(instance_id, LEASES)
        items = await self._hub.table.query_all(keys, columns="#r, #n, #ex")
        with reading(instance_id, "its leases"):
            left = [each for each in items if run_of(each) == run and is_unawaited(each)]
            now = rules.micros(self._hub.now())
            return any(read_number(each, "ex") <= now for each in left)

    async def _newest_batches(self, instance_id: str, execution_id: str, run: str) -> list[Item]:
        """The newest batch of the row's execution; if it has none, that of each of the run.

        What an execution that came before or after leaves to do, the row's own says as well.
        """
        own = await self._newest_batch(within(instance_id, f"{BATCHES}{execution_id}#"))
        return [own] if own is not None else await self._newest_of_each(instance_id, run)

    async def _newest_of_each(self, instance_id: str, run: str) -> list[Item]:
        newest: list[Item] = []
        last = end_of(BATCHES)
        while (item := await self._newest_batch(between(instance_id, BATCHES, last))) is not None:
            with reading(instance_id, "its newest batches"):
                if run_of(item) == run:
                    newest.append(item)
                last = f"{BATCHES}{batch_key_of(item).execution_id}#"
        return newest

    async def _newest_batch(self, keys: Expression) -> Item | None:
        columns = "#pk, #sk, #r, #o, #n"
        page = await self._hub.table.query(keys, columns=columns, is_descending=True, limit=1)
        return page.items[0] if page.items else None


def _starts_later(row: Instance, now: datetime) -> bool:
    return row.scheduled_start_at is not None and row.scheduled_start_at > now


class _Order(NamedTuple):
    """The order in which an index has the unfinished instances."""

    key: str
    comes_after: str
    is_descending: bool

    def entry_of(self, item: Item) -> _Entry:
        """An entry, at its place."""
        return _Entry(read_text(item, self.key), id_of(item), sort_key_of(item), led_of(item))


_BY_ID = _Order("us", ">", is_descending=False)
_NEWEST_FIRST = _Order("ls", "<", is_descending=True)
"""So a search ends, however many are started meanwhile."""
