"""Which messages of an entity may be seen to while it is locked, and in which order.

An entity is locked by a critical section: a task of an orchestration's execution. While it is, only
the calls of that section are done; all else waits in the inbox, in order, until the unlock. The
request of a section goes from one entity to the next, in one order that all sections share, so that
no two wait for each other. The last entity tells who asked.

What is in the inbox says it all: a request that waits there for another section to end is no fact
of the entity, and is gone when its own unlock comes first.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

import msgspec

from bindings.errors import FailureDetails, LockLostError
from host.core import history
from host.core.history import EntityLock, HistoryEvent, InboxEvent, ParentInstance


class Step(NamedTuple):
    """A message that is to be seen to, and what it asks for."""

    message_id: str | None
    """None for a signal whose time has come."""
    event: InboxEvent | None
    """None for a request that is over before it was granted: it is only taken in."""
    is_refused: bool = False
    """Whether it is a call whose section has lost the lock."""


class SectionKey(NamedTuple):
    """What names a section."""

    execution_id: str
    section: int


def in_order(steps: Iterable[Step], lock: EntityLock | None) -> list[Step]:
    """What may be seen to now, in order; what is not among it waits on."""
    ahead, waiting, found = deque(steps), list[Step](), list[Step]()
    holder = None if lock is None else key_of(lock.holder)
    while ahead:
        step = ahead.popleft()
        match step.event:
            case history.EntityUnlockSent() as order:
                section = _section_of(order)
                found += _taken_back(section, waiting)
                if section == holder:
                    holder = None
                    ahead.extendleft(reversed(waiting))  # all that has waited has its turn now
                    waiting = []
            case history.EntityLockRequested() as request if holder is None:
                holder = key_of(request.parent)
            case history.EntityOperationCalled() as call if call.section:
                section = SectionKey(_asker(call.parent).execution_id, call.section)
                step = step._replace(is_refused=section != holder)
            case _ if holder is not None:
                waiting.append(step)
                continue
        found.append(step)
    return found


def _taken_back(section: SectionKey, waiting: list[Step]) -> list[Step]:
    """Take the request of a section that is over out of what waits, if it waits."""
    for place, step in enumerate(waiting):
        event = step.event
        if isinstance(event, history.EntityLockRequested) and key_of(event.parent) == section:
            return [waiting.pop(place)._replace(event=None)]
    return []


def locked(
    request: history.EntityLockRequested, number: int, now: datetime
) -> tuple[EntityLock, HistoryEvent]:
    """The lock of a request whose turn it is. It goes on to the next entity, or is granted."""
    holder, position = _asker(request.parent), request.position + 1
    lock = EntityLock(holder=holder, since=now)
    if position == len(request.entities):
        granted = history.EntityLockGranted(timestamp=now, task_id=holder.task_id, caller=holder)
        return lock, granted
    return lock, msgspec.structs.replace(request, timestamp=now, task_id=number, position=position)


def unlocked(lock: EntityLock | None, order: history.EntityUnlockSent) -> EntityLock | None:
    """The lock after an order to unlock, which leaves that of another section as it is."""
    is_of = lock is not None and key_of(lock.holder) == _section_of(order)
    return None if is_of else lock


def passed_on(
    order: history.EntityUnlockSent, number: int, now: datetime
) -> history.EntityUnlockSent:
    """The order to unlock for the next entity of the section."""
    first, *rest = order.rest
    return msgspec.structs.replace(
        order, timestamp=now, task_id=number, instance_id=first, rest=tuple(rest)
    )


def lost(instance_id: str) -> FailureDetails:
    """What a call hears whose section has lost the lock of this entity."""
    return FailureDetails(
        error_type=LockLostError.__name__,
        message=(
            f"The critical section has no longer locked '{instance_id}': the operation was not "
            "done. Somebody unlocked the entity, or removed it."
        ),
        is_non_retriable=True,
    )


def key_of(holder: ParentInstance | None) -> SectionKey:
    """What names the section of who holds a lock, or asks for it."""
    asker = _asker(holder)
    return SectionKey(asker.execution_id, asker.task_id)


def _section_of(order: history.EntityUnlockSent) -> SectionKey:
    return SectionKey(_asker(order.parent).execution_id, order.section)


def _asker(parent: ParentInstance | None) -> ParentInstance:
    assert parent is not None  # noqa: S101 - as what is sent to an entity says
    return parent
