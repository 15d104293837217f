"""Instances that may have ended their host: tried again a few times, then left alone.

A host that dies cannot say which of its instances killed it. So who takes up such an instance notes
the try in its row before any code of it runs; getting on takes the note back. From the second such
try on the instance runs alone among its like, so that a next crash counts against it and not
against all that wait for the same. After `max_tries` its code runs no more: the row says why, and
only `redrive` (or its termination) goes on with it.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime

import msgspec

from host.core.records import Effects, Instance
from host.storage.protocol import HubStore

_logger = logging.getLogger("funchost.engine")

ALONE_FROM = 2
"""From this many tries on an instance is led alone."""


class Quarantine:
    """Counts tries. One for all sessions of a host."""

    def __init__(self, store: HubStore, max_tries: int) -> None:
        self._store = store
        self._max_tries = max_tries
        self.lane = asyncio.Lock()
        """Held by the session of an instance that must be alone."""

    async def count(self, row: Instance, now: datetime) -> Instance:
        """Note one more try before it is made, or that there were enough; the row as stored."""
        if row.is_quarantined:
            return row
        if row.tries >= self._max_tries:
            reason = (
                f"A host ended {row.tries} times while it led this instance, which never got on. "
                "Mend the function, then redrive the instance."
            )
            return await self.put(row, reason, now)
        return await self._save(msgspec.structs.replace(row, tries=row.tries + 1))

    async def put(self, row: Instance, reason: str, now: datetime) -> Instance:
        """Run the instance's code no more; the row as stored."""
        _logger.error("'%s' is quarantined: %s", row.instance_id, reason)
        return await self._save(
            msgspec.structs.replace(
                row,
                is_quarantined=True,
                blocked_reason=f"Quarantined: {reason}",
                updated_at=max(now, row.updated_at),
            )
        )

    async def _save(self, row: Instance) -> Instance:
        await self._store.apply(Effects(instance_id=row.instance_id, row=row))
        return row


def released(row: Instance, now: datetime) -> Instance:
    """The row of a quarantined instance that is to be tried anew."""
    return msgspec.structs.replace(
        row,
        tries=0,
        is_quarantined=False,
        blocked_reason=None,
        updated_at=max(now, row.updated_at),
    )
