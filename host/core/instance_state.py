"""What is known of one instance without any code of its author: facts, folded from its history.

Whoever leads the instance holds one `InstanceState`. Turns are planned from it and move it on
(`core/turns.py`); what an operator asks (its status, why it waits) is answered from it, also while
its function is missing.

It changes with a turn *before* the turn is stored. So whoever uses it must drop it when storing
fails; the next load shows what is true.

Two things only the code can say, and whoever runs it tells (`learn`): the custom status, and of
which timers it has let go (or made others, if it was corrected). Until then nobody knows what the
instance waits for, and its alarm stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec

from bindings.client import RuntimeStatus
from host.core import history, ids
from host.core.alarm import KnownAlarm, first_of, wanted_of_execution
from host.core.chain import batches_by_execution, start_of_next
from host.core.effects import NOTHING, outbound_of
from host.core.entities.entity_ledger import EntityLedger
from host.core.executors import TurnOutput
from host.core.history import Batch, HistoryEvent, Payload
from host.core.leases import AwaitedLeases, Undispatched
from host.core.ledger import Ledger
from host.core.notices import NO_NOTICES, notices_of
from host.core.projection import (
    is_row_behind,
    project,
    reason_without_activity,
    revived,
    settled,
    status_of,
)
from host.core.records import (
    UNCHANGED,
    Effects,
    Instance,
    Lease,
    Message,
    Notice,
    NoticeKind,
    Snapshot,
    Unawaited,
    Unchanged,
)
from host.core.redone import has_answered, to_start, undeleted, unsent
from host.core.rewound import RewoundLedger, counted, is_rewind
from host.core.unawaited import UnawaitedLeases, as_held, without

_ORDERS = (history.ExecutionSuspended, history.ExecutionResumed)


class InstanceState:
    """The facts of one instance. Not thread-safe; no method awaits."""

    is_rewound = False
    """Whether the last stored batch is that of a rewind: its children are to be seen to."""
    lacks_revival = False
    """Whether the stored row is of before a rewind."""

    def __init__(self, snapshot: Snapshot, wanted: frozenset[NoticeKind] = NO_NOTICES) -> None:
        """`wanted` is what is to be told of it outside of the hub."""
        self.wanted = wanted
        self.instance_id = snapshot.instance.instance_id
        self.row = snapshot.instance
        self.run_id = snapshot.instance.run_id
        """The run that it is, which no turn changes."""
        self.leases = AwaitedLeases()
        self.unawaited = UnawaitedLeases(snapshot.leases)
        """What earlier executions left to be run, and this one when it ends."""
        self.is_led = False
        """Whether somebody runs its code, and so it is known what the instance waits for."""
        self.missing_function: str | None = None
        """Why it is not led: whoever leads it has not its function; None if he has."""
        self.has_left_mail = False
        """Whether the last turn left messages, since a timer that it made comes before them."""
        self._alarm = KnownAlarm(snapshot.wake_at)
        self._is_held_by_mail: bool | None = None
        """Whether it is to be held, by mail that waits for the code; None if no mail says so."""
        self._loaded_inbox: Sequence[Message] = ()
        self._begin(_ledger_of(self.row), self.row.start_event(), ())
        self.recorded = self._catch_up(snapshot)
        """What is stored of the execution, for whoever is to run its code; he takes it away."""

    def _begin(
        self,
        ledger: Ledger,
        started: history.ExecutionStarted,
        carryover: tuple[history.EventRaised, ...],
    ) -> None:
        self.ledger = ledger
        self.execution_id = ledger.execution_id
        """The current execution."""
        self.started = started
        """The start of the execution, recorded or not."""
        self.carryover = carryover
        """Events that the execution before left to this one."""
        self.last_batch = Batch(events=())
        self.custom_status: Payload | Unchanged = UNCHANGED
        """The latest that was set in this execution, if that is known."""
        self.has_diverged = False
        """Whether the code ended on replay where the history goes on: it is to fail."""
        self._without_function: set[int] = set()
        """Activities that wait, for a function that nobody is known to have."""

    # ---- what is known -------------------------------------------------------------------

    @property
    def is_finished(self) -> bool:
        """Whether the history ends in completion, failure or termination."""
        return self.ledger.is_finished

    @property
    def is_continued(self) -> bool:
        """Whether the history ends in continue-as-new, so that the next execution is to begin."""
        return self.ledger.is_continued

    @property
    def was_terminated(self) -> bool:
        """Whether a termination ended the instance."""
        return self.ledger.was_terminated

    @property
    def may_lack_effects(self) -> bool:
        """Whether effects of the last batch may be undone: nobody else does them after the next.

        So it is if the history has ended and the row has not, if consumed messages are there still,
        or if the batch sends something and the row does not say that this was done.
        """
        is_ended = self.ledger.end is not None or self.row.execution_id != self.execution_id
        if is_ended or undeleted(self.ledger, self._loaded_inbox) or self._untold():
            return True
        return self.is_rewound or unsent(self.row, self.ledger, self.last_batch) != NOTHING

    @property
    def addressees(self) -> list[str]:
        """To whom the last batch sends something, whether that was done or not."""
        return outbound_of(self.row, self.ledger, self.last_batch.events).addressees

    @property
    def blocked_reason(self) -> str | None:
        """Why no turn can be taken although there may be something to do."""
        if self.is_led or self.is_finished:
            return None
        if self.row.is_quarantined:
            return self.row.blocked_reason
        return self.missing_function  # if it is there, its code is not run here just now

    @property
    def waiting_reason(self) -> str | None:
        """Why an activity waits whose function is missing, if one does and nobody has it."""
        for task_id in sorted(self._without_function):
            scheduled = self.ledger.open_activities.get(task_id)
            if scheduled is not None and self.leases.is_with_nobody(task_id):
                return reason_without_activity(scheduled.name)
        return None

    @property
    def alarm(self) -> datetime | None:
        """When the alarm that is stored is due, as far as is known."""
        return self._alarm.armed

    def must_continue(self) -> bool:
        """Whether there is more to do at once, with the inbox read again.

        The next execution of a continue-as-new is to begin, or a timer comes before what is there.
        """
        return self.has_left_mail or self.ledger.is_continued

    def has_timer_due(self, after: datetime, until: datetime) -> bool:
        """Whether the next timer that the code waits for, if that is known, is due in between."""
        timers = self.ledger.timers
        if not timers:
            return False
        due = timers.next_due()
        return due is not None and after < due <= until and self.is_led

    def view(self) -> Instance:
        """The row as it would be stored now."""
        return self._project(self.row.updated_at)

    def events_of(self, inbox: Iterable[Message]) -> list[HistoryEvent]:
        """What messages answer to the current execution."""
        return [each.event for each in inbox if each.execution_id == self.execution_id]

    # ---- activities ----------------------------------------------------------------------

    def take_undispatched(self, now: datetime) -> list[Undispatched]:
        """Activities to be handed out: what this object has not given yet and nobody has."""
        return self.leases.free(self.ledger.take_untaken(), now)

    def leave_waiting(self, tasks: Iterable[history.TaskScheduled]) -> None:
        """Nobody runs these activities, since nobody is known to have their functions."""
        self._without_function.update(task.task_id for task in tasks)

    def lease_of(self, task_id: int, now: datetime) -> Lease | None:
        """The lease by which somebody has the activity now."""
        return self.leases.held(task_id, now)

    # ---- how it goes on ------------------------------------------------------------------

    def learn(self, output: TurnOutput) -> None:
        """Take in what only the code can say: how it stands."""
        self.custom_status = output.custom_status
        if output.moved:
            self.ledger.timers.move(output.moved)
        self.has_diverged = output.outcome is not None and self.ledger.end is None

    def hear_orders(self, inbox: Iterable[Message]) -> None:
        """Take note of the orders that wait for the code: to suspend, or to resume."""
        orders = [x.event for x in inbox if isinstance(x.event, _ORDERS) and self.ledger.wants(x)]
        is_held = isinstance(orders[-1], history.ExecutionSuspended) if orders else None
        self._is_held_by_mail = is_held

    def add_batch(self, batch: Batch) -> None:
        """Take in the batch of a turn, which is to be stored."""
        self.ledger.add_batch(batch)
        self.last_batch = batch
        self._loaded_inbox = ()
        if self.leases:
            self.leases.end_answered(batch)

    def leave(self, left: Sequence[Unawaited]) -> None:
        """The execution is over: what it asked for goes on without it, if it was not terminated."""
        if self.was_terminated:
            self.unawaited.clear()
        self.unawaited.add(each.lease for each in left)

    def begin_next(self) -> None:
        """Begin the execution that the ContinueAsNew at the end of this one asks for."""
        end = self.ledger.end
        assert isinstance(end, history.ContinueAsNew)  # noqa: S101 - the caller has seen it
        if self.row.rewinds:
            self.row = msgspec.structs.replace(self.row, rewinds=0)
        previous = self.ledger.started or self.started
        started = start_of_next(self.execution_id, previous, end)
        self.leases.clear()
        execution_id, reached = started.execution_id, self.ledger.reached
        ledger = Ledger(execution_id, end.recent, self.last_batch.consumed, reached)
        self._begin(ledger, started, end.carryover)

    # ---- what is to be stored ------------------------------------------------------------

    def redo(self) -> Effects:
        """The effects of the last stored batch, to be applied again after a crash."""
        batch, inbox = self.last_batch, self._loaded_inbox
        outbound = unsent(self.row, self.ledger, batch)
        notices = self._untold()
        old_id = self.row.execution_id
        moment = batch.events[0].timestamp if batch.events else self.row.updated_at
        self.row = self.projected(moment)
        left = without(outbound.unawaited, self.events_of(inbox))
        left = as_held(left, self.leases)
        if self.was_terminated:  # nothing of it goes on, and so no alarm is for that
            self.unawaited.clear()
        self.unawaited.add(each.lease for each in left)
        knows = self._knows_alarm()
        return Effects(
            instance_id=self.instance_id,
            run_id=self.run_id,
            row=self.row,
            consumed=tuple(dict.fromkeys((*batch.consumed, *undeleted(self.ledger, inbox)))),
            starts=to_start(outbound.starts, self.execution_id, self._unread()),
            messages=outbound.messages,
            wake_at=self._alarm.set_again(self._wanted_alarm()) if knows else UNCHANGED,
            unawaited=left,
            drop_execution=None if old_id == self.row.execution_id else old_id,
            notices=notices,
        )

    def _untold(self) -> tuple[Notice, ...]:
        """What the last batch gives to tell, unless the stored row says that this was done."""
        if not self.wanted or not is_row_behind(self.row, self.ledger):
            return ()
        return notices_of(self.row, self.ledger, self.last_batch.events, self.wanted)

    def _unread(self) -> list[Message]:
        """What was in the inbox and is in no turn: a rewound execution took in some that is."""
        return [each for each in self._loaded_inbox if not self.ledger.has_consumed(each)]

    def revive(self) -> Effects:
        """What must be stored so that an instance goes on that was rewound."""
        wake_at = self._alarm.set_again(self._wanted_alarm())
        return msgspec.structs.replace(self.redo(), wake_at=wake_at)

    def unanswered_children(self) -> list[history.SubOrchestrationInstanceCreated]:
        """The children of which a rewound execution knows no end, and none is in its inbox."""
        ledger = self.ledger
        if not isinstance(ledger, RewoundLedger):
            return []
        return [
            child
            for task_id, child in ledger.open_children.items()
            if not ledger.is_answered(task_id)
            and not has_answered(task_id, self.execution_id, self._unread())
        ]

    def lease(self, now: datetime, leases: Sequence[Lease]) -> Effects:
        """The session ends while these activities run on: lease them, and look again on expiry."""
        self.leases.add(leases, self.ledger)
        self.row = self.projected(now)
        return Effects(
            instance_id=self.instance_id,
            run_id=self.run_id,
            row=self.row,
            leases=tuple(leases),
            wake_at=self.rearm_with_row(),
        )

    def settle(self, now: datetime, *, has_work: bool = False) -> Effects | None:
        """What must be stored before the session ends: the reason of a block, a corrected alarm.

        `has_work`: it is left with something to do, so that it is acquitted of nothing.
        """
        effects = self.show(now)
        shown = effects.row if effects is not None else None
        reason = self.blocked_reason or self.waiting_reason
        row = settled(self.row, reason, now, is_idle=not (self.leases or has_work)) or shown
        wake_at = self.rearm() if self._knows_alarm() else self._rearm_blocked(now)
        if row is None and wake_at is UNCHANGED:
            return None
        self.row = row or self.row
        return Effects(instance_id=self.instance_id, run_id=self.run_id, row=row, wake_at=wake_at)

    def show(self, now: datetime) -> Effects | None:
        """What must be stored so that the row shows orders that wait for the code, if any do.

        They stay in the inbox, to be fed in order when the code is there.
        """
        status = status_of(self.row, self.ledger, is_suspended=self._is_suspended)
        is_shown = RuntimeStatus.SUSPENDED not in {status, self.row.status}
        if self.is_led or is_shown or status is self.row.status:
            return None
        updated_at = self.row.next_update(now)
        self.row = msgspec.structs.replace(self.row, status=status, updated_at=updated_at)
        return Effects(instance_id=self.instance_id, run_id=self.run_id, row=self.row)

    def forget(self, message_ids: Sequence[str]) -> Effects | None:
        """What deletes messages that nobody wants, if there are any."""
        if not message_ids:
            return None
        return Effects(
            instance_id=self.instance_id, run_id=self.run_id, consumed=tuple(message_ids)
        )

    def projected(self, now: datetime) -> Instance:
        """The row as it is to be stored now."""
        return self._project(self.row.next_update(now))

    def rearm(self) -> datetime | Unchanged | None:
        """The alarm that is to be stored."""
        return self._alarm.set(self._wanted_alarm()) if self._knows_alarm() else UNCHANGED

    def rearm_with_row(self) -> datetime | Unchanged | None:
        """The same for a write of the row."""
        return self._alarm.set_with_row(self._wanted_alarm()) if self._knows_alarm() else UNCHANGED

    # ---- inside --------------------------------------------------------------------------

    @property
    def _is_suspended(self) -> bool:
        by_mail = self._is_held_by_mail
        return self.ledger.is_suspended if by_mail is None else by_mail

    def _project(self, updated_at: datetime) -> Instance:
        return project(
            self.row,
            self.ledger,
            self.custom_status,
            updated_at,
            is_suspended=self._is_suspended,
            # A row that ceased for a moment to say that its function is missing, with its alarm
            # put off, would be found by no sweep if that moment was its host's last.
            reason=(self.blocked_reason and self.row.blocked_reason) or self.waiting_reason,
        )

    def _knows_alarm(self) -> bool:
        """Whether it is known what the instance waits for; without that the alarm stays."""
        return self.is_led or self.ledger.end is not None

    def _wanted_alarm(self) -> datetime | None:
        own = wanted_of_execution(self.ledger, self.started, self.leases)
        return first_of(own, self.unawaited.next_expiry()) if self.unawaited else own

    def _rearm_blocked(self, now: datetime) -> datetime | Unchanged | None:
        """The alarm while nobody can say what the instance waits for, but for its next try."""
        retry_at = self.row.retry_at if self.row.is_quarantined else None
        if retry_at is not None and retry_at > now:
            return self._alarm.set(min(filter(None, (retry_at, self.unawaited.next_expiry()))))
        return self._alarm.postpone(now, self.unawaited.next_expiry())

    def _catch_up(self, snapshot: Snapshot) -> list[Batch]:
        """Go through what is stored, from the row's execution to the latest one, whose it gives.

        Not beyond it: an execution that has ended may have effects that are to be done again.
        """
        batches = batches_by_execution(snapshot)
        recorded = batches.get(self.execution_id, [])
        if recorded:
            recorded = self._take_in(recorded)
        while self.is_continued and ids.next_execution_id(self.execution_id) in batches:
            self.begin_next()
            recorded = self._take_in(batches[self.execution_id])
        self._loaded_inbox = snapshot.inbox
        self.leases.add(snapshot.leases, self.ledger)
        return recorded

    def _take_in(self, stored: list[Batch]) -> list[Batch]:
        """Take in the batches of an execution; what its code is to be led through."""
        if not any(map(is_rewind, stored)):
            self._add_all(stored)
            return stored
        counting = counted(stored)
        ledger = self.ledger = RewoundLedger(self.ledger)
        self._add_all(counting.batches)
        ledger.carry(counting)
        self.is_rewound = is_rewind(self.last_batch)
        self.lacks_revival = self.row.rewinds < ledger.rewinds
        if self.lacks_revival:
            self.row = revived(self.row, ledger.rewinds)
        return counting.for_code()

    def _add_all(self, recorded: Iterable[Batch]) -> None:
        for batch in recorded:
            self.ledger.add_batch(batch)
            self.last_batch = batch


def _ledger_of(row: Instance) -> Ledger:
    """An empty one."""
    kind = EntityLedger if ids.is_entity(row.instance_id) else Ledger
    return kind(row.execution_id)
