"""The turns of an instance, by its facts: what is new for the code, and what is to be stored.

A turn is one batch: OrchestratorStarted, what came in (start, timers, answers, messages), what the
code did, and the end of the execution if it ended. What came first by time comes first: a timer
fires before what arrived after its time and after what arrived before. Nothing is taken in after
the end: messages that are left wait in the inbox for the next execution (law 4). A termination wins
over everything else of its turn, and the code sees nothing of it.

`plan_turn` changes nothing: a turn that was planned is not taken, and may be planned again. What
finishes a turn moves the state on: to copy it would cost with all that is open.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from host.core import history
from host.core.effects import NOTHING, Outbound, outbound_of
from host.core.executors import TurnInput, TurnOutput
from host.core.history import Batch
from host.core.incoming import ActivityResult, Incoming, by_time, messages_in
from host.core.instance_state import InstanceState
from host.core.ledger import BEFORE_ALL
from host.core.notices import notices_of
from host.core.projection import is_row_due
from host.core.records import TICK, Commit, Effects, Message, Unawaited
from host.core.rewound import RewoundLedger
from host.core.termination import termination_batch
from host.core.unawaited import as_held, without

_CONTROL = (history.ExecutionSuspended, history.ExecutionResumed, history.CustomStatusSet)
"""What comes before the start if it came before it."""


class PlannedTurn(msgspec.Struct, frozen=True):
    """A turn of the code."""

    new: TurnInput
    stale: Sequence[str]
    """Messages that nobody wants."""
    inbox: Sequence[Message]
    results: Sequence[ActivityResult]


class Termination(msgspec.Struct, frozen=True):
    """A turn that ends the instance without its code."""

    now: datetime
    batch: Batch
    stale: Sequence[str]


class NoTurn(msgspec.Struct, frozen=True):
    """There is nothing to do, but for deleting messages that nobody wants."""

    stale: Sequence[str]


def plan_turn(
    state: InstanceState,
    inbox: Sequence[Message],
    results: Sequence[ActivityResult],
    now: datetime,
) -> PlannedTurn | Termination | NoTurn:
    """What there is to do. `results` are of activities that ended here; the inbox is read anew.

    An execution that is continued as new must have begun its next one (`InstanceState.begin_next`).
    """
    ledger = state.ledger
    if ledger.is_finished:
        return NoTurn([each.message_id for each in inbox])
    news: list[Message] = []
    stale: list[str] = []
    for message in inbox:
        if ledger.wants(message) and message.parent in (None, state.started.parent):
            news.append(message)
        else:
            stale.append(message.message_id)
    start = _missing_start(state, now) if ledger.started is None else None
    if news:
        batch = termination_batch(turn_started(state, now), start, news)
        if batch is not None:
            return Termination(now, batch, stale)
    if not state.is_led or (start is not None and _is_early(start, now)):
        return NoTurn(stale)
    came = [
        Incoming(each, None, each.timestamp)
        for each in results
        if each.task_id in ledger.open_activities
    ]
    incoming = by_time(came, news) if start is None else _first(state, start, came, news)
    due = ledger.timers.due(now) if ledger.timers else ()
    if not (incoming or due or state.has_diverged):
        return NoTurn(stale)
    new = TurnInput(now, turn_started(state, now), incoming, due)
    return PlannedTurn(new, stale, inbox, results)


def plan_again(
    state: InstanceState,
    inbox: Sequence[Message],
    results: Sequence[ActivityResult],
    now: datetime,
) -> PlannedTurn | Termination | NoTurn:
    """The turn after a rewind: before all else it takes in again what the rewind has left."""
    planned, ledger = plan_turn(state, inbox, results, now), state.ledger
    if isinstance(planned, Termination) or not state.is_led:
        return planned
    assert isinstance(ledger, RewoundLedger)  # noqa: S101 - no other has anything left
    incoming = [Incoming(each, None, _came_at(each)) for each in ledger.carried]
    if isinstance(planned, PlannedTurn):
        is_start = {type(each) for each in ledger.carried} & {history.ExecutionStarted}
        incoming += [
            each
            for each in planned.new.incoming
            if not (is_start and isinstance(each.event, history.ExecutionStarted))
        ]
    new = TurnInput(now, turn_started(state, now), incoming, ledger.timers.due(now))
    # Of these none is left to be run, though the code may end before it hears of them.
    known = [each for each in ledger.carried if isinstance(each, history.TaskCompleted)]
    return PlannedTurn(new, planned.stale, inbox, [*results, *known])


def _came_at(event: history.HistoryEvent) -> datetime:
    is_start = isinstance(event, history.ExecutionStarted)
    return BEFORE_ALL if is_start else event.timestamp


def finish_turn(state: InstanceState, planned: PlannedTurn, output: TurnOutput) -> Commit:
    """What is to be stored of a turn that the code has taken."""
    new, ledger, consumed = planned.new, state.ledger, tuple(output.consumed)
    # A first batch also names what earlier executions consumed: that is deleted already.
    recorded = consumed if ledger.next_number else (*ledger.recent, *consumed)
    events = (new.started, *output.taken, *output.actions)
    if output.outcome is not None:
        events = (*events, ledger.remembering(output.outcome, recorded))
    state.has_left_mail = output.has_left_mail
    batch = Batch(events=events, consumed=recorded)
    if output.awaited or output.moved:
        let_go = tuple(each for each, at in output.moved.items() if at is None)
        batch = msgspec.structs.replace(batch, awaited=output.awaited, let_go=let_go)
    return commit_of(state, new.now, batch, planned, consumed=consumed, output=output)


def terminate(state: InstanceState, termination: Termination) -> Commit:
    """What is to be stored of a turn that ends the instance."""
    batch = termination.batch
    return commit_of(state, termination.now, batch, termination, consumed=batch.consumed)


def _is_early(start: history.ExecutionStarted, now: datetime) -> bool:
    return start.scheduled_start_at is not None and start.scheduled_start_at > now


def _first(
    state: InstanceState,
    start: history.ExecutionStarted,
    came: list[Incoming],
    news: Sequence[Message],
) -> list[Incoming]:
    """What the first turn takes in."""
    # A suspension that came before the start holds the start, too; and the status that a client
    # set before it is not to replace the one that the code sets as it starts.
    incoming = list(messages_in(m for m in news if isinstance(m.event, _CONTROL)))
    news = [message for message in news if not isinstance(message.event, _CONTROL)]
    incoming.append(Incoming(start))
    incoming.extend(Incoming(event) for event in state.carryover)
    incoming += by_time(came, news)
    return incoming


def _missing_start(state: InstanceState, now: datetime) -> history.ExecutionStarted:
    return msgspec.structs.replace(state.started, timestamp=now)


def turn_started(state: InstanceState, now: datetime) -> history.OrchestratorStarted:
    """The event that begins a turn."""
    # Hosts' clocks differ and step back; the orchestration's time never does. An execution is
    # later than the one before: by that a late copy of a start is told from a new one.
    reached = state.ledger.reached
    if not state.ledger.next_number and state.started.generation:
        reached += TICK
    return history.OrchestratorStarted(timestamp=now if now > reached else reached)


def commit_of(
    state: InstanceState,
    now: datetime,
    batch: Batch,
    planned: PlannedTurn | Termination | NoTurn,
    *,
    consumed: Sequence[str],
    output: TurnOutput | None = None,
) -> Commit:
    """What is to be stored of a turn whose batch this is. The state moves on."""
    stored, ledger = state.row, state.ledger
    number, orders = ledger.next_number, ledger.orders
    gets_on = stored.tries > 0 and ledger.gets_on(batch)
    state.add_batch(batch)
    if output is not None:
        state.learn(output)
    outbound = outbound_of(stored, ledger, batch.events)
    done = (*consumed, *planned.stale)
    # After an order, too: a host without the function may have shown one that this one has not.
    if (
        gets_on
        or outbound != NOTHING
        or ledger.orders != orders
        or is_row_due(stored, ledger, state.custom_status, now)
    ):
        if gets_on:
            state.row = stored.acquitted()
        effects = _with_row(state, now, planned, outbound, done)
    else:
        effects = Effects(
            instance_id=state.instance_id,
            run_id=state.run_id,
            consumed=done,
            wake_at=state.rearm(),
        )
    if state.wanted:
        notices = notices_of(state.row, ledger, batch.events, state.wanted)
        effects = msgspec.structs.replace(effects, notices=notices)
    return Commit(
        instance_id=state.instance_id,
        execution_id=ledger.execution_id,
        number=number,
        batch=batch,
        row_execution_id=stored.execution_id,
        open_activities=0 if ledger.is_finished else len(ledger.open_activities),
        effects=effects,
    )


def _with_row(
    state: InstanceState,
    now: datetime,
    planned: PlannedTurn | Termination | NoTurn,
    outbound: Outbound,
    consumed: tuple[str, ...],
) -> Effects:
    """The effects of a turn after which the row is due: that of the end, or one that sends."""
    left: tuple[Unawaited, ...] = ()
    if state.ledger.end is not None:
        left = _left(state, outbound, planned, now)
        state.leave(left)
    stored_id = state.row.execution_id
    row = state.row = state.projected(now)
    return Effects(
        instance_id=state.instance_id,
        run_id=state.run_id,
        row=row,
        consumed=consumed,
        starts=outbound.starts,
        messages=outbound.messages,
        wake_at=state.rearm_with_row(),
        unawaited=left,
        drop_execution=None if stored_id == state.execution_id else stored_id,
    )


def _left(
    state: InstanceState,
    outbound: Outbound,
    planned: PlannedTurn | Termination | NoTurn,
    now: datetime,
) -> tuple[Unawaited, ...]:
    """What the execution leaves to be run. What has ended, though nobody hears it, is not."""
    if not outbound.unawaited or not isinstance(planned, PlannedTurn):
        return outbound.unawaited
    ended = [*state.events_of(planned.inbox), *planned.results]
    return as_held(without(outbound.unawaited, ended), state.leases, now)
