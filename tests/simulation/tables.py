"""The tables of the hub: the memory store, taken apart into the small writes that a real hub has.

Rules of this file: every method is one request and one step. What `HubStore` promises as a whole,
`store` puts together from these, as a driver over a network does, so that a host may die in the
midst of it. Three things are kept beside the memory store, as on DynamoDB: what each batch leaves
to be done and which turn set the alarm, because a torn commit needs them; and when each message
arrived, as its sender says, since that is the order in which an inbox is read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

import msgspec

from bindings.client import ReusePolicy, RuntimeStatus
from host.core.records import (
    UNCHANGED,
    Commit,
    Effects,
    Envelope,
    Instance,
    Lease,
    Message,
    Snapshot,
    Start,
    StoredBatch,
    Unawaited,
)
from host.engine.job_records import Chosen
from host.engine.jobs import JOB
from host.storage import rules
from host.storage.memory import MemoryStore
from host.storage.protocol import (
    Alarm,
    Created,
    InstanceFilter,
    InstancePage,
    NamedLock,
    NamedRecord,
    RecordPage,
    Removal,
    Sought,
)
from tests.simulation.clerks import jobs_of

T = TypeVar("T")


class BatchKey(NamedTuple):
    """A batch's place: `number` counts within an execution."""

    execution_id: str
    number: int


class _Rest(NamedTuple):
    """What is left to do after a batch until it is known to be done."""

    sends: bool
    sets_alarm: bool


class Witness:
    """Hears of everything that was stored. The checks are one."""

    def appended(self, commit: Commit, latest: datetime) -> None:
        """A batch was appended by a host whose clock never showed more than `latest`."""

    def changed(self, record: NamedRecord) -> None:
        """A record was changed."""

    def record_removed(self, kind: str, key: str) -> None:
        """There is no such record now."""

    def planted(self, instance_id: str, batches: Sequence[StoredBatch]) -> None:
        """An instance that comes from elsewhere was stored whole."""

    def removed(self, instance_id: str) -> None:
        """An instance was purged or replaced."""

    def has_read_alarms(self, host: str) -> None:
        """A host has read the alarms of all."""

    def unheld(self, commit: Commit) -> None:
        """A host began to store a turn of an instance of which it held no hint."""


class Tables:
    """What all hosts share."""

    def __init__(self, witness: Witness) -> None:
        self._asked_at = datetime.min
        self._store = MemoryStore(lambda: self._asked_at)
        self.witness = witness
        self._rests: dict[str, dict[BatchKey, _Rest]] = {}
        self._alarm_turns: dict[str, BatchKey] = {}
        self._arrivals: dict[str, dict[str, int]] = {}
        self.chosen: dict[str, set[Chosen]] = defaultdict(set)
        """Who was ever on a page of each job."""

    # ---- reading ------------------------------------------------------------------------------

    def get(self, instance_id: str) -> Instance | None:
        """The row, as seen."""
        return _now(self._store.get(instance_id))

    def load(self, instance_id: str) -> Snapshot | None:
        """Everything of one instance."""
        snapshot = _now(self._store.load(instance_id))
        if snapshot is None or not snapshot.inbox:
            return snapshot
        inbox = self._in_order(instance_id, snapshot.inbox)
        return msgspec.structs.replace(snapshot, inbox=inbox)

    def read_inbox(self, instance_id: str, of: str | None) -> Sequence[Message]:
        """The messages not yet deleted."""
        return self._in_order(instance_id, _now(self._store.read_inbox(instance_id, of=of)))

    def is_latest(self, instance_id: str, turn: BatchKey) -> bool:
        """Whether this turn's batch is the last of its execution."""
        return _now(self._store.is_latest(instance_id, *turn))

    def newest_arrival(self, instance_id: str) -> int:
        """When the newest message of the inbox arrived; 0 if there is none."""
        arrivals = self._arrivals.get(instance_id, {})
        inbox = _now(self._store.read_inbox(instance_id))
        return max((arrivals.get(each.message_id, 0) for each in inbox), default=0)

    def due_alarms(self, now: datetime, limit: int) -> Sequence[Alarm]:
        """Alarms due."""
        return _now(self._store.due_alarms(now, limit))

    def next_alarm(self, after: datetime) -> datetime | None:
        """The first alarm later than `after`."""
        return _now(self._store.next_alarm(after))

    def query(
        self, filter_: InstanceFilter, limit: int, token: str | None, max_bytes: int | None
    ) -> InstancePage:
        """One page of instances."""
        return _now(self._store.query(filter_, limit=limit, token=token, max_bytes=max_bytes))

    def count(self, filter_: InstanceFilter) -> Mapping[RuntimeStatus, int]:
        """How many instances there are, by status."""
        return _now(self._store.count(filter_))

    def recoverable(self, now: datetime, after: str, limit: int, sought: Sought) -> Sequence[str]:
        """Ids of instances that may need a wake-up; of those that are not sought none."""
        self._asked_at = now
        found = set(_now(self._store.recoverable(after=after, limit=limit)).instance_ids)
        found |= {id_ for id_ in self._rests if id_ > after and self._has_rest(id_)}
        return sorted(id_ for id_ in found if self._is_sought(id_, sought))[:limit]

    def everything(self) -> list[Snapshot]:
        """All that is stored; for the checks."""
        snapshots = (self.load(instance_id) for instance_id in sorted(self._store._records))
        return [snapshot for snapshot in snapshots if snapshot is not None]

    # ---- instances ----------------------------------------------------------------------------

    def create(self, instance: Instance, reuse: ReusePolicy, replaces: str | None) -> Created:
        """Store a new instance."""
        before = self._execution(instance.instance_id)
        created = _now(self._store.create(instance, reuse, replaces=replaces))
        self._notice_removal(instance.instance_id, before)
        return created

    def plant(self, snapshot: Snapshot, arrival: int, leaves_work: bool) -> None:
        """Store a whole instance, whose messages arrive from then on."""
        instance_id = snapshot.instance.instance_id
        _now(self._store.plant(snapshot, leaves_work=leaves_work))
        for place, message in enumerate(snapshot.inbox):
            self._note_arrival(Envelope(instance_id, message), arrival + place)
        self.witness.planted(instance_id, snapshot.batches)

    def start(self, start: Start) -> bool:
        """Store a sub-orchestration; False if it is refused."""
        before = self._execution(start.instance.instance_id)
        alone = Effects(instance_id="", starts=(start,))
        refused = _now(self._store.apply(alone)).refused_starts
        self._notice_removal(start.instance.instance_id, before)
        return not refused

    def purge(self, instance_id: str, execution_id: str | None) -> bool:
        """Remove everything of a finished instance."""
        is_purged = _now(self._store.purge(instance_id, execution_id))
        if is_purged:
            self._forget(instance_id)
        return is_purged

    def remove_entity(self, instance_id: str, turn: BatchKey) -> Removal:
        """Remove an entity that has no mail, if this is its last turn."""
        removal = _now(self._store.remove_entity(instance_id, *turn))
        if removal is Removal.GONE:
            self._forget(instance_id)
        return removal

    # ---- messages -----------------------------------------------------------------------------

    def send(self, instance_id: str, message: Message, arrival: int, of: str | None = None) -> None:
        """Put one message into the inbox of an active instance."""
        _now(self._store.send(instance_id, message, of=of))
        self._note_arrival(Envelope(instance_id, message), arrival)

    def deliver(self, envelope: Envelope, arrival: int) -> bool:
        """Put one message into an inbox; False if there is nobody to read it."""
        alone = Effects(instance_id="", messages=(envelope,))
        if _now(self._store.apply(alone)).dropped:
            return False
        self._note_arrival(envelope, arrival)
        return True

    def delete_messages(self, effects: Effects) -> None:
        """Delete consumed messages."""
        self._apply(_alone(effects, consumed=effects.consumed))

    # ---- turns --------------------------------------------------------------------------------

    def append(self, commit: Commit, latest: datetime) -> None:
        """Append a batch, without its effects. Raises `Conflict`."""
        effects = commit.effects
        bare = msgspec.structs.replace(commit, effects=Effects(instance_id=commit.instance_id))
        _now(self._store.commit(bare))
        self._rests.setdefault(commit.instance_id, {})[
            BatchKey(commit.execution_id, commit.number)
        ] = _Rest(
            sends=bool(effects.starts or effects.messages or effects.unawaited or effects.notices)
            or (effects.row is not None and effects.row.is_finished),
            sets_alarm=isinstance(effects.wake_at, datetime),
        )
        self.witness.appended(commit, latest)

    def put_row(self, effects: Effects, reached: BatchKey | None) -> bool:
        """Write row and alarm, as one step; False, with nothing done, if the row loses."""
        row, stored = effects.row, self.get(effects.instance_id)
        if row is None or stored is None or not rules.row_wins(row, stored):
            return False
        if row.is_finished:
            wake_at = effects.wake_at
            self._apply(Effects(instance_id=effects.instance_id, row=row, wake_at=wake_at))
        else:
            self._apply(Effects(instance_id=effects.instance_id, row=row))
            self.set_alarm(effects, reached)
        return True

    def change_row(self, seen: Instance, new: Instance) -> bool:
        """Put a row in place of the one that was seen."""
        return _now(self._store.change_row(seen, new))

    def set_alarm(self, effects: Effects, reached: BatchKey | None) -> None:
        """Set the alarm, unless somebody who knew of later turns of the execution has set it."""
        known, stored = self._alarm_turns.get(effects.instance_id), self.get(effects.instance_id)
        if effects.wake_at is UNCHANGED or _is_later(known, reached):
            return
        if stored is None or not rules.is_of_run(effects, stored):
            return
        if reached is not None:
            self._alarm_turns[effects.instance_id] = reached
        self._apply(_alone(effects, wake_at=effects.wake_at))

    def drop(self, effects: Effects) -> None:
        """Delete the batches of an execution that continued as new."""
        self._apply(_alone(effects, drop_execution=effects.drop_execution))

    # ---- leases -------------------------------------------------------------------------------

    def leave(self, left: Unawaited, effects: Effects) -> None:
        """Store the lease of an unawaited activity, or put to it what is to be run."""
        self._apply(_alone(effects, unawaited=(left,)))

    def put_lease(self, lease: Lease, effects: Effects) -> None:
        """Store a lease, unless one that was made later is there."""
        self._apply(_alone(effects, leases=(lease,)))

    def renew_lease(self, lease: Lease, heir: str | None) -> bool:
        """Set a new expiry, and perhaps a new owner."""
        return _now(self._store.renew_lease(lease, heir=heir))

    def claim_lease(self, lease: Lease) -> bool:
        """Store the lease of a task that nobody ever had, however late it is."""
        record = self._store._records.get(lease.instance_id)
        if record is None or record.row.is_finished:
            return False
        stored = record.leases.setdefault((lease.execution_id, lease.task_id), lease)
        return stored.owner == lease.owner

    def is_at(self, lease: Lease, number: int) -> bool:
        """Whether the instance has not gone beyond this turn of the lease's execution."""
        record = self._store._records.get(lease.instance_id)
        if record is None or record.row.is_finished:
            return False
        is_current = record.row.execution_id == lease.execution_id
        return is_current and (lease.execution_id, number + 1) not in record.batches

    def take_lease(self, lease: Lease, now: datetime) -> bool:
        """Take over a lease that waits for anybody, or is over."""
        return _now(self._store.take_lease(lease, now))

    def owns_lease(self, lease: Lease) -> bool:
        """Whether the stored lease is this owner's."""
        return self._store._leased(lease) is not None

    def is_unawaited(self, lease: Lease) -> bool:
        """Whether nobody waits for the result."""
        record = self._store._leased(lease)
        stored = record and record.leases[lease.execution_id, lease.task_id]
        return bool(stored and stored.scheduled is not None)

    def end_lease(self, lease: Lease) -> None:
        """Delete the owner's lease."""
        record = self._store._leased(lease)
        if record is not None:
            del record.leases[lease.execution_id, lease.task_id]

    # ---- locks --------------------------------------------------------------------------------

    def hold_lock(self, lock: NamedLock, now: datetime) -> bool:
        """Take a lock, or keep it."""
        return _now(self._store.hold_lock(lock, now))

    def release_lock(self, name: str, owner: str) -> None:
        """Let go of a lock."""
        _now(self._store.release_lock(name, owner))

    def locks(self, prefix: str) -> Sequence[NamedLock]:
        """The locks whose names begin so."""
        return _now(self._store.locks(prefix))

    # ---- records ------------------------------------------------------------------------------

    def put_record(self, record: NamedRecord) -> None:
        """Store a record."""
        _now(self._store.put_record(record))

    def change_record(self, record: NamedRecord, after: str | None) -> bool:
        """Store a record in place of another."""
        is_changed = _now(self._store.change_record(record, after=after))
        if is_changed:
            self.witness.changed(record)
        if is_changed and record.kind == JOB:
            (job,) = jobs_of([record])
            self.chosen[job.job_id].update(job.page)
        return is_changed

    def remove_record(self, kind: str, key: str, after: str | None = None) -> bool:
        """Remove a record."""
        is_gone = _now(self._store.remove_record(kind, key, after=after))
        if is_gone:
            self.witness.record_removed(kind, key)
        return is_gone

    def record(self, kind: str, key: str) -> NamedRecord | None:
        """The record."""
        return _now(self._store.record(kind, key))

    def records(self, kind: str, after: str, limit: int) -> RecordPage:
        """Records of a kind."""
        return _now(self._store.records(kind, after=after, limit=limit))

    # ---- inside -------------------------------------------------------------------------------

    def _apply(self, effects: Effects) -> None:
        _now(self._store.apply(effects))

    def _execution(self, instance_id: str) -> str | None:
        row = self.get(instance_id)
        return None if row is None else row.execution_id

    def _notice_removal(self, instance_id: str, before: str | None) -> None:
        if before is not None and self._execution(instance_id) != before:
            self._forget(instance_id)

    def _forget(self, instance_id: str) -> None:
        self._rests.pop(instance_id, None)
        self._alarm_turns.pop(instance_id, None)
        self._arrivals.pop(instance_id, None)
        self.witness.removed(instance_id)

    def _note_arrival(self, envelope: Envelope, arrival: int) -> None:
        arrivals = self._arrivals.setdefault(envelope.instance_id, {})
        waits = {x.message_id for x in _now(self._store.read_inbox(envelope.instance_id))}
        for message_id in arrivals.keys() - waits:
            del arrivals[message_id]
        arrivals.setdefault(envelope.message.message_id, arrival)

    def _in_order(self, instance_id: str, inbox: Sequence[Message]) -> tuple[Message, ...]:
        arrivals = self._arrivals.get(instance_id, {})
        return tuple(sorted(inbox, key=lambda x: (arrivals.get(x.message_id, 0), x.message_id)))

    def _is_sought(self, instance_id: str, sought: Sought) -> bool:
        row = self._store._records[instance_id].row
        is_unled = sought is Sought.UNLED and row.status is RuntimeStatus.PENDING
        may_lack_function = row.blocked_reason is not None or row.is_finished
        return sought is Sought.ALL or is_unled or may_lack_function

    def _has_rest(self, instance_id: str) -> bool:
        record = self._store._records.get(instance_id)
        if record is None or record.row.is_finished:
            return False
        rests = self._rests[instance_id]
        newest = dict(sorted(record.open))
        return any(
            (rest := rests.get(BatchKey(*key))) is not None
            and (
                (rest.sends and not _has_written_row(record.row, key))
                or (rest.sets_alarm and not self._has_set_alarm(instance_id, key))
            )
            for key in newest.items()
        )

    def _has_set_alarm(self, instance_id: str, key: tuple[str, int]) -> bool:
        turn = self._alarm_turns.get(instance_id)
        return turn is not None and turn.execution_id == key[0] and turn.number >= key[1]


def _alone(effects: Effects, **parts: Any) -> Effects:
    """A part of these effects, of the same run."""
    run_id = effects.run_id or (effects.row.run_id if effects.row else "")
    return Effects(instance_id=effects.instance_id, run_id=run_id, **parts)


def _has_written_row(row: Instance, key: tuple[str, int]) -> bool:
    return row.execution_id == key[0] and row.last_number >= key[1]


def _is_later(known: BatchKey | None, reached: BatchKey | None) -> bool:
    if known is None or reached is None:
        return False
    return known.execution_id == reached.execution_id and known.number > reached.number


def _now(coroutine: Coroutine[Any, Any, T]) -> T:
    """What a method of the memory store gives: none of them ever waits."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        result: T = stop.value
        return result
    raise AssertionError("The memory store waits for something.")


Action = Callable[[], T]
