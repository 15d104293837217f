"""Whether an answer of an executor elsewhere can be one: what is stored of it is true for ever.

An answer that is nonsense comes of a defect there, or of another version. Stored, it would lose a
message or an activity's result, have one task answered twice, or make a history that nobody reads.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Final, get_args

import msgspec

from host.core import codec, history
from host.core.codec import CodecError
from host.core.executors import Deed, Outcome, TurnInput, TurnOutput
from host.core.history import Batch, HistoryEvent
from host.core.incoming import Incoming
from host.core.instance_state import InstanceState
from host.core.records import Unchanged
from host.core.timers import OpenTimer
from host.errors import ExecutorError

_DEEDS: Final = get_args(Deed)
_OUTCOMES: Final = (*get_args(Outcome), type(None))
_encode = msgspec.msgpack.Encoder().encode


def check_standing(output: object) -> TurnOutput:
    """How the code stands after a replay. Raises `ExecutorError`."""
    if not isinstance(output, TurnOutput):
        raise _nonsense(f"a {type(output).__name__} for an answer")
    if not isinstance(output.custom_status, str | Unchanged | None):
        raise _nonsense(f"a {type(output.custom_status).__name__} for a custom status")
    for task_id, moment in output.moved.items():
        if not (type(task_id) is int and (moment is None or _is_moment(moment))):
            raise _nonsense(f"a timer {task_id!r} that fires at {moment!r}")
    if not (isinstance(output.awaited, tuple) and all(type(x) is str for x in output.awaited)):
        raise _nonsense(f"{output.awaited!r} for names of events")
    if not isinstance(output.outcome, _OUTCOMES):
        raise _nonsense(f"a {type(output.outcome).__name__} for an outcome")
    return output


def check_turn(state: InstanceState, new: TurnInput, output: object) -> TurnOutput:
    """The answer to a turn. Raises `ExecutorError`."""
    output = check_standing(output)
    events = (*output.taken, *output.actions)
    if output.outcome is not None:
        events = (*events, output.outcome)
    _check_readable(Batch(events=events, awaited=output.awaited))
    _check_taken(new, output)
    _check_deeds(state, output.actions)
    return output


def _check_readable(batch: Batch) -> None:
    """Structs take what they are given: of other types than theirs they are not read again."""
    try:
        is_same = codec.decode_batch(codec.encode(batch)) == batch
    except CodecError as error:
        raise _nonsense(f"what cannot be stored: {error}") from error
    if not is_same:
        raise _nonsense("what is not read as it is written")


def _check_taken(new: TurnInput, output: TurnOutput) -> None:
    """What it took in is what it was offered, and nothing of that is lost."""
    fired = [each for each in output.taken if isinstance(each, history.TimerFired)]
    taken = [each for each in output.taken if not isinstance(each, history.TimerFired)]
    _check_fired(fired, new.due)
    consumed = set(output.consumed)
    if len(consumed) < len(output.consumed):
        raise _nonsense("a message that was consumed twice")
    if unknown := consumed - {each.message_id for each in new.incoming}:
        raise _nonsense(f"messages consumed that it was not offered: {sorted(unknown)}")
    may = [each for each in new.incoming if each.message_id in {None, *consumed}]
    spare = Counter(_encode(each.event) for each in may)
    spare.subtract(map(_encode, taken))
    if any(count < 0 for count in spare.values()):
        raise _nonsense("an event taken in that it was not offered, or that it did not consume")
    answered = {task_id for event in taken if (task_id := getattr(event, "task_id", None))}
    is_in = set(map(_encode, taken))
    for each in may:
        is_double = getattr(each.event, "task_id", None) in answered
        if _must_be_in(each, output) and not is_double and _encode(each.event) not in is_in:
            raise _nonsense(f"no word of the {type(each.event).__name__} that it was told")


def _must_be_in(offered: Incoming, output: TurnOutput) -> bool:
    """After the end results are dropped; events are for the next execution."""
    is_event = offered.message_id is not None or isinstance(offered.event, history.EventRaised)
    return output.outcome is None or is_event


def _check_fired(fired: Iterable[history.TimerFired], due: Iterable[OpenTimer]) -> None:
    left = {each.task_id: each.fire_at for each in due}
    for event in fired:
        if left.pop(event.task_id, None) != event.fire_at:
            raise _nonsense(f"a timer {event.task_id} fired that was not due")


def _check_deeds(state: InstanceState, deeds: Iterable[HistoryEvent]) -> None:
    ledger, new = state.ledger, set[int]()
    for deed in deeds:
        if not isinstance(deed, _DEEDS):
            raise _nonsense(f"a {type(deed).__name__} for a deed")
        task_id = deed.task_id
        is_open = task_id in ledger.open_activities or task_id in ledger.open_children
        if task_id in new or is_open or task_id in ledger.timers:
            raise _nonsense(f"a second task {task_id}")
        new.add(task_id)


def _is_moment(value: object) -> bool:
    return isinstance(value, datetime) and value.tzinfo is not None


def _nonsense(what: str) -> ExecutorError:
    return ExecutorError(f"The executor gave {what}: its worker may be of another version.")
