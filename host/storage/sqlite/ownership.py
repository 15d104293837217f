"""That one host has the file, whatever name it came by.

Rules of this file: blocks. There are two locks, both of which the kernel lets go of when the
process ends, however it ends. One is on a file beside the database, so on a name: it keeps two
hosts from making one database, and says who has it. The other is on the database itself: that file
beside can be removed, and links give the database other names. It is a lock of an open file
description on a byte that SQLite never locks, and only Linux has such. An ordinary one would end
whenever anybody in this process closes the file, and `flock` is at odds with SQLite's locks
elsewhere.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import struct
import sys
from pathlib import Path
from typing import NamedTuple

from host.errors import StorageUnavailableError
from host.os_words import make_folder, path_in_words
from host.storage.sqlite.causes import beside

_BYTE = 1 << 62
_ONE_BYTE = struct.Struct("hhqqi")
_NOBODY = "\n"
_IS_TAKEN = {errno.EAGAIN, errno.EACCES, errno.EWOULDBLOCK}


class FileId(NamedTuple):
    """What is the same for all names of one file."""

    device: int
    number: int


_held: dict[int, FileId | None] = {}
"""The open descriptors of this process's stores: which databases they are; None: a file beside."""


def _close_in_child() -> None:
    """A child that an app forks must not keep the locks when its host is gone."""
    for descriptor in _held:
        os.close(descriptor)
    _held.clear()


os.register_at_fork(after_in_child=_close_in_child)


_STOPPING = "stopping"


class OwnedFile:
    """A database that only this process uses: `reserve` its name, then `take` it, then `release`.

    The file beside names its owner while it has one, so an owner that nobody released has crashed.
    """

    def __init__(self, path: Path) -> None:
        """`path` has no symbolic links."""
        self._path = path
        self._beside = beside(path, ".lock")
        self._log = beside(path, "-wal")
        self._name: int | None = None
        self._file: int | None = None
        self._is_taken = False
        self.had_owner = False
        """Whether somebody had the name, or was about to."""
        self.had_store = False
        """Whether there was a database by this name."""
        self.was_interrupted = False
        """Whether the owner before ended without `release`."""
        self.was_told_to_stop = False
        """Whether that owner had been told to stop."""

    def reserve(self) -> None:
        """Let nobody else make or take a file of this name.

        Raises `StorageUnavailableError` if another has it, and `OSError`.
        """
        make_folder(self._path.parent)
        self.had_owner = self._beside.exists()
        self._name = os.open(self._beside, os.O_RDWR | os.O_CREAT, 0o600)
        _held[self._name] = None
        try:
            fcntl.flock(self._name, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            owner = self._owner()
            _close(self._name)
            self._name = None
            raise self._refusal(error, owner) from error
        self.had_store = _size(self._beside) > 0
        owner = self._owner()
        self.was_interrupted = bool(owner if self.had_owner else _size(self._log))
        self.was_told_to_stop = _STOPPING in owner

    def take(self) -> FileId:
        """Let nobody else have the file, by whatever name; which one it is.

        It must exist and not be open in this process. Raises as `reserve` does.
        """
        assert self._name is not None  # noqa: S101 - reserved before
        found = self._path.stat()
        if stat.S_ISDIR(found.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        file = FileId(found.st_dev, found.st_ino)
        if file in _held.values():  # to open it would end the locks of the store that has it
            raise self._refusal(BlockingIOError(errno.EAGAIN, ""), str(os.getpid()))
        if found.st_nlink > 1 and not self.had_owner:
            raise StorageUnavailableError(
                f"The store {path_in_words(self._path)} has another name in another place (a hard "
                "link), by which it may have been used, and what was written last is only found by "
                "that name. Start the host on that one, or give this host a copy of the file."
            )
        self._file = os.open(self._path, os.O_RDWR)
        _held[self._file] = file
        try:
            _lock(self._file)
        except OSError as error:
            raise self._refusal(error, "") from error
        _write(self._name, f"{os.getpid()}\n")
        self._is_taken = True
        return file

    def expect_end(self) -> None:
        """Say that this owner was told to stop, in case it is ended before `release`."""
        if self._name is not None and self._is_taken:
            _write(self._name, f"{os.getpid()} {_STOPPING}\n")

    def release(self, *, is_clean: bool = True) -> None:
        """Let another have it; it learns whether this owner ended cleanly. Idempotent.

        All connections must be closed: this ends their locks.
        """
        if self._name is None:
            return
        if self._is_taken and is_clean:
            _write(self._name, _NOBODY)
        elif not (self._is_taken or self.had_owner):
            self._beside.unlink(missing_ok=True)  # nothing is left of what failed
        if self._file is not None:
            _close(self._file)
        _close(self._name)
        self._name = self._file = None
        self._is_taken = False

    def _owner(self) -> str:
        assert self._name is not None  # noqa: S101 - only called with a descriptor
        return os.pread(self._name, 64, 0).decode(errors="replace").strip()

    def _refusal(self, error: OSError, owner: str) -> Exception:
        if error.errno not in _IS_TAKEN:
            return error
        who = f"Another host (process {owner})" if owner else "Another host"
        what = f"{who} has {path_in_words(self._path)} open."
        if owner.endswith(_STOPPING):
            return StorageUnavailableError(f"{what} Start this one again in a few seconds.")
        return StorageUnavailableError(f"{what} Stop it, or give this host another file.")


def is_taken(path: Path) -> bool:
    """Whether another process has the database. It must not be open in this one."""
    if sys.platform != "linux":
        return _is_reserved(beside(path, ".lock"))
    descriptor = os.open(path, os.O_RDONLY)
    try:
        found = fcntl.fcntl(descriptor, fcntl.F_OFD_GETLK, _wanted())
    finally:
        os.close(descriptor)
    return bool(_ONE_BYTE.unpack(found)[0] != fcntl.F_UNLCK)


def _is_reserved(name: Path) -> bool:
    if not name.exists():
        return False
    with name.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError as error:
            return error.errno in _IS_TAKEN
    return False


def _lock(descriptor: int) -> None:
    if sys.platform == "linux":
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _wanted())


def _wanted() -> bytes:
    return _ONE_BYTE.pack(fcntl.F_WRLCK, os.SEEK_SET, _BYTE, 1, 0)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _write(descriptor: int, text: str) -> None:
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, text.encode(), 0)


def _close(descriptor: int) -> None:
    del _held[descriptor]
    os.close(descriptor)
