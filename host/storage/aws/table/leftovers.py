"""Items that belong to nobody: of lives that are over, and chunks that nothing names.

They come of hosts that died, or were late: between a new row and the removal of the old life, or
with a message, a lease or a turn that landed after a purge. Whoever reads a whole instance anyway
removes what it finds of that; `Leftovers.repair` looks through the table. To the chunks of a start
that failed nobody is led, unless the id is started again: so the host it failed on goes there.

Rules of this file: who writes an item that is no chunk has seen the row of its run. So if the row,
looked at after the item was, is of another run or gone, that run is over, and nobody will read the
item. It is deleted only if it still is of that run: a later one may have a message of the same id.
Chunks are written before the item that names them, by a start even before its row: they are deleted
if their run is known to be over, or when they are old.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Collection, Sequence
from datetime import datetime, timedelta

from host.errors import StorageError
from host.storage import rules
from host.storage.aws.table.hub_table import HubTable, everything_of
from host.storage.aws.table.items import run_or_none
from host.storage.aws.table.keys import (
    CHUNKS,
    CLAIM,
    META,
    Item,
    id_of,
    key_of,
    read_number,
    sort_key_of,
    text,
)
from host.storage.aws.table.table import Expression, together

CHUNKS_LAST = timedelta(hours=1)
"""Older chunks are about to be named by nobody: no request waits so long."""
CLAIM_LASTS = timedelta(minutes=15)
"""So long nothing of an instance without a row is taken for left over once somebody plants it."""
MAX_FAILED = 10_000
"""How many failed starts are kept in mind."""
COLUMNS = "#pk, #sk, #r, #c, #wa"


class Leftovers:
    """Finds and removes what belongs to nobody."""

    def __init__(self, hub: HubTable) -> None:
        self._hub = hub
        self._failed: deque[tuple[datetime, str]] = deque(maxlen=MAX_FAILED)
        """When starts failed here, and of what; the oldest first."""

    def expect(self, instance_id: str) -> None:
        """A start failed, and may have left chunks."""
        self._failed.append((self._hub.now(), instance_id))

    async def sweep_expected(self) -> None:
        """Go where starts failed long ago, by the way: if that fails, much later once more."""
        while self._failed and self._hub.now() - self._failed[0][0] > CHUNKS_LAST:
            failed = self._failed.popleft()
            try:
                await self.sweep(failed[1])
            except StorageError:
                self._failed.append((self._hub.now(), failed[1]))
                return

    async def sweep(self, instance_id: str) -> int:
        """Remove what is left of an instance's earlier lives; how many items."""
        items = await self._hub.table.query_all(everything_of(instance_id), columns=COLUMNS)
        return await self.remove(instance_id, items)

    async def clear(self, instance_id: str) -> int:
        """The same for whoever is to plant the instance, and has claimed it."""
        items = await self._hub.table.query_all(everything_of(instance_id), columns=COLUMNS)
        return await self._remove(instance_id, [x for x in items if sort_key_of(x) != CLAIM])

    async def remove(self, instance_id: str, items: Sequence[Item]) -> int:
        """Remove those of an instance's items that belong to nobody; how many.

        `items` are all that were read of the instance, the row among them if there is one.
        """
        if not _may_be_left(items):
            return 0
        if self._is_being_planted(items):
            return 0
        return await self._remove(instance_id, items)

    def _is_being_planted(self, items: Sequence[Item]) -> bool:
        claim = next((item for item in items if sort_key_of(item) == CLAIM), None)
        if claim is None:
            return False
        return self._hub.now() - rules.from_micros(read_number(claim, "wa")) < CLAIM_LASTS

    async def _remove(self, instance_id: str, items: Sequence[Item]) -> int:
        row = await self._hub.table.get(key_of(instance_id, META), "#r")
        run = None if row is None else run_or_none(row)
        over = {run_or_none(item) for item in items if not _is_chunk(item)} - {run, ""}
        dead = [item for item in items if not _is_chunk(item) and run_or_none(item) in over]
        chunks = [item for item in _nameless(items, run) if self._is_for_nobody(item, over)]
        # The rest of a run says that it is over: so it goes last.
        for part in (chunks, dead):
            await together([self._delete(item) for item in part])
        return len(chunks) + len(dead)

    async def repair(self) -> int:
        """Look through the whole table, and remove what belongs to nobody; how many items."""
        removed = 0
        async for items in self._instances():
            if _may_be_left(items):
                removed += await self.sweep(id_of(items[0]))
        return removed

    async def _instances(self) -> AsyncIterator[list[Item]]:
        """All items, instance by instance: a scan keeps what has one partition key together."""
        found: list[Item] = []
        async for item in self._hub.table.scan(COLUMNS):
            if "r" not in item:
                continue
            if found and found[0]["pk"] != item["pk"]:
                yield found
                found = []
            found.append(item)
        if found:
            yield found

    def _is_for_nobody(self, chunk: Item, over: Collection[str]) -> bool:
        written = rules.from_micros(read_number(chunk, "wa")) if "wa" in chunk else None
        is_old = written is not None and self._hub.now() - written > CHUNKS_LAST
        return is_old or run_or_none(chunk) in over

    async def _delete(self, item: Item) -> None:
        still_is = Expression("#r = :r", {":r": text(run_or_none(item))})
        await self._hub.table.delete_if(key_of(id_of(item), sort_key_of(item)), still_is)


def _may_be_left(items: Sequence[Item]) -> bool:
    """Whether any item may belong to nobody, by what was read."""
    run = next((run_or_none(item) for item in items if sort_key_of(item) == META), None)
    if any(run_or_none(item) != run for item in items):
        return True
    return bool(_nameless(items, run))


def _nameless(items: Sequence[Item], run: str | None) -> list[Item]:
    """The chunks that no item of this run names."""
    chunks = [item for item in items if _is_chunk(item)]
    if not chunks:
        return []
    named = {item["c"]["S"].rpartition(".")[0] for item in items if "c" in item}
    return [x for x in chunks if run_or_none(x) != run or _token_of(x) not in named]


def _is_chunk(item: Item) -> bool:
    return sort_key_of(item).startswith(CHUNKS)


def _token_of(chunk: Item) -> str:
    return sort_key_of(chunk)[len(CHUNKS) :].partition("#")[0]
