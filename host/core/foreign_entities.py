"""Whether an entity that comes from outside may be planted here, and as what.

Rules of this file: those of `foreign`, of which this is the part for entities. An entity is its one
batch, and what waits for it: what the row says as well is taken from there.
"""

from __future__ import annotations

from datetime import datetime

from msgspec.structs import replace

from bindings.client import RuntimeStatus
from bindings.entity_ids import EntityId
from host.core import arguments, history, ids
from host.core.foreign_rules import check_unique, dated, wrong
from host.core.history import EntityCheckpoint, HistoryEvent
from host.core.projection import told_of
from host.core.records import Instance, Snapshot

_ASKED = (
    history.EntityOperationCalled,
    history.EntityOperationSignaled,
    history.EntityLockRequested,
    history.EntityUnlockSent,
)
_OF_A_BATCH = (
    history.EntityOperationCompleted,
    history.EntityOperationFailed,
    history.EntityOperationSignaled,
    history.OrchestrationStartSent,
    history.EntityLockRequested,
    history.EntityLockGranted,
    history.EntityUnlockSent,
)


def check_entity(snapshot: Snapshot) -> None:
    """Raise `InvalidArgumentError` for an entity that this hub must not hold."""
    row = snapshot.instance
    _check_row(row)
    _check_batch(snapshot)
    if snapshot.leases:
        raise wrong("it is an entity, and has activities")
    for message in snapshot.inbox:
        is_asked = isinstance(message.event, _ASKED)
        if not is_asked or message.execution_id is not None or message.parent is not None:
            raise wrong("it is an entity, and has a message that asks it for nothing")
        _check_asked(message.event, row.instance_id)
    check_unique([each.message_id for each in snapshot.inbox], "message")


def _check_asked(event: HistoryEvent, entity_id: str) -> None:
    """Raise `InvalidArgumentError` for a message that is another entity's."""
    match event:
        case history.EntityLockRequested():
            _check_request(event)
            asked_of = event.entities[event.position]
        case history.EntityUnlockSent():
            if event.parent is None:
                raise wrong("it is an entity, and is to be unlocked by nobody")
            asked_of = event.instance_id
        case history.EntityOperationCalled() | history.EntityOperationSignaled():
            asked_of = event.instance_id
        case _:
            asked_of = entity_id
    if asked_of != entity_id:
        raise wrong("it is an entity, and has a message for another one")


def _check_request(request: history.EntityLockRequested) -> None:
    if request.parent is None or request.position >= len(request.entities):
        raise wrong("a lock is asked for by nobody, or of nobody")


def planted_entity(snapshot: Snapshot, now: datetime) -> Snapshot:
    """What is to be stored of an entity that passed `check_entity`: it is looked at at once."""
    last = _checkpoint_of(snapshot)
    row = replace(
        dated(snapshot.instance.acquitted(), now),
        is_quarantined=False,
        blocked_reason=None,
        imported_at=now,
        status=RuntimeStatus.PENDING if last is None else RuntimeStatus.RUNNING,
        **_told_of(last),
    )
    return replace(snapshot, instance=row, wake_at=now)


def _told_of(last: EntityCheckpoint | None) -> dict[str, object]:
    """What its batch says, whatever its row does."""
    return {"entity": None, "tags": {}} if last is None else told_of(last)


def _check_row(row: Instance) -> None:
    if str(EntityId.parse(row.instance_id)) != row.instance_id:
        raise wrong("the name in its id is not in lower case")
    if row.name != ids.entity_name_in(row.instance_id):
        raise wrong("its row has another name than its id")
    if row.is_finished or row.status is RuntimeStatus.CONTINUED_AS_NEW:
        raise wrong(f"it is an entity, and {row.status}")
    plain = Instance(
        instance_id=row.instance_id,
        execution_id=row.execution_id,
        name=row.name,
        status=row.status,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
    kept = {
        each: getattr(row, each)
        for each in (*_OF_AN_ENTITY, "imported_at", "blocked_reason", *_HELD_AGAINST_IT)
    }
    if replace(plain, **kept) != row:
        raise wrong("it is an entity, and its row has what only orchestrations have")


_OF_AN_ENTITY = ("last_number", "entity", "tags")
_HELD_AGAINST_IT = ("tries", "is_quarantined", "retry_at", "quarantines")


def _check_batch(snapshot: Snapshot) -> None:
    row, last = snapshot.instance, _checkpoint_of(snapshot)
    if last is None:
        if snapshot.batches or row.last_number >= 0:
            raise wrong("it is an entity, and its last batch does not say what it is")
        return
    arguments.tags(last.tags)
    (stored,) = snapshot.batches
    first, *others, _ = stored.batch.events
    if (stored.execution_id, stored.number) != (row.execution_id, last.number):
        raise wrong("its batch is of another execution, or has another number, than it says")
    if row.last_number > last.number:
        raise wrong("its row speaks of a turn that its history has not")
    if not isinstance(first, history.OrchestratorStarted):
        raise wrong("its batch does not begin with OrchestratorStarted")
    for each in others:
        if not isinstance(each, _OF_A_BATCH):
            raise wrong("its batch has what no entity does")
        if isinstance(each, history.EntityLockRequested):
            _check_request(each)


def _checkpoint_of(snapshot: Snapshot) -> EntityCheckpoint | None:
    """What the one batch ends with, if there is one, and it is that."""
    events = snapshot.batches[0].batch.events if len(snapshot.batches) == 1 else ()
    is_one = len(events) > 1 and isinstance(events[-1], EntityCheckpoint)
    return events[-1] if is_one and isinstance(events[-1], EntityCheckpoint) else None
