"""The status row of an instance, from its history; and when it is worth storing.

Storing the row is a write of its own on some stores. So a turn stores it when the status or the
custom status changed, when the execution changed, when the turn sends anything, or when the stored
one is a second old; not when an instance merely goes from Pending to Running and has activities to
do: most end within that second.

The row is written after what a turn sends. So the number of its turn proves that all of that was
done, and it is not done again by whoever loads the instance: by then another run may have the id of
whom it was for.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec
import pydantic_core

from bindings.client import RuntimeStatus
from host.core import history
from host.core.history import Payload
from host.core.ledger import Ledger
from host.core.records import UNCHANGED, EntityView, Instance, Unchanged

STORE_AFTER = timedelta(seconds=1)


def project(
    row: Instance,
    ledger: Ledger,
    custom_status: Payload | Unchanged,
    updated_at: datetime,
    *,
    is_suspended: bool,
    reason: str | None,
) -> Instance:
    """The row as the history has it; whether it is held, the mail may say, too.

    `reason` says why its work waits, unless it is quarantined.
    """
    started = ledger.started
    end = ledger.end
    changes: dict[str, object] = {
        "status": status_of(row, ledger, is_suspended=is_suspended),
        "updated_at": updated_at,
        "custom_status": row.custom_status if custom_status is UNCHANGED else custom_status,
        "blocked_reason": row.blocked_reason if row.is_quarantined else reason,
    }
    if started is not None:
        changes |= {
            "execution_id": ledger.execution_id,
            "last_number": ledger.next_number - 1,
            "generation": started.generation,
            "version": started.version,
            "first_execution_id": row.run_id if started.generation else "",
            "input": started.input,
        }
    elif ledger.next_number:  # a rewind has taken the start back
        changes |= {"execution_id": ledger.execution_id, "last_number": ledger.next_number - 1}
    if ledger.entity is not None:
        changes |= told_of(ledger.entity)
    if isinstance(end, history.ExecutionCompleted):
        changes |= {"output": _output(row.name, end), "failure": end.failure}
        changes |= {"blocked_reason": None, "is_quarantined": False}
        row = row.acquitted()
    return msgspec.structs.replace(row, **changes)


def told_of(entity: history.EntityCheckpoint) -> dict[str, object]:
    """What the row says of an entity, by the names of the row's fields."""
    return {"entity": _view_of(entity), "tags": entity.tags}


def _view_of(entity: history.EntityCheckpoint) -> EntityView:
    locked_by = None if entity.lock is None else entity.lock.holder.instance_id
    return EntityView(has_state=entity.state is not None, locked_by=locked_by)


def revived(row: Instance, rewinds: int) -> Instance:
    """The row of an instance of which the history says that it was rewound so often."""
    if not row.is_finished:
        return msgspec.structs.replace(row, rewinds=rewinds)
    return msgspec.structs.replace(
        row, status=RuntimeStatus.RUNNING, output=None, failure=None, rewinds=rewinds
    )


def is_row_due(
    stored: Instance,
    ledger: Ledger,
    custom_status: Payload | Unchanged,
    now: datetime,
) -> bool:
    """Whether the row must be written now, after a turn without an order that sends nothing."""
    if ledger.is_finished or ledger.execution_id != stored.execution_id or stored.blocked_reason:
        return True
    if custom_status is not UNCHANGED and custom_status != stored.custom_status:
        return True
    if now - stored.updated_at >= STORE_AFTER:
        return True
    if ledger.entity is not None and _says_else(stored, ledger.entity):
        return True
    is_pending = stored.status is RuntimeStatus.PENDING
    if is_pending and ledger.open_activities and not ledger.is_suspended:
        return False  # it goes to Running, and most end within that second
    return status_of(stored, ledger, is_suspended=ledger.is_suspended) is not stored.status


def _says_else(stored: Instance, entity: history.EntityCheckpoint) -> bool:
    """Whether a list of entities would show what is not so any more, or not find it."""
    return _view_of(entity) != stored.entity or entity.tags != stored.tags


def is_row_behind(stored: Instance, ledger: Ledger) -> bool:
    """Whether the last turn's effects are not known to be done."""
    is_older = stored.last_number < ledger.next_number - 1
    return is_older or stored.execution_id != ledger.execution_id


def settled(
    row: Instance, blocked_reason: str | None, now: datetime, *, is_idle: bool
) -> Instance | None:
    """The row when a session ends, if it is to say anything new; `is_idle`: no activity runs on."""
    changes: dict[str, object] = {}
    if blocked_reason is not None and blocked_reason != row.blocked_reason:
        changes |= {"blocked_reason": blocked_reason, "updated_at": row.next_update(now)}
    is_acquitted = row.tries and is_idle and not row.is_quarantined
    if is_acquitted:  # it did all that it had to do, and no harm came of it
        changes |= {"updated_at": row.next_update(now)}
        row = row.acquitted()
    return msgspec.structs.replace(row, **changes) if changes else None


def status_of(row: Instance, ledger: Ledger, *, is_suspended: bool) -> RuntimeStatus:
    """The status, by the history and by whether the instance is held: it needs no author code."""
    if isinstance(ledger.end, history.ExecutionCompleted):
        return ledger.end.status
    if is_suspended:
        return RuntimeStatus.SUSPENDED
    if ledger.started is not None or ledger.entity is not None:
        return RuntimeStatus.RUNNING
    if row.status is not RuntimeStatus.SUSPENDED:
        return row.status
    return RuntimeStatus.PENDING if row.last_number < 0 else RuntimeStatus.RUNNING


def reason_without_function(name: str, version: str | None = None) -> str:
    """Why an instance waits whose code is not there."""
    of = "" if version is None else f" of version '{version}'"
    return (
        f"The orchestrator function '{name}'{of} is missing or broken on this host, or it is no "
        "orchestrator (activities are called with call_activity); "
        "the instance goes on when the function is back."
    )


def reason_without_entity(name: str) -> str:
    """Why operations wait whose entity is not there."""
    return (
        f"The entity function '{name}' is missing or broken on this host; "
        "the operations are done when it is back."
    )


def reason_without_activity(name: str) -> str:
    """Why an instance waits of which an activity's function is not there."""
    return (
        f"The instance waits for the activity function '{name}', which is missing or broken on "
        "this host, or is no activity (orchestrators are called with call_sub_orchestrator); "
        "it goes on when the function is back, or another host has it."
    )


def _output(name: str, end: history.ExecutionCompleted) -> Payload:
    """A failure's output is the sentence that Durable Functions shows."""
    if end.failure is None:
        return end.result
    text = f"Orchestrator function '{name}' failed: {end.failure.text}"
    return pydantic_core.to_json(text).decode()
