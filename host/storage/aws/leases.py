"""The leases of activities, seen from the host that runs them or is about to.

Rules of this file: only the owner of the stored lease may renew or finish it. A result is delivered
before its lease ends, so that a reader always sees one of the two.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime

from host.core.records import ANYBODY, Lease, Message
from host.storage.aws.errors import ConditionFailedError
from host.storage.aws.hub_table import HubTable
from host.storage.aws.inboxes import Inboxes
from host.storage.aws.items import lease_item
from host.storage.aws.keys import (
    Item,
    Key,
    Turn,
    batch_key,
    key_of,
    lease_key,
    moment,
    read_text,
    text,
)
from host.storage.aws.table import Expression


class Leases:
    """Renews and finishes leases."""

    def __init__(self, hub: HubTable, inboxes: Inboxes) -> None:
        self._hub = hub
        self._inboxes = inboxes

    async def renew(self, lease: Lease) -> bool:
        """Set a new expiry; False if the lease is gone or another owner's."""
        change = Expression("SET #ex = :ex", {":ex": moment(lease.expires_at)})
        try:
            await self._hub.table.update(_key_of(lease), change, _is_owned(lease))
        except ConditionFailedError:
            return False
        return True

    async def finish(self, lease: Lease, message: Message, *, keep: bool) -> bool:
        """Deliver the result and end the lease; False if it is gone or another owner's."""
        stored = await self._hub.table.get(_key_of(lease), "#ow")
        if stored is None or read_text(stored, "ow") != lease.owner:
            return False
        if not await self._inboxes.deliver(lease.instance_id, [message]):
            return False
        if keep:
            return True
        # If the lease is gone by now the instance has ended; a new owner's result is too late.
        with suppress(ConditionFailedError):
            await self._hub.table.delete(_key_of(lease), _is_owned(lease))
        return True

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
        following = batch_key(Turn(lease.execution_id, number + 1))
        return await self._hub.table.get(key_of(lease.instance_id, following), "#sk") is None

    async def take(self, lease: Lease, now: datetime) -> bool:
        """Put the lease in place of one that waits for anybody, or is over."""
        may_be_taken = "#r = :r AND (#ow = :any OR #ow = :ow OR #ex <= :now)"
        values = {":any": text(ANYBODY), ":now": moment(now)}
        return await self._put(lease, may_be_taken, values)

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
