"""Whether code on replay does what the history records, and what to say when it does not.

Compared are the kind of deed, its name (without regard to case, as names are looked up) and its
target; not its data, so that a corrected input or delay does not break running instances. Other
data are worth a warning, though: a clock or a random number may have made them.
"""

from __future__ import annotations

from typing import NamedTuple

from bindings.errors import NonDeterminismError
from host.core import history
from host.core.executors import Deed
from host.core.replay.awaits import Position


class Divergence(NamedTuple):
    """In what code went another way than is recorded, in words; None for nothing."""

    recorded: str | None
    done: str | None
    position: Position | None
    """Where the code stood, or raised what it ended with; None if it had returned."""


CAUSES = (
    "Was the code changed while the instance was running, or does it use the clock "
    "(datetime.now, time.time), random, uuid4, os.environ, I/O or global state? "
    "`funchost check` finds the usual ones; see docs/how-to/write-functions.md."
)
"""What to ask its author when code on replay does something else."""


def is_same(recorded: Deed, done: Deed) -> bool:
    """Whether the code did what the history records."""
    return _identity(recorded) == _identity(done)


def has_other_data(recorded: Deed, done: Deed) -> bool:
    """Whether deeds that are the same differ in what they carry: an input, or a timer's time."""
    return _data(recorded) != _data(done)


def mismatch(
    orchestrator: str, position: str, *, recorded: str | None, done: str | None
) -> NonDeterminismError:
    """The error that says what was recorded, what the code did now, and where it stands."""
    return NonDeterminismError(
        f"Non-deterministic orchestrator '{orchestrator}': its history records "
        f"{recorded or 'nothing more'} here, but what the code does now, on replay, is "
        f"{done or 'nothing'}. It stands at {position}. {CAUSES}"
    )


def describe(event: Deed) -> str:
    """The deed in words."""
    return f"#{event.task_id} {_in_words(event)}"


def _in_words(event: Deed) -> str:
    match event:
        case history.TaskScheduled():
            words = f"a call of activity '{event.name}'"
        case history.SubOrchestrationInstanceCreated():
            words = f"a call of sub-orchestrator '{event.name}' ('{event.instance_id}')"
        case history.EventSent():
            words = f"sending event '{event.name}' to '{event.instance_id}'"
        case history.EntityOperationCalled():
            words = f"a call of operation '{event.operation}' of entity '{event.instance_id}'"
        case history.EntityOperationSignaled():
            words = f"a signal '{event.operation}' to entity '{event.instance_id}'"
        case history.EntityLockRequested():
            words = f"a request to lock {', '.join(event.entities)}"
        case history.EntityUnlockSent():
            words = f"unlocking '{event.instance_id}'"
        case history.TimerCreated():
            words = "a timer"
    return words


def _data(event: Deed) -> object:
    match event:
        case history.TimerCreated():
            return event.fire_at
        case history.EntityLockRequested() | history.EntityUnlockSent():
            return None
        case _:
            return event.input


def _identity(event: Deed) -> tuple[object, ...]:
    match event:
        case history.TaskScheduled():
            return (history.TaskScheduled, event.name.casefold())
        case history.SubOrchestrationInstanceCreated() | history.EventSent():
            return (type(event), event.name.casefold(), event.instance_id)
        case history.EntityOperationCalled() | history.EntityOperationSignaled():
            return (type(event), event.operation.casefold(), event.instance_id)
        case history.EntityLockRequested():
            return (history.EntityLockRequested, event.entities)
        case history.EntityUnlockSent():
            return (history.EntityUnlockSent, event.instance_id, event.rest)
        case history.TimerCreated():
            return (history.TimerCreated,)
