"""Turns: the one conditional write that commits each.

Rules of this file: the batch's key must be free, and DynamoDB says whether it is. That the row
still is of the turn's run no condition on another item can say: so it is looked at before the write
unless that was done a moment ago, and after it if the write took so long that the look is worth
nothing. Of an execution that is over and gone any key is free: so it is looked at after the write,
too, if the turn does what cannot be taken back before the row would say so.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

import msgspec

from host.core import codec, ids
from host.core.records import Commit, Effects
from host.errors import Conflict
from host.storage.aws.table.bodies import Body, chunks_of
from host.storage.aws.table.heads import Head, is_fresh
from host.storage.aws.table.hub_table import HubTable, between
from host.storage.aws.table.items import (
    batch_item,
    batch_key_of,
    whole_batch_item,
    whole_batch_place,
)
from host.storage.aws.table.keys import (
    BatchKey,
    Key,
    batch_sort_key,
    key_of,
    number,
    read_text,
    sort_key_of,
    text,
)
from host.storage.aws.table.marks import marks_of
from host.storage.aws.table.table import MISSING, Expression
from host.storage.aws.wire.errors import ConditionFailedError


class Turns:
    """Appends batches."""

    def __init__(self, hub: HubTable, fresh_for: timedelta) -> None:
        self._hub = hub
        self._fresh_for = fresh_for

    async def append(self, commit: Commit) -> None:
        """Append the batch. Raises `Conflict`."""
        head = self._hub.heads.get(commit.instance_id)
        if head is None or not self._is_current(head, commit):
            head = await self._verify(commit)
        body = await self._hub.make_body(codec.encode(commit.batch))
        await self._hub.write_chunks(commit.instance_id, head.run, body)
        write_id = await self._put(commit, head, body)
        if _reaches_beyond(commit.effects) or not self._is_current(head, commit):
            await self._verify_afterwards(commit, body, write_id)
        latest = self._hub.heads.get(commit.instance_id)
        if latest is not None and latest.run == head.run:
            batch = BatchKey(commit.execution_id, commit.number)
            self._hub.heads.put(msgspec.structs.replace(latest, reached=batch))

    async def is_latest(self, instance_id: str, batch: BatchKey) -> bool:
        """Whether this is the last batch of its execution; number -1 for none."""
        if ids.is_entity(instance_id):
            return await self._is_latest_whole(instance_id, batch)
        first, following = (
            BatchKey(batch.execution_id, 0),
            BatchKey(batch.execution_id, batch.number + 1),
        )
        keys = between(instance_id, batch_sort_key(first), batch_sort_key(following))
        page = await self._hub.table.query(keys, columns="#sk", is_descending=True, limit=1)
        latest = sort_key_of(page.items[0]) if page.items else None
        return latest == (batch_sort_key(batch) if batch.number >= 0 else None)

    async def _is_latest_whole(self, instance_id: str, batch: BatchKey) -> bool:
        place = key_of(instance_id, batch_sort_key(whole_batch_place(batch.execution_id)))
        item = await self._hub.table.get(place, "#pk, #sk, #n")
        return batch.number == (-1 if item is None else batch_key_of(item).number)

    def _is_current(self, head: Head, commit: Commit) -> bool:
        is_same = head.execution_id == commit.row_execution_id
        return is_same and is_fresh(head, self._hub.now(), self._fresh_for)

    async def _verify(self, commit: Commit, *also: str) -> Head:
        """Look whether the row is of the execution that the turn goes on from, or of these."""
        head = await self._hub.look(commit.instance_id)
        if head is None or head.execution_id not in {commit.row_execution_id, *also}:
            raise Conflict(f"'{commit.instance_id}' was purged or replaced, or went on elsewhere.")
        return head

    async def _put(self, commit: Commit, head: Head, body: Body) -> str:
        """Write the batch; the id of this write."""
        batch = BatchKey(commit.execution_id, commit.number)
        write_id = self._hub.token()
        make = whole_batch_item if commit.is_whole else batch_item
        item = make(
            commit.instance_id,
            batch,
            head.run,
            body,
            marks=marks_of(commit),
            write_id=write_id,
        )
        try:
            old = await self._hub.table.put(item, _condition(commit), returning=commit.is_whole)
        except ConditionFailedError as error:
            old = None
            if not (error.may_be_own and await self._is_own(_key_of(commit), write_id)):
                await self._hub.delete_chunks(commit.instance_id, [body.chunks])
                raise Conflict(f"Another turn of '{commit.instance_id}' won.") from error
        if old is not None:
            await self._hub.delete_chunks(commit.instance_id, [chunks_of(old)])
        return write_id

    async def _is_own(self, key: Key, write_id: str) -> bool:
        """Whether the batch that is there was written by this very call, its answer lost."""
        stored = await self._hub.table.get(key, "#id")
        return stored is not None and read_text(stored, "id") == write_id

    async def _verify_afterwards(self, commit: Commit, body: Body, write_id: str) -> None:
        try:
            # Another host may have gone on from this very batch meanwhile.
            await self._verify(commit, commit.execution_id)
        except Conflict:
            is_own = Expression("#id = :id", {":id": text(write_id)})
            with suppress(ConditionFailedError):
                await self._hub.table.delete(_key_of(commit), is_own)
                await self._hub.delete_chunks(commit.instance_id, [body.chunks])
            raise


def _reaches_beyond(effects: Effects) -> bool:
    """Whether something is done that stays, before the row is written or without that."""
    is_sent = effects.starts or effects.messages or effects.notices
    return bool(is_sent or (effects.consumed and effects.row is None))


def _condition(commit: Commit) -> Expression:
    """That the batch's key is free; of one that is whole, that the one before is in its place."""
    if not commit.is_whole or not commit.number:
        return MISSING
    return Expression("#n = :n", {":n": number(commit.number - 1)})


def _key_of(commit: Commit) -> Key:
    batch = BatchKey(commit.execution_id, commit.number)
    place = whole_batch_place(commit.execution_id) if commit.is_whole else batch
    return key_of(commit.instance_id, batch_sort_key(place))
