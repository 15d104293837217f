"""Files that real hosts wrote: at rest, killed with a full log, and with a log that was moved."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from tests.faults.hosted import hosted
from tests.faults.states import Committed, committed_states
from tests.integration.crash.workload import chain, countdown, fan_out, fed_by_notifier, parent

FIRST = [chain(0), chain(1), fan_out(0), parent(0), *fed_by_notifier(0), countdown(0)]
SECOND = [chain(2), chain(3), fan_out(1), parent(1), *fed_by_notifier(1), countdown(1)]


@dataclass(frozen=True, slots=True)
class Written:
    """A folder of files as they were found, and all states that were ever committed to them."""

    folder: Path
    name: str
    committed: Committed

    def copy_to(self, folder: Path) -> Path:
        """The database file of a new copy."""
        shutil.copytree(self.folder, folder)
        return folder / self.name


@dataclass(frozen=True, slots=True)
class WrittenFiles:
    """The same work, left behind in three ways."""

    at_rest: Written
    killed: Written
    moved: Written


async def write_files(room: Path) -> WrittenFiles:
    """Let one host work and stop, and a second one work and be killed."""
    at_rest, killed, moved = room / "at rest", room / "killed", room / "moved"
    async with hosted(room / "data") as hub:
        await hub.start()
        await hub.begin(FIRST)
        await hub.go(FIRST[::2])
        await hub.assert_right(FIRST[:1])
        await hub.stop()
        shutil.copytree(hub.data, at_rest)
        await hub.start()
        await hub.begin(SECOND)
        await hub.go(FIRST[1::2])
        await hub.go(SECOND[::2])
        await hub.assert_right(FIRST)
        await hub.kill9()
        shutil.copytree(hub.data, killed)
        name = hub.file.name
    _move_log(killed, moved, name)
    return WrittenFiles(
        at_rest=_written(at_rest, name, room / "states at rest"),
        killed=(both := _written(killed, name, room / "states")),
        moved=Written(moved, name, both.committed),
    )


def _move_log(source: Path, target: Path, name: str) -> None:
    """Copy the files, the log's pages moved into the database and the log still there."""
    work = target.with_name("work")
    shutil.copytree(source, work)
    with closing(sqlite3.connect(work / name)) as connection:
        busy, *_ = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        assert not busy
        shutil.copytree(work, target)


def _written(folder: Path, name: str, room: Path) -> Written:
    room.mkdir()
    return Written(folder, name, committed_states(folder / name, room))
