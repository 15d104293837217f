"""The leases of activities, seen from the host that runs them or is about to.

Rules of this file: only the owner of the stored lease may renew or finish it. A result is delivered
before its lease ends, so that a reader always sees one of the two.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime

from host.core import codec
from host.core.records import ANYBODY, Lease, Message, Unawaited
from host.storage import rules
from host.storage.aws.table.bodies import MAX_INLINE_ROW_BYTES, Body, chunks_of
from host.storage.aws.table.hub_table import HubTable
from host.storage.aws.table.inboxes import Inboxes
from host.storage.aws.table.items import is_unawaited, lease_item
from host.storage.aws.table.keys import (
    BatchKey,
    Item,
    Key,
    batch_sort_key,
    key_of,
    lease_key,
    moment,
    number,
    read_number,
    read_text,
    text,
)
from host.storage.aws.table.table import Expression
from host.storage.aws.wire.errors import ConditionFailedError


class Leases:
    """Renews and finishes leases."""

    def __init__(self, hub: HubTable, inboxes: Inboxes) -> None:
        self._hub = hub
        self._inboxes = inboxes

    async def renew(self, lease: Lease, heir: str | None) -> bool:
        """Set a new expiry; False if the lease is gone or another owner's."""
        change = Expression("SET #ex = :ex", {":ex": moment(lease.expires_at)})
        if heir is not None:
            change = Expression("SET #ex = :ex, #ow = :he", {**change.values, ":he": text(heir)})
        try:
            await self._hub.table.update(_key_of(lease), change, _is_owned(lease))
        except ConditionFailedError as error:
            return error.may_be_own and await self._is_handed_on(lease, heir)
        return True

    async def _is_handed_on(self, lease: Lease, heir: str | None) -> bool:
        """Whether the heir has it until then: the answer to that may have been lost."""
        stored = await self._hub.table.get(_key_of(lease), "#ow, #ex")
        if stored is None or read_text(stored, "ow") != heir:
            return False
        return read_number(stored, "ex") == rules.micros(lease.expires_at)

    async def put(self, lease: Lease, run: str) -> bool:
        """Store a lease where its task has none; whether it had none."""
        is_free = Expression("attribute_not_exists(#pk) OR #r <> :r", {":r": text(run)})
        try:
            await self._hub.table.put(lease_item(lease, run), is_free)
        except ConditionFailedError:
            return False
        return True

    async def prolong(self, lease: Lease, run: str) -> None:
        """Put a lease in place of one that ends earlier; what else that says stays."""
        values = {":ow": text(lease.owner), ":ex": moment(lease.expires_at)}
        change = Expression("SET #ow = :ow, #ex = :ex", values)
        if lease.tries:
            change = Expression(f"{change.text}, #t = :t", {**values, ":t": number(lease.tries)})
        is_earlier = Expression("#r = :r AND #ex < :ex", {":r": text(run)})
        with suppress(ConditionFailedError):
            await self._hub.table.update(_key_of(lease), change, is_earlier)

    async def finish(self, lease: Lease, message: Message, *, keep: bool) -> bool:
        """Deliver the result and end the lease; False if it is gone or another owner's."""
        stored = await self._hub.table.get(_key_of(lease), "#ow, #n, #c")
        if stored is None or read_text(stored, "ow") != lease.owner:
            return False
        is_heard = not is_unawaited(stored) and await self._inboxes.deliver(
            lease.instance_id, [message]
        )
        if not keep:
            await self._end(lease, stored)
        return is_heard

    async def _end(self, lease: Lease, stored: Item) -> None:
        # If the lease is gone by now the instance has ended; a new owner's result is too late.
        condition = _is_owned(lease)
        if not is_unawaited(stored):
            text_ = f"{condition.text} AND attribute_not_exists(#n)"
            condition = Expression(text_, condition.values)
        try:
            await self._hub.table.delete(_key_of(lease), condition)
        except ConditionFailedError as error:
            if is_unawaited(stored) and not error.may_be_own:
                return
            again = await self._hub.table.get(_key_of(lease), "#ow, #n, #c")
            if again is not None:
                # Meanwhile the execution may have ended, and put to the lease what is to be run.
                if is_unawaited(again) and not is_unawaited(stored):
                    await self._end(lease, again)
                return
        await self._hub.delete_chunks(lease.instance_id, [chunks_of(stored)])

    async def claim(self, lease: Lease, number: int) -> bool:
        """Store the lease of a task that nobody ever had.

        Looking comes after the write: nobody can begin the task between the two.
        """
        is_free = "attribute_not_exists(#pk) OR #r <> :r OR #ow = :ow"
        return await self._put(lease, is_free, {}) and await self._is_at(lease, number)

    async def _is_at(self, lease: Lease, number: int) -> bool:
        """Whether the instance has not gone beyond this turn."""
        head = await self._hub.look(lease.instance_id)
        if head is None or head.is_finished or head.execution_id != lease.execution_id:
            return False
        following = batch_sort_key(BatchKey(lease.execution_id, number + 1))
        return await self._hub.table.get(key_of(lease.instance_id, following), "#sk") is None

    async def take(self, lease: Lease, now: datetime) -> bool:
        """Put the lease in place of one that waits for anybody, or is over."""
        # What was seen before may be of an earlier run: the task is offered again to nobody soon.
        head = await self._hub.look(lease.instance_id)
        if head is None:
            return False
        may_be_taken = "#r = :r AND (#ow = :any OR #ow = :ow OR #ex <= :now)"
        if head.is_finished:
            may_be_taken += " AND attribute_exists(#n)"
        values = {":r": text(head.run), ":any": text(ANYBODY), ":now": moment(now)}
        change = Expression(
            "SET #ow = :ow, #ex = :ex", {":ow": text(lease.owner), ":ex": moment(lease.expires_at)}
        )
        if lease.tries:
            name = "t" if lease.scheduled is None else "n"
            change = Expression(
                f"{change.text}, #{name} = :n", {**change.values, ":n": number(lease.tries)}
            )
        try:
            await self._hub.table.update(_key_of(lease), change, Expression(may_be_taken, values))
        except ConditionFailedError:
            return False
        return True

    async def leave(self, left: Unawaited, run: str) -> None:
        """Store the lease of an unawaited activity, or put to the one that is there what to run."""
        lease = left.lease
        assert lease.scheduled is not None  # noqa: S101 - that is what it is for
        # A lease is written again and again, as a row is.
        body = await self._hub.make_body(codec.encode(lease.scheduled), MAX_INLINE_ROW_BYTES)
        await self._hub.write_chunks(lease.instance_id, run, body)
        if not (await self._add(left, run, body) or await self._attach(lease, run, body)):
            await self._delete_unless_stored(lease, body)

    async def _add(self, left: Unawaited, run: str, body: Body) -> bool:
        if left.was_leased:
            return False
        item = lease_item(left.lease, run) | {"n": number(0)} | body.attributes
        is_free = Expression("attribute_not_exists(#pk) OR #r <> :r", {":r": text(run)})
        try:
            await self._hub.table.put(item, is_free)
        except ConditionFailedError:
            return False
        return True

    async def _attach(self, lease: Lease, run: str, body: Body) -> bool:
        ((name, value),) = body.attributes.items()
        change = Expression(f"SET #n = :n, #{name} = :body", {":n": number(0), ":body": value})
        condition = Expression("#r = :r AND attribute_not_exists(#n)", {":r": text(run)})
        try:
            await self._hub.table.update(_key_of(lease), change, condition)
        except ConditionFailedError:
            return False
        return True

    async def _delete_unless_stored(self, lease: Lease, body: Body) -> None:
        """Delete the chunks of a lease that was not stored: but an answer may have been lost."""
        if body.chunks is not None:
            stored = await self._hub.table.get(_key_of(lease), "#c")
            if stored is None or chunks_of(stored) != body.chunks:
                await self._hub.delete_chunks(lease.instance_id, [body.chunks])

    async def _put(self, lease: Lease, condition: str, values: Item) -> bool:
        # What was seen before may be of an earlier run: the task is offered again to nobody soon.
        head = await self._hub.look(lease.instance_id)
        if head is None or head.is_finished:
            return False
        item = lease_item(lease, head.run)
        own = {":r": item["r"], ":ow": item["ow"]}
        try:
            await self._hub.table.put(item, Expression(condition, own | values))
        except ConditionFailedError:
            return False
        return True


def _key_of(lease: Lease) -> Key:
    return key_of(lease.instance_id, lease_key(lease))


def _is_owned(lease: Lease) -> Expression:
    return Expression("#ow = :ow", {":ow": text(lease.owner)})
