"""The hub in memory: the simplest store that keeps the contract, and the oracle for the others.

Rules of this file: plain dicts, one record per instance, no await between reading and writing (so
every method is one step), nothing that a reader could not check against the protocol at a glance.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import partial

from bindings.client import ReusePolicy, RuntimeStatus
from bindings.errors import InstanceNotFoundError
from host.clock import Clock
from host.core import ids
from host.core.records import (
    UNCHANGED,
    Commit,
    Effects,
    Envelope,
    Instance,
    Lease,
    Message,
    Notice,
    Snapshot,
    Start,
)
from host.errors import Conflict
from host.storage import paging, rules
from host.storage.kept_notices import record_of
from host.storage.kinds import Home, OpenStore, Provider, StoreKind, StorePlace
from host.storage.local_locks import LocalLocks
from host.storage.local_queues import with_local_queues
from host.storage.local_tables import MemoryTables
from host.storage.memory_messages import MemoryMessages
from host.storage.memory_record import MemoryRecord
from host.storage.protocol import (
    Alarm,
    Applied,
    Created,
    HubStore,
    InstanceFilter,
    InstancePage,
    NamedLock,
    NamedRecord,
    RecordPage,
    RecoverablePage,
    Removal,
    Sought,
)
from host.storage.rules import Verdict

_LAST_ID = chr(0x10FFFF)


class MemoryStore:
    """A `HubStore` that forgets everything with the process."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._records: dict[str, MemoryRecord] = {}
        self._locks = LocalLocks()
        self._named: dict[tuple[str, str], NamedRecord] = {}
        self._made_at = now()
        self.messages = MemoryMessages()
        self.tables = MemoryTables()

    @property
    def was_interrupted(self) -> bool:
        """It ends with its process."""
        return False

    async def expect_end(self) -> None:
        """Nothing to do: nothing outlives the process."""

    def problems(self) -> Sequence[str]:
        """Nothing can fail."""
        return ()

    async def open(self) -> None:
        """Nothing to do."""

    async def close(self) -> None:
        """Nothing to do: what was stored stays readable, as a test may want it."""

    async def create(
        self, instance: Instance, reuse: ReusePolicy, *, replaces: str | None = None
    ) -> Created:
        """Store a new, Pending instance."""
        verdict = rules.judge_create(self._seen(instance.instance_id), instance, reuse, replaces)
        self._obey(verdict, instance)
        return rules.CREATED[verdict]

    async def plant(self, snapshot: Snapshot, *, leaves_work: bool) -> None:
        """Store a whole instance."""
        seen = self._seen(snapshot.instance.instance_id)
        rules.check_plant(seen, snapshot.instance.instance_id)
        record = MemoryRecord.of(snapshot, leaves_work=leaves_work)
        self._records[snapshot.instance.instance_id] = record

    async def get(self, instance_id: str) -> Instance | None:
        """The row, as seen."""
        return self._seen(instance_id)

    async def load(self, instance_id: str) -> Snapshot | None:
        """Everything of one instance."""
        record = self._records.get(instance_id)
        return record.snapshot() if record else None

    async def read_inbox(self, instance_id: str, *, of: str | None = None) -> Sequence[Message]:
        """The messages not yet deleted."""
        record = self._records.get(instance_id)
        if of is not None:
            rules.check_copy(record.row if record else None, instance_id, of)
        return tuple(record.inbox.values()) if record else ()

    async def is_latest(self, instance_id: str, execution_id: str, number: int) -> bool:
        """Whether this batch is the execution's last."""
        record = self._records.get(instance_id)
        numbers = (n for ex, n in (record.batches if record else ()) if ex == execution_id)
        return max(numbers, default=-1) == number

    async def send(self, instance_id: str, message: Message, *, of: str | None = None) -> None:
        """Put one message into an inbox."""
        record = self._addressee(instance_id, message)
        if record is None:
            raise InstanceNotFoundError(instance_id)
        rules.check_send(record.seen, instance_id, of)
        record.inbox.setdefault(message.message_id, message)

    async def commit(self, commit: Commit) -> Applied:
        """Append the batch, then apply its effects."""
        record = self._records.get(commit.instance_id)
        if record is None or record.row.execution_id != commit.row_execution_id:
            raise Conflict(f"'{commit.instance_id}' was purged or replaced.")
        record.append(commit)
        return self._apply(commit.effects)

    async def apply(self, effects: Effects) -> Applied:
        """Apply effects."""
        return self._apply(effects)

    async def change_row(
        self, seen: Instance, new: Instance, *, notices: Sequence[Notice] = ()
    ) -> bool:
        """Put a row in place of the one that was seen."""
        record = self._records.get(seen.instance_id)
        if record is None or not rules.is_unchanged(record.row, seen):
            return False
        self._keep(notices)
        record.row = new
        if (due := rules.moved_start(seen, new)) is not UNCHANGED:
            record.alarm = due
        return True

    async def due_alarms(self, now: datetime, limit: int) -> Sequence[Alarm]:
        """Alarms due, the oldest first."""
        due = sorted((due, id_) for due, id_ in self._alarms() if due <= now)
        return [Alarm(instance_id=instance_id, due=due) for due, instance_id in due[:limit]]

    async def next_alarm(self, after: datetime) -> datetime | None:
        """The first alarm later than `after`."""
        return min((due for due, _ in self._alarms() if due > after), default=None)

    async def renew_lease(self, lease: Lease, *, heir: str | None = None) -> bool:
        """Set a new expiry, and perhaps a new owner."""
        record = self._leased(lease)
        if record is None:
            return False
        key = (lease.execution_id, lease.task_id)
        record.leases[key] = rules.renewed(rules.inherited(lease, heir), record.leases[key])
        return True

    async def finish_lease(self, lease: Lease, message: Message, *, keep: bool = False) -> bool:
        """Deliver the result of a leased activity and end the lease."""
        record = self._leased(lease)
        if record is None:
            return False
        key = (lease.execution_id, lease.task_id)
        is_unawaited = record.leases[key].scheduled is not None
        if not keep:
            del record.leases[key]
        if is_unawaited:
            return False
        record.inbox.setdefault(message.message_id, message)
        return True

    async def claim_lease(self, lease: Lease, number: int) -> bool:
        """Store the lease of a task that nobody ever had."""
        record = self._records.get(lease.instance_id)
        if record is None or not record.is_at(lease, number):
            return False
        stored = record.leases.setdefault((lease.execution_id, lease.task_id), lease)
        return stored.owner == lease.owner

    async def take_lease(self, lease: Lease, now: datetime) -> bool:
        """Put the lease in place of one that waits for anybody, or is over."""
        record = self._records.get(lease.instance_id)
        if record is None:
            return False
        stored = record.leases.get((lease.execution_id, lease.task_id))
        if stored is None or not rules.can_take(lease, stored.owner, stored.expires_at, now):
            return False
        record.leases[lease.execution_id, lease.task_id] = rules.renewed(lease, stored)
        return True

    async def query(
        self,
        filter_: InstanceFilter,
        *,
        limit: int,
        token: str | None = None,
        max_bytes: int | None = None,
    ) -> InstancePage:
        """One page of instances, newest first."""
        key = partial(_place, filter_)
        rows = sorted((record.seen for record in self._records.values()), key=key, reverse=True)
        newest = max((rules.micros(row.created_at) for row in rows), default=None)
        position = paging.read_token(filter_, token).begun(newest)
        place = (position.created_at, position.instance_id)
        below = [row for row in rows if (position.floor, _LAST_ID) < key(row) < place]
        found = [row for row in below if paging.matches(filter_, row)]
        page = tuple(found[: max(limit, 1)])
        page = page[: paging.fitting(page, max_bytes)]
        following = position.below(*key(page[-1])) if len(page) < len(found) else None
        if following is None and paging.goes_round(filter_, position, newest):
            following = position.next_round()
        token = paging.write_token(filter_, following) if following else None
        return InstancePage(instances=page, token=token)

    async def count(self, filter_: InstanceFilter) -> Counter[RuntimeStatus]:
        """How many instances the filter finds, by status."""
        rows = (record.seen for record in self._records.values())
        return Counter(row.status for row in rows if paging.matches(filter_, row))

    async def purge(self, instance_id: str, execution_id: str | None = None) -> bool:
        """Remove everything of a finished instance."""
        record = self._records.get(instance_id)
        if record is None or execution_id not in {None, record.row.execution_id}:
            return False
        rules.check_purge(record.seen, instance_id)
        del self._records[instance_id]
        return True

    async def remove_entity(self, instance_id: str, execution_id: str, number: int) -> Removal:
        """Remove an entity that has no mail, if this is its last batch."""
        record = self._records.get(instance_id)
        if record is None or not ids.is_entity(instance_id) or record.inbox:
            return Removal.KEPT
        is_it = record.row.execution_id == execution_id
        if not (is_it and await self.is_latest(instance_id, execution_id, number)):
            return Removal.KEPT
        del self._records[instance_id]
        return Removal.GONE

    async def recoverable(
        self,
        *,
        after: str = "",
        limit: int = 1000,
        sought: Sought = Sought.ALL,  # noqa: ARG002 - all are as cheap
    ) -> RecoverablePage:
        """Ids of instances that may need a wake-up, whichever are sought."""
        now = self._now()
        ids = (id_ for id_, record in self._records.items() if record.needs_wakeup(now))
        return paging.recoverable_page(sorted(id_ for id_ in ids if id_ > after)[:limit], limit)

    async def hold_lock(self, lock: NamedLock, now: datetime) -> bool:
        """Take the lock, or keep it."""
        return self._locks.hold(lock, now)

    async def release_lock(self, name: str, owner: str) -> None:
        """Let go of a lock."""
        self._locks.release(name, owner)

    async def locks(self, prefix: str) -> Sequence[NamedLock]:
        """The locks whose names begin so."""
        return self._locks.named(prefix)

    async def put_record(self, record: NamedRecord) -> None:
        """Store the record, whatever was there."""
        self._named[record.kind, record.key] = record

    async def change_record(self, record: NamedRecord, *, after: str | None) -> bool:
        """Store the record in place of another."""
        stored = self._named.get((record.kind, record.key))
        if not rules.can_change(record.stamp, after, stored.stamp if stored else None):
            return False
        self._named[record.kind, record.key] = record
        return True

    async def remove_record(self, kind: str, key: str, *, after: str | None = None) -> bool:
        """Remove the record."""
        stored = self._named.get((kind, key))
        if stored is not None and after not in {None, stored.stamp}:
            return False
        self._named.pop((kind, key), None)
        return True

    async def record(self, kind: str, key: str) -> NamedRecord | None:
        """The record, or None."""
        return self._named.get((kind, key))

    async def records(self, kind: str, *, after: str = "", limit: int = 100) -> RecordPage:
        """Records of a kind, in order."""
        found = sorted(each for each in self._named if each[0] == kind and each[1] > after)
        page = tuple(self._named[each] for each in found[:limit])
        return RecordPage(records=page, rest=page[-1].key if len(found) > limit else None)

    async def made_at(self) -> datetime:
        """With the process."""
        return self._made_at

    def _seen(self, instance_id: str) -> Instance | None:
        record = self._records.get(instance_id)
        return record.seen if record else None

    def _alarms(self) -> Iterator[tuple[datetime, str]]:
        return (
            (record.alarm, instance_id)
            for instance_id, record in self._records.items()
            if record.alarm is not None
        )

    def _leased(self, lease: Lease) -> MemoryRecord | None:
        record = self._records.get(lease.instance_id)
        stored = record and record.leases.get((lease.execution_id, lease.task_id))
        return record if stored and stored.owner == lease.owner else None

    def _obey(self, verdict: Verdict, instance: Instance) -> None:
        if verdict in {Verdict.ADD, Verdict.REPLACE}:
            self._records[instance.instance_id] = MemoryRecord(
                row=instance, alarm=instance.scheduled_start_at
            )

    def _addressee(self, instance_id: str, message: Message) -> MemoryRecord | None:
        """Who is to get the message: an entity is there from its first one on."""
        if instance_id not in self._records:
            born = rules.born_of(instance_id, message)
            if born is None:
                return None
            self._records[instance_id] = MemoryRecord(row=born)
        return self._records[instance_id]

    def _keep(self, notices: Sequence[Notice]) -> None:
        for record in map(record_of, notices):
            self._named[record.kind, record.key] = record

    def _apply(self, effects: Effects) -> Applied:
        self._keep(effects.notices)
        record = self._records.get(effects.instance_id)
        if record is not None:
            record.apply(effects)
        refused = tuple(
            start.instance.instance_id
            for start in effects.starts
            if self._refuses(start, effects.instance_id)
        )
        dropped = tuple(env.message.message_id for env in effects.messages if self._drops(env))
        return Applied(refused_starts=refused, dropped=dropped)

    def _refuses(self, start: Start, parent_id: str) -> bool:
        verdict = rules.judge_start(self._seen(start.instance.instance_id), start.instance)
        self._obey(verdict, start.instance)
        if verdict is Verdict.KEEP and start.refusal is not None:
            self._drops(Envelope(parent_id, start.refusal))
        return verdict is Verdict.KEEP

    def _drops(self, envelope: Envelope) -> bool:
        record = self._addressee(envelope.instance_id, envelope.message)
        if record is None or record.row.is_finished:
            return True
        record.inbox.setdefault(envelope.message.message_id, envelope.message)
        return False


def _place(filter_: InstanceFilter, row: Instance) -> tuple[int, str]:
    return (paging.moment_of(filter_, row), row.instance_id)


def _opened(_: StorePlace, clock: Clock) -> OpenStore:
    return with_local_queues(MemoryStore(clock.now))


def _home(store: HubStore, _: Provider) -> Home:
    if not isinstance(store, MemoryStore):
        return Home()
    return Home(messages=store.messages, tables=store.tables)


MEMORY = StoreKind(name="memory", opened=_opened, home=_home)
