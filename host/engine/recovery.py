"""The recovery pass: makes every hint anew that may be missing (law 1)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from host.storage.protocol import HubQueues, HubStore

PAGE = 1000


async def wake_recoverable(
    store: HubStore, queues: HubQueues, found: Callable[[Sequence[str]], None] | None = None
) -> int:
    """Wake every instance that may have something to do; gives how many. Harmless at any time.

    `found` hears of each page before it is woken.
    """
    after, count = "", 0
    while instance_ids := await store.recoverable(after=after, limit=PAGE):
        if found is not None:
            found(instance_ids)
        await queues.send_wakeups(instance_ids)
        after, count = instance_ids[-1], count + len(instance_ids)
    return count
