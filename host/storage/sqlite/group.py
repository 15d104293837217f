"""A group of writes: what is planned for one transaction, and how it gets into the file.

Rules of this file: writes are planned one after another, each against the heads as the ones before
left them, and only collected; `flush` then does all of them, each kind by one statement. The order
between kinds is lost on the way, so where it would matter (a message that returns after it was
deleted, say) the plan flushes in between. A group that fails is thrown away with its heads.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from msgspec.structs import replace

from host.core import ids
from host.core.records import Instance, Lease, Message
from host.errors import Conflict, DamagedDataError
from host.storage import rules
from host.storage.sqlite import reads, sealed, statements
from host.storage.sqlite.heads import MAX_KEPT_BYTES, Head, HeadCache, head_of
from host.storage.sqlite.planned import BatchTakenError, Planned
from host.storage.sqlite.statements import ManyRows, Row


class StoredLease(NamedTuple):
    """What is to be known of a lease to judge it; `is_unawaited`: it says what is to be run."""

    owner: str
    expires_at: datetime
    is_unawaited: bool


class Group:
    """The writes of one transaction, and the heads as they are after it."""

    def __init__(self, connection: sqlite3.Connection, cache: HeadCache, next_run: int) -> None:
        self._connection = connection
        self._cache = cache
        self._planned = Planned()
        self._uncertain: set[int] = set()
        self._changes_before = connection.total_changes
        self._has_probed = False
        self.next_run = next_run
        self.heads: dict[str, Head | None] = {}
        """The heads that the group read, made or changed; None for a removed instance."""

    def find(self, instance_ids: Iterable[str]) -> None:
        """Read the heads of these instances that are not known yet, by one statement."""
        missing = [(id_,) for id_ in set(instance_ids) if self._cache.get(id_) is None]
        if not missing:
            return
        for row in statements.FIND_HEADS.select(self._connection, missing):
            head = _read_head(row)
            self.heads[head.instance_id] = head

    def head(self, instance_id: str) -> Head | None:
        """The head of an instance that `find` was asked for, as the writes before left it."""
        if instance_id in self.heads:
            return self.heads[instance_id]
        return self._cache.get(instance_id)

    def add_instance(self, instance: Instance, data: bytes) -> Head:
        """Store a new run; the id must be free."""
        head = head_of(instance, run=self.next_run, size=len(data))
        self.next_run += 1
        if len(data) <= MAX_KEPT_BYTES:
            head = replace(head, fresh=instance)
        self._planned.instances[head.run] = _instance_row(head.run, instance, data)
        if instance.tags:
            self._planned.tags[head.run] = _tag_rows(head.run, instance)
        if instance.scheduled_start_at is not None:
            self._put_alarm(head, instance.scheduled_start_at)
        return self._set(head)

    def remove(self, head: Head) -> None:
        """Remove everything of a run."""
        self._planned.instances.pop(head.run, None)
        self._planned.ended_runs.append((head.run,))
        self.heads[head.instance_id] = None

    def put_row(self, head: Head, row: Instance, data: bytes) -> Head:
        """Replace the row; a finished one ends the inbox, the alarm, and the leases that end."""
        if head.status.is_finished:  # it ends no more what its end was to end
            self.flush()
        self._planned.instances[head.run] = _instance_row(head.run, row, data)
        if head.tags != row.tags and ids.is_entity(row.instance_id):
            self._planned.ended_tags[head.run] = None
            self._planned.tags[head.run] = _tag_rows(head.run, row)
        new = head_of(row, run=head.run, size=len(data))
        if row.is_finished:
            ends_all = rules.ends_all_work(row)
            self._end_work(head, ends_all=ends_all)
            return self._set(replace(new, has_leases=head.has_leases and not ends_all))
        return self._set(
            replace(
                new,
                status=rules.seen_status(row.status, has_batches=head.has_batches),
                has_batches=head.has_batches,
                inbox=head.inbox,
                only_mail=head.only_mail,
                has_alarm=head.has_alarm,
                has_leases=head.has_leases,
            )
        )

    def add_batch(
        self, head: Head, execution_id: str, number: int, data: bytes, *, leaves_work: bool
    ) -> Head:
        """Append a batch. `BatchTakenError`, here or from `flush`, says that its key exists."""
        key = (head.run, execution_id, number)
        if key in self._planned.batches:
            raise BatchTakenError
        if key[:2] in self._planned.ended_executions:
            self.flush()
        self._planned.batches[key] = (*key, int(leaves_work), data)
        if head.has_batches:
            return head
        status = rules.seen_status(head.status, has_batches=True)
        return self._set(replace(head, status=status, has_batches=True, fresh=None))

    def end_batch_before(self, head: Head, execution_id: str, number: int) -> None:
        """Delete the batch that the one of this number takes the place of.

        Raises `Conflict` if that is not there: those before it are gone, and their keys are free.
        """
        is_next = self.has_batch(head, execution_id, number - 1) if number else not head.has_batches
        if not is_next:
            raise Conflict(f"Another turn of '{head.instance_id}' won.")
        if not number:
            return
        key = (head.run, execution_id, number - 1)
        if key in self._planned.batches:
            self.flush()
        self._planned.ended_batches[key] = None

    def end_execution(self, head: Head, execution_id: str) -> None:
        """Delete all batches and leases of an execution."""
        self._planned.ended_executions[head.run, execution_id] = None
        if head.has_leases:
            if self._planned.leases:
                self.flush()
            self._planned.ended_claims[head.run, execution_id] = None

    def has_batch(self, head: Head, execution_id: str, number: int) -> bool:
        """Whether this batch is there."""
        key = (head.run, execution_id, number)
        is_stored = self._connection.execute(statements.FIND_BATCH, key).fetchone() is not None
        return is_stored or key in self._planned.batches

    def has_mail(self, head: Head) -> bool:
        """Whether there are messages: counted, for the head's count may be too low until the end.

        All that is planned so far is done by then.
        """
        self.flush()
        rows = statements.COUNT_INBOXES.select(self._connection, [(head.run,)])
        return any(count for _, count in rows)

    def add_message(self, head: Head, message: Message, data: bytes) -> Head:
        """Put a message, and the bytes that it is stored as, into the inbox, unless it is there."""
        key = (head.run, message.message_id)
        if key in self._planned.ended_messages:
            self.flush()
        if key in self._planned.messages:
            return head
        self._planned.messages[key] = (*key, data)
        if head.inbox or len(data) > MAX_KEPT_BYTES:
            return self._set(replace(head, inbox=head.inbox + 1, only_mail=None, fresh=None))
        return self._set(replace(head, inbox=1, only_mail=message))

    def end_messages(self, head: Head, message_ids: Iterable[str]) -> Head:
        """Delete messages of the inbox; some may be gone already."""
        keys = dict.fromkeys((head.run, message_id) for message_id in message_ids)
        if not self._planned.ended_messages.keys().isdisjoint(keys):
            self.flush()
        self._planned.ended_messages.update(keys)
        return self._set(replace(head, inbox=head.inbox - len(keys), only_mail=None))

    def set_alarm(self, head: Head, due: datetime | None) -> Head:
        """Replace the alarm, or clear it."""
        if due is not None:
            self._put_alarm(head, due)
        elif head.has_alarm:
            self._planned.alarms[head.run] = None
        else:
            return head
        return self._set(replace(head, has_alarm=due is not None, fresh=None))

    def find_lease(self, head: Head, lease: Lease) -> StoredLease | None:
        """The stored lease of this task."""
        if not head.has_leases:
            return None
        if self._planned.leases or self._planned.ended_claims:
            self.flush()
        key = (head.run, lease.execution_id, lease.task_id)
        found = self._connection.execute(statements.FIND_LEASE, key).fetchone()
        if found is None:
            return None
        owner, expires_at, is_unawaited = found
        return StoredLease(owner, rules.from_micros(expires_at), bool(is_unawaited))

    def put_lease(self, head: Head, lease: Lease, data: bytes | None = None) -> Head:
        """Store the lease in place of any other of its task; what that says is to be run stays.

        `data` is what is to be run, sealed.
        """
        key = (head.run, lease.execution_id, lease.task_id)
        expires_at = rules.micros(lease.expires_at)
        self._planned.leases[key] = (*key, lease.owner, expires_at, lease.tries, data)
        return self._set(replace(head, has_leases=True, fresh=None))

    def end_lease(self, head: Head, lease: Lease) -> None:
        """Delete the lease of a task."""
        self._planned.leases[head.run, lease.execution_id, lease.task_id] = None

    def is_stuck(self, head: Head) -> bool:
        """Whether the instance can neither be led nor terminated, since it cannot be read.

        The file is asked: it may have been damaged after the head was made.
        """
        self.flush()
        return reads.is_stuck(self._connection, head.run, head.instance_id)

    def execute(self, statement: str, values: Row) -> list[tuple[Any, ...]]:
        """Run a statement of its own, beside what is planned; the rows that it gives."""
        return self._connection.execute(statement, values).fetchall()

    def execute_many(self, statement: ManyRows, rows: Sequence[Row]) -> list[tuple[Any, ...]]:
        """The same for a statement over many rows."""
        return statement.select(self._connection, rows) if rows else []

    def probe(self) -> None:
        """Make the transaction write something although nothing changes."""
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        self._connection.execute(f"PRAGMA user_version = {version:d}")
        self._has_probed = True

    @property
    def has_written(self) -> bool:
        """Whether the transaction has something for the disk: a commit of nothing always works."""
        return self._has_probed or self._connection.total_changes > self._changes_before

    def flush(self) -> None:
        """Do what is planned so far. Raises `BatchTakenError`: then roll everything back."""
        planned, self._planned = self._planned, Planned()
        self._uncertain |= planned.write(self._connection)

    def finish(self) -> None:
        """Do all that is planned, and count again the inboxes that are not as expected.

        Raises `BatchTakenError`: then roll everything back.
        """
        self.flush()
        if not self._uncertain:
            return
        rows = [(run,) for run in self._uncertain]
        counts: dict[int, int] = dict(statements.COUNT_INBOXES.select(self._connection, rows))
        for head in list(self.heads.values()):
            if head is not None and head.run in self._uncertain:
                self._set(replace(head, inbox=counts.get(head.run, 0), only_mail=None, fresh=None))

    def _set(self, head: Head) -> Head:
        self.heads[head.instance_id] = head
        return head

    def _put_alarm(self, head: Head, due: datetime) -> None:
        self._planned.alarms[head.run] = (head.run, rules.micros(due), head.instance_id)

    def has_unawaited(self, head: Head) -> bool:
        """Whether there are unawaited activities."""
        if not head.has_leases:
            return False
        self.flush()
        found = self._connection.execute(statements.FIND_UNAWAITED, (head.run,)).fetchone()
        return found is not None

    def _end_work(self, head: Head, *, ends_all: bool) -> None:
        # A deleted message that was not there makes the count too low until `finish`.
        if head.inbox or self._planned.ended_messages or head.run in self._uncertain:
            self._planned.ended_inboxes.append((head.run,))
        if head.has_alarm:
            self._planned.alarms[head.run] = None
        if head.has_leases and ends_all:
            self._planned.ended_leases.append((head.run,))
        elif head.has_leases:
            self._planned.ended_awaited.append((head.run,))


def _instance_row(run: int, row: Instance, data: bytes) -> Row:
    start = row.scheduled_start_at
    return (
        run,
        row.instance_id,
        row.status.value,
        int(row.is_finished),
        int(row.blocked_reason is not None),
        row.name,
        rules.micros(row.created_at),
        None if start is None else rules.micros(start),
        rules.micros(row.updated_at),
        data,
    )


def _tag_rows(run: int, row: Instance) -> list[Row]:
    created_at = rules.micros(row.created_at)
    return [(run, name, value, created_at, row.instance_id) for name, value in row.tags.items()]


def _read_head(found: tuple[Any, ...]) -> Head:
    *columns, run, data, has_batches, has_alarm, has_leases, inbox = found
    row, is_damaged = _open_row(data, *columns)
    head = head_of(rules.seen(row, has_batches=bool(has_batches)), run=run, size=len(data))
    return replace(
        head,
        tags=None if is_damaged else head.tags,
        has_batches=bool(has_batches),
        has_alarm=bool(has_alarm),
        has_leases=bool(has_leases),
        inbox=inbox,
        is_damaged=is_damaged,
    )


def _open_row(
    data: bytes, instance_id: str, status: str, name: str, created_at: int
) -> tuple[Instance, bool]:
    try:
        return sealed.open_instance(data, instance_id), False
    except DamagedDataError as error:
        row = rules.stand_in(
            instance_id, status=status, name=name, created_at=created_at, error=error
        )
        return row, True
