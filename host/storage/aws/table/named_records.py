"""Named records: one item each, in a partition of their kind and in no index."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from contextlib import suppress

from host.core.records import Notice
from host.storage.aws.table.hub_table import HubTable
from host.storage.aws.table.items import SENSELESS
from host.storage.aws.table.keys import (
    Item,
    read_text,
    record_key,
    records_of,
    sort_key_of,
    text,
)
from host.storage.aws.table.table import Expression, together
from host.storage.aws.wire.errors import ConditionFailedError
from host.storage.kept_notices import NOTICE, key_of, record_of
from host.storage.protocol import NamedRecord, RecordPage

_ANY = Expression("attribute_exists(#pk) OR attribute_not_exists(#pk)")
"""A write without a condition: it is that of whoever asks last."""


class NamedRecords:
    """The named records of one hub."""

    def __init__(self, hub: HubTable) -> None:
        self._hub = hub

    async def put(self, record: NamedRecord) -> None:
        """Store the record, whatever was there."""
        await self._hub.table.put(_item_of(record), _ANY)

    async def change(self, record: NamedRecord, after: str | None) -> bool:
        """Store the record in place of another."""
        is_free = "attribute_not_exists(#pk)" if after is None else "#v = :after"
        values = {":v": text(record.stamp)} | ({} if after is None else {":after": text(after)})
        condition = Expression(f"{is_free} OR #v = :v", values)
        try:
            await self._hub.table.put(_item_of(record), condition)
        except ConditionFailedError:
            return False
        return True

    async def remove(self, kind: str, key: str, after: str | None = None) -> bool:
        """Remove the record; with `after` only the one with this stamp."""
        condition = _ANY
        if after is not None:
            is_meant = "attribute_not_exists(#pk) OR #v = :after"
            condition = Expression(is_meant, {":after": text(after)})
        return await self._hub.table.delete_if(record_key(kind, key), condition)

    async def keep(self, notices: Sequence[Notice]) -> None:
        """Store the records of notices."""
        await together([self.put(record_of(notice)) for notice in notices])

    async def take_back(self, notices: Sequence[Notice]) -> None:
        """Remove the records of what did not happen."""
        await together([self.remove(NOTICE, key_of(notice)) for notice in notices])

    async def find(self, kind: str, key: str) -> NamedRecord | None:
        """The record, or None."""
        item = await self._hub.table.get(record_key(kind, key))
        return next(_records_of(kind, [item] if item else []), None)

    async def page(self, kind: str, after: str, limit: int) -> RecordPage:
        """Records of a kind, in order of their keys."""
        values = {":pk": records_of(kind)} | ({":after": text(after)} if after else {})
        keys = Expression("#pk = :pk AND #sk > :after" if after else "#pk = :pk", values)
        page = await self._hub.table.query(keys, limit=limit)
        rest = None if page.rest is None else read_text(page.rest, "sk")
        return RecordPage(records=tuple(_records_of(kind, page.items)), rest=rest)


def _item_of(record: NamedRecord) -> Item:
    data = {"B": base64.b64encode(record.data).decode()}
    return record_key(record.kind, record.key) | {"v": text(record.stamp), "d": data}


def _records_of(kind: str, items: list[Item]) -> Iterator[NamedRecord]:
    """Those of the items that make sense."""
    for item in items:
        with suppress(*SENSELESS):
            yield NamedRecord(
                kind=kind,
                key=sort_key_of(item),
                stamp=read_text(item, "v"),
                data=base64.b64decode(item["d"]["B"], validate=True),
            )
