"""Who is quarantined. No index says so: those are looked at that a search for the blocked finds."""

from __future__ import annotations

from host.core.records import Instance
from host.engine.together import together
from host.errors import DamagedDataError
from host.storage.protocol import HubStore, Sought

MAX_LOOKED_AT = 2000
_PAGE = 200
_AT_ONCE = 16


async def quarantined(store: HubStore) -> tuple[Instance, ...]:
    """Those among the first so many that may be blocked. Raises `StorageError`."""
    found: list[Instance] = []
    after: str | None = ""
    looked_at = 0
    while after is not None and looked_at < MAX_LOOKED_AT:
        page = await store.recoverable(after=after, limit=_PAGE, sought=Sought.BLOCKED)
        looks = [_row(store, each) for each in page.instance_ids]
        rows = await together(looks, at_once=_AT_ONCE)
        found += [row for row in rows if row is not None and row.is_quarantined]
        looked_at += _PAGE
        after = page.rest
    return tuple(found)


async def _row(store: HubStore, instance_id: str) -> Instance | None:
    try:
        return await store.get(instance_id)
    except DamagedDataError:
        return None
