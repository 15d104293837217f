"""Whether who has locked an entity is in his section still, by what is stored of him.

Every end of an orchestration unlocks. A run that was replaced while it was active has no end,
though: nothing is left of it that could. Whoever replaces it unlocks for it, and a cleaning finds
what a crash left over.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from host.core import ids
from host.core.effects import unlocks_of
from host.core.history import EntityLock, ParentInstance
from host.core.instance_state import InstanceState
from host.core.records import Envelope, Message, Snapshot


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
    """What unlocks the entities of the sections of a run that will never end by itself."""
    state = InstanceState(run)
    if state.is_finished:
        return ()
    found: list[Envelope] = []
    for task_id, section in state.ledger.sections.items():
        holder = ParentInstance(
            instance_id=state.instance_id,
            execution_id=state.execution_id,
            task_id=task_id,
            name=state.row.name,
        )
        orders = unlocks_of(section.request, now, is_held=section.is_held)
        for place, order in enumerate(orders):
            message_id = ids.release_message_id(state.execution_id, task_id, place)
            event = msgspec.structs.replace(order, parent=holder)
            found.append(Envelope(order.instance_id, Message(message_id=message_id, event=event)))
    return found
