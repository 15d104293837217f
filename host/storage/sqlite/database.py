"""The file: opening, owning and upgrading it, and what its errors mean.

Rules of this file: everything here blocks and is called off the event loop. One process owns the
file, by a lock on a file beside it that the kernel lets go of when the process ends, however it
ends.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from pathlib import Path
from typing import IO

from host.errors import StorageError, StorageUnavailableError
from host.storage.sqlite import tables

CHECKPOINT_PAGES = 4000
"""How long the write-ahead log gets (16 MiB) before it is moved into the file."""

_UNAVAILABLE = {
    sqlite3.SQLITE_FULL: "the disk is full; make room and try again",
    sqlite3.SQLITE_READONLY: "it cannot be written; check the permissions of the file and folder",
    sqlite3.SQLITE_IOERR: "the disk reported an error",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened; check the permissions of the file and folder",
    sqlite3.SQLITE_CORRUPT: "it is damaged; restore it from a backup",
    sqlite3.SQLITE_NOTADB: (
        "it is not a SQLite database, or its head is damaged; restore it from a backup, or give "
        "this host another file"
    ),
    sqlite3.SQLITE_BUSY: "another program has locked it; close that program",
    sqlite3.SQLITE_LOCKED: "another program has locked it; close that program",
}
_PRIMARY_CODE = 0xFF


def translate(error: Exception, path: Path) -> StorageError:
    """What an unexpected error of the driver means to its caller."""
    if isinstance(error, StorageError):
        return error
    if isinstance(error, OSError):
        return StorageUnavailableError(f"The store {path} cannot be opened: {error}.")
    code = getattr(error, "sqlite_errorcode", 0) & _PRIMARY_CODE
    text = " ".join(str(error).split())
    if code in _UNAVAILABLE:
        return StorageUnavailableError(f"The store {path}: {_UNAVAILABLE[code]} ({text}).")
    return StorageError(f"The store {path} could not do it: {type(error).__name__}: {text}")


class OwnedFile:
    """A path that only this process uses, from `acquire` to `release`.

    The file names its owner while it has one, so an owner that nobody released has crashed.
    """

    def __init__(self, path: Path) -> None:
        self._path = path.with_name(path.name + ".lock")
        self._file: IO[str] | None = None
        self.was_interrupted = False
        """Whether the owner before ended without `release`."""

    def acquire(self) -> None:
        """Raises `StorageUnavailableError` if another process, or another store, has it."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        file = os.fdopen(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600), "r+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            owner = file.read().strip() or "unknown"
            file.close()
            raise StorageUnavailableError(
                f"Another host (process {owner}) has {self._path.with_suffix('')} open. Stop it, "
                "or give this host another file."
            ) from error
        self.was_interrupted = bool(file.read().strip())
        file.seek(0)
        file.truncate()
        file.write(f"{os.getpid()}\n")
        file.flush()
        self._file = file

    def release(self, *, is_clean: bool = True) -> None:
        """Let another have it; it learns whether this owner ended cleanly. Idempotent."""
        if self._file is not None:
            if is_clean:
                self._file.seek(0)
                self._file.truncate()
            self._file.close()
            self._file = None


def create(path: Path) -> None:
    """Make the file if it is missing, readable by its owner only, and bring it up to date.

    One that exists must have been checked: this writes to it.
    """
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    connection = connect(path)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        tables.migrate(connection)
        # Whoever holds a lease had this file, and is gone: its lease is over.
        connection.execute("UPDATE leases SET expires_at = 0")
    finally:
        connection.close()


def connect(path: Path, *, for_reading: bool = False) -> sqlite3.Connection:
    """A connection that may be used from any one thread at a time."""
    connection = sqlite3.connect(
        path, isolation_level=None, check_same_thread=False, cached_statements=256
    )
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = OFF")
    connection.execute("PRAGMA cache_size = -8000")
    connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
    if for_reading:
        connection.execute("PRAGMA query_only = ON")
    return connection
