"""Moving an instance away: the turn that ends it where it was, and what it was before that.

The turn is conditional on nobody having taken another, as any turn is. It ends the instance for its
children's and its parent's sake without a word: they move as well, or do not wait for it. What
waited in the inbox is put into the turn, so all that there was can be read from the history again,
by `before_move`, should the line with it be lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import get_args

import msgspec

from bindings.client import RuntimeStatus
from host.core import history
from host.core.chain import current_batches
from host.core.history import HistoryEvent, InboxEvent
from host.core.instance_state import InstanceState
from host.core.notices import NO_NOTICES
from host.core.records import Commit, Instance, Message, NoticeKind, Snapshot
from host.core.turns import Termination, terminate

MOVED = '"Moved by an export."'
"""The reason that the history gives, as JSON."""

_INBOX_EVENTS = tuple(set(get_args(InboxEvent)) - {history.ExecutionTerminated})
_ANSWERS = (
    history.TaskCompleted,
    history.TaskFailed,
    history.SubOrchestrationInstanceCompleted,
    history.SubOrchestrationInstanceFailed,
)


def move(snapshot: Snapshot, now: datetime, wanted: frozenset[NoticeKind] = NO_NOTICES) -> Commit:
    """What is to be stored to end an unfinished instance whose effects are all done.

    `wanted` is what is to be told of it outside of the hub.
    """
    state = InstanceState(snapshot, wanted)
    moved = waiting(snapshot)
    turn = history.OrchestratorStarted(timestamp=max(now, state.ledger.reached))
    start: tuple[HistoryEvent, ...] = () if state.ledger.started else (state.started,)
    end = history.ExecutionCompleted(
        timestamp=turn.timestamp, status=RuntimeStatus.TERMINATED, result=MOVED
    )
    order = history.ExecutionTerminated(timestamp=turn.timestamp, reason=MOVED, recursive=False)
    batch = history.Batch(
        events=(turn, *start, *(each.event for each in moved), order, end),
        consumed=tuple(each.message_id for each in moved),
    )
    return terminate(state, Termination(now, batch, ()))


def was_moved(row: Instance) -> bool:
    """Whether the row says that the instance was moved away."""
    return row.status is RuntimeStatus.TERMINATED and row.output == MOVED


def waiting(snapshot: Snapshot) -> Sequence[Message]:
    """The messages of the inbox that the instance is still to take in."""
    state = InstanceState(snapshot)
    return [
        msgspec.structs.replace(each, parent=None)
        for each in snapshot.inbox
        if isinstance(each.event, _INBOX_EVENTS)
        and state.ledger.wants(each)
        and each.parent in (None, state.started.parent)
    ]


def before_move(snapshot: Snapshot) -> Snapshot | None:
    """What there was of an instance before it was moved away; None if it was not."""
    batches = current_batches(snapshot)
    last = batches[-1] if batches else None
    if last is None or not any(map(_is_move, last.events)):
        return None
    execution_id = snapshot.batches[-1].execution_id
    events = [each for each in last.events if isinstance(each, _INBOX_EVENTS)]
    inbox = tuple(
        Message(
            message_id=message_id,
            event=event,
            execution_id=execution_id if isinstance(event, _ANSWERS) else None,
        )
        for message_id, event in zip(last.consumed, events, strict=True)
    )
    row = msgspec.structs.replace(
        snapshot.instance,
        status=RuntimeStatus.RUNNING,
        output=None,
        failure=None,
        last_number=len(batches) - 2,
    )
    return msgspec.structs.replace(
        snapshot, instance=row, batches=snapshot.batches[:-1], inbox=inbox
    )


def _is_move(event: HistoryEvent) -> bool:
    return isinstance(event, history.ExecutionTerminated) and event.reason == MOVED
