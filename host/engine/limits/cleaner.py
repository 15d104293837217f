"""Removes what hosts that died left in the records of limits, though nobody waits for a slot.

Who waits at a full limit sees to that limit sooner.
"""

from __future__ import annotations

from host.engine.limits.desks import Desks
from host.engine.limits.ended import EndedHolders

CLEAN_S = 300.0
MAX_CLEANED = 100_000
"""How often, and at how many records, it looks."""


class LimitCleaner:
    """One host's part in it."""

    def __init__(self, desks: Desks) -> None:
        self._desks = desks
        self._looks: dict[tuple[str, str], EndedHolders] = {}
        """Who looks at those that have slots, by limit and key: the next time at others."""

    async def clean(self) -> None:
        """Remove records of what is past, and slots of what has ended. Raises `StorageError`."""
        uses = await self._desks.uses(MAX_CLEANED)
        held = {(use.limit, use.key): use.holders for use in uses if use.holders}
        self._looks = {x: self._looks.get(x) or self._desks.new_look() for x in held}
        for (name, key), look in self._looks.items():
            for instance_id, run_id in (await look.look(held[name, key])).items():
                self._desks.desk(name, key).end(instance_id, run_id)
