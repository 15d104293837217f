"""All that a store in memory keeps of one instance, and what effects make of it.

Rules of this file: as in `memory.py`. Nothing of other instances is known here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from bindings.client import RuntimeStatus
from host.core.records import (
    UNCHANGED,
    Commit,
    Effects,
    Instance,
    Lease,
    Message,
    Snapshot,
    StoredBatch,
)
from host.errors import Conflict
from host.storage import rules

BatchKey = tuple[str, int]
LeaseKey = tuple[str, int]


@dataclass(slots=True, kw_only=True)
class MemoryRecord:
    """Everything stored of one instance. `open` says of a batch that it leaves work to do."""

    row: Instance
    batches: dict[BatchKey, StoredBatch] = field(default_factory=dict)
    open: dict[BatchKey, bool] = field(default_factory=dict)
    inbox: dict[str, Message] = field(default_factory=dict)
    leases: dict[LeaseKey, Lease] = field(default_factory=dict)
    alarm: datetime | None = None

    @classmethod
    def of(cls, snapshot: Snapshot, *, leaves_work: bool) -> MemoryRecord:
        """What is stored of an instance that comes whole; its last batch may leave work."""
        batches = {(each.execution_id, each.number): each for each in snapshot.batches}
        newest = [*batches][-1:]
        return cls(
            row=snapshot.instance,
            batches=batches,
            open={key: leaves_work and key in newest for key in batches},
            inbox={each.message_id: each for each in snapshot.inbox},
            leases={(each.execution_id, each.task_id): each for each in snapshot.leases},
            alarm=snapshot.wake_at,
        )

    def snapshot(self) -> Snapshot:
        """All of it."""
        return Snapshot(
            instance=self.row,
            batches=tuple(self.batches[key] for key in sorted(self.batches)),
            inbox=tuple(self.inbox.values()),
            leases=tuple(self.leases[key] for key in sorted(self.leases)),
            wake_at=self.alarm,
        )

    @property
    def seen(self) -> Instance:
        """The row as it is shown."""
        return rules.seen(self.row, has_batches=bool(self.batches))

    @property
    def has_work(self) -> bool:
        """Whether the newest batch of any execution leaves work."""
        newest = dict(sorted(self.open))  # of each execution its highest number
        return any(self.open[key] for key in newest.items())

    def is_at(self, lease: Lease, number: int) -> bool:
        """Whether the instance has not gone beyond this turn."""
        is_current = not self.row.is_finished and self.row.execution_id == lease.execution_id
        return is_current and (lease.execution_id, number + 1) not in self.batches

    def needs_wakeup(self, now: datetime) -> bool:
        """Whether it may wait for a hint that was lost."""
        row = self.seen
        if any(x.scheduled is not None and x.expires_at <= now for x in self.leases.values()):
            return True
        if row.is_finished:
            return False
        starts_later = row.scheduled_start_at is not None and row.scheduled_start_at > now
        return (
            (row.status is RuntimeStatus.PENDING and not starts_later)
            or row.blocked_reason is not None
            or bool(self.inbox)
            or self.has_work
        )

    def append(self, commit: Commit) -> None:
        """Add the batch. Raises `Conflict` if another turn won."""
        key = (commit.execution_id, commit.number)
        if key in self.batches:
            raise Conflict(f"Another turn of '{commit.instance_id}' won.")
        if commit.is_whole:
            self._make_room(commit)
        self.batches[key] = StoredBatch(
            execution_id=commit.execution_id, number=commit.number, batch=commit.batch
        )
        self.open[key] = rules.leaves_work(commit)

    def apply(self, effects: Effects) -> None:
        """Do the effects on the instance itself."""
        if not rules.is_of_run(effects, self.row):
            return
        for message_id in effects.consumed:
            self.inbox.pop(message_id, None)
        for key in [key for key in self.batches if key[0] == effects.drop_execution]:
            del self.batches[key], self.open[key]
        for key in [key for key in self._awaited() if key[0] == effects.drop_execution]:
            del self.leases[key]
        if self.row.is_finished and not rules.revives(effects.row, self.row):
            if self.alarm is not None and effects.wake_at is not UNCHANGED:
                self.alarm = effects.wake_at  # it is for unawaited activities
            return
        self._leave(effects)
        if effects.row is not None and rules.row_wins(effects.row, self.row):
            self.row = effects.row
        if self.row.is_finished:
            self._end(effects)
        else:
            self._go_on(effects)

    def _make_room(self, commit: Commit) -> None:
        """Let go of the batch that this one takes the place of."""
        numbers = [number for of, number in self.batches if of == commit.execution_id]
        if max(numbers, default=-1) != commit.number - 1:
            raise Conflict(f"Another turn of '{commit.instance_id}' won.")
        for number in numbers:
            del self.batches[commit.execution_id, number]
            del self.open[commit.execution_id, number]

    def _leave(self, effects: Effects) -> None:
        """See to it that the unawaited activities have leases."""
        for left in effects.unawaited:
            key = (left.lease.execution_id, left.lease.task_id)
            kept = rules.left_lease(left, self.leases.get(key))
            if kept is not None:
                self.leases[key] = kept

    def _go_on(self, effects: Effects) -> None:
        """What only an unfinished instance takes."""
        wake_at = rules.new_alarm(effects)
        if wake_at is not UNCHANGED:
            self.alarm = wake_at
        for lease in effects.leases:
            stored = self.leases.get((lease.execution_id, lease.task_id))
            if rules.lease_wins(lease, self.row, stored.expires_at if stored else None):
                kept = rules.renewed(lease, stored) if stored else lease
                self.leases[lease.execution_id, lease.task_id] = kept

    def _end(self, effects: Effects) -> None:
        """Drop what a finished instance needs no more."""
        self.inbox.clear()
        is_all = rules.ends_all_work(self.row)
        for key in list(self.leases) if is_all else self._awaited():
            del self.leases[key]
        wake_at = effects.wake_at
        self.alarm = wake_at if self.leases and wake_at is not UNCHANGED else None

    def _awaited(self) -> list[LeaseKey]:
        """The leases that end with their execution."""
        return [key for key, lease in self.leases.items() if lease.scheduled is None]
