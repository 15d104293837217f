"""A fork: a new instance that has the history of another up to an event, and goes on by itself.

Turns that lie before the event as a whole are copied. Of the turn in which it lies only what came
in is kept, up to the event: that waits in the inbox, and the code takes it in anew. What the code
did in that turn it does again, so it may be other code by now. Then the event of a rewind takes
nothing back, but says where the history is from; the children without an answer are started anew
because of it, as children of the fork.

The fork has an execution id of its own, so nothing that it sends or starts is taken for what its
origin sent or started. What its code draws (UUIDs) still comes from the execution id in the copied
start. Ids of children that come from the instance's id come from the fork's.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import accumulate
from typing import NamedTuple, cast, get_args

import msgspec
from msgspec.structs import replace

from bindings.client import RuntimeStatus
from bindings.errors import InvalidArgumentError
from host.core import history, ids
from host.core.chain import current_batches
from host.core.history import Batch, HistoryEvent, InboxEvent, Payload
from host.core.instance_state import InstanceState
from host.core.records import (
    UNCHANGED,
    Instance,
    Message,
    Snapshot,
    StoredBatch,
    Unchanged,
)
from host.core.rewinding import Lost, asking_again, last_task_id
from host.core.rewound import FAILURES, counted

_ENDS = (history.ExecutionCompleted, history.ContinueAsNew)
_TO_ENTITIES = {
    history.EntityOperationCalled,
    history.EntityOperationSignaled,
    history.EntityLockRequested,
    history.EntityUnlockSent,
}
"""In an orchestration's history they are what its code did."""
_NOT_FOR_FORKS = {history.ExecutionTerminated, history.EntityLockGranted}
_TAKEN_AGAIN = tuple(set(get_args(InboxEvent)) - _TO_ENTITIES - _NOT_FOR_FORKS)
_ANSWERS = (
    history.TaskCompleted,
    history.TaskFailed,
    history.SubOrchestrationInstanceCompleted,
    history.SubOrchestrationInstanceFailed,
    history.EntityOperationCompleted,
    history.EntityOperationFailed,
)
_AFTER_AN_ID = ":-_.|~"
"""What stands behind the id of an instance where that begins an id derived from it."""


class Fork(msgspec.Struct, frozen=True, kw_only=True):
    """What a fork is to be. `after_event` counts the events of the stored history."""

    instance_id: str
    execution_id: str
    now: datetime
    after_event: int | None = None
    input: Payload | Unchanged = UNCHANGED


def fork(origin: Snapshot, wanted: Fork) -> Snapshot:
    """All that is to be stored of a fork. Raises `InvalidArgumentError`."""
    batches = current_batches(origin)
    count = _count(origin, batches, wanted)
    if wanted.input is not UNCHANGED and count:
        raise InvalidArgumentError("The input can be another only from the start: afterEvent 0.")
    if not batches:
        return Snapshot(instance=_row(origin.instance, wanted), wake_at=_first_look(origin, wanted))
    kept, came = _cut(batches, count)
    moved = [_moved(each, origin.instance, wanted) for each in kept or [_start_of(batches[0])]]
    event = history.ExecutionRewound(
        timestamp=max(wanted.now, _reached(moved)),
        cut=len(kept),
        last_task_id=last_task_id(kept),
        reason=f"Forked from '{origin.instance.instance_id}' after event {count}.",
    )
    open_ = _open(moved, came)
    rewinding = asking_again(event, open_.lost, open_.held)
    stored = tuple(
        StoredBatch(execution_id=wanted.execution_id, number=number, batch=batch)
        for number, batch in enumerate((*moved, rewinding))
    )
    planted = Snapshot(
        instance=_row(origin.instance, wanted),
        batches=stored,
        inbox=tuple(_again(each, place, wanted) for place, each in enumerate(came)),
        wake_at=wanted.now,
    )
    return replace(planted, instance=_projected(planted))


def _count(origin: Snapshot, batches: Sequence[Batch], wanted: Fork) -> int:
    """How many events are before the cut."""
    total = sum(len(batch.events) for batch in batches)
    if wanted.after_event is not None:
        if not 0 <= wanted.after_event <= total:
            raise InvalidArgumentError(
                f"The history has {total} events: afterEvent is 0 to {total}, not "
                f"{wanted.after_event}."
            )
        return wanted.after_event
    if origin.instance.status is not RuntimeStatus.FAILED:
        raise InvalidArgumentError(
            f"'{origin.instance.instance_id}' has not failed: say after which event to fork it "
            "(afterEvent; showHistory gives each event its number)."
        )
    return _first_failure(batches)


def _first_failure(batches: Sequence[Batch]) -> int:
    """How many events are before the first failure that counts, or else before the end."""
    before = 0
    for batch, read in zip(batches, counted(batches).batches, strict=True):
        for place, event in enumerate(batch.events):
            if read.events and isinstance(event, FAILURES):
                return before + place
        before += len(batch.events)
    return before - 1


def _cut(batches: Sequence[Batch], count: int) -> tuple[list[Batch], list[InboxEvent]]:
    """The batches that are kept, and what came in with the next one before the cut."""
    ends = accumulate(len(batch.events) for batch in batches)
    kept = [batch for batch, end in zip(batches, ends, strict=True) if end <= count]
    if kept and isinstance(kept[-1].events[-1], _ENDS):
        kept.pop()  # an end is never kept, so its turn is taken anew
    before = sum(len(batch.events) for batch in kept)
    following = batches[len(kept)].events if len(kept) < len(batches) else ()
    came = following[: count - before]
    return kept, [cast(InboxEvent, event) for event in came if isinstance(event, _TAKEN_AGAIN)]


class _Open(NamedTuple):
    """What only the origin has, or would hear of, and the section that its code is in."""

    lost: list[Lost]
    held: int | None


def _open(kept: Sequence[Batch], came: Sequence[InboxEvent]) -> _Open:
    """The locks that only the origin has, the calls of entities that only it would hear of.

    Activities go on under their own ids, but for those of a section whose locks are to come first.
    """
    events = [event for batch in counted(kept).batches for event in batch.events]
    answered = {each.task_id for each in (*events, *came) if isinstance(each, _ANSWERS)}
    answered |= {old for x in events if isinstance(x, history.ExecutionRewound) for old in x.again}
    over = {each.section for each in events if isinstance(each, history.EntityUnlockSent)}
    over |= answered
    locks = [x for x in events if isinstance(x, history.EntityLockRequested)]
    calls = [x for x in events if isinstance(x, history.EntityOperationCalled)]
    locks = [each for each in locks if each.task_id not in over]
    granted = {each.task_id for each in events if isinstance(each, history.EntityLockGranted)}
    held = next((each.task_id for each in locks if each.task_id in granted), None)
    tasks = [x for x in events if isinstance(x, history.TaskScheduled)] if held else []
    lost: list[Lost] = [
        *locks,
        *(each for each in tasks if each.task_id not in answered and each.task_id > (held or 0)),
        *(each for each in calls if each.task_id not in answered),
    ]
    return _Open(lost, held)


def _reached(batches: Sequence[Batch]) -> datetime:
    """The orchestration's time, which never goes back, by whichever host's clock."""
    turns = (x for batch in batches for x in batch.events)
    return max(x.timestamp for x in turns if isinstance(x, history.OrchestratorStarted))


def _start_of(first: Batch) -> Batch:
    """What is kept of the first turn if that is not kept: the start, which is taken in anew."""
    kinds = (history.OrchestratorStarted, history.ExecutionStarted)
    return Batch(events=tuple(event for event in first.events if isinstance(event, kinds)))


def _again(event: InboxEvent, place: int, wanted: Fork) -> Message:
    """The message that brings once more what came in."""
    is_answer = isinstance(event, _ANSWERS)
    return Message(
        message_id=ids.repeated_message_id(wanted.execution_id, str(place)),
        event=event,
        execution_id=wanted.execution_id if is_answer else None,
    )


# ---- ids of the fork in what is copied -----------------------------------------------------------


def _moved(batch: Batch, origin: Instance, wanted: Fork) -> Batch:
    events = tuple(_moved_event(event, origin.instance_id, wanted) for event in batch.events)
    return replace(batch, events=events)


def _moved_event(event: HistoryEvent, origin_id: str, wanted: Fork) -> HistoryEvent:
    match event:
        case history.ExecutionStarted():
            is_same = wanted.input is UNCHANGED
            new_input = event.input if is_same else wanted.input
            return replace(event, parent=None, trace=None, input=new_input)
        case history.SubOrchestrationInstanceCreated() | history.EventSent():
            return replace(event, instance_id=_moved_id(event.instance_id, origin_id, wanted))
        case _:
            return event


def _moved_id(instance_id: str, origin_id: str, wanted: Fork) -> str:
    """The id that the fork's code gives, where the origin's gave this one."""
    rest = instance_id.removeprefix(origin_id)
    is_derived = rest != instance_id and (not rest or rest[0] in _AFTER_AN_ID)
    new_id = f"{wanted.instance_id}{rest}"
    return new_id if is_derived and len(new_id) <= ids.MAX_INSTANCE_ID else instance_id


# ---- the row -------------------------------------------------------------------------------------


def _row(origin: Instance, wanted: Fork) -> Instance:
    """The row of one that is to begin."""
    return Instance(
        instance_id=wanted.instance_id,
        execution_id=wanted.execution_id,
        first_execution_id=wanted.execution_id if origin.generation else "",
        name=origin.name,
        status=RuntimeStatus.PENDING,
        created_at=wanted.now,
        updated_at=wanted.now,
        generation=origin.generation,
        input=origin.input if wanted.input is UNCHANGED else wanted.input,
        version=origin.version,
        tags=origin.tags,
        scheduled_start_at=origin.scheduled_start_at,
    )


def _projected(planted: Snapshot) -> Instance:
    """The row by its history; it says that what follows from the last batch is still to be done."""
    begun = replace(planted.instance, status=RuntimeStatus.RUNNING)
    state = InstanceState(replace(planted, instance=begun))
    return replace(state.view(), last_number=planted.batches[-1].number - 1)


def _first_look(origin: Snapshot, wanted: Fork) -> datetime:
    start_at = origin.instance.scheduled_start_at
    return wanted.now if start_at is None else max(start_at, wanted.now)
