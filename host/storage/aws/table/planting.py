"""Whole instances that come from elsewhere: planted so that nobody sees half of one.

Rules of this file: whoever plants an id claims it first, so no two write the same keys. What an
earlier life has left under them goes then: it may be of the same run, and would pass for what is
planted. The row comes last, under the condition that there is none: before it nothing is seen.
Nobody takes items for leftovers while there is a fresh claim (`Leftovers`). A claim that breaks off
keeps the id for `CLAIM_LASTS`; whoever is slower than a third of that gives up before the row.
Others are told to come again then: that the instance exists would say that all of it is there.
"""

from __future__ import annotations

from bindings.errors import InstanceAlreadyExistsError
from host.core import codec, ids
from host.core.records import Lease, Message, Snapshot, StoredBatch
from host.errors import StorageError
from host.storage import rules
from host.storage.aws.table.alarms import Alarms
from host.storage.aws.table.bodies import MAX_INLINE_ROW_BYTES, Body
from host.storage.aws.table.heads import head_of
from host.storage.aws.table.hub_table import HubTable
from host.storage.aws.table.items import (
    batch_item,
    claim_item,
    lease_item,
    message_item,
    planted_row,
    run_or_none,
    whole_batch_item,
)
from host.storage.aws.table.keys import CLAIM, META, BatchKey, Item, key_of, moment, number
from host.storage.aws.table.leftovers import CLAIM_LASTS, Leftovers
from host.storage.aws.table.marks import Marks
from host.storage.aws.table.table import MISSING, Expression
from host.storage.aws.wire.errors import ConditionFailedError

_ITEMS_AT_ONCE = 100
"""So many items of one instance are in memory as the table takes them."""


class Planting:
    """Plants instances."""

    def __init__(self, hub: HubTable, alarms: Alarms, leftovers: Leftovers) -> None:
        self._hub = hub
        self._alarms = alarms
        self._leftovers = leftovers

    async def plant(self, snapshot: Snapshot, *, leaves_work: bool) -> None:
        """Store all of it. Raises `InstanceAlreadyExistsError`, and `StorageError`."""
        instance_id = snapshot.instance.instance_id
        await self._hub.parts.look_by_the_way()
        found = await self._hub.find_seen(instance_id, even_damaged=True)
        rules.check_plant(found and found.row, instance_id)
        await self._claim(snapshot)
        try:
            await self._leftovers.clear(instance_id)
            await self._write(snapshot, leaves_work=leaves_work)
        except BaseException:  # the row may land yet: so what there is stays until that is known
            self._leftovers.expect(instance_id)
            raise
        await self._let_go(instance_id)
        await self._leftovers.sweep_expected()

    async def _claim(self, snapshot: Snapshot) -> None:
        instance_id, now = snapshot.instance.instance_id, self._hub.now()
        claim = claim_item(instance_id, self._hub.token(), now)
        is_free = "attribute_not_exists(#pk) OR #wa < :old"
        old = {":old": moment(now - CLAIM_LASTS)}
        try:
            await self._hub.table.put(claim, Expression(is_free, old))
        except ConditionFailedError as error:
            if not (error.may_be_own and await self._is_there(claim)):
                raise StorageError(
                    f"Another host is storing '{instance_id}', or ended while it did. "
                    f"Try again in a moment; at the latest in {CLAIM_LASTS} it can be stored."
                ) from error

    async def _is_there(self, claim: Item) -> bool:
        """Whether the claim is the one that is stored."""
        found = await self._hub.table.get({name: claim[name] for name in ("pk", "sk")}, "#id")
        return found is not None and found["id"] == claim["id"]

    async def _let_go(self, instance_id: str) -> None:
        await self._hub.table.write_all(deletes=[key_of(instance_id, CLAIM)])

    async def _write(self, snapshot: Snapshot, *, leaves_work: bool) -> None:
        row, began = snapshot.instance, self._hub.now()
        run = row.run_id or row.execution_id
        newest = snapshot.batches[-1] if snapshot.batches and leaves_work else None
        for at in range(0, len(snapshot.batches), _ITEMS_AT_ONCE):
            part = snapshot.batches[at : at + _ITEMS_AT_ONCE]
            await self._put([await self._batch(row.instance_id, run, x, newest) for x in part])
        await self._put([await self._lease(run, each) for each in snapshot.leases])
        first = rules.micros(began)
        inbox = enumerate(snapshot.inbox, first)
        await self._put([await self._message(row.instance_id, run, *each) for each in inbox])
        body = await self._hub.make_body(codec.encode(row), MAX_INLINE_ROW_BYTES)
        await self._hub.write_chunks(row.instance_id, run, body)
        seen_at = self._hub.now()
        if seen_at - began > CLAIM_LASTS / 3:
            raise StorageError(f"Planting '{row.instance_id}' took too long: try it again.")
        await self._put_row(snapshot, run, body)

    async def _put(self, records: list[list[Item]]) -> None:
        await self._hub.table.write_all(puts=[item for items in records for item in items])

    async def _put_row(self, snapshot: Snapshot, run: str, body: Body) -> None:
        row, seen_at = snapshot.instance, self._hub.now()
        placing = self._hub.parts.placing_of(row.instance_id)
        item = planted_row(snapshot, run, body, placing, seen_at)
        try:
            await self._hub.table.put(item, MISSING)
        except ConditionFailedError as error:
            stored = await self._hub.table.get(key_of(row.instance_id, META), "#r")
            if not (error.may_be_own and stored is not None and run_or_none(stored) == run):
                raise InstanceAlreadyExistsError(row.instance_id, row.status) from error
        numbers = [x.number for x in snapshot.batches if x.execution_id == row.execution_id]
        reached = BatchKey(row.execution_id, max(numbers, default=-1))
        self._hub.heads.put(head_of(row.instance_id, item, seen_at, reached))
        self._alarms.notice(row.instance_id, snapshot.wake_at)

    async def _batch(
        self, instance_id: str, run: str, stored: StoredBatch, newest: StoredBatch | None
    ) -> list[Item]:
        body = await self._hub.make_body(codec.encode(stored.batch))
        key = BatchKey(stored.execution_id, stored.number)
        marks = Marks.WORK if stored is newest else Marks.NOTHING
        write_id = self._hub.token()
        make = whole_batch_item if ids.is_entity(instance_id) else batch_item
        item = make(instance_id, key, run, body, marks=marks, write_id=write_id)
        return [item, *body.chunk_items(instance_id, run, self._hub.now())]

    async def _message(self, instance_id: str, run: str, at: int, message: Message) -> list[Item]:
        body = await self._hub.make_body(codec.encode(message))
        item = message_item(instance_id, message.message_id, run, at, body)
        return [item, *body.chunk_items(instance_id, run, self._hub.now())]

    async def _lease(self, run: str, lease: Lease) -> list[Item]:
        item = lease_item(lease, run)
        if lease.scheduled is None:
            return [item]
        body = await self._hub.make_body(codec.encode(lease.scheduled), MAX_INLINE_ROW_BYTES)
        chunks = body.chunk_items(lease.instance_id, run, self._hub.now())
        return [item | {"n": number(lease.tries)} | body.attributes, *chunks]
