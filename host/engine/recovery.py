"""The recovery pass: makes every hint anew that may be missing (law 1).

A part of it serves an app that has changed: it wakes those that waited for a function.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from host.engine.together import together
from host.errors import DamagedDataError
from host.storage.protocol import HubQueues, HubStore

PAGE = 1000


async def wake_recoverable(
    store: HubStore, queues: HubQueues, noted: set[str] | None = None
) -> int:
    """Wake every instance that may have something to do; gives how many. Harmless at any time.

    Whoever gets these hints trusts no copy in memory and does the last effects again. Their ids are
    `noted` before they are woken. Raises `StorageError`.
    """
    count = 0
    async for instance_ids in _pages(store):
        if noted is not None:
            noted.update(instance_ids)
        await queues.send_wakeups(instance_ids, is_recovery=True)
        count += len(instance_ids)
    return count


async def wake_blocked(store: HubStore, queues: HubQueues, led: Sequence[str]) -> int:
    """Wake every instance that may wait for a function, and no other; gives how many.

    `led` are those that are led here just now: what they lack may not be in their row yet. Raises
    `StorageError`.
    """
    await queues.send_wakeups(led, is_recovery=True)
    count = len(led)
    async for instance_ids in _pages(store):
        are_blocked = await together([_is_blocked(store, each) for each in instance_ids])
        blocked = [each for each, is_one in zip(instance_ids, are_blocked, strict=True) if is_one]
        await queues.send_wakeups(blocked, is_recovery=True)
        count += len(blocked)
    return count


async def _pages(store: HubStore) -> AsyncIterator[Sequence[str]]:
    after = ""
    while instance_ids := await store.recoverable(after=after, limit=PAGE):
        yield instance_ids
        after = instance_ids[-1]


async def _is_blocked(store: HubStore, instance_id: str) -> bool:
    try:
        row = await store.get(instance_id)
    except DamagedDataError:
        return False  # it is no function that it lacks
    return row is not None and row.blocked_reason is not None and not row.is_quarantined
