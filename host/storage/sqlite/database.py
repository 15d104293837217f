"""The database: making it, bringing it up to date, and connecting to it.

Rules of this file: everything here blocks and is called off the event loop. A database is made
under another name, so that whoever finds it by its own finds it whole.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from host.errors import StorageUnavailableError
from host.os_words import path_in_words
from host.storage.sqlite import tables
from host.storage.sqlite.causes import NO_LOG, beside

LOWEST_SQLITE = (3, 34, 0)
"""Of what the statements need, `sqlite_schema` is the youngest (3.33); the lowest in distributions
that have a Python for this program is 3.34."""
CHECKPOINT_PAGES = 4000
"""How long the write-ahead log gets (16 MiB) before it is moved into the file."""
PATIENCE_MS = 2000
"""How long to wait for another program that has locked the file."""

PAGE_BYTES = 4096
_MAX_PATH_BYTES = 500
"""SQLite's own limit is 512, and the names of the files beside are longer."""


def check_limits(path: Path) -> None:
    """Raise `StorageUnavailableError` for what SQLite would refuse without saying why."""
    if sqlite3.sqlite_version_info < LOWEST_SQLITE:
        wanted = ".".join(map(str, LOWEST_SQLITE))
        raise StorageUnavailableError(
            f"This Python has SQLite {sqlite3.sqlite_version}, and the store needs {wanted} or "
            "later. Use a Python with a newer one."
        )
    length = len(os.fsencode(path))
    if length > _MAX_PATH_BYTES:
        raise StorageUnavailableError(
            f"The path of the store is {length} bytes long, and SQLite takes {_MAX_PATH_BYTES}: "
            f"choose a shorter folder for the data. It is {path_in_words(path)}."
        )


def make(path: Path) -> None:
    """Make the file, whole or not at all, readable by its owner only."""
    unfinished = beside(path, ".new")
    remove(unfinished)
    try:
        os.close(os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        upgrade(unfinished)
        unfinished.rename(path)
        sync_folder(path.parent)
    finally:
        remove(unfinished)


def upgrade(path: Path) -> None:
    """Bring the file up to date. It must exist and have been checked: this writes to it."""
    with closing(connect(path)) as connection:
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # heeded by an empty file only
        (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        if mode != "wal":
            raise StorageUnavailableError(f"The store {path_in_words(path)}: {NO_LOG}.")
        tables.migrate(connection)
        # Whoever holds a lease had this file, and is gone: its lease is over.
        connection.execute("UPDATE leases SET expires_at = 0")


def roll_back(path: Path) -> bool:
    """Undo what another program, or an older version of this one, was killed in the middle of.

    SQLite does it when a connection that may write reads for the first time. False if there was
    nothing of that kind.
    """
    journal = beside(path, "-journal")
    if not journal.exists() or not journal.stat().st_size:
        return False
    with closing(connect(path)) as connection:
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    return True


def connect(path: Path, *, for_reading: bool = False) -> sqlite3.Connection:
    """A connection that may be used from any one thread at a time."""
    connection = sqlite3.connect(
        path,
        timeout=PATIENCE_MS / 1000,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=256,
    )
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = OFF")
    connection.execute("PRAGMA cache_size = -8000")
    connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
    connection.execute(f"PRAGMA journal_size_limit = {CHECKPOINT_PAGES * PAGE_BYTES}")
    if for_reading:
        connection.execute("PRAGMA query_only = ON")
    return connection


def sync_folder(folder: Path) -> None:
    """Let a power cut not take back that a file in it has a new name."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove(path: Path) -> None:
    """Remove a file that was not finished, and what SQLite put beside it."""
    for suffix in ("", "-journal", "-wal", "-shm"):
        beside(path, suffix).unlink(missing_ok=True)
