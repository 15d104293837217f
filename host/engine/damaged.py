"""Instances that cannot be led: what is stored of them cannot be read, or their turns fail."""

from __future__ import annotations

from contextlib import suppress

import msgspec

from bindings.client import RuntimeStatus
from host.core.alarm import LOOK_AGAIN
from host.core.history import ExecutionTerminated
from host.core.notices import notice_of_row, reason_in
from host.core.records import Effects, NoticeKind
from host.engine.observer import InstanceEnded
from host.engine.parts import EngineParts
from host.errors import Conflict, DamagedDataError
from host.logs import HostLog

_logger = HostLog("funchost.engine")


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
        row.acquitted(),
        status=RuntimeStatus.TERMINATED,
        output=reasons[0],
        is_quarantined=False,
        blocked_reason=None,
        updated_at=row.next_update(parts.clock.now()),
    )
    effects = Effects(instance_id=instance_id, row=ended, wake_at=None)
    if NoticeKind.TERMINATED in parts.wanted:
        told = notice_of_row(ended, NoticeKind.TERMINATED, reason_in(reasons[0]), seen=row)
        effects = msgspec.structs.replace(effects, notices=(told,))
    await parts.store.apply(effects)
    parts.send_notices(effects.notices)
    parts.waiters.report(ended)
    if InstanceEnded in parts.observers.wanted:
        parts.observers.tell(InstanceEnded(row=ended, error=None))
    return True


async def quarantine(parts: EngineParts, instance_id: str, reason: str) -> None:
    """Run the instance's code no more until somebody redrives it. Raises `StorageError`."""
    while True:
        row = await parts.store.get(instance_id)
        if row is None or row.is_finished or row.is_quarantined:
            return
        with suppress(Conflict):  # then what was read is not true any more
            await parts.quarantine.put(row, reason, parts.clock.now())
            return


async def set_aside(parts: EngineParts, instance_id: str, reason: str) -> None:
    """Try no more for a while, since it cannot be read; quarantine it if its row can be written.

    Raises `StorageError`.
    """
    try:
        await quarantine(parts, instance_id, reason)
    except DamagedDataError as error:
        _logger.error("'%s' cannot be led: %s", instance_id, error)
    later = parts.clock.now() + LOOK_AGAIN
    effects = Effects(instance_id=instance_id, wake_at=later)
    await parts.store.apply(effects)
    parts.notice_alarm_of(effects)
