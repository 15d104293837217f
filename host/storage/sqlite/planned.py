"""Rows to write and to delete, collected from many writes, and the order in which that is safe.

Rules of this file: `write` takes the kinds in a fixed order, so within one `Planned` the last word
on a row is what counts. What is said of a run as a whole (its end) comes after all else of that run
and, because a new life of an instance is another run, never touches what comes next.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field

from host.storage.sqlite import statements
from host.storage.sqlite.statements import ManyRows, Row

BatchKey = tuple[int, str, int]
LeaseKey = tuple[int, str, int]
MessageKey = tuple[int, str]


class BatchTakenError(Exception):
    """A batch of the group has a key that exists: another turn won."""


@dataclass(slots=True)
class Planned:
    """What a stretch of a transaction will do, by table. None in place of a row deletes it."""

    instances: dict[int, Row] = field(default_factory=dict)
    tags: dict[int, list[Row]] = field(default_factory=dict)
    """By run: those of new ones, and those of entities that have other tags now."""
    ended_tags: dict[int, None] = field(default_factory=dict)
    """Of these runs the entities, whose tags change: an orchestration keeps its own for life."""
    batches: dict[BatchKey, Row] = field(default_factory=dict)
    messages: dict[MessageKey, Row] = field(default_factory=dict)
    ended_messages: dict[MessageKey, None] = field(default_factory=dict)
    alarms: dict[int, Row | None] = field(default_factory=dict)
    leases: dict[LeaseKey, Row | None] = field(default_factory=dict)
    ended_batches: dict[BatchKey, None] = field(default_factory=dict)
    ended_executions: dict[tuple[int, str], None] = field(default_factory=dict)
    ended_claims: dict[tuple[int, str], None] = field(default_factory=dict)
    """Executions whose leases end."""
    ended_inboxes: list[Row] = field(default_factory=list)
    ended_leases: list[Row] = field(default_factory=list)
    ended_awaited: list[Row] = field(default_factory=list)
    """Runs of which only the leases of unawaited activities stay."""
    ended_runs: list[Row] = field(default_factory=list)

    def write(self, connection: sqlite3.Connection) -> set[int]:
        """Do it. Gives the runs whose inbox did not change as expected.

        Raises `BatchTakenError`: then roll the transaction back.
        """
        _run(statements.DELETE_INSTANCES, connection, self.ended_runs)
        _run(statements.PUT_INSTANCES, connection, list(self.instances.values()))
        self._write_tags(connection)
        added = _run(statements.ADD_BATCHES, connection, list(self.batches.values()))
        if added != len(self.batches):
            raise BatchTakenError
        _run(statements.DELETE_BATCHES, connection, list(self.ended_batches))
        uncertain = self._write_inboxes(connection)
        self._write_alarms(connection)
        _run(statements.DELETE_EXECUTION_LEASES, connection, list(self.ended_claims))
        self._write_leases(connection)
        _run(statements.DELETE_EXECUTIONS, connection, list(self.ended_executions))
        self._write_ends(connection)
        return uncertain

    def _write_tags(self, connection: sqlite3.Connection) -> None:
        if self.tags:
            _run(statements.DELETE_RUN_TAGS, connection, [(run,) for run in self.ended_tags])
            added = [row for rows in self.tags.values() for row in rows]
            _run(statements.ADD_TAGS, connection, added)

    def _write_inboxes(self, connection: sqlite3.Connection) -> set[int]:
        uncertain: set[int] = set()
        added = _run(statements.ADD_MESSAGES, connection, list(self.messages.values()))
        if added != len(self.messages):
            uncertain.update(run for run, _ in self.messages)
        ended = _run(statements.DELETE_MESSAGES, connection, list(self.ended_messages))
        if ended != len(self.ended_messages):
            uncertain.update(run for run, _ in self.ended_messages)
        return uncertain

    def _write_alarms(self, connection: sqlite3.Connection) -> None:
        if self.alarms:
            _run(statements.PUT_ALARMS, connection, [row for row in self.alarms.values() if row])
            ended = [(run,) for run, row in self.alarms.items() if row is None]
            _run(statements.DELETE_ALARMS, connection, ended)

    def _write_leases(self, connection: sqlite3.Connection) -> None:
        if self.leases:
            _run(statements.PUT_LEASES, connection, [row for row in self.leases.values() if row])
            ended = [key for key, row in self.leases.items() if row is None]
            _run(statements.DELETE_LEASES, connection, ended)

    def _write_ends(self, connection: sqlite3.Connection) -> None:
        _run(statements.DELETE_RUN_INBOX, connection, self.ended_inboxes + self.ended_runs)
        _run(statements.DELETE_RUN_AWAITED, connection, self.ended_awaited)
        _run(statements.DELETE_RUN_LEASES, connection, self.ended_leases + self.ended_runs)
        _run(statements.DELETE_RUN_BATCHES, connection, self.ended_runs)
        _run(statements.DELETE_ALARMS, connection, self.ended_runs)
        _run(statements.DELETE_RUN_TAGS, connection, self.ended_runs)


def _run(statement: ManyRows, connection: sqlite3.Connection, rows: Sequence[Row]) -> int:
    return statement.execute(connection, rows) if rows else 0
