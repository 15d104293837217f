"""The recovery pass: makes every hint anew that may be missing (law 1)."""

from __future__ import annotations

from host.storage.protocol import HubQueues, HubStore

PAGE = 1000


async def wake_recoverable(
    store: HubStore, queues: HubQueues, noted: set[str] | None = None
) -> int:
    """Wake every instance that may have something to do; gives how many. Harmless at any time.

    Whoever gets these hints trusts no copy in memory and does the last effects again. Their ids are
    `noted` before they are woken. Raises `StorageError`.
    """
    after, count = "", 0
    while instance_ids := await store.recoverable(after=after, limit=PAGE):
        if noted is not None:
            noted.update(instance_ids)
        await queues.send_wakeups(instance_ids, is_recovery=True)
        after, count = instance_ids[-1], count + len(instance_ids)
    return count
