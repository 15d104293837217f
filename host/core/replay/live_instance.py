"""One instance in memory, and its turns: what comes in, what the code does, what is to be stored.

`LiveInstance` is made from a snapshot and then changes with every turn *before* the turn is stored.
So whoever uses it must drop it when storing fails; the next load shows what is true.

A turn is one batch: OrchestratorStarted, what came in (start, timers, answers, messages), what the
code did, and the end of the execution if it ended. What came first by time comes first: a timer
fires before what arrived after its time and after what arrived before. Nothing is taken in after
the end: messages that are left wait in the inbox for the next execution (law 4). A termination wins
over everything else of its turn, and the code sees nothing of it.

Replays and turns may be long. So they can be done in steps, between which others get their turn.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from bindings.client import RuntimeStatus
from host.core import history, ids
from host.core.alarm import Alarm, wanted_alarm
from host.core.chain import batches_by_execution, start_of_next
from host.core.converter import Converter
from host.core.effects import NOTHING, outbound_of
from host.core.failures import Caught
from host.core.functions import FunctionCatalog
from host.core.history import Batch, HistoryEvent, Payload
from host.core.incoming import (
    ActivityResult,
    Incoming,
    Steps,
    by_time,
    do_all,
    messages_in,
)
from host.core.leases import Leases, Undispatched
from host.core.ledger import Ledger
from host.core.projection import (
    is_row_due,
    project,
    reason_without_activity,
    reason_without_function,
    settled,
    status_of,
)
from host.core.records import (
    TICK,
    UNCHANGED,
    Commit,
    Effects,
    Instance,
    Lease,
    Message,
    Snapshot,
    Unawaited,
    Unchanged,
)
from host.core.redone import to_start, undeleted, unsent
from host.core.replay.execution import MAX_ACTIONS_PER_TURN, Execution
from host.core.replay.intake import Intake
from host.core.termination import termination_batch
from host.core.unawaited import UnawaitedLeases, as_held, without

FEW = 16
"""So many events are taken in at once: that takes no longer than a step of an author's code."""

_CONTROL = (history.ExecutionSuspended, history.ExecutionResumed)


class _Turn(NamedTuple):
    started: history.OrchestratorStarted
    intake: Intake
    incoming: list[Incoming]
    stale: list[str]
    ended: list[HistoryEvent]


class LiveInstance:
    """One instance in memory. Not thread-safe; no method awaits."""

    def __init__(
        self,
        snapshot: Snapshot,
        catalog: FunctionCatalog,
        converter: Converter,
        max_actions: int = MAX_ACTIONS_PER_TURN,
        *,
        is_replayed: bool = True,
        runs_code: bool = True,
    ) -> None:
        """With `is_replayed=False` whoever makes it has to go through `replay` first.

        Without `runs_code` only that is taken in which needs no author code.
        """
        self.row = snapshot.instance
        self._runs_code = runs_code
        self._ordered: bool | None = None
        """Whether it is to be held, by mail that waits for the code; None if no mail says so."""
        self.leases = Leases()
        self.unawaited = UnawaitedLeases(snapshot.leases)
        """What earlier executions left to be run, and this one when it ends."""
        self._catalog = catalog
        self._converter = converter
        self._max_actions = max_actions
        self._alarm = Alarm(snapshot.wake_at)
        self._undispatched: list[history.TaskScheduled] = []
        self._has_left_mail = False
        self._loaded_inbox: Sequence[Message] = ()
        self._begin(Ledger(self.row.execution_id), self.row.start_event(), ())
        self._recorded = self._catch_up(snapshot)
        if is_replayed:
            do_all(self.replay())

    def replay(self) -> Steps[None]:
        """Lead the code through what is recorded."""
        recorded, self._recorded = self._recorded, []
        if self._execution is not None and recorded:
            events = (event for batch in recorded for event in batch.events)
            yield from self._execution.replay_in_steps(events)

    # ---- what is known -------------------------------------------------------------------

    @property
    def instance_id(self) -> str:
        """The instance's id."""
        return self.row.instance_id

    @property
    def execution_id(self) -> str:
        """The current execution."""
        return self.ledger.execution_id

    @property
    def is_finished(self) -> bool:
        """Whether the history ends in completion, failure or termination."""
        return self.ledger.is_finished

    @property
    def may_lack_effects(self) -> bool:
        """Whether effects of the last batch may be undone: nobody else does them after the next.

        So it is if the history has ended and the row has not, if consumed messages are there still,
        or if the batch sends something and the row does not say that this was done.
        """
        is_ended = self.ledger.end is not None or self.row.execution_id != self.execution_id
        if is_ended or undeleted(self.ledger, self._loaded_inbox):
            return True
        return unsent(self.row, self.ledger, self._last_batch) != NOTHING

    @property
    def addressees(self) -> list[str]:
        """To whom the last batch sends something, whether that was done or not."""
        return outbound_of(self.row, self.ledger, self._last_batch.events).addressees

    @property
    def was_terminated(self) -> bool:
        """Whether a termination ended the instance."""
        end = self.ledger.end
        return (
            isinstance(end, history.ExecutionCompleted) and end.status is RuntimeStatus.TERMINATED
        )

    @property
    def blocked_reason(self) -> str | None:
        """Why no turn can be taken although there may be something to do."""
        if self._execution is not None or self.is_finished:
            return None
        if self.row.is_quarantined:
            return self.row.blocked_reason
        if self._catalog.orchestrator(self._started.name) is not None:
            return None  # its code is not run here just now
        return reason_without_function(self.row.name)

    @property
    def waiting_reason(self) -> str | None:
        """Why an activity waits whose function is missing, if one does and nobody has it."""
        for task_id in sorted(self._without_function):
            scheduled = self.ledger.open_activities.get(task_id)
            if scheduled is not None and self.leases.is_with_nobody(task_id):
                return reason_without_activity(scheduled.name)
        return None

    @property
    def error(self) -> Caught | None:
        """What the code raised in the end, if it did that in this object's life."""
        return None if self._execution is None else self._execution.error

    @property
    def other_data(self) -> str | None:
        """The first deed that had other data on replay than are recorded, in words."""
        return None if self._execution is None else self._execution.other_data

    def must_continue(self) -> bool:
        """Whether there is more to do at once, with the inbox read again.

        The next execution of a continue-as-new is to begin, or a timer comes before what is there.
        """
        return self._has_left_mail or self._is_continued()

    def next_timer(self) -> datetime | None:
        """When the next pending timer is due."""
        return None if self._execution is None else self._execution.timers.next_due()

    @property
    def is_new(self) -> bool:
        """Whether nothing is recorded that would have to be replayed."""
        return not self._recorded

    def is_short(self, inbox: Sequence[Message], results: Sequence[ActivityResult]) -> bool:
        """Whether a turn has so little to take in that it need not be done in steps."""
        timers = 0 if self._execution is None else len(self._execution.timers)
        return len(inbox) + len(results) + timers <= FEW

    def close_generator(self, generator: AsyncGenerator[Any, Any]) -> BaseException | None:
        """See `Execution.close_generator`."""
        if self._execution is None:
            return None
        return self._execution.close_generator(generator)

    def view(self) -> Instance:
        """The row as it would be stored now."""
        return self._project(self.row.updated_at)

    def take_undispatched(self, now: datetime) -> list[Undispatched]:
        """Scheduled activities not handed out by this object yet, neither answered nor leased."""
        tasks, self._undispatched = self._undispatched, []
        unanswered = [task for task in tasks if task.task_id in self.ledger.open_activities]
        return self.leases.free(unanswered, now)

    def leave_waiting(self, tasks: Iterable[history.TaskScheduled]) -> None:
        """Nobody runs these activities, since nobody is known to have their functions."""
        self._without_function.update(task.task_id for task in tasks)

    def lease_of(self, task_id: int, now: datetime) -> Lease | None:
        """The lease by which somebody has the activity now."""
        return self.leases.held(task_id, now)

    def close(self) -> None:
        """Let go of the author's code."""
        if self._execution is not None:
            self._execution.close()

    # ---- turns ---------------------------------------------------------------------------

    def turn(
        self, now: datetime, inbox: Sequence[Message] = (), results: Sequence[ActivityResult] = ()
    ) -> Commit | Effects | None:
        """Take what there is to take; what is to be stored, or None if there is nothing to do.

        `Effects` alone only delete messages that nobody wants.
        """
        planned = self._plan(now, inbox, results)
        if not isinstance(planned, _Turn):
            return planned
        planned.intake.take_all(planned.incoming)
        return self._finish(now, planned)

    def turn_in_steps(
        self, now: datetime, inbox: Sequence[Message] = (), results: Sequence[ActivityResult] = ()
    ) -> Steps[Commit | Effects | None]:
        """The same in steps, one for each event."""
        planned = self._plan(now, inbox, results)
        if not isinstance(planned, _Turn):
            return planned
        yield from planned.intake.take_in_steps(planned.incoming)
        return self._finish(now, planned)

    def _plan(
        self, now: datetime, inbox: Sequence[Message], results: Sequence[ActivityResult]
    ) -> _Turn | Commit | Effects | None:
        """What the turn has to take in, or its outcome if there is nothing."""
        self._has_left_mail = False
        if self._is_continued():
            self._begin_next()
        if self.is_finished:
            return self._forget([each.message_id for each in inbox])
        news: list[Message] = []
        stale: list[str] = []
        for message in inbox:
            if self.ledger.wants(message) and message.parent in (None, self._started.parent):
                news.append(message)
            else:
                stale.append(message.message_id)
        terminated = self._terminated(now, news) if news else None
        if terminated is not None:
            return self._commit(now, terminated, stale, ())
        if self._execution is None and inbox:
            self._ordered = _last_order(news)
        if not self._can_run(now):
            return self._forget(stale)
        incoming = self._incoming(now, news, results)
        if not (incoming or self._has_ended() or self._has_due_timer(now)):
            return self._forget(stale)
        execution, turn = self._execution, self._turn_started(now)
        assert execution is not None  # noqa: S101 - `_can_run` has seen it
        execution.feed(turn)
        # What has ended and is not heard any more is not left to be run.
        ended = [*self._events_for_this(inbox), *results]
        return _Turn(turn, Intake(execution, now), incoming, stale, ended)

    def _finish(self, now: datetime, planned: _Turn) -> Commit:
        execution, intake = self._execution, planned.intake
        assert execution is not None  # noqa: S101 - it was led just now
        carried = self.ledger.recent if self.ledger.next_number == 0 else ()
        self._has_left_mail = intake.has_left_mail and execution.outcome is None
        events = (planned.started, *intake.events, *execution.take_new_events())
        batch = Batch(events=events, consumed=(*carried, *intake.consumed))
        return self._commit(now, batch, planned.stale, planned.ended)

    def redo(self) -> Effects:
        """The effects of the last stored batch, to be applied again after a crash."""
        batch, inbox = self._last_batch, self._loaded_inbox
        outbound = unsent(self.row, self.ledger, batch)
        old_id = self.row.execution_id
        moment = batch.events[0].timestamp if batch.events else self.row.updated_at
        self.row = self._projected(moment)
        left = without(outbound.unawaited, self._events_for_this(inbox))
        left = as_held(left, self.leases.by_task())
        if self.was_terminated:  # nothing of it goes on, and so no alarm is for that
            self.unawaited.clear()
        self.unawaited.add(each.lease for each in left)
        knows = self._knows_alarm()
        return Effects(
            instance_id=self.instance_id,
            run_id=self.row.run_id,
            row=self.row,
            consumed=tuple(dict.fromkeys((*batch.consumed, *undeleted(self.ledger, inbox)))),
            starts=to_start(outbound.starts, self.execution_id, inbox),
            messages=outbound.messages,
            wake_at=self._alarm.set_again(self._wanted_alarm()) if knows else UNCHANGED,
            unawaited=left,
            drop_execution=None if old_id == self.row.execution_id else old_id,
        )

    def park(self, now: datetime, leases: Sequence[Lease]) -> Effects:
        """The session ends while these activities run on: lease them, and look again on expiry."""
        self.leases.add(leases, self.ledger)
        self.row = self._projected(now)
        return Effects(
            instance_id=self.instance_id,
            run_id=self.row.run_id,
            row=self.row,
            leases=tuple(leases),
            wake_at=self._rearm_with_row(),
        )

    def settle(self, now: datetime) -> Effects | None:
        """What must be stored before the session ends: the reason of a block, a corrected alarm."""
        effects = self.show(now)
        shown = effects.row if effects is not None else None
        reason = self.blocked_reason or self.waiting_reason
        row = settled(self.row, reason, now, is_idle=not self.leases) or shown
        wake_at = self._rearm() if self._knows_alarm() else self._rearm_blocked(now)
        if row is None and wake_at is UNCHANGED:
            return None
        self.row = row or self.row
        return Effects(
            instance_id=self.instance_id, run_id=self.row.run_id, row=row, wake_at=wake_at
        )

    def show(self, now: datetime) -> Effects | None:
        """What must be stored so that the row shows orders that wait for the code, if any do.

        They stay in the inbox, to be fed in order when the code is there.
        """
        status = status_of(self.row, self.ledger, is_suspended=self._is_suspended)
        is_shown = RuntimeStatus.SUSPENDED not in {status, self.row.status}
        if self._execution is not None or is_shown or status is self.row.status:
            return None
        updated_at = self.row.next_update(now)
        self.row = msgspec.structs.replace(self.row, status=status, updated_at=updated_at)
        return Effects(instance_id=self.instance_id, run_id=self.row.run_id, row=self.row)

    # ---- inside a turn -------------------------------------------------------------------

    @property
    def _custom_status(self) -> Payload | Unchanged:
        return UNCHANGED if self._execution is None else self._execution.custom_status

    @property
    def _is_suspended(self) -> bool:
        return self.ledger.is_suspended if self._ordered is None else self._ordered

    def _terminated(self, now: datetime, news: Sequence[Message]) -> Batch | None:
        batch = termination_batch(self._turn_started(now), self._missing_start(now), news)
        if batch is not None:
            self.close()
        return batch

    def _can_run(self, now: datetime) -> bool:
        if self._execution is None:
            return False
        start_at = self._started.scheduled_start_at
        return self.ledger.started is not None or start_at is None or start_at <= now

    def _has_ended(self) -> bool:
        """Whether the code ended without anything new: its replay diverged from the history."""
        return self._execution is not None and self._execution.outcome is not None

    def _incoming(
        self, now: datetime, news: Sequence[Message], results: Sequence[ActivityResult]
    ) -> list[Incoming]:
        incoming: list[Incoming] = []
        start = self._missing_start(now)
        if start is not None:
            # A suspension that came before the start holds the start, too.
            incoming.extend(messages_in(m for m in news if isinstance(m.event, _CONTROL)))
            news = [message for message in news if not isinstance(message.event, _CONTROL)]
            incoming.append(Incoming(start))
            incoming.extend(Incoming(event) for event in self._carryover)
        wanted = [each for each in results if self.ledger.wants_event(each)]
        incoming += by_time(wanted, news)
        return incoming

    def _has_due_timer(self, now: datetime) -> bool:
        due = self.next_timer()
        return due is not None and due <= now

    def _missing_start(self, now: datetime) -> history.ExecutionStarted | None:
        if self.ledger.started is not None:
            return None
        return msgspec.structs.replace(self._started, timestamp=now)

    def _turn_started(self, now: datetime) -> history.OrchestratorStarted:
        # Hosts' clocks differ and step back; the orchestration's time never does. An execution is
        # later than the one before: by that a late copy of a start is told from a new one.
        reached, is_next = self.ledger.reached, self.ledger.next_number == 0
        if is_next and self._started.generation:
            reached += TICK
        return history.OrchestratorStarted(timestamp=max(now, reached))

    def _commit(
        self, now: datetime, batch: Batch, stale: Sequence[str], ended: Sequence[HistoryEvent]
    ) -> Commit:
        number, row_execution_id = self.ledger.next_number, self.row.execution_id
        # A first batch also names what earlier executions consumed: that is deleted already.
        consumed = batch.consumed
        if number == 0 and consumed:
            carried = self.ledger.recent
            consumed = tuple(each for each in consumed if each not in carried)
        batch = self.ledger.remembering(batch)
        gets_on = bool(self.row.tries) and self.ledger.gets_on(batch)
        orders = self.ledger.orders
        self.ledger.add_batch(batch)
        self._last_batch = batch
        self._loaded_inbox = ()
        self._undispatched += [x for x in batch.events if type(x) is history.TaskScheduled]
        if self.leases:
            self.leases.end_answered(batch)
        outbound = outbound_of(self.row, self.ledger, batch.events)
        left = as_held(without(outbound.unawaited, ended), self.leases.by_task(), now)
        if self.ledger.end is not None:
            self._leave(left)
        row: Instance | None = None
        if gets_on:
            self.row = self.row.acquitted()
        if gets_on or is_row_due(
            self.row,
            self.ledger,
            self._custom_status,
            now,
            has_sent=outbound != NOTHING,
            has_order=self.ledger.orders != orders,
        ):
            self.row = row = self._projected(now)
        return Commit(
            instance_id=self.instance_id,
            execution_id=self.execution_id,
            number=number,
            batch=batch,
            row_execution_id=row_execution_id,
            open_activities=0 if self.is_finished else len(self.ledger.open_activities),
            effects=Effects(
                instance_id=self.instance_id,
                run_id=self.row.run_id,
                row=row,
                consumed=(*consumed, *stale),
                starts=outbound.starts,
                messages=outbound.messages,
                wake_at=self._rearm() if row is None else self._rearm_with_row(),
                unawaited=left,
                drop_execution=None if row_execution_id == self.execution_id else row_execution_id,
            ),
        )

    def _leave(self, left: Sequence[Unawaited]) -> None:
        """The execution is over: what it asked for goes on without it, if it was not terminated."""
        self._undispatched = []
        if self.was_terminated:
            self.unawaited.clear()
        self.unawaited.add(each.lease for each in left)

    def _events_for_this(self, inbox: Iterable[Message]) -> list[HistoryEvent]:
        return [each.event for each in inbox if each.execution_id == self.execution_id]

    def _projected(self, now: datetime) -> Instance:
        return self._project(self.row.next_update(now))

    def _project(self, updated_at: datetime) -> Instance:
        return project(
            self.row,
            self.ledger,
            self._custom_status,
            updated_at,
            is_suspended=self._is_suspended,
            reason=self.waiting_reason,
        )

    def _forget(self, message_ids: Sequence[str]) -> Effects | None:
        if not message_ids:
            return None
        return Effects(
            instance_id=self.instance_id, run_id=self.row.run_id, consumed=tuple(message_ids)
        )

    def _rearm(self) -> datetime | Unchanged | None:
        return self._alarm.set(self._wanted_alarm()) if self._knows_alarm() else UNCHANGED

    def _rearm_blocked(self, now: datetime) -> datetime | Unchanged | None:
        """The alarm while nobody can say what the instance waits for, but for its next try."""
        retry_at = self.row.retry_at if self.row.is_quarantined else None
        if retry_at is not None and retry_at > now:
            return self._alarm.set(min(filter(None, (retry_at, self.unawaited.next_expiry()))))
        return self._alarm.postpone(now, self.unawaited.next_expiry())

    def _rearm_with_row(self) -> datetime | Unchanged | None:
        return self._alarm.set_with_row(self._wanted_alarm()) if self._knows_alarm() else UNCHANGED

    def _knows_alarm(self) -> bool:
        """Whether the code says what the instance waits for; without it the alarm stays."""
        return self._execution is not None or self.ledger.end is not None

    def _wanted_alarm(self) -> datetime | None:
        return wanted_alarm(
            self.ledger, self._started, self.next_timer(), self.leases, self.unawaited
        )

    # ---- executions ----------------------------------------------------------------------

    def _begin(
        self,
        ledger: Ledger,
        started: history.ExecutionStarted,
        carryover: tuple[history.EventRaised, ...],
    ) -> None:
        self.ledger = ledger
        self._started = started
        self._carryover = carryover
        self._last_batch = Batch(events=())
        self._undispatched = []
        self._without_function: set[int] = set()
        """Activities that wait, for a function that nobody is known to have."""
        function = self._catalog.orchestrator(started.name)
        self._execution: Execution | None = None
        if function is not None and self._runs_code and not self.row.is_quarantined:
            self._execution = Execution(
                self.instance_id, function, self._catalog, self._converter, self._max_actions
            )

    def _is_continued(self) -> bool:
        return isinstance(self.ledger.end, history.ContinueAsNew)

    def _begin_next(self) -> None:
        """Begin the execution that the ContinueAsNew at the end of this one asks for."""
        end = self.ledger.end
        assert isinstance(end, history.ContinueAsNew)  # noqa: S101 - the caller has seen it
        self.close()
        started = start_of_next(self.ledger.started or self._started, end)
        self.leases.clear()
        execution_id, reached = started.execution_id, self.ledger.reached
        ledger = Ledger(execution_id, end.recent, self._last_batch.consumed, reached)
        self._begin(ledger, started, end.carryover)

    def _catch_up(self, snapshot: Snapshot) -> list[Batch]:
        """Go through what is stored, from the row's execution to the latest one, whose it gives.

        Not beyond it: an execution that has ended may have effects that are to be done again.
        """
        batches = batches_by_execution(snapshot)
        self._take_in(batches.get(self.execution_id, []))
        while self._is_continued() and ids.next_execution_id(self.execution_id) in batches:
            self._begin_next()
            self._take_in(batches[self.execution_id])
        self._loaded_inbox = snapshot.inbox
        if self.ledger.end is None:
            self._undispatched = list(self.ledger.open_activities.values())
        self.leases.add(snapshot.leases, self.ledger)
        if self.row.blocked_reason is not None:  # what the row says stays until it is not true
            self.leave_waiting(x for x in self._undispatched if self._is_unknown(x))
        return batches.get(self.execution_id, [])

    def _is_unknown(self, scheduled: history.TaskScheduled) -> bool:
        return self._catalog.activity(scheduled.name) is None

    def _take_in(self, recorded: Iterable[Batch]) -> None:
        for batch in recorded:
            self.ledger.add_batch(batch)
            self._last_batch = batch


def _last_order(news: Iterable[Message]) -> bool | None:
    """Whether the last order among the messages is to hold the instance; None without any."""
    orders = [message.event for message in news if isinstance(message.event, _CONTROL)]
    return isinstance(orders[-1], history.ExecutionSuspended) if orders else None
