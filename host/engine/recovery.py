"""The recovery pass: makes every hint anew that may be missing (law 1).

A part of it serves an app that has changed: it wakes those that waited for a function.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from host.engine.together import together
from host.errors import DamagedDataError
from host.storage.protocol import HubQueues, HubStore, RecoverablePage, Sought

PAGE = 1000


async def wake_recoverable(
    store: HubStore,
    queues: HubQueues,
    noted: set[str] | None = None,
    *,
    sought: Sought = Sought.ALL,
) -> int:
    """Wake every instance that may have something to do; gives how many. Harmless at any time.

    Whoever gets these hints trusts no copy in memory and does the last effects again. Their ids are
    `noted` before they are woken. Raises `StorageError`.
    """
    count = 0
    async for page in pages(store, sought):
        if noted is not None:
            noted.update(page.instance_ids)
        count += await wake(queues, page.instance_ids)
    return count


async def wake_blocked(store: HubStore, queues: HubQueues, led: Sequence[str]) -> int:
    """Wake every instance that may wait for a function, and no other; gives how many.

    So may a finished one, for the activities that it left.

    `led` are those that are led here just now: what they lack may not be in their row yet. Raises
    `StorageError`.
    """
    count = await wake(queues, led)
    async for page in pages(store, Sought.BLOCKED):
        ids = page.instance_ids
        do_wait = await together([_may_lack_a_function(store, each) for each in ids])
        count += await wake(
            queues, [each for each, waits in zip(ids, do_wait, strict=True) if waits]
        )
    return count


async def pages(
    store: HubStore, sought: Sought, limit: int = PAGE
) -> AsyncIterator[RecoverablePage]:
    """Those that are sought, and perhaps others."""
    after: str | None = ""
    while after is not None:
        page = await store.recoverable(after=after, limit=limit, sought=sought)
        yield page
        after = page.rest


async def wake(queues: HubQueues, instance_ids: Sequence[str]) -> int:
    """Wake these by recovery hints; how many they are."""
    if instance_ids:
        await queues.send_wakeups(instance_ids, is_recovery=True)
    return len(instance_ids)


async def _may_lack_a_function(store: HubStore, instance_id: str) -> bool:
    try:
        row = await store.get(instance_id)
    except DamagedDataError:
        return False  # it is no function that it lacks
    if row is None or row.is_quarantined:
        return False
    return row.is_finished or row.blocked_reason is not None
