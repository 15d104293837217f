"""What files hold: every state that was ever committed, and what a store makes of it."""

from __future__ import annotations

import shutil
import struct
from collections import defaultdict
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from msgspec.structs import replace

from host.core.records import Instance, Snapshot
from host.errors import DamagedDataError, StorageError
from host.storage import rules
from host.storage.protocol import InstanceFilter
from host.storage.sqlite import database, reads
from host.storage.sqlite.store import SqliteStore
from tests.kit.manual_clock import ManualClock

_WAL_HEADER, _FRAME_HEADER = 32, 24


@dataclass(slots=True)
class Committed:
    """By instance, what could be read of it after one commit or another; None while it was not."""

    snapshots: dict[str, list[Snapshot | None]] = field(default_factory=lambda: defaultdict(list))
    moments: int = 0

    def note(self, found: dict[str, Snapshot]) -> None:
        """One more moment."""
        for instance_id in found.keys() - self.snapshots.keys():
            self.snapshots[instance_id] = [None] * bool(self.moments)
        for instance_id, states in self.snapshots.items():
            state = found.get(instance_id)
            if not states or states[-1] != state:
                states.append(state)
        self.moments += 1

    def last(self) -> dict[str, Snapshot]:
        """The newest state of all that exist."""
        newest = {instance_id: states[-1] for instance_id, states in self.snapshots.items()}
        return {instance_id: state for instance_id, state in newest.items() if state is not None}

    def rows(self, instance_id: str) -> list[Instance]:
        """The rows that the instance had, as seen."""
        return [
            rules.seen(state.instance, has_batches=bool(state.batches))
            for state in self.snapshots[instance_id]
            if state is not None
        ]


def commit_ends(data: bytes) -> list[int]:
    """Where each commit of a log ends; the log must be whole and of one time."""
    if not data:
        return []
    (page_bytes,) = struct.unpack_from(">I", data, 8)
    salts = data[16:24]
    ends = []
    for at in range(_WAL_HEADER, len(data), _FRAME_HEADER + page_bytes):
        pages = int.from_bytes(data[at + 4 : at + 8], "big")
        if data[at + 8 : at + 16] != salts:
            break
        if pages:
            ends.append(at + _FRAME_HEADER + page_bytes)
    return ends


def committed_states(file: Path, room: Path) -> Committed:
    """All states from the database alone to the end of its log, one commit after the other."""
    committed = Committed()
    wal = file.with_name(file.name + "-wal")
    log = wal.read_bytes() if wal.exists() else b""
    for end in [0, *commit_ends(log)]:
        copy = room / f"{end}.db"
        shutil.copy(file, copy)
        copy.with_name(copy.name + "-wal").write_bytes(log[:end])
        committed.note(_read_all(copy))
    return committed


def _read_all(file: Path) -> dict[str, Snapshot]:
    with closing(database.connect(file)) as connection:
        ids = connection.execute("SELECT instance_id FROM instances").fetchall()
        return {id_: normal(found) for (id_,) in ids if (found := reads.load(connection, id_))}


def normal(snapshot: Snapshot) -> Snapshot:
    """Without the end of leases, which opening the file changes."""
    leases = tuple(replace(lease, expires_at=rules.from_micros(0)) for lease in snapshot.leases)
    return replace(snapshot, leases=leases)


@dataclass(slots=True)
class Found:
    """What a store gave."""

    refusal: str = ""
    """Why the store as a whole was refused."""
    snapshots: dict[str, Snapshot | None] = field(default_factory=dict)
    rows: dict[str, Instance] = field(default_factory=dict)
    listed: dict[str, Instance] = field(default_factory=dict)
    reported: dict[str, str] = field(default_factory=dict)
    """What it said of instances that it could not read."""


async def open_and_read(file: Path, instance_ids: list[str]) -> Found:
    """Everything that the store of this file gives, or how it refuses."""
    store = SqliteStore(file, ManualClock().now)
    found = Found()
    try:
        await store.open()
    except StorageError as error:
        found.refusal = str(error)
        return found
    try:
        await _read(store, instance_ids, found)
    finally:
        await store.close()
    return found


async def _read(store: SqliteStore, instance_ids: list[str], found: Found) -> None:
    for instance_id in instance_ids:
        try:
            snapshot = await store.load(instance_id)
            found.snapshots[instance_id] = snapshot and normal(snapshot)
        except DamagedDataError as error:
            found.reported[instance_id] = str(error)
            continue
        row = await store.get(instance_id)
        if row is not None:
            found.rows[instance_id] = row
    page = await store.query(InstanceFilter(), limit=1000)
    found.listed = {row.instance_id: row for row in page.instances}
