"""Named locks: one small item each, beside the hub's format."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime

from host.storage import rules
from host.storage.aws.table.hub_table import HubTable
from host.storage.aws.table.items import SENSELESS
from host.storage.aws.table.keys import (
    HUB,
    Item,
    lock_key,
    lock_name_of,
    moment,
    read_number,
    read_text,
    text,
)
from host.storage.aws.table.table import Expression
from host.storage.aws.wire.errors import ConditionFailedError
from host.storage.protocol import NamedLock

_CAN_HOLD = "#ow = :ow OR attribute_not_exists(#ow) OR NOT (#ex > :now AND #ex <= :late)"
"""So a lock is free, too, whose time is no number: it would never be over."""
_LAST = chr(0x10FFFF)


class Locks:
    """The locks of one hub."""

    def __init__(self, hub: HubTable) -> None:
        self._hub = hub

    async def hold(self, lock: NamedLock, now: datetime) -> bool:
        """Take the lock, or keep it."""
        values = {":ow": text(lock.owner), ":ex": moment(lock.expires_at)}
        late = rules.too_late(lock.expires_at, now)
        others = {":ow": text(lock.owner), ":now": moment(now), ":late": moment(late)}
        try:
            await self._hub.table.update(
                lock_key(lock.name),
                Expression("SET #ow = :ow, #ex = :ex", values),
                Expression(_CAN_HOLD, others),
            )
        except ConditionFailedError:
            return False
        return True

    async def release(self, name: str, owner: str) -> None:
        """Let go of a lock."""
        is_mine = Expression("#ow = :ow", {":ow": text(owner)})
        await self._hub.table.delete_if(lock_key(name), is_mine)

    async def named(self, prefix: str) -> Sequence[NamedLock]:
        """The locks whose names begin so; those that make no sense are nobody's."""
        values = {":pk": HUB, ":a": lock_key(prefix)["sk"], ":z": lock_key(prefix + _LAST)["sk"]}
        keys = Expression("#pk = :pk AND #sk BETWEEN :a AND :z", values)
        found = map(_lock_of, await self._hub.table.query_all(keys))
        return [lock for lock in found if lock is not None]


def _lock_of(item: Item) -> NamedLock | None:
    with suppress(*SENSELESS):
        return NamedLock(
            name=lock_name_of(item),
            owner=read_text(item, "ow"),
            expires_at=rules.from_micros(read_number(item, "ex")),
        )
    return None
