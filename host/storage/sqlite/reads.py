"""The reads of the contract, on the connection that only reads.

Rules of this file: runs in the reader thread, but for `is_stuck`, which is the writer's. A read
that takes several statements is one transaction, so it sees one moment. Listings are in `listing`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime

from host.core.records import Instance, Lease, Message, Snapshot
from host.errors import DamagedDataError
from host.storage import rules
from host.storage.protocol import Alarm, Sought
from host.storage.sqlite import sealed
from host.storage.sqlite.statements import ManyRows

_GET = ManyRows(
    """
    SELECT instance_id, data, EXISTS (SELECT 1 FROM batches WHERE batches.run = instances.run)
    FROM instances WHERE instance_id IN (VALUES {rows})
    """,
    columns=1,
)
_RUN = "SELECT run, data FROM instances WHERE instance_id = ?"
_ROW_OF_RUN = "SELECT data FROM instances WHERE run = ?"
_BATCHES = """
    SELECT execution_id, number, data FROM batches WHERE run = ? ORDER BY execution_id, number
"""
_INBOX = "SELECT message_id, data FROM inbox WHERE run = ? ORDER BY arrival"
_INBOX_OF = """
    SELECT message_id, data FROM inbox WHERE run = (SELECT run FROM instances WHERE instance_id = ?)
    ORDER BY arrival
"""
_LAST_NUMBER = """
    SELECT coalesce(max(number), -1) FROM batches
    WHERE run = (SELECT run FROM instances WHERE instance_id = ?) AND execution_id = ?
"""
_ALARM = "SELECT due FROM alarms WHERE run = ?"
_LEASES = """
    SELECT execution_id, task_id, owner, expires_at, tries, data FROM leases WHERE run = ?
    ORDER BY execution_id, task_id
"""
_DUE = "SELECT instance_id, due FROM alarms WHERE due <= ? ORDER BY due, instance_id LIMIT ?"
_NEXT = "SELECT min(due) FROM alarms WHERE due > ?"
_RECOVERABLE = """
    SELECT instance_id FROM instances
    WHERE instance_id > ? AND run IN (
        SELECT run FROM leases WHERE data IS NOT NULL AND expires_at <= ?)
    UNION
    SELECT instance_id FROM instances AS found
    WHERE NOT is_finished AND instance_id > ? AND (
        is_blocked
        OR (status = 'Pending' AND (scheduled_start_at IS NULL OR scheduled_start_at <= ?)
            AND NOT EXISTS (SELECT 1 FROM batches WHERE batches.run = found.run))
        OR EXISTS (SELECT 1 FROM inbox WHERE inbox.run = found.run)
        OR EXISTS (
            WITH RECURSIVE execution (id) AS (
                SELECT min(execution_id) FROM batches WHERE run = found.run
                UNION ALL
                SELECT (SELECT min(execution_id) FROM batches
                        WHERE run = found.run AND execution_id > execution.id)
                FROM execution WHERE execution.id IS NOT NULL
            )
            SELECT 1 FROM execution
            WHERE (SELECT leaves_work FROM batches
                   WHERE run = found.run AND execution_id = execution.id
                   ORDER BY number DESC LIMIT 1)
        )
    )
    ORDER BY instance_id LIMIT ?
"""
_BLOCKED = """
    SELECT instance_id FROM instances
    WHERE instance_id > ? AND run IN (
        SELECT run FROM leases WHERE data IS NOT NULL AND expires_at <= ?)
    UNION
    SELECT instance_id FROM instances INDEXED BY instances_blocked
    WHERE is_blocked AND NOT is_finished AND instance_id > ?
    ORDER BY instance_id LIMIT ?
"""
"""The same of those that are blocked only, without a look at the batches of all others."""


def get_many(connection: sqlite3.Connection, instance_ids: Iterable[str]) -> dict[str, Instance]:
    """The rows of those that exist, as seen. Raises `DamagedDataError`."""
    rows = _GET.select(connection, [(instance_id,) for instance_id in instance_ids])
    found = (
        rules.seen(sealed.open_instance(data, instance_id), has_batches=bool(has_batches))
        for instance_id, data, has_batches in rows
    )
    return {row.instance_id: row for row in found}


def load(connection: sqlite3.Connection, instance_id: str) -> Snapshot | None:
    """Everything of one instance, at one moment. Raises `DamagedDataError`."""
    with one_moment(connection):
        found = connection.execute(_RUN, (instance_id,)).fetchone()
        return None if found is None else _snapshot(connection, instance_id, *found)


def read_inbox(
    connection: sqlite3.Connection, instance_id: str, of: str | None = None
) -> tuple[Message, ...]:
    """The messages not yet deleted. Raises `Conflict` if the row is not of the execution `of`."""
    with one_moment(connection):
        if of is not None:
            row = get_many(connection, [instance_id]).get(instance_id)
            rules.check_copy(row, instance_id, of)
        rows = connection.execute(_INBOX_OF, (instance_id,)).fetchall()
    return _open_inbox(rows, instance_id)


def last_number(connection: sqlite3.Connection, instance_id: str, execution_id: str) -> int:
    """The number of the execution's last batch; -1 if there is none."""
    (number,) = connection.execute(_LAST_NUMBER, (instance_id, execution_id)).fetchone()
    return int(number)


def is_stuck(connection: sqlite3.Connection, run: int, instance_id: str) -> bool:
    """Whether the row or a message of the inbox cannot be read.

    Termination is a message, and its end a row. A history that cannot be read is in nobody's way.
    """
    (row,) = connection.execute(_ROW_OF_RUN, (run,)).fetchone()
    inbox = connection.execute(_INBOX, (run,)).fetchall()
    try:
        sealed.open_instance(row, instance_id)
        _open_inbox(inbox, instance_id)
    except DamagedDataError:
        return True
    return False


def due_alarms(connection: sqlite3.Connection, now: datetime, limit: int) -> list[Alarm]:
    """Alarms due, the oldest first."""
    rows = connection.execute(_DUE, (rules.micros(now), limit)).fetchall()
    return [Alarm(instance_id=id_, due=rules.from_micros(due)) for id_, due in rows]


def next_alarm(connection: sqlite3.Connection, after: datetime) -> datetime | None:
    """The first alarm later than `after`."""
    (due,) = connection.execute(_NEXT, (rules.micros(after),)).fetchone()
    return None if due is None else rules.from_micros(due)


def recoverable(
    connection: sqlite3.Connection, after: str, now: datetime, limit: int, sought: Sought
) -> list[str]:
    """Ids of instances that may need a wake-up; only those that are blocked if these are sought."""
    moment = rules.micros(now)
    if sought is Sought.BLOCKED:
        rows = connection.execute(_BLOCKED, (after, moment, after, limit)).fetchall()
    else:
        rows = connection.execute(_RECOVERABLE, (after, moment, after, moment, limit)).fetchall()
    return [instance_id for (instance_id,) in rows]


def probe(connection: sqlite3.Connection) -> None:
    """Read something."""
    connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()


@contextmanager
def one_moment(connection: sqlite3.Connection) -> Iterator[None]:
    """All reads within see the same state."""
    connection.execute("BEGIN")
    try:
        yield
    finally:
        connection.execute("COMMIT")


def _snapshot(connection: sqlite3.Connection, instance_id: str, run: int, data: bytes) -> Snapshot:
    batches = connection.execute(_BATCHES, (run,)).fetchall()
    inbox = connection.execute(_INBOX, (run,)).fetchall()
    leases = connection.execute(_LEASES, (run,)).fetchall()
    alarm = connection.execute(_ALARM, (run,)).fetchone()
    return Snapshot(
        instance=sealed.open_instance(data, instance_id),
        batches=sealed.open_batches(batches, instance_id),
        inbox=_open_inbox(inbox, instance_id),
        leases=tuple(_lease(instance_id, values) for values in leases),
        wake_at=None if alarm is None else rules.from_micros(alarm[0]),
    )


def _open_inbox(rows: Iterable[tuple[str, bytes]], instance_id: str) -> tuple[Message, ...]:
    return tuple(sealed.open_message(data, instance_id, id_) for id_, data in rows)


def _lease(instance_id: str, row: tuple[str, int, str, int, int, bytes | None]) -> Lease:
    execution_id, task_id, owner, expires_at, tries, data = row
    scheduled = None if data is None else sealed.open_scheduled(data, instance_id, task_id)
    return Lease(
        instance_id=instance_id,
        execution_id=execution_id,
        task_id=task_id,
        owner=owner,
        expires_at=rules.from_micros(expires_at),
        scheduled=scheduled,
        tries=tries,
    )
