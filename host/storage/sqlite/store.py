"""The hub in one SQLite file: the contract, handed to the writer and the reader thread.

Rules of this file: no SQL, nothing that blocks. A write is answered when it is on the disk. What
the heads say of an instance is true, because this process owns the file: so an empty inbox is not
read, and an instance that was just created is loaded from memory.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, cast

from bindings.client import ReusePolicy, RuntimeStatus
from host.core.records import Commit, Effects, Instance, Lease, Message, Notice, Snapshot
from host.errors import StorageError, StorageUnavailableError
from host.storage import paging, rules
from host.storage.local_locks import LocalLocks
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
from host.storage.sqlite import causes, database, listing, opening, reads, records, writes
from host.storage.sqlite.care import Care
from host.storage.sqlite.heads import Head, HeadCache
from host.storage.sqlite.ownership import OwnedFile
from host.storage.sqlite.planting import PlantWrite
from host.storage.sqlite.presence import Presence
from host.storage.sqlite.reader import Read, Reader
from host.storage.sqlite.room import Room
from host.storage.sqlite.threads import GroupThread
from host.storage.sqlite.trouble import Trouble
from host.storage.sqlite.writer import Writer
from host.storage.sqlite.writes import Write
from host.whole_calls import in_thread

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Connections:
    writing: sqlite3.Connection
    reading: sqlite3.Connection

    def close(self) -> None:
        """The writing one last: it moves the write-ahead log into the file."""
        self.reading.close()
        self.writing.close()


_abandoned: list[_Connections | None] = []
"""Connections that end with the process, without a last write."""


@dataclass(frozen=True, slots=True)
class _Parts:
    writer: Writer
    reader: Reader
    care: Care
    presence: Presence


@dataclass(frozen=True, slots=True)
class _Threads:
    writer: GroupThread[Write[object]]
    reader: GroupThread[Read]


class SqliteStore:
    """A `HubStore` in a file that this store owns from `open` to `close`."""

    def __init__(self, path: Path, now: Callable[[], datetime]) -> None:
        self._path = path
        self._now = now
        self._locks = LocalLocks()
        self._owned: OwnedFile | None = None
        self._heads = HeadCache()
        self._connections: _Connections | None = None
        self._threads: _Threads | None = None
        self._loss = Trouble(path)
        self._room = Room(path)
        self._troubles: tuple[Trouble, ...] = ()
        self._presence: Presence | None = None
        self._probe: asyncio.Future[None] | None = None

    @property
    def was_interrupted(self) -> bool:
        """Whether the owner before ended without closing the store."""
        owned = self._owned
        return owned is not None and owned.was_interrupted and not owned.was_told_to_stop

    async def expect_end(self) -> None:
        """Note beside the file that its owner was told to stop."""
        try:
            if self._owned is not None:
                await in_thread(self._owned.expect_end)
        except OSError as error:
            raise causes.translate(error, self._path) from error

    def problems(self) -> Sequence[str]:
        """What failed last and has not worked since then.

        Asking makes the store try, so it is ready again without anybody's work.
        """
        found = [trouble.text for trouble in self._troubles if trouble.text is not None]
        if found and self._threads is not None and (self._probe is None or self._probe.done()):
            self._probe = asyncio.ensure_future(self._try_out())
        return found

    async def _try_out(self) -> None:
        with suppress(StorageError):
            await self.write(writes.ProbeWrite())
            await self.read(reads.probe)

    async def open(self) -> None:
        """Take the file, upgrade it, start the threads."""
        if self._threads is not None:
            return
        try:
            parts = await in_thread(self._open)
        except asyncio.CancelledError:
            if self._owned is not None:  # it may have been opened all the same
                await in_thread(self._let_go, is_clean=not self._owned.was_interrupted)
            raise
        writer, reader = parts.writer, parts.reader
        self._loss = parts.presence.trouble
        self._troubles = (self._loss, writer.hold, writer.trouble, reader.trouble)
        self._threads = _Threads(
            GroupThread("sqlite-writer", writer.write, parts.care.look),
            GroupThread("sqlite-reader", reader.read),
        )

    def _open(self) -> _Parts:
        path = Path(os.path.realpath(self._path))  # the files beside it are found by this name
        owned = self._owned = OwnedFile(path)
        try:
            file = opening.open_file(path, owned)
            writing = database.connect(path)
            self._connections = _Connections(writing, database.connect(path, for_reading=True))
            reads.probe(writing)  # makes the log, which is looked for from now on
            presence = self._presence = Presence(path, file)
            room = self._room = Room(path)
            writer = Writer(
                writing,
                path,
                self._heads,
                loss=presence.trouble,
                look_at_log=presence.look_at_log,
                room=room,
            )
            return _Parts(
                writer=writer,
                reader=Reader(self._connections.reading, path, loss=presence.trouble),
                care=Care(writing, path, writer=writer, presence=presence, room=room),
                presence=presence,
            )
        except Exception as error:
            self._let_go(is_clean=not owned.was_interrupted)
            raise causes.translate(error, self._path) from error

    async def close(self) -> None:
        """Finish what was accepted, then let go of the file."""
        threads = self._threads
        if self._probe is not None:
            await self._probe
        if threads is not None:
            await threads.writer.stop()
            await threads.reader.stop()
            self._threads = None
        await in_thread(self._let_go)

    def _let_go(self, *, is_clean: bool = True) -> None:
        connections, self._connections = self._connections, None
        presence, self._presence = self._presence, None
        if presence is not None:
            presence.look_at_log()
        if presence is not None and presence.is_log_cut_off:
            _abandoned.append(connections)  # to close them would move what is not there
            is_clean = False
        elif connections is not None:
            self._room.give_up()  # to move the log may take it
            connections.close()
        if presence is not None and not presence.is_log_cut_off:
            presence.close()
        self._heads = HeadCache()
        if self._owned is not None:
            self._owned.release(is_clean=is_clean)

    async def create(
        self, instance: Instance, reuse: ReusePolicy, *, replaces: str | None = None
    ) -> Created:
        """Store a new, Pending instance."""
        return await self.write(writes.CreateWrite(instance, reuse, replaces))

    async def plant(self, snapshot: Snapshot, *, leaves_work: bool) -> None:
        """Store a whole instance."""
        await self.write(PlantWrite(snapshot, leaves_work=leaves_work))

    async def get(self, instance_id: str) -> Instance | None:
        """The row, as seen."""
        head = self._known(instance_id)
        if head is not None and head.fresh is not None:
            return head.fresh
        return cast("Instance | None", await self._opened().reader.submit(instance_id))

    async def load(self, instance_id: str) -> Snapshot | None:
        """Everything of one instance."""
        head = self._known(instance_id)
        if head is not None and head.fresh is not None and (inbox := head.known_mail()) is not None:
            at = head.fresh.scheduled_start_at
            return Snapshot(instance=head.fresh, inbox=inbox, wake_at=at)
        return await self.read(partial(reads.load, instance_id=instance_id))

    async def read_inbox(self, instance_id: str, *, of: str | None = None) -> Sequence[Message]:
        """The messages not yet deleted."""
        head = self._known(instance_id)
        if head is not None and (inbox := head.known_mail()) is not None:
            if of is not None:
                rules.check_copy(head, instance_id, of)
            return inbox
        return await self.read(partial(reads.read_inbox, instance_id=instance_id, of=of))

    async def is_latest(self, instance_id: str, execution_id: str, number: int) -> bool:
        """Whether this batch is the execution's last."""
        read = partial(reads.last_number, instance_id=instance_id, execution_id=execution_id)
        return await self.read(read) == number

    async def send(self, instance_id: str, message: Message, *, of: str | None = None) -> None:
        """Put one message into an inbox."""
        await self.write(writes.SendWrite(instance_id, message, of))

    async def commit(self, commit: Commit) -> Applied:
        """Append the batch and apply its effects, as one."""
        return await self.write(writes.CommitWrite(commit))

    async def apply(self, effects: Effects) -> Applied:
        """Apply effects."""
        return await self.write(writes.ApplyWrite(effects))

    async def change_row(
        self, seen: Instance, new: Instance, *, notices: Sequence[Notice] = ()
    ) -> bool:
        """Put a row in place of the one that was seen."""
        return await self.write(writes.ChangeRowWrite(seen, new, notices))

    async def due_alarms(self, now: datetime, limit: int) -> Sequence[Alarm]:
        """Alarms due, the oldest first."""
        return await self.read(partial(reads.due_alarms, now=now, limit=limit))

    async def next_alarm(self, after: datetime) -> datetime | None:
        """The first alarm later than `after`."""
        return await self.read(partial(reads.next_alarm, after=after))

    async def renew_lease(self, lease: Lease, *, heir: str | None = None) -> bool:
        """Set a new expiry, and perhaps a new owner."""
        return await self.write(writes.RenewLeaseWrite(lease, heir))

    async def finish_lease(self, lease: Lease, message: Message, *, keep: bool = False) -> bool:
        """Deliver the result of a leased activity and end the lease, as one."""
        return await self.write(writes.FinishLeaseWrite(lease, message, keep=keep))

    async def claim_lease(self, lease: Lease, number: int) -> bool:
        """Store the lease of a task that nobody ever had."""
        return await self.write(writes.ClaimLeaseWrite(lease, number))

    async def take_lease(self, lease: Lease, now: datetime) -> bool:
        """Put the lease in place of one that waits for anybody, or is over."""
        return await self.write(writes.TakeLeaseWrite(lease, now))

    async def query(
        self,
        filter_: InstanceFilter,
        *,
        limit: int,
        token: str | None = None,
        max_bytes: int | None = None,
    ) -> InstancePage:
        """One page of instances, newest first."""
        return await self.read(
            partial(
                listing.query,
                filter_=filter_,
                limit=max(limit, 1),
                token=token,
                max_bytes=max_bytes,
            )
        )

    async def count(self, filter_: InstanceFilter) -> Mapping[RuntimeStatus, int]:
        """How many instances the filter finds, by status."""
        if paging.looks_at_data(filter_):
            return await paging.counted(self._large_page, filter_)
        found: Counter[RuntimeStatus] = Counter()
        above: tuple[int, str] | None = None
        while True:
            read = partial(listing.count, filter_=filter_, above=above)
            some, above = await self.read(read)
            found += some
            if above is None:
                return found

    async def _large_page(self, filter_: InstanceFilter, token: str | None) -> InstancePage:
        return await self.query(filter_, limit=paging.COUNTED_TOGETHER, token=token)

    async def purge(self, instance_id: str, execution_id: str | None = None) -> bool:
        """Remove everything of a finished instance."""
        return await self.write(writes.PurgeWrite(instance_id, execution_id))

    async def remove_entity(self, instance_id: str, execution_id: str, number: int) -> Removal:
        """Remove an entity that has no mail, if this is its last batch."""
        return await self.write(writes.RemoveEntityWrite(instance_id, execution_id, number))

    async def recoverable(
        self,
        *,
        after: str = "",
        limit: int = 1000,
        sought: Sought = Sought.ALL,
    ) -> RecoverablePage:
        """Ids of instances that may need a wake-up."""
        read = partial(reads.recoverable, after=after, now=self._now(), limit=limit, sought=sought)
        return paging.recoverable_page(await self.read(read), limit)

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
        await self.write(records.PutRecord(record))

    async def change_record(self, record: NamedRecord, *, after: str | None) -> bool:
        """Store the record in place of another."""
        return await self.write(records.ChangeRecord(record, after))

    async def remove_record(self, kind: str, key: str, *, after: str | None = None) -> bool:
        """Remove the record."""
        return await self.write(records.RemoveRecord(kind, key, after))

    async def record(self, kind: str, key: str) -> NamedRecord | None:
        """The record, or None."""
        return await self.read(partial(records.find, kind=kind, key=key))

    async def records(self, kind: str, *, after: str = "", limit: int = 100) -> RecordPage:
        """Records of a kind, in order."""
        return await self.read(partial(records.page, kind=kind, after=after, limit=limit))

    async def made_at(self) -> datetime | None:
        """When the file was made."""
        return await self.read(records.made_at)

    def _known(self, instance_id: str) -> Head | None:
        """What memory says of the instance; nothing if the file may say otherwise."""
        return self._heads.get(instance_id) if self._loss.text is None else None

    def write(self, write: Write[T]) -> asyncio.Future[T]:
        """Have the writer do it; the answer comes when it is on the disk."""
        answer: asyncio.Future[Any] = self._opened().writer.submit(write)
        return answer

    def read(self, read: Callable[[sqlite3.Connection], T]) -> asyncio.Future[T]:
        """Have the reader do it."""
        answer: asyncio.Future[Any] = self._opened().reader.submit(read)
        return answer

    def _opened(self) -> _Threads:
        if self._threads is None:
            raise StorageUnavailableError(f"The store {self._path} is not open.")
        return self._threads
