"""Instances from lines of JSON: each is checked, planted, and told of whom it waits for.

A parent and its child may come in any order, and of different moments: the child may have ended
after the parent was read. So whoever comes second brings the child's answer to the parent. Its id
is that of the answer which the child gave, so hearing it twice is hearing it once.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from bindings.client import ImportedInstance
from bindings.errors import ClientError, FunchostError, InstanceAlreadyExistsError
from host.core import exported, foreign, history, ids
from host.core.effects import answer_of
from host.core.history import ParentInstance
from host.core.instance_state import InstanceState
from host.core.records import Snapshot
from host.engine.parts import EngineParts
from host.engine.planting import plant
from host.errors import DamagedDataError, StorageError

_LONG_BYTES = 200_000
"""So long a line takes so long to read that it is read beside the event loop."""


async def imported(
    parts: EngineParts, number: int, line: bytes, *, is_held: bool = False
) -> ImportedInstance:
    """What becomes of a line."""
    try:
        instance_id = await import_line(parts, line, is_held=is_held)
    except InstanceAlreadyExistsError as refusal:
        return _refused(number, "exists", line, refusal)
    except StorageError as failure:
        return _refused(number, "failed", line, failure)
    except FunchostError as refusal:
        return _refused(number, "refused", line, refusal)
    return ImportedInstance(line=number, status="imported", instance_id=instance_id)


def _refused(number: int, status: str, line: bytes, error: Exception) -> ImportedInstance:
    named = exported.instance_id_of(line)
    return ImportedInstance(line=number, status=status, instance_id=named, error=str(error))


async def import_line(parts: EngineParts, line: bytes, *, is_held: bool = False) -> str:
    """Plant the instance that the line is of, and give its id; with `is_held` it is suspended.

    Raises `InvalidArgumentError`, `InstanceAlreadyExistsError` and `StorageError`.
    """
    if len(line) > _LONG_BYTES:
        checked = await asyncio.to_thread(_checked, parts, line)
    else:
        checked = _checked(parts, line)
    snapshot = foreign.planted(checked, parts.clock.now(), is_held=is_held)
    instance_id = snapshot.instance.instance_id
    try:
        await plant(parts, snapshot)
    except InstanceAlreadyExistsError:
        stored = await parts.store.get(instance_id)
        if stored is not None and stored.run_id == snapshot.instance.run_id:
            await _tell(parts, snapshot)  # whoever planted it may have ended before that
        raise
    await _tell(parts, snapshot)
    return instance_id


def _checked(parts: EngineParts, line: bytes) -> Snapshot:
    snapshot = exported.from_line(line)
    foreign.check(snapshot, parts.converter)
    return snapshot


async def _tell(parts: EngineParts, snapshot: Snapshot) -> None:
    """Bring the answer of the instance to its parent, and those of its children to it."""
    state = InstanceState(snapshot)
    if state.is_finished:
        await _answer(parts, state)
        return
    for task_id, child in state.ledger.open_children.items():
        task = (state.instance_id, state.execution_id, task_id)
        with suppress(DamagedDataError):
            row = await parts.store.get(child.instance_id)
            if row is not None and row.is_finished and _task_of(row.parent) == task:
                found = await parts.store.load(child.instance_id)
                if found is not None:
                    await _answer(parts, InstanceState(found))


async def _answer(parts: EngineParts, state: InstanceState) -> None:
    """Tell the parent, if it is there and waits, of the end."""
    parent, end = state.row.parent, state.ledger.end
    if parent is None or not isinstance(end, history.ExecutionCompleted):
        return
    message_id = ids.completion_message_id(state.execution_id, state.ledger.rewinds)
    answer = answer_of(parent, end, message_id)
    with suppress(ClientError, DamagedDataError):
        sending = parts.store.send(answer.instance_id, answer.message)
        await parts.hints.send_after(sending, answer.instance_id)


def _task_of(parent: ParentInstance | None) -> tuple[str, str, int] | None:
    return None if parent is None else (parent.instance_id, parent.execution_id, parent.task_id)
