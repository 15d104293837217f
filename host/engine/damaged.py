"""The end of an instance whose history cannot be read: nothing of it can be led, only ended."""

from __future__ import annotations

import msgspec

from bindings.client import RuntimeStatus
from host.core.history import ExecutionTerminated
from host.core.records import Effects
from host.engine.parts import EngineParts
from host.errors import DamagedDataError


async def end_if_terminated(parts: EngineParts, instance_id: str) -> bool:
    """Whether somebody terminated it, so that its row says so now and it can be purged.

    No batch is appended, and nobody else is told: whom it started or who waits for it stands in
    what cannot be read. Raises `StorageError`.
    """
    try:
        row = await parts.store.get(instance_id)
        inbox = await parts.store.read_inbox(instance_id)
    except DamagedDataError:
        return False
    reasons = [x.event.reason for x in inbox if isinstance(x.event, ExecutionTerminated)]
    if row is None or row.is_finished or not reasons:
        return False
    ended = msgspec.structs.replace(
        row,
        status=RuntimeStatus.TERMINATED,
        output=reasons[0],
        is_quarantined=False,
        blocked_reason=None,
        tries=0,
        updated_at=max(parts.clock.now(), row.updated_at),
    )
    await parts.store.apply(Effects(instance_id=instance_id, row=ended, wake_at=None))
    parts.waiters.report(ended)
    return True
