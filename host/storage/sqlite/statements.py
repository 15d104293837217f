"""The SQL of the writer, and statements over many rows.

Rules of this file: one call writes many rows. sqlite3 gives the interpreter lock away around every
step and has to wait to get it back while the event loop is busy, so what counts is how few steps a
group of writes takes, not how few rows. The number of rows in a text is a power of two, so that a
few prepared statements serve all; the last row is repeated to fill up. Hence every statement here
must make nothing of a row that comes twice.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, repeat
from typing import Any

Value = str | int | bytes | None
Row = Sequence[Value]

MAX_ROWS = 256


class ManyRows:
    """A statement with a list of rows where its text has `{rows}`."""

    def __init__(self, text: str, *, columns: int) -> None:
        row = f"({', '.join('?' * columns)})"
        sizes = [1 << power for power in range(MAX_ROWS.bit_length())]
        self._texts = {size: text.format(rows=", ".join([row] * size)) for size in sizes}

    def execute(self, connection: sqlite3.Connection, rows: Sequence[Row]) -> int:
        """Run it over all rows; gives how many rows of the table changed."""
        return sum(cursor.rowcount for cursor in self._cursors(connection, rows))

    def select(self, connection: sqlite3.Connection, rows: Sequence[Row]) -> list[tuple[Any, ...]]:
        """What it finds for all rows. A row given twice is found once."""
        found: list[tuple[Any, ...]] = []
        for cursor in self._cursors(connection, rows):
            found += cursor.fetchall()
        return found

    def _cursors(
        self, connection: sqlite3.Connection, rows: Sequence[Row]
    ) -> Iterator[sqlite3.Cursor]:
        for start in range(0, len(rows), MAX_ROWS):
            part = rows[start : start + MAX_ROWS]
            size = 1 << (len(part) - 1).bit_length()
            filled: Iterable[Row] = chain(part, repeat(part[-1], size - len(part)))
            yield connection.execute(self._texts[size], tuple(chain.from_iterable(filled)))


FIND_HEADS = ManyRows(
    """
    SELECT instance_id, status, name, created_at, run, data,
           EXISTS (SELECT 1 FROM batches WHERE batches.run = instances.run),
           EXISTS (SELECT 1 FROM alarms WHERE alarms.run = instances.run),
           EXISTS (SELECT 1 FROM leases WHERE leases.run = instances.run),
           (SELECT count(*) FROM inbox WHERE inbox.run = instances.run)
    FROM instances WHERE instance_id IN (VALUES {rows})
    """,
    columns=1,
)

PUT_INSTANCES = ManyRows(
    """
    INSERT INTO instances (run, instance_id, status, is_finished, is_blocked, name, created_at,
                           scheduled_start_at, updated_at, data)
    VALUES {rows}
    ON CONFLICT (run) DO UPDATE SET
        status = excluded.status, is_finished = excluded.is_finished,
        is_blocked = excluded.is_blocked, scheduled_start_at = excluded.scheduled_start_at,
        updated_at = excluded.updated_at, data = excluded.data
    """,
    columns=10,
)
"""What a run keeps for life (its name, when it was created) is not set again: to set a column is to
write each index that has it anew."""
DELETE_INSTANCES = ManyRows("DELETE FROM instances WHERE run IN (VALUES {rows})", columns=1)

ADD_TAGS = ManyRows(
    "INSERT OR IGNORE INTO instance_tags (run, name, value, created_at, instance_id) VALUES {rows}",
    columns=5,
)
DELETE_RUN_TAGS = ManyRows("DELETE FROM instance_tags WHERE run IN (VALUES {rows})", columns=1)

ADD_BATCHES = ManyRows(
    "INSERT OR IGNORE INTO batches (run, execution_id, number, leaves_work, data) VALUES {rows}",
    columns=5,
)
DELETE_BATCHES = ManyRows(
    """
    DELETE FROM batches WHERE rowid IN (
        SELECT batches.rowid FROM (VALUES {rows}) AS ended CROSS JOIN batches
        ON run = ended.column1 AND execution_id = ended.column2 AND number = ended.column3)
    """,
    columns=3,
)
DELETE_EXECUTIONS = ManyRows(
    """
    DELETE FROM batches WHERE rowid IN (
        SELECT batches.rowid FROM (VALUES {rows}) AS ended CROSS JOIN batches
        ON run = ended.column1 AND execution_id = ended.column2)
    """,
    columns=2,
)
DELETE_RUN_BATCHES = ManyRows("DELETE FROM batches WHERE run IN (VALUES {rows})", columns=1)

ADD_MESSAGES = ManyRows(
    "INSERT OR IGNORE INTO inbox (run, message_id, data) VALUES {rows}", columns=3
)
DELETE_MESSAGES = ManyRows(
    """
    DELETE FROM inbox WHERE arrival IN (
        SELECT arrival FROM (VALUES {rows}) AS ended CROSS JOIN inbox
        ON run = ended.column1 AND message_id = ended.column2)
    """,
    columns=2,
)
DELETE_RUN_INBOX = ManyRows("DELETE FROM inbox WHERE run IN (VALUES {rows})", columns=1)
COUNT_INBOXES = ManyRows(
    "SELECT run, count(*) FROM inbox WHERE run IN (VALUES {rows}) GROUP BY run", columns=1
)

PUT_ALARMS = ManyRows(
    "INSERT OR REPLACE INTO alarms (run, due, instance_id) VALUES {rows}", columns=3
)
DELETE_ALARMS = ManyRows("DELETE FROM alarms WHERE run IN (VALUES {rows})", columns=1)

PUT_LEASES = ManyRows(
    """
    INSERT INTO leases (run, execution_id, task_id, owner, expires_at, tries, data) VALUES {rows}
    ON CONFLICT (run, execution_id, task_id) DO UPDATE SET
        owner = excluded.owner, expires_at = excluded.expires_at,
        tries = max(tries, excluded.tries), data = coalesce(data, excluded.data)
    """,
    columns=7,
)
DELETE_LEASES = ManyRows(
    """
    DELETE FROM leases WHERE rowid IN (
        SELECT leases.rowid FROM (VALUES {rows}) AS ended CROSS JOIN leases
        ON run = ended.column1 AND execution_id = ended.column2 AND task_id = ended.column3)
    """,
    columns=3,
)
DELETE_EXECUTION_LEASES = ManyRows(
    """
    DELETE FROM leases WHERE rowid IN (
        SELECT leases.rowid FROM (VALUES {rows}) AS ended CROSS JOIN leases
        ON run = ended.column1 AND execution_id = ended.column2 AND leases.data IS NULL)
    """,
    columns=2,
)
DELETE_RUN_LEASES = ManyRows("DELETE FROM leases WHERE run IN (VALUES {rows})", columns=1)
DELETE_RUN_AWAITED = ManyRows(
    "DELETE FROM leases WHERE run IN (VALUES {rows}) AND data IS NULL", columns=1
)

FIND_BATCH = "SELECT 1 FROM batches WHERE run = ? AND execution_id = ? AND number = ?"
FIND_LEASE = """
    SELECT owner, expires_at, data IS NOT NULL FROM leases
    WHERE run = ? AND execution_id = ? AND task_id = ?
"""
FIND_UNAWAITED = "SELECT 1 FROM leases WHERE run = ? AND data IS NOT NULL LIMIT 1"
