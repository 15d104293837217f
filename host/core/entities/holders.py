"""Whether who has locked an entity is in his section still, by what is stored of him.

Every end of an orchestration unlocks. A run that was replaced while it was active has no end,
though: nothing is left of it that could. Whoever replaces it unlocks for it, and a cleaning finds
what a crash left over.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from host.core.effects import releases_of
from host.core.history import EntityLock, EntityUnlockSent
from host.core.instance_state import InstanceState
from host.core.records import Envelope, Snapshot
from host.core.redone import unsent


def is_orphaned(lock: EntityLock, holder: Snapshot | None) -> bool:
    """Whether nobody is in the section that has the lock; `holder` is what is stored of its run.

    A section is stored before its request is sent, so one that is not there is over.
    """
    if holder is None:
        return True
    state = InstanceState(holder)
    is_there = state.execution_id == lock.holder.execution_id and not state.is_finished
    return not (is_there and lock.holder.task_id in state.ledger.sections)


def unlocks_left_by(run: Snapshot, now: datetime) -> Sequence[Envelope]:
    """What unlocks the entities of a run that was replaced: nobody sends it any more.

    Also of one that had left its sections, or had ended: a host that died then has told nobody.
    """
    state = InstanceState(run)
    ledger = state.ledger
    sent = unsent(state.row, ledger, state.last_batch).messages
    told = [each for each in sent if isinstance(each.message.event, EntityUnlockSent)]
    if ledger.end is not None:
        return told
    return [*told, *releases_of(state.row, ledger, now)]
