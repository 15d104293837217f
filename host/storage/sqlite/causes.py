"""What errors of the driver mean to an operator, and what to do about them.

Rules of this file: blocks, so it is called off the event loop. SQLite tells what it could not do
and not why, so the same is tried with a file of our own in the same folder. The store's own files
are never opened for that: closing a descriptor of theirs would end SQLite's locks.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
from pathlib import Path

from host.errors import StorageError, StorageUnavailableError
from host.os_words import error_in_words, path_in_words

_UNAVAILABLE = {
    sqlite3.SQLITE_FULL: "the disk is full; make room and try again",
    sqlite3.SQLITE_READONLY: "it cannot be written",
    sqlite3.SQLITE_IOERR: "the disk reported an error; look at the machine's log",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened",
    sqlite3.SQLITE_CORRUPT: "it is damaged; restore it from a backup",
    sqlite3.SQLITE_NOTADB: (
        "it is not a SQLite database, or its head is damaged; restore it from a backup, or give "
        "this host another file"
    ),
    sqlite3.SQLITE_BUSY: "another program has locked it; close that program",
    sqlite3.SQLITE_LOCKED: "another program has locked it; close that program",
    sqlite3.SQLITE_PROTOCOL: "another program has locked it; close that program",
}
_HELD = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL}
_TO_BE_TRIED = {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN}
_NO_SHARED_MEMORY = {
    sqlite3.SQLITE_IOERR_SHMOPEN,
    sqlite3.SQLITE_IOERR_SHMMAP,
    sqlite3.SQLITE_IOERR_SHMSIZE,
    sqlite3.SQLITE_IOERR_SHMLOCK,
}
NO_LOG = (
    "its file system cannot hold the write-ahead log, which needs memory that processes share, as "
    "some network drives cannot; put the data folder on a local disk"
)
_PRIMARY_CODE = 0xFF
_TRIED_BYTES = 64 * 1024
"""More than SQLite ever asks for at once beside the data: the log's index grows by half of it."""

_TRIED_DESCRIPTORS = 5
"""As many as a connection may open."""

OWN_SUFFIXES = ("-wal", "-shm", "-journal", ".lock", ".room", ".new")
"""What the names of the files beside a store end in."""


def translate(error: Exception, path: Path, what: str = "store") -> StorageError:
    """What an unexpected error of the driver means to its caller; `what` is at the path."""
    if isinstance(error, StorageError):
        return error
    named = f"The {what} {path_in_words(path)}"
    if isinstance(error, OSError):
        return StorageUnavailableError(f"{named} cannot be opened: {error_in_words(error)}.")
    text = " ".join(str(error).split())
    words = _UNAVAILABLE.get(primary_code(error))
    if words is None:
        return StorageError(f"{named} could not do it: {type(error).__name__}: {text}")
    return StorageUnavailableError(f"{named}: {_cause(error, path) or words} ({text}).")


def primary_code(error: Exception) -> int:
    """SQLite's number of the kind of error; 0 for what is not SQLite's."""
    return code_of(error) & _PRIMARY_CODE


def code_of(error: Exception) -> int:
    """SQLite's number of the error; 0 for what is not SQLite's."""
    return int(getattr(error, "sqlite_errorcode", 0))


def is_held(error: Exception) -> bool:
    """Whether another program has the file: nothing can be written, whatever it is."""
    return primary_code(error) in _HELD


def _cause(error: Exception, path: Path) -> str | None:
    """What the system says if one tries the same."""
    if primary_code(error) not in _TO_BE_TRIED:
        return None
    found = _try_in(path)
    if found is not None:
        return error_in_words(found)
    return NO_LOG if code_of(error) in _NO_SHARED_MEMORY else None


def _try_in(path: Path) -> OSError | None:
    """The error of making a file beside the store, and of writing where the store's ones end."""
    try:
        ends = [file.stat().st_size for file in all_files(path) if file.exists()]
        with tempfile.TemporaryFile(dir=path.parent) as file:
            os.pwrite(file.fileno(), bytes(_TRIED_BYTES), max(ends, default=0))
            os.fsync(file.fileno())
            _try_descriptors(file.fileno())
    except OSError as error:
        return error
    return None


def _try_descriptors(descriptor: int) -> None:
    made: list[int] = []
    try:
        while len(made) < _TRIED_DESCRIPTORS:
            made.append(os.dup(descriptor))
    finally:
        for each in made:
            os.close(each)


def all_files(path: Path) -> tuple[Path, Path, Path]:
    """The database, its log and the log's index."""
    return path, beside(path, "-wal"), beside(path, "-shm")


def beside(path: Path, suffix: str) -> Path:
    """The file that belongs to this one."""
    return path.with_name(path.name + suffix)
