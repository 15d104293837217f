"""Group commit: all writes that wait are one transaction, one fsync.

Rules of this file: runs in the writer thread. A write that the contract refuses fails alone and
changes nothing. Anything else that goes wrong rolls the whole group back; its members are then done
one by one, so that only the guilty one fails. What concerns them all fails them all, at once: a
file that is not there, and one that another program has locked. For that program nobody waits
twice, so that each caller is answered within `PATIENCE_MS`, and so is the end of the host.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path

from bindings.errors import FunchostError
from host.errors import Conflict, StorageUnavailableError
from host.storage.sqlite.causes import is_held, primary_code
from host.storage.sqlite.database import PATIENCE_MS
from host.storage.sqlite.group import Group
from host.storage.sqlite.heads import HeadCache
from host.storage.sqlite.planned import BatchTakenError
from host.storage.sqlite.room import Room
from host.storage.sqlite.trouble import Trouble
from host.storage.sqlite.writes import Write

_IMPATIENCE_MS = 20


class Writer:
    """Does groups of writes on the one connection that writes.

    `loss` is the trouble that the file is not there, which others find out. `look_at_log` finds out
    whether the log is whole, and notes it there if not.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        path: Path,
        cache: HeadCache,
        *,
        loss: Trouble | None = None,
        look_at_log: Callable[[], None] = lambda: None,
        room: Room | None = None,
    ) -> None:
        self._connection = connection
        self._cache = cache
        self._loss = loss or Trouble(path)
        self._look_at_log = look_at_log
        self._room = room or Room(path)
        self.trouble = Trouble(path)
        """What the disk does not do."""
        self.hold = Trouble(path)
        """That another program has locked the file."""
        (last,) = connection.execute("SELECT coalesce(max(run), 0) FROM instances").fetchone()
        self._next_run: int = last + 1

    def write(self, writes: Sequence[Write[object]]) -> Sequence[object]:
        """The answer of each write: its result, or the exception for its caller."""
        self._look_at_log()
        if self._loss.text is not None:
            return [StorageUnavailableError(self._loss.text)] * len(writes)
        try:
            return self._transact(writes)
        except BatchTakenError:
            if len(writes) == 1:
                return [Conflict("Another turn of the instance won.")]
        except Exception as error:  # noqa: BLE001 - whatever it is, only its cause may fail
            if is_held(error):
                return [self.hold.failure(error)] * len(writes)
            if len(writes) == 1:
                return [self._alone(writes, error)]
        return [answer for write in writes for answer in self.write([write])]

    def look_for_hold(self) -> None:
        """Find out whether another program has locked the file, without writing anything."""
        try:
            self._begin()
        except sqlite3.Error as error:
            if is_held(error):
                self.hold.failure(error)
            return
        self._connection.execute("ROLLBACK")

    def shorten_log(self) -> bool:
        """Move the log into the file and cut it off; False if somebody still reads it."""
        self._wait_at_most(_IMPATIENCE_MS)
        try:
            (busy, *_) = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        finally:
            self._wait_at_most(PATIENCE_MS if self.hold.text is None else _IMPATIENCE_MS)
        return not busy

    def make_room(self) -> bool:
        """Shorten the log of a full disk with the room that is kept for that; as `shorten_log`."""
        self._room.give_up()
        try:
            return self.shorten_log()
        finally:
            self._room.keep()

    def _alone(self, writes: Sequence[Write[object]], error: Exception) -> object:
        """The answer of one write that failed: on a full disk the log may have room to give."""
        if primary_code(error) == sqlite3.SQLITE_FULL and self.trouble.text is None:
            try:
                self.make_room()
                return self._transact(writes)[0]
            except BatchTakenError:
                return Conflict("Another turn of the instance won.")
            except Exception as again:  # noqa: BLE001 - as above
                error = again
        return self.trouble.failure(error)

    def _begin(self) -> None:
        """Raises what `is_held` tells if another program has locked the file."""
        was_held = self.hold.text is not None
        try:
            self._connection.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            if is_held(error) and not was_held:
                self._wait_at_most(_IMPATIENCE_MS)
            raise
        if was_held:
            self._wait_at_most(PATIENCE_MS)
            self.hold.over()

    def _wait_at_most(self, milliseconds: int) -> None:
        self._connection.execute(f"PRAGMA busy_timeout = {milliseconds:d}")

    def _transact(self, writes: Sequence[Write[object]]) -> Sequence[object]:
        connection = self._connection
        self._begin()
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
        is_in_trouble = self.trouble.text is not None
        if is_in_trouble and group.has_written and self._room.is_beside_more():
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
