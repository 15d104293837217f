"""All entities that a query finds, page after page."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from bindings.entities import EntityQuery, EntityState
from bindings.remote.client import RemoteClient


async def found_entities(
    client: RemoteClient, query: EntityQuery, at_most: int | None = None
) -> list[EntityState]:
    """What it finds, the newest first; no more than `at_most`, if that is given."""
    found: list[EntityState] = []
    while True:
        page = await client.query_entities(query)
        found += page.items
        is_enough = at_most is not None and len(found) >= at_most
        if is_enough or page.continuation_token is None:
            return found[:at_most]
        query = replace(query, continuation_token=page.continuation_token)


def in_utc(moment: datetime) -> str:
    """A moment as it is shown."""
    return f"{moment.astimezone(UTC).replace(tzinfo=None).isoformat()}Z"
