"""The leases of one execution's activities: who else runs what, and until when."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import msgspec

from host.core import history, ids
from host.core.history import Batch, TaskScheduled
from host.core.incoming import ActivityResult
from host.core.ledger import Ledger
from host.core.records import ANYBODY, LET_GO, Lease, Message, Snapshot
from host.core.rewound import counted_history

_RESULTS = (history.TaskCompleted, history.TaskFailed)


def result_message(lease: Lease, result: ActivityResult) -> Message:
    """What tells an instance how its leased activity ended."""
    return Message(
        message_id=ids.result_message_id(lease.execution_id, lease.task_id),
        execution_id=lease.execution_id,
        event=result,
    )


def has_vanished_holder(snapshot: Snapshot, host_id: str, now: datetime) -> bool:
    """Whether another host had an activity that has no result, and let its time go by."""
    over = {
        (lease.execution_id, lease.task_id)
        for lease in snapshot.leases
        if lease.scheduled is None and lease.expires_at <= now and _is_of_other(lease, host_id)
    }
    if not over:
        return False
    recorded = {stored.execution_id for stored in snapshot.batches}
    answered = {
        (stored.execution_id, event.task_id)
        for stored in snapshot.batches
        for event in stored.batch.events
        if isinstance(event, _RESULTS)
    }
    answered |= {
        (message.execution_id or "", message.event.task_id)
        for message in snapshot.inbox
        if isinstance(message.event, _RESULTS)
    }
    return any(key[0] in recorded for key in over - answered)


def may_have_run(snapshot: Snapshot, now: datetime) -> bool:
    """Whether whoever held the instance may have run any code of it.

    That is its start, what came in, what is due, or an activity without a result, unless another
    host has that one or may take it. Whoever ended with nothing of that did not end of it.
    """
    is_due = snapshot.wake_at is not None and snapshot.wake_at <= now
    if not snapshot.batches or snapshot.inbox or is_due:
        return True
    events = counted_history(snapshot)
    scheduled = {x.task_id for x in events if isinstance(x, TaskScheduled)}
    answered = {x.task_id for x in events if isinstance(x, _RESULTS)}
    held = {lease.task_id for lease in snapshot.leases if lease.expires_at > now}
    must_continue = isinstance(events[-1], history.ContinueAsNew | history.ExecutionRewound)
    return must_continue or bool(scheduled - answered - held)


def tries_with(lease: Lease, host_id: str) -> int:
    """How many hosts have vanished with the activity, if who takes it now is this one."""
    return lease.tries + _is_of_other(lease, host_id)


def _is_of_other(lease: Lease, host_id: str) -> bool:
    """Whether another host has, or had, the activity. The owner of a claim begins with its host."""
    return lease.owner not in {ANYBODY, LET_GO} and lease.owner.partition(".")[0] != host_id


class Undispatched(msgspec.Struct, frozen=True):
    """An activity to be run. `lease` is one of it that is over, if there was any."""

    scheduled: TaskScheduled
    lease: Lease | None = None

    @property
    def was_begun(self) -> bool:
        """Whether somebody had it before, and may have begun it."""
        return self.lease is not None and self.lease.owner != ANYBODY

    @property
    def was_offered(self) -> bool:
        """Whether anybody may take it still, though the time of that is over."""
        return self.lease is not None and self.lease.owner == ANYBODY

    def tries_with(self, host_id: str) -> int:
        """How many hosts have vanished with it, if who takes it now is this one."""
        return 0 if self.lease is None else tries_with(self.lease, host_id)


class AwaitedLeases(dict[int, Lease]):
    """Leases of the tasks that the execution waits for.

    A lease ends with its task's result, or with its time. A dict by task id, since
    each turn asks whether there are any.
    """

    def add(self, leases: Iterable[Lease], ledger: Ledger) -> None:
        """Take in leases; those of other executions and of answered tasks are nobody's."""
        for lease in leases:
            is_current = lease.execution_id == ledger.execution_id
            if is_current and lease.task_id in ledger.open_activities:
                self[lease.task_id] = lease

    def free(self, tasks: Iterable[TaskScheduled], now: datetime) -> list[Undispatched]:
        """Those of the tasks that nobody has; leases that are over are forgotten."""
        if not self:
            return list(map(Undispatched, tasks))
        is_free = [task for task in tasks if not self._is_held(task.task_id, now)]
        return [Undispatched(task, self.pop(task.task_id, None)) for task in is_free]

    def held(self, task_id: int, now: datetime) -> Lease | None:
        """The lease by which somebody has the activity now."""
        return self.get(task_id) if self._is_held(task_id, now) else None

    def _is_held(self, task_id: int, now: datetime) -> bool:
        lease = self.get(task_id)
        return lease is not None and lease.expires_at > now

    def is_with_nobody(self, task_id: int) -> bool:
        """Whether no host has the activity, as far as is known."""
        lease = self.get(task_id)
        return lease is None or lease.owner in {ANYBODY, LET_GO}

    def end_answered(self, batch: Batch) -> None:
        """The tasks that the batch answers need no lease."""
        for event in batch.events:
            if isinstance(event, _RESULTS):
                self.pop(event.task_id, None)

    def next_expiry(self) -> datetime | None:
        """When the first lease expires."""
        return min((lease.expires_at for lease in self.values()), default=None)
