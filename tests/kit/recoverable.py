"""Who may need a wake-up, all pages of it."""

from __future__ import annotations

from host.storage.protocol import HubStore, Sought


async def recoverable(
    store: HubStore, *, after: str = "", limit: int = 1000, sought: Sought = Sought.ALL
) -> list[str]:
    """The ids, in the order in which the store gives them."""
    found: list[str] = []
    rest: str | None = after
    while rest is not None:
        page = await store.recoverable(after=rest, limit=limit, sought=sought)
        found += page.instance_ids
        rest = page.rest
    return found
