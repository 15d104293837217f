"""A rewind of a failed instance: what is appended to its history, and what follows from that.

How far back it goes: always before the last turn, which failed. And before turns ahead of that in
which something had failed, as long as the code has done nothing since then: a failure that it has
reacted to stays, with all that came of it. So nothing was done because of what does not count.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from datetime import datetime
from itertools import count
from typing import TypeAlias

import msgspec

from bindings.client import RuntimeStatus
from host.core import history
from host.core.chain import current_batches
from host.core.history import Batch
from host.core.instance_state import InstanceState
from host.core.records import Commit, Snapshot, StoredBatch
from host.core.rewound import DEEDS, FAILURES, RewoundLedger, counted, is_rewind, rewind_in

Lost: TypeAlias = (
    history.TaskScheduled | history.EntityOperationCalled | history.EntityLockRequested
)
"""What is to be asked for again, since nobody would ever answer."""


def can_rewind(state: InstanceState) -> bool:
    """Whether the history says that the instance failed, and was not rewound since then."""
    end = state.ledger.end
    return isinstance(end, history.ExecutionCompleted) and end.status is RuntimeStatus.FAILED


def rewind(snapshot: Snapshot, now: datetime, reason: str, cause: str = "") -> Commit:
    """What is to be stored to rewind the instance, whose history says that it failed."""
    ended = InstanceState(snapshot).ledger
    stored = current_batches(snapshot)
    event = history.ExecutionRewound(
        timestamp=max(now, ended.reached),
        reason=reason,
        cut=_cut(counted(stored).batches),
        last_task_id=last_task_id(stored),
        cause=cause,
    )
    ledger = _with(snapshot, Batch(events=(event,))).ledger
    assert isinstance(ledger, RewoundLedger)  # noqa: S101 - as the event makes it
    lost: list[Lost] = [
        *(section.request for section in ledger.sections.values()),
        *ledger.untaken.values(),
        *ledger.unanswered_calls(),
    ]
    batch = asking_again(event, lost, ledger.held_section)
    state = _with(snapshot, batch)
    return Commit(
        instance_id=state.instance_id,
        execution_id=state.execution_id,
        number=state.ledger.next_number - 1,
        batch=batch,
        effects=state.revive(),
        row_execution_id=snapshot.instance.execution_id,
        open_activities=len(state.ledger.open_activities),
    )


def asking_again(event: history.ExecutionRewound, lost: Sequence[Lost], held: int | None) -> Batch:
    """The batch of a rewind that asks for these again. `held` is the section that the code is in.

    Critical sections ended with the execution, so their locks are asked for again. What belongs to
    one the code asks for, once it has the lock: a call could overtake the request on its way, and
    an activity would do its work while others are in the section.
    """
    ids_again = count(event.last_task_id + 1)
    again = {task.task_id: next(ids_again) for task in lost}
    renamed = [
        msgspec.structs.replace(task, task_id=again[task.task_id], timestamp=event.timestamp)
        for task in lost
    ]
    within = {again[task.task_id] for task in lost if _is_within(task, again, held)}
    event = msgspec.structs.replace(
        event,
        again=again,
        last_task_id=event.last_task_id + len(again),
        on_grant=tuple(
            task
            for task in renamed
            if task.task_id in within and isinstance(task, history.TaskScheduled)
        ),
    )
    return Batch(events=(event, *(task for task in renamed if task.task_id not in within)))


def _is_within(task: Lost, again: Container[int], held: int | None) -> bool:
    """Whether it belongs to a section whose locks are asked for again."""
    match task:
        case history.EntityOperationCalled():
            return task.section in again
        case history.TaskScheduled():
            return held is not None and held in again and task.task_id > held
        case _:
            return False


def _with(snapshot: Snapshot, batch: Batch) -> InstanceState:
    """The instance as it is once this batch is stored, too."""
    execution_id = snapshot.instance.execution_id
    number = len(current_batches(snapshot))
    stored = StoredBatch(execution_id=execution_id, number=number, batch=batch)
    batches = (*snapshot.batches, stored)
    return InstanceState(msgspec.structs.replace(snapshot, batches=batches))


def _cut(batches: Sequence[Batch]) -> int:
    """The number of the first batch that is to count no more."""
    last = cut = len(batches) - 1
    for number in range(last, -1, -1):
        events = batches[number].events
        has_deeds = any(isinstance(each, DEEDS) for each in events)
        if is_rewind(batches[number]) or (has_deeds and number < last):
            break
        if any(isinstance(each, FAILURES) for each in events):
            cut = number
    return cut


def last_task_id(batches: Sequence[Batch]) -> int:
    """No task of these has a higher id."""
    ids = (getattr(event, "task_id", 0) for batch in batches for event in batch.events)
    rewinds = filter(None, map(rewind_in, batches))
    return max((*ids, *(each.last_task_id for each in rewinds)), default=0)
