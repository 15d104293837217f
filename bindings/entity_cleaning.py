"""Cleaning: what came of it, and how it is led to its end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta

IDLE_ENTITY = timedelta(minutes=30)
"""How long an entity must have done nothing before it may be removed, where nobody says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanEntityStorageResult:
    """What came of a cleaning.

    With a `continuation_token` there is more to do, after `wait`. `entities_marked` are those that
    go when they are looked at again: on AWS nothing is removed at first sight.
    `orphaned_locks_released` counts entities that were locked by a section in which nobody is any
    more: its orchestration was replaced while it was active, say.
    """

    empty_entities_removed: int
    entities_marked: int = 0
    orphaned_locks_released: int = 0
    continuation_token: str | None = None
    wait: timedelta = timedelta(0)


async def cleaned(
    page: Callable[[str | None], Awaitable[CleanEntityStorageResult]],
    sleep: Callable[[float], Awaitable[object]],
    token: str | None,
) -> CleanEntityStorageResult:
    """Ask for page after page, to the end."""
    removed = released = 0
    while True:
        found = await page(token)
        removed += found.empty_entities_removed
        released += found.orphaned_locks_released
        token = found.continuation_token
        if token is None:
            return replace(found, empty_entities_removed=removed, orphaned_locks_released=released)
        if found.wait:
            await sleep(found.wait.total_seconds())
