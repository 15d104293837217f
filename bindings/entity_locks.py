"""What is known of the lock of an entity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from bindings.entity_ids import EntityId


@dataclass(frozen=True, slots=True, kw_only=True)
class LockAsker:
    """An orchestration that has locked an entity since a time, or has waited for it since then.

    `operation` is what it has called, if it waits for that and not for the lock. Times are aware,
    in UTC.
    """

    instance_id: str
    execution_id: str
    since: datetime
    operation: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityLockState:
    """Who has locked an entity (None if nobody has), and who waits for it, in order.

    Who waits for another entity of its critical section first is not among them yet.
    `waiting_signals` is how many signals wait for the end of the section that has locked it.
    """

    entity_id: EntityId
    holder: LockAsker | None
    waiters: Sequence[LockAsker]
    waiting_signals: int = 0

    @property
    def is_locked(self) -> bool:
        """Whether anybody has locked it."""
        return self.holder is not None
