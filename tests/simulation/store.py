"""One host's driver of the tables: the contract of `HubStore`, made of requests over the network.

Rules of this file: a commit is the conditional append, then the effects one after the other, in the
order of the DynamoDB driver. Nothing is put right here when a request fails: that is the engine's
work, and what the simulation is about.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime

from bindings.client import ReusePolicy, RuntimeStatus
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
    Unawaited,
)
from host.core.rewound import is_rewind
from host.errors import Conflict
from host.storage import paging, rules
from host.storage.kept_notices import record_of
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
from tests.simulation.clock import SkewedClock
from tests.simulation.network import Caller, Network
from tests.simulation.queues import SimulatedQueues
from tests.simulation.tables import Action, BatchKey, T, Tables


class SimulatedStore(HubStore):
    """The tables as one host sees them."""

    def __init__(
        self,
        tables: Tables,
        network: Network,
        caller: Caller,
        clock: SkewedClock,
        queues: SimulatedQueues,
    ) -> None:
        """`queues` are the host's: they know which instances it may lead."""
        self._queues = queues
        self._tables = tables
        self._network = network
        self._caller = caller
        self._clock = clock
        self._reached: dict[str, BatchKey] = {}
        """The latest turn that this host knows of each instance: it orders the alarms."""
        self._last_arrival = 0

    @property
    def was_interrupted(self) -> bool:
        """Many hosts share these tables."""
        return False

    async def expect_end(self) -> None:
        """Nothing to do."""

    def problems(self) -> Sequence[str]:
        """None that it knows of."""
        return ()

    async def open(self) -> None:
        """Nothing to do."""

    async def close(self) -> None:
        """Nothing to do."""

    async def create(
        self, instance: Instance, reuse: ReusePolicy, *, replaces: str | None = None
    ) -> Created:
        """Store a new instance."""
        return await self._write(
            "create",
            instance.instance_id,
            lambda: self._tables.create(instance, reuse, replaces),
        )

    async def plant(self, snapshot: Snapshot, *, leaves_work: bool) -> None:
        """Store a whole instance."""
        id_ = snapshot.instance.instance_id
        arrival = await self._next_arrival(id_)
        self._last_arrival += len(snapshot.inbox)
        await self._write("plant", id_, lambda: self._tables.plant(snapshot, arrival, leaves_work))

    async def get(self, instance_id: str) -> Instance | None:
        """The row."""
        return await self._read("get", instance_id, lambda: self._tables.get(instance_id))

    async def load(self, instance_id: str) -> Snapshot | None:
        """Everything of one instance."""
        snapshot = await self._read("load", instance_id, lambda: self._tables.load(instance_id))
        if snapshot is not None:
            self._learn(instance_id, _latest(snapshot))
        return snapshot

    async def read_inbox(self, instance_id: str, *, of: str | None = None) -> Sequence[Message]:
        """The messages not yet deleted."""
        return await self._read(
            "read inbox of", instance_id, lambda: self._tables.read_inbox(instance_id, of)
        )

    async def is_latest(self, instance_id: str, execution_id: str, number: int) -> bool:
        """Whether this batch is the execution's last."""
        turn = BatchKey(execution_id, number)
        return await self._read(
            "look behind", instance_id, lambda: self._tables.is_latest(instance_id, turn)
        )

    async def send(self, instance_id: str, message: Message, *, of: str | None = None) -> None:
        """Put one message into an inbox."""
        what = f"send {type(message.event).__name__} to"
        arrival = await self._next_arrival(instance_id)
        await self._write(
            what, instance_id, lambda: self._tables.send(instance_id, message, arrival, of)
        )

    async def commit(self, commit: Commit) -> Applied:
        """Append the batch, then apply its effects."""
        if not self._queues.holds(commit.instance_id):
            self._tables.witness.unheld(commit)
        latest = self._clock.latest
        what = f"append {commit.number} [{_in_words(commit)}] to"
        try:
            await self._write(what, commit.instance_id, lambda: self._tables.append(commit, latest))
        except Conflict:
            if not is_rewind(commit.batch):  # who rewinds does not lead
                self._queues.doubt(commit.instance_id)
            raise
        self._learn(commit.instance_id, BatchKey(commit.execution_id, commit.number))
        return await self.apply(commit.effects)

    async def apply(self, effects: Effects) -> Applied:
        """Apply effects, what is sent first, so that the row says that it was."""
        await self._keep(effects.notices)
        own_id, row = effects.instance_id, effects.row
        refused = await self._start(effects.starts)
        dropped = await self._deliver(
            [each for each in effects.messages if each.instance_id != own_id]
        )
        is_ending = row is not None and row.is_finished
        if is_ending:
            await self._apply_own(effects)
        refusals = [start.refusal for start in refused]
        dropped += await self._deliver([Envelope(own_id, x) for x in refusals if x is not None])
        dropped += await self._deliver(
            [each for each in effects.messages if each.instance_id == own_id]
        )
        if not is_ending:
            await self._apply_own(effects)
        return Applied(
            refused_starts=tuple(start.instance.instance_id for start in refused),
            dropped=tuple(dropped),
        )

    async def change_row(
        self, seen: Instance, new: Instance, *, notices: Sequence[Notice] = ()
    ) -> bool:
        """Put a row in place of the one that was seen."""
        await self._keep(notices)
        is_changed = await self._write(
            "change row of", seen.instance_id, lambda: self._tables.change_row(seen, new)
        )
        if not is_changed:
            for record in map(record_of, notices):
                await self.remove_record(record.kind, record.key)
        return is_changed

    async def _keep(self, notices: Sequence[Notice]) -> None:
        for record in map(record_of, notices):
            await self.put_record(record)

    async def due_alarms(self, now: datetime, limit: int) -> Sequence[Alarm]:
        """Alarms due."""
        self._tables.witness.has_read_alarms(self._caller.process.name)
        return await self._read("due alarms", "", lambda: self._tables.due_alarms(now, limit))

    async def next_alarm(self, after: datetime) -> datetime | None:
        """The first alarm later than `after`."""
        return await self._read("next alarm", "", lambda: self._tables.next_alarm(after))

    async def renew_lease(self, lease: Lease, *, heir: str | None = None) -> bool:
        """Set a new expiry, and perhaps a new owner."""
        return await self._write(
            f"renew lease {lease.task_id} of",
            lease.instance_id,
            lambda: self._tables.renew_lease(lease, heir),
        )

    async def finish_lease(self, lease: Lease, message: Message, *, keep: bool = False) -> bool:
        """Deliver a result, then end its lease, unless that is to be kept."""
        id_, envelope = lease.instance_id, Envelope(lease.instance_id, message)
        if not await self._read("look for lease of", id_, lambda: self._tables.owns_lease(lease)):
            return False
        is_heard = not (
            await self._read("look at", id_, lambda: self._tables.is_unawaited(lease))
            or await self._deliver([envelope])
        )
        if not keep:
            await self._write("end lease of", id_, lambda: self._tables.end_lease(lease))
        return is_heard

    async def claim_lease(self, lease: Lease, number: int) -> bool:
        """Store the lease of a task that nobody ever had, then look whether it is not too late."""
        id_ = lease.instance_id
        return await self._write(
            "claim lease of", id_, lambda: self._tables.claim_lease(lease)
        ) and await self._read("look at", id_, lambda: self._tables.is_at(lease, number))

    async def take_lease(self, lease: Lease, now: datetime) -> bool:
        """Take over a lease that waits for anybody, or is over."""
        id_ = lease.instance_id
        return await self._write("take lease of", id_, lambda: self._tables.take_lease(lease, now))

    async def query(
        self,
        filter_: InstanceFilter,
        *,
        limit: int,
        token: str | None = None,
        max_bytes: int | None = None,
    ) -> InstancePage:
        """One page of instances."""
        return await self._read(
            "query", "", lambda: self._tables.query(filter_, limit, token, max_bytes)
        )

    async def count(self, filter_: InstanceFilter) -> Mapping[RuntimeStatus, int]:
        """How many instances there are, by status."""
        return await self._read("count", "", lambda: self._tables.count(filter_))

    async def purge(self, instance_id: str, execution_id: str | None = None) -> bool:
        """Remove everything of a finished instance."""
        return await self._write(
            "purge", instance_id, lambda: self._tables.purge(instance_id, execution_id)
        )

    async def remove_entity(self, instance_id: str, execution_id: str, number: int) -> Removal:
        """Remove an entity."""
        turn = BatchKey(execution_id, number)
        return await self._write(
            "remove", instance_id, lambda: self._tables.remove_entity(instance_id, turn)
        )

    async def recoverable(
        self, *, after: str = "", limit: int = 1000, sought: Sought = Sought.ALL
    ) -> RecoverablePage:
        """Ids of instances that may need a wake-up."""
        now = self._clock.now()
        ids_ = await self._read(
            f"sweep ({sought.value})",
            "",
            lambda: self._tables.recoverable(now, after, limit, sought),
        )
        return paging.recoverable_page(ids_, limit)

    async def hold_lock(self, lock: NamedLock, now: datetime) -> bool:
        """Take a lock, or keep it."""
        return await self._write("lock", lock.name, lambda: self._tables.hold_lock(lock, now))

    async def release_lock(self, name: str, owner: str) -> None:
        """Let go of a lock."""
        await self._write("unlock", name, lambda: self._tables.release_lock(name, owner))

    async def locks(self, prefix: str) -> Sequence[NamedLock]:
        """The locks whose names begin so."""
        return await self._read("look at locks", prefix, lambda: self._tables.locks(prefix))

    async def put_record(self, record: NamedRecord) -> None:
        """Store a record."""
        name = f"{record.kind} {record.key}"
        await self._write("put record", name, lambda: self._tables.put_record(record))

    async def change_record(self, record: NamedRecord, *, after: str | None) -> bool:
        """Store a record in place of another."""
        name = f"{record.kind} {record.key}"
        return await self._write(
            "change record", name, lambda: self._tables.change_record(record, after)
        )

    async def remove_record(self, kind: str, key: str, *, after: str | None = None) -> bool:
        """Remove a record."""
        name = f"{kind} {key}"
        return await self._write(
            "remove record", name, lambda: self._tables.remove_record(kind, key, after)
        )

    async def record(self, kind: str, key: str) -> NamedRecord | None:
        """The record."""
        name = f"{kind} {key}"
        return await self._read("read record", name, lambda: self._tables.record(kind, key))

    async def records(self, kind: str, *, after: str = "", limit: int = 100) -> RecordPage:
        """Records of a kind."""
        return await self._read(
            "read records", kind, lambda: self._tables.records(kind, after, limit)
        )

    async def made_at(self) -> datetime:
        """Before the world began."""
        return rules.from_micros(0)

    # ---- effects ------------------------------------------------------------------------------

    async def _start(self, starts: Sequence[Start]) -> list[Start]:
        """Start sub-orchestrations, all at once; those that are refused."""
        started = await asyncio.gather(*(self._start_one(start) for start in starts))
        return [start for start, is_started in zip(starts, started, strict=True) if not is_started]

    async def _start_one(self, start: Start) -> bool:
        id_ = start.instance.instance_id
        return await self._write("start", id_, lambda: self._tables.start(start))

    async def _deliver(self, envelopes: Sequence[Envelope]) -> list[str]:
        """Deliver messages, in order; the ids of those that nobody can read."""
        return [each.message.message_id for each in envelopes if not await self._deliver_one(each)]

    async def _deliver_one(self, envelope: Envelope) -> bool:
        what = f"deliver {type(envelope.message.event).__name__} to"
        arrival = await self._next_arrival(envelope.instance_id)
        return await self._write(
            what, envelope.instance_id, lambda: self._tables.deliver(envelope, arrival)
        )

    async def _apply_own(self, effects: Effects) -> None:
        id_, tables = effects.instance_id, self._tables
        reached = self._reached.get(id_)
        for left in effects.unawaited:
            await self._leave(left, effects)
        row_lost = effects.row is None or not await self._write(
            "put row of", id_, lambda: tables.put_row(effects, reached)
        )
        if row_lost and effects.wake_at is not UNCHANGED:
            await self._write("set alarm of", id_, lambda: tables.set_alarm(effects, reached))
        if effects.consumed:
            await self._write(
                f"delete {len(effects.consumed)} messages of",
                id_,
                lambda: tables.delete_messages(effects),
            )
        for lease in effects.leases:
            await self._put_lease(lease, effects)
        dropped = effects.drop_execution
        if dropped is not None:
            await self._write("drop old execution of", id_, lambda: tables.drop(effects))

    async def _leave(self, left: Unawaited, effects: Effects) -> None:
        id_, task_id = left.lease.instance_id, left.lease.task_id
        await self._write(f"leave {task_id} of", id_, lambda: self._tables.leave(left, effects))

    async def _put_lease(self, lease: Lease, effects: Effects) -> None:
        what = f"put lease {lease.task_id} of"
        await self._write(what, lease.instance_id, lambda: self._tables.put_lease(lease, effects))

    # ---- inside -------------------------------------------------------------------------------

    async def _read(self, what: str, of: str, action: Action[T]) -> T:
        return await self._network.request(self._caller, what, of, action, writes=False)

    async def _write(self, what: str, of: str, action: Action[T]) -> T:
        return await self._network.request(self._caller, what, of, action, writes=True)

    async def _next_arrival(self, instance_id: str) -> int:
        """The time by this host's clock, but later than all that is in the inbox."""
        newest = await self._read(
            "look at inbox of", instance_id, lambda: self._tables.newest_arrival(instance_id)
        )
        now = rules.micros(self._clock.now())
        self._last_arrival = max(self._last_arrival + 1, newest + 1, now)
        return self._last_arrival

    def _learn(self, instance_id: str, turn: BatchKey) -> None:
        known = self._reached.get(instance_id)
        if known is None or known.execution_id != turn.execution_id or known < turn:
            self._reached[instance_id] = turn


def _latest(snapshot: Snapshot) -> BatchKey:
    """The last stored turn of the latest execution; before the first one it is number -1."""
    numbers = {batch.execution_id: batch.number for batch in snapshot.batches}
    execution_id = snapshot.instance.execution_id
    while (following := ids.next_execution_id(execution_id)) in numbers:
        execution_id = following
    return BatchKey(execution_id, numbers.get(execution_id, -1))


def _in_words(commit: Commit) -> str:
    return " ".join(type(event).__name__ for event in commit.batch.events[1:])
