"""Which of an instance's stored batches are its current execution."""

from __future__ import annotations

import msgspec

from host.core import ids
from host.core.history import (
    Batch,
    ContinueAsNew,
    ExecutionCompleted,
    ExecutionStarted,
    HistoryEvent,
)
from host.core.records import Snapshot
from host.core.trace import following

MAX_LEFT_OVER = 1000
"""How many executions back one is known to be an earlier one."""


def batches_by_execution(snapshot: Snapshot) -> dict[str, list[Batch]]:
    """The stored batches of each execution, in order of number."""
    executions: dict[str, list[Batch]] = {}
    for stored in snapshot.batches:
        executions.setdefault(stored.execution_id, []).append(stored.batch)
    return executions


def left_over_executions(snapshot: Snapshot) -> tuple[str, ...]:
    """Executions whose batches are stored although the row has moved on from them.

    Only those that lead to the row's execution: what comes after it is not left over, though a read
    in the midst of somebody's writes may have missed what connects the two.
    """
    if not snapshot.batches:
        return ()
    current = snapshot.instance.execution_id
    others = dict.fromkeys(x.execution_id for x in snapshot.batches if x.execution_id != current)
    return tuple(each for each in others if _leads_to(each, current))


def _leads_to(execution_id: str, later_id: str) -> bool:
    for _ in range(MAX_LEFT_OVER):
        execution_id = ids.next_execution_id(execution_id)
        if execution_id == later_id:
            return True
    return False


def start_of_next(
    execution_id: str, previous: ExecutionStarted, end: ContinueAsNew
) -> ExecutionStarted:
    """The start of the execution that this one asks for by continue-as-new."""
    next_id = ids.next_execution_id(execution_id)
    return msgspec.structs.replace(
        previous,
        execution_id=next_id,
        trace=following(previous.trace, execution_id, next_id),
        input=end.input,
        version=previous.version if end.version is None else end.version,
        generation=previous.generation + 1,
        scheduled_start_at=None,
    )


def chain_of(snapshot: Snapshot) -> list[str]:
    """The row's execution, and those that followed it by continue-as-new and have batches."""
    executions = batches_by_execution(snapshot)
    chain = [snapshot.instance.execution_id]
    while (following := ids.next_execution_id(chain[-1])) in executions:
        chain.append(following)
    return chain


def version_of(snapshot: Snapshot) -> str | None:
    """The version of the execution that is to go on: it may have another than the row has yet."""
    row = snapshot.instance
    version = row.version
    last = snapshot.batches[-1] if snapshot.batches else None
    if last is None or (last.execution_id == row.execution_id and not _continues(last.batch)):
        return version
    executions = batches_by_execution(snapshot)
    for execution_id in chain_of(snapshot):
        for batch in executions.get(execution_id, [])[-1:]:
            end = batch.events[-1]
            if isinstance(end, ContinueAsNew) and end.version is not None:
                version = end.version
    return version


def _continues(batch: Batch) -> bool:
    return bool(batch.events) and isinstance(batch.events[-1], ContinueAsNew)


def current_history(snapshot: Snapshot) -> tuple[HistoryEvent, ...]:
    """The events of the latest execution that has any, oldest first."""
    return tuple(event for batch in current_batches(snapshot) for event in batch.events)


def current_batches(snapshot: Snapshot) -> list[Batch]:
    """The batches of the latest execution that has any."""
    executions = batches_by_execution(snapshot)
    batches = executions.get(snapshot.instance.execution_id, [])
    execution_id = snapshot.instance.execution_id
    while batches and isinstance(batches[-1].events[-1], ContinueAsNew):
        execution_id = ids.next_execution_id(execution_id)
        if execution_id not in executions:
            break
        batches = executions[execution_id]
    return batches


def has_ended(snapshot: Snapshot) -> bool:
    """Whether the history says that the instance is finished, whatever its row says."""
    events = current_history(snapshot)
    return bool(events) and isinstance(events[-1], ExecutionCompleted)
