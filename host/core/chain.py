"""Which of an instance's stored batches are its current execution."""

from __future__ import annotations

from host.core import history, ids
from host.core.history import Batch, HistoryEvent
from host.core.records import Snapshot


def batches_by_execution(snapshot: Snapshot) -> dict[str, list[Batch]]:
    """The stored batches of each execution, in order of number."""
    executions: dict[str, list[Batch]] = {}
    for stored in snapshot.batches:
        executions.setdefault(stored.execution_id, []).append(stored.batch)
    return executions


def left_over_executions(snapshot: Snapshot) -> tuple[str, ...]:
    """Executions whose batches are stored although no row or chain leads to them any more."""
    executions = batches_by_execution(snapshot)
    execution_id = snapshot.instance.execution_id
    while batches := executions.pop(execution_id, []):
        if not isinstance(batches[-1].events[-1], history.ContinueAsNew):
            break
        execution_id = ids.next_execution_id(execution_id)
    return tuple(executions)


def current_history(snapshot: Snapshot) -> tuple[HistoryEvent, ...]:
    """The events of the latest execution that has any, oldest first."""
    executions = batches_by_execution(snapshot)
    batches = executions.get(snapshot.instance.execution_id, [])
    execution_id = snapshot.instance.execution_id
    while batches and isinstance(batches[-1].events[-1], history.ContinueAsNew):
        execution_id = ids.next_execution_id(execution_id)
        if execution_id not in executions:
            break
        batches = executions[execution_id]
    return tuple(event for batch in batches for event in batch.events)
