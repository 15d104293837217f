"""Group commit: all writes that wait are one transaction, one fsync.

Rules of this file: runs in the writer thread. A write that the contract refuses fails alone and
changes nothing. Anything else that goes wrong rolls the whole group back; its members are then done
one by one, so that only the guilty one fails.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from bindings.errors import FunchostError
from host.errors import Conflict
from host.storage.sqlite.database import translate
from host.storage.sqlite.group import Group
from host.storage.sqlite.heads import HeadCache
from host.storage.sqlite.planned import BatchTakenError
from host.storage.sqlite.trouble import Trouble
from host.storage.sqlite.writes import Write


class Writer:
    """Does groups of writes on the one connection that writes."""

    def __init__(self, connection: sqlite3.Connection, path: Path, cache: HeadCache) -> None:
        self._connection = connection
        self._path = path
        self._cache = cache
        self.trouble = Trouble(path)
        (last,) = connection.execute("SELECT coalesce(max(run), 0) FROM instances").fetchone()
        self._next_run: int = last + 1

    def write(self, writes: Sequence[Write[object]]) -> Sequence[object]:
        """The answer of each write: its result, or the exception for its caller."""
        try:
            return self._transact(writes)
        except BatchTakenError:
            if len(writes) == 1:
                return [Conflict("Another turn of the instance won.")]
        except Exception as error:  # noqa: BLE001 - whatever it is, only its cause may fail
            if len(writes) == 1:
                failure = translate(error, self._path)
                self.trouble.note(failure)
                return [failure]
        return [answer for write in writes for answer in self.write([write])]

    def _transact(self, writes: Sequence[Write[object]]) -> Sequence[object]:
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            group = Group(connection, self._cache, self._next_run)
            group.find(instance_id for write in writes for instance_id in write.instance_ids)
            answers = [_plan(write, group) for write in writes]
            group.finish()
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        self._accept(group)
        if group.has_written:
            self.trouble.over()
        return answers

    def _accept(self, group: Group) -> None:
        self._next_run = group.next_run
        for instance_id, head in group.heads.items():
            if head is None or head.status.is_finished:
                self._cache.forget(instance_id)
            else:
                self._cache.put(head)


def _plan(write: Write[object], group: Group) -> object:
    try:
        return write.plan(group)
    except FunchostError as refusal:
        return refusal
