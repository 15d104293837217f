"""What all parts of the store share: the table, the heads, and how instances are looked at.

Rules of this file: it decides nothing and changes nothing but chunks of bodies.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from itertools import count
from typing import NamedTuple

from host.core.records import Instance
from host.errors import DamagedDataError
from host.storage import rules
from host.storage.aws.table.bodies import (
    CHUNK_BYTES,
    Body,
    Chunks,
    ChunksMissingError,
    chunks_of,
    make_body,
)
from host.storage.aws.table.heads import COLUMNS, Head, HeadCache, head_of
from host.storage.aws.table.items import chunks_missing, reading, row_of, run_or_none, stand_in
from host.storage.aws.table.keys import (
    BATCHES,
    META,
    BatchKey,
    Item,
    Key,
    end_of,
    key_of,
    sort_key_of,
    text,
)
from host.storage.aws.table.parts import Parts
from host.storage.aws.table.table import Expression, Table

READ_AGAIN = 5
"""How often something is read again that was replaced while it was read."""
_LONG_BYTES = 200_000
"""What takes so long to compress that it must not be done on the event loop."""


class Found(NamedTuple):
    """A row, the run that it is of, and the item that it was read from.

    With `damage` the row cannot be read, and is a stand-in.
    """

    row: Instance
    run: str
    item: Item
    damage: DamagedDataError | None = None

    @property
    def chunks(self) -> Chunks | None:
        """Where the row's body lies, if not in its item; what is damaged may not know it."""
        return chunks_of(self.item) if self.damage is None else None


class HubTable:
    """One hub's table."""

    def __init__(self, table: Table, now: Callable[[], datetime]) -> None:
        self.table = table
        self.now = now
        self.heads = HeadCache()
        self.parts = Parts(table, now)
        mine = secrets.token_hex(8)
        self._tokens = (f"{mine}{number:x}" for number in count())

    def token(self) -> str:
        """A text that was never used before."""
        return next(self._tokens)

    # ---- looking at instances -----------------------------------------------------------------

    async def look(self, instance_id: str) -> Head | None:
        """The head as it is now; None if there is no row. Raises `DamagedDataError`."""
        seen_at = self.now()
        item = await self.table.get(key_of(instance_id, META), COLUMNS)
        if item is None:
            self.heads.forget(instance_id)
            return None
        return self.keep_head(instance_id, item, seen_at)

    def keep_head(
        self, instance_id: str, item: Item, seen_at: datetime, reached: BatchKey | None = None
    ) -> Head:
        """The head of a row's item, remembered. Raises `DamagedDataError`."""
        with reading(instance_id, "its row"):
            return self.heads.put(head_of(instance_id, item, seen_at, reached))

    async def find(self, instance_id: str, *, even_damaged: bool = False) -> Found | None:
        """The row as it is now; None if there is none.

        Raises `DamagedDataError` for one that cannot be read, unless a stand-in will do.
        """
        for _ in range(READ_AGAIN):
            found = await self._read(instance_id)
            if found is None or found.damage is None:
                break
        if found is not None and found.damage is not None and not even_damaged:
            raise found.damage
        return found

    async def find_seen(self, instance_id: str, *, even_damaged: bool = False) -> Found | None:
        """The row as readers see it, or a stand-in as `find` gives it."""
        found = await self.find(instance_id, even_damaged=even_damaged)
        if found is None or rules.seen(found.row, has_batches=True) is found.row:
            return found
        has_batches = await self._has_batches(instance_id, found.run)
        return found._replace(row=rules.seen(found.row, has_batches=has_batches))

    async def _read(self, instance_id: str) -> Found | None:
        """The row, or a stand-in if it was replaced meanwhile, or cannot be read at all."""
        seen_at = self.now()
        item = await self.table.get(key_of(instance_id, META))
        if item is None:
            self.heads.forget(instance_id)
            return None
        try:
            with reading(instance_id, "its row"):
                chunks = chunks_of(item)
            row = row_of(item, await self.fetch_chunks(instance_id, [chunks]))
            return Found(row, self.keep_head(instance_id, item, seen_at).run, item)
        except ChunksMissingError as error:
            damage = chunks_missing(instance_id, error)
        except DamagedDataError as error:
            damage = error
        return Found(stand_in(item, damage), run_or_none(item), item, damage)

    async def _has_batches(self, instance_id: str, run: str) -> bool:
        keys = within(instance_id, BATCHES)
        page = await self.table.query(keys, columns="#r", limit=1)
        while not any(run_or_none(item) == run for item in page.items):
            if page.rest is None:
                return False
            page = await self.table.query(keys, columns="#r", limit=1, rest=page.rest)
        return True

    # ---- bodies and their chunks --------------------------------------------------------------

    async def make_body(self, data: bytes, limit: int = CHUNK_BYTES) -> Body:
        """A body from encoded bytes."""
        if len(data) > _LONG_BYTES:
            return await asyncio.to_thread(make_body, data, self.token(), limit)
        return make_body(data, self.token(), limit)

    async def write_chunks(self, instance_id: str, run: str, body: Body) -> None:
        """Write the body's chunks, if it has any: before the item that names them."""
        if body.chunks is not None:
            await self.table.write_all(puts=body.chunk_items(instance_id, run, self.now()))

    async def delete_chunks(self, instance_id: str, bodies: Iterable[Chunks | None]) -> None:
        """Delete the chunks of bodies that nothing names any more."""
        keys = chunk_keys(instance_id, bodies)
        if keys:
            await self.table.write_all(deletes=keys)

    async def fetch_chunks(
        self, instance_id: str, bodies: Iterable[Chunks | None]
    ) -> dict[str, Item]:
        """The chunk items of these bodies, by sort key; those that are there."""
        found: dict[str, Item] = {}
        for chunks in bodies:
            if chunks is not None:
                first, *_, last = [*chunks.sort_keys, chunks.sort_keys[-1]]
                items = await self.table.query_all(between(instance_id, first, last))
                found |= {sort_key_of(item): item for item in items}
        return found


def chunk_keys(instance_id: str, bodies: Iterable[Chunks | None]) -> Sequence[Key]:
    """The keys of all chunks of these bodies."""
    return [
        key_of(instance_id, sort_key)
        for chunks in bodies
        if chunks is not None
        for sort_key in chunks.sort_keys
    ]


def everything_of(instance_id: str) -> Expression:
    """The keys of all items of an instance."""
    return Expression("#pk = :pk", {":pk": key_of(instance_id, "")["pk"]})


def between(instance_id: str, first: str, last: str) -> Expression:
    """The keys of an instance's items from one sort key to another, both included."""
    values = {":pk": key_of(instance_id, "")["pk"], ":first": text(first), ":last": text(last)}
    return Expression("#pk = :pk AND #sk BETWEEN :first AND :last", values)


def within(instance_id: str, prefix: str) -> Expression:
    """The keys of an instance's items with this prefix, which ends in `#`."""
    return between(instance_id, prefix, end_of(prefix))
