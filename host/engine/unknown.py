"""Activities whose function this host does not have: other hosts may have it, so they may run it.

Where there are no others such an activity waits in its history, or in its lease, for a start with
the function. Otherwise it is handed out. Whoever takes it decides by his own declaration whether it
may begin again, so what is handed out says whether somebody may have begun it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from msgspec.structs import replace

from host.core.history import TaskScheduled
from host.core.ledger import BEFORE_ALL
from host.core.records import ANYBODY, LET_GO, Lease
from host.engine.parts import EngineParts
from host.engine.work import HAND_OUT_AGAIN_S, work_item
from host.errors import StorageError


def has_others(parts: EngineParts) -> bool:
    """Whether other hosts share the work of this one."""
    return parts.options.max_backlog_s is not None


async def offer_again(parts: EngineParts, lease: Lease) -> Lease | None:
    """Let anybody take what nobody has any more; None if it is not as it was seen.

    The lease of what was begun stays over, and names nobody: who would begin it anew must take what
    is over, and so learns that it was begun.
    """
    if lease.owner == ANYBODY:
        until = parts.clock.now() + timedelta(seconds=parts.options.work_lease_s)
        offered, over_by = replace(lease, expires_at=until), BEFORE_ALL
    else:
        offered, over_by = replace(lease, owner=LET_GO), parts.clock.now()
    return offered if await parts.store.take_lease(offered, over_by) else None


async def hand_out(
    parts: EngineParts, instance_id: str, execution_id: str, tasks: Sequence[TaskScheduled]
) -> float:
    """Send the work items; after how many seconds they are to be handed out anew."""
    try:
        await parts.queues.send_work([work_item(instance_id, execution_id, x) for x in tasks])
    except StorageError as error:
        parts.store_watch.failed("Work of '%s' is handed out later: %s", instance_id, error)
        return HAND_OUT_AGAIN_S
    return parts.options.work_lease_s
