"""The hub in one DynamoDB table: the contract, handed to the parts that keep it.

Rules of this file: no keys, no expressions, no decisions. How the table is laid out, `keys` and
`items` say; who creates it, `funchost hub create`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from bindings.client import ReusePolicy, RuntimeStatus
from host.core.records import Commit, Effects, Instance, Lease, Message, Notice, Snapshot
from host.storage.aws.table.alarms import Alarms
from host.storage.aws.table.effects import EffectsWriter
from host.storage.aws.table.heads import FRESH_FOR
from host.storage.aws.table.hub_table import HubTable
from host.storage.aws.table.inboxes import Inboxes
from host.storage.aws.table.instances import Instances
from host.storage.aws.table.keys import BatchKey
from host.storage.aws.table.leases import Leases
from host.storage.aws.table.leftovers import Leftovers
from host.storage.aws.table.listing import Listing
from host.storage.aws.table.locks import Locks
from host.storage.aws.table.named_records import NamedRecords
from host.storage.aws.table.planting import Planting
from host.storage.aws.table.recovery import Recovery
from host.storage.aws.table.removals import Removals
from host.storage.aws.table.snapshots import Snapshots
from host.storage.aws.table.table import Table
from host.storage.aws.table.turns import Turns
from host.storage.aws.wire.client import AwsClient
from host.storage.protocol import (
    Alarm,
    Applied,
    Created,
    InstanceFilter,
    InstancePage,
    NamedLock,
    NamedRecord,
    RecordPage,
    RecoverablePage,
    Removal,
    Sought,
)


class DynamoStore:
    """A `HubStore` that any number of processes may share. The client stays its caller's.

    `fresh_for` is how long what was seen of an instance's run may be trusted, see `heads`.
    """

    def __init__(
        self,
        client: AwsClient,
        table_name: str,
        now: Callable[[], datetime],
        *,
        fresh_for: timedelta = FRESH_FOR,
    ) -> None:
        self._table = Table(client, table_name)
        self._hub = HubTable(self._table, now)
        self._alarms = Alarms(self._hub)
        self._inboxes = Inboxes(self._hub)
        self._leftovers = Leftovers(self._hub)
        self._instances = Instances(self._hub, self._alarms, self._inboxes, self._leftovers)
        self._leases = Leases(self._hub, self._inboxes)
        self._planting = Planting(self._hub, self._alarms, self._leftovers)
        self._records = NamedRecords(self._hub)
        self._effects = EffectsWriter(
            self._hub,
            self._instances,
            self._inboxes,
            self._alarms,
            self._leases,
            records=self._records,
        )
        self._removals = Removals(self._hub)
        self._snapshots = Snapshots(self._hub, self._inboxes, self._leftovers)
        self._turns = Turns(self._hub, fresh_for)
        self._listing = Listing(self._hub)
        self._recovery = Recovery(self._hub)
        self._locks = Locks(self._hub)

    @property
    def was_interrupted(self) -> bool:
        """Nobody owns it alone."""
        return False

    async def expect_end(self) -> None:
        """Nothing to do: leases and hints say of each piece of work whose host vanished."""

    def problems(self) -> Sequence[str]:
        """What fails is tried again, call by call."""
        return ()

    async def open(self) -> None:
        """Check that the table is there and of a format that this version knows."""
        await self._hub.parts.open()

    async def close(self) -> None:
        """Forget what was seen; every write was answered when it was done."""
        self._hub.heads.clear()
        self._inboxes.forget()

    async def create(
        self, instance: Instance, reuse: ReusePolicy, *, replaces: str | None = None
    ) -> Created:
        """Store a new, Pending instance."""
        return await self._instances.create(instance, reuse, replaces)

    async def plant(self, snapshot: Snapshot, *, leaves_work: bool) -> None:
        """Store a whole instance."""
        await self._planting.plant(snapshot, leaves_work=leaves_work)

    async def get(self, instance_id: str) -> Instance | None:
        """The row, as seen."""
        found = await self._hub.find_seen(instance_id)
        return found.row if found else None

    async def load(self, instance_id: str) -> Snapshot | None:
        """Everything of one instance."""
        return await self._snapshots.load(instance_id)

    async def read_inbox(self, instance_id: str, *, of: str | None = None) -> Sequence[Message]:
        """The messages not yet deleted."""
        return await self._inboxes.read(instance_id, of)

    async def is_latest(self, instance_id: str, execution_id: str, number: int) -> bool:
        """Whether this batch is the execution's last."""
        return await self._turns.is_latest(instance_id, BatchKey(execution_id, number))

    async def send(self, instance_id: str, message: Message, *, of: str | None = None) -> None:
        """Put one message into an inbox."""
        await self._inboxes.send(instance_id, message, of)

    async def commit(self, commit: Commit) -> Applied:
        """Append the batch, then apply its effects."""
        await self._turns.append(commit)
        return await self._effects.apply(commit.effects, are_new=True)

    async def apply(self, effects: Effects) -> Applied:
        """Apply effects."""
        return await self._effects.apply(effects)

    async def change_row(
        self, seen: Instance, new: Instance, *, notices: Sequence[Notice] = ()
    ) -> bool:
        """Put a row in place of the one that was seen."""
        if not notices:
            return await self._effects.change_row(seen, new)
        await self._records.keep(notices)
        is_changed = await self._effects.change_row(seen, new)
        if not is_changed:
            await self._records.take_back(notices)
        return is_changed

    async def due_alarms(self, now: datetime, limit: int) -> Sequence[Alarm]:
        """Alarms due, the oldest first."""
        return await self._alarms.due(now, limit)

    async def next_alarm(self, after: datetime) -> datetime | None:
        """The first alarm later than `after`."""
        return await self._alarms.next(after)

    async def renew_lease(self, lease: Lease, *, heir: str | None = None) -> bool:
        """Set a new expiry, and perhaps a new owner."""
        return await self._leases.renew(lease, heir)

    async def finish_lease(self, lease: Lease, message: Message, *, keep: bool = False) -> bool:
        """Deliver the result of a leased activity, then end the lease."""
        return await self._leases.finish(lease, message, keep=keep)

    async def claim_lease(self, lease: Lease, number: int) -> bool:
        """Store the lease of a task that nobody ever had."""
        return await self._leases.claim(lease, number)

    async def take_lease(self, lease: Lease, now: datetime) -> bool:
        """Put the lease in place of one that waits for anybody, or is over."""
        return await self._leases.take(lease, now)

    async def query(
        self,
        filter_: InstanceFilter,
        *,
        limit: int,
        token: str | None = None,
        max_bytes: int | None = None,
    ) -> InstancePage:
        """One page of instances, newest first."""
        return await self._listing.query(
            filter_, limit=max(limit, 1), token=token, max_bytes=max_bytes
        )

    async def count(self, filter_: InstanceFilter) -> Mapping[RuntimeStatus, int]:
        """How many instances the filter finds, by status."""
        return await self._listing.count(filter_)

    async def purge(self, instance_id: str, execution_id: str | None = None) -> bool:
        """Remove everything of a finished instance."""
        return await self._instances.purge(instance_id, execution_id)

    async def remove_entity(self, instance_id: str, execution_id: str, number: int) -> Removal:
        """Mark an entity that has no mail, or remove it, if this is its last batch."""
        return await self._removals.remove(instance_id, BatchKey(execution_id, number))

    async def remove_leftovers(self) -> int:
        """Look through the whole table and remove what belongs to nobody; how many items.

        Harmless at any time. It reads every item once, which is paid for.
        """
        return await self._leftovers.repair()

    async def recoverable(
        self, *, after: str = "", limit: int = 1000, sought: Sought = Sought.ALL
    ) -> RecoverablePage:
        """Ids of instances that may need a wake-up."""
        await self._leftovers.sweep_expected()
        return await self._recovery.find(after, limit, sought)

    async def hold_lock(self, lock: NamedLock, now: datetime) -> bool:
        """Take the lock, or keep it. All hosts come by here: so they look after this as well."""
        await self._hub.parts.look_by_the_way()
        await self._leftovers.sweep_expected()
        return await self._locks.hold(lock, now)

    async def release_lock(self, name: str, owner: str) -> None:
        """Let go of a lock."""
        await self._locks.release(name, owner)

    async def locks(self, prefix: str) -> Sequence[NamedLock]:
        """The locks whose names begin so."""
        return await self._locks.named(prefix)

    async def put_record(self, record: NamedRecord) -> None:
        """Store the record, whatever was there."""
        await self._records.put(record)

    async def change_record(self, record: NamedRecord, *, after: str | None) -> bool:
        """Store the record in place of another."""
        return await self._records.change(record, after)

    async def remove_record(self, kind: str, key: str, *, after: str | None = None) -> bool:
        """Remove the record."""
        return await self._records.remove(kind, key, after)

    async def record(self, kind: str, key: str) -> NamedRecord | None:
        """The record, or None."""
        return await self._records.find(kind, key)

    async def records(self, kind: str, *, after: str = "", limit: int = 100) -> RecordPage:
        """Records of a kind, in order."""
        return await self._records.page(kind, after, limit)

    async def made_at(self) -> datetime | None:
        """When the hub was made, as its format says."""
        return self._hub.parts.format.made_at
