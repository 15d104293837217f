"""Orchestrations that ended with their hosts: nobody gave their slots back."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf

from host.clock import Clock
from host.core.limits import Holder
from host.storage.protocol import HubStore

CHECK_S = 30.0
CHECKED_AT_ONCE = 20
"""How often, and at how many of them, somebody looks who waits for a slot."""


class EndedHolders:
    """Looks at some of those that have slots, the next time at others."""

    def __init__(self, store: HubStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._looked_at = -inf
        self._looked = 0

    async def look(self, holders: Mapping[str, Holder]) -> dict[str, str]:
        """Those that have ended, and which run of each, if it is time to look.

        Raises `StorageError`.
        """
        now = self._clock.monotonic()
        if not holders or now < self._looked_at + CHECK_S:
            return {}
        self._looked_at = now
        names = sorted(holders)
        first = self._looked % len(names)
        some = (names[first:] + names[:first])[:CHECKED_AT_ONCE]
        self._looked = first + len(some)
        return {x: holders[x].run_id for x in some if await self._has_ended(x, holders[x])}

    async def _has_ended(self, instance_id: str, holder: Holder) -> bool:
        row = await self._store.get(instance_id)
        return row is None or row.is_finished or row.run_id not in {holder.run_id, ""}
