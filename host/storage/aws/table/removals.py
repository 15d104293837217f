"""The removal of entities: of a row and its only batch, in one step.

Who sends to an entity looks at its row, and then writes the message under its run. So a row that
goes in between takes the message with it. Therefore it is marked first, and goes when the mark is
old: who looks meanwhile takes the mark away, and who looked before has sent by then.

Rules of this file: a sender may be slow all the same. `Inboxes` looks again after a message that
took longer than `SENDING_TAKES`; the rest of `REMOVED_AFTER` is for clocks that differ. Messages
are read before the batch: one that came and went in between has left a batch of another number.
"""

from __future__ import annotations

from host.core import ids
from host.storage import rules
from host.storage.aws.table.bodies import chunks_of
from host.storage.aws.table.hub_table import HubTable, everything_of
from host.storage.aws.table.items import (
    LEAVING,
    batch_key_of,
    reading,
    run_of,
    whole_batch_place,
)
from host.storage.aws.table.keys import (
    BATCHES,
    MESSAGES,
    META,
    BatchKey,
    Item,
    batch_sort_key,
    id_of,
    key_of,
    moment,
    number,
    read_number,
    read_text,
    sort_key_of,
)
from host.storage.aws.table.table import MISSING, Deletion, Expression
from host.storage.aws.wire.errors import ConditionFailedError
from host.storage.protocol import REMOVED_AFTER, Removal

_COLUMNS = f"#pk, #sk, #r, #x, #up, #n, #c, #{LEAVING}"
_AS_SEEN = "#r = :r AND #x = :x AND #up = :up"


class Removals:
    """Removes entities."""

    def __init__(self, hub: HubTable) -> None:
        self._hub = hub

    async def remove(self, instance_id: str, batch: BatchKey) -> Removal:
        """Mark the entity, or remove it if it was marked before. Raises `DamagedDataError`."""
        items = await self._hub.table.query_all(everything_of(instance_id), columns=_COLUMNS)
        row = next((item for item in items if sort_key_of(item) == META), None)
        if row is None or not ids.is_entity(instance_id):
            return Removal.KEPT
        with reading(instance_id, "its items"):
            mine = [item for item in items if item is not row and run_of(item) == run_of(row)]
            if not _is_as_thought(row, mine, batch):
                return Removal.KEPT
            marked_at = rules.from_micros(read_number(row, LEAVING)) if LEAVING in row else None
        if marked_at is None:
            return await self._mark(row)
        if self._hub.now() - marked_at < REMOVED_AFTER:
            return Removal.MARKED
        return await self._delete(row, mine, batch)

    async def _mark(self, row: Item) -> Removal:
        mark = Expression(f"SET #{LEAVING} = :{LEAVING}", {f":{LEAVING}": moment(self._hub.now())})
        try:
            await self._hub.table.update(key_of(id_of(row), META), mark, _as_seen(row))
        except ConditionFailedError:
            return Removal.KEPT
        return Removal.MARKED

    async def _delete(self, row: Item, mine: list[Item], batch: BatchKey) -> Removal:
        instance_id = id_of(row)
        seen = _as_seen(row)
        values = {**seen.values, f":{LEAVING}": row[LEAVING]}
        place = key_of(instance_id, batch_sort_key(whole_batch_place(batch.execution_id)))
        is_last = MISSING
        if batch.number >= 0:
            is_last = Expression("#n = :n", {":n": number(batch.number)})
        self._hub.heads.forget(instance_id)
        try:
            await self._hub.table.delete_together(
                [
                    Deletion(
                        key_of(id_of(row), META),
                        Expression(f"{seen.text} AND #{LEAVING} = :{LEAVING}", values),
                    ),
                    Deletion(place, is_last),
                ]
            )
        except ConditionFailedError:
            if await self._hub.look(instance_id) is not None:
                return Removal.KEPT
        await self._hub.delete_chunks(instance_id, map(chunks_of, (row, *mine)))
        return Removal.GONE


def _is_as_thought(row: Item, mine: list[Item], batch: BatchKey) -> bool:
    """Whether the row speaks of this execution, and of its run there is this batch alone."""
    if read_text(row, "x") != batch.execution_id:
        return False
    if any(sort_key_of(item).startswith(MESSAGES) for item in mine):
        return False
    found = [batch_key_of(item) for item in mine if sort_key_of(item).startswith(BATCHES)]
    return found == ([batch] if batch.number >= 0 else [])


def _as_seen(row: Item) -> Expression:
    return Expression(_AS_SEEN, {":r": row["r"], ":x": row["x"], ":up": row["up"]})
