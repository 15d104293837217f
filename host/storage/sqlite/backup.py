"""A copy of a store as it is at one moment, also while a host works on it.

Rules of this file: blocks, and the store must not be open in this process. The store is only read;
the copy appears under its name when it is whole, on the disk and was checked.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from host.errors import StorageError, StorageUnavailableError
from host.os_words import path_in_words
from host.storage.sqlite import database, integrity, tables
from host.storage.sqlite.causes import OWN_SUFFIXES, beside, primary_code, translate
from host.storage.sqlite.ownership import is_taken

_OF_THE_STORE = {
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
}


class BackedUp(NamedTuple):
    """What is in the copy, and how large it is."""

    instances: int
    size_bytes: int


def back_up(store: Path, target: Path, *, overwrites: bool) -> BackedUp:
    """Write a copy to `target`; one that is there is replaced if `overwrites` says so.

    Raises `StorageError` if the store is missing, damaged, of another program or locked, or the
    copy cannot be written; then `target` is as it was.
    """
    store, target = Path(os.path.realpath(store)), Path(os.path.realpath(target))
    try:
        _check_store(store)
        _check_target(store, target, overwrites=overwrites)
    except (OSError, sqlite3.Error) as error:
        raise translate(error, store) from error
    unfinished = beside(target, f".{secrets.token_hex(4)}.new")
    try:
        os.close(os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        done = _copy(store, unfinished)
        unfinished.rename(target)
        database.sync_folder(target.parent)
    except (OSError, sqlite3.Error) as error:
        if primary_code(error) in _OF_THE_STORE:
            raise translate(error, store) from error
        raise translate(error, target, "backup") from error
    else:
        return done
    finally:
        database.remove(unfinished)


def _check_store(store: Path) -> None:
    if not store.exists():
        raise StorageUnavailableError(f"There is no store {path_in_words(store)}.")
    database.check_limits(store)
    if not is_taken(store):  # nobody writes to the log while it is looked at
        integrity.check(store, was_interrupted=True)


def _check_target(store: Path, target: Path, *, overwrites: bool) -> None:
    shown = path_in_words(target)
    _check_beside(store, target)
    if not target.exists():
        return
    if not overwrites:
        raise StorageError(f"{shown} exists. Give another name, or --overwrite to replace it.")
    if target.samefile(store):
        raise StorageError(f"{shown} is the store itself. Give another name.")
    log = beside(target, "-wal")
    if not target.is_file() or is_taken(target) or (log.exists() and log.stat().st_size):
        raise StorageError(f"{shown} is no backup that nobody uses. Give another name.")


def _check_beside(store: Path, target: Path) -> None:
    """Refuse the files that a store has beside it: whoever replaces one of them ends the store."""
    for suffix in OWN_SUFFIXES:
        file = beside(store, suffix)
        is_the_stores = target == file or (
            target.exists() and file.exists() and target.samefile(file)
        )
        other = target.with_name(target.name.removesuffix(suffix))
        if is_the_stores or (other != target and other.is_file() and is_taken(other)):
            raise StorageError(
                f"{path_in_words(target)} belongs to a store that may be in use. Give another name."
            )


def _copy(store: Path, unfinished: Path) -> BackedUp:
    with closing(integrity.open_for_reading(store)) as connection:
        tables.check_origin(connection, store)
        if connection.execute("PRAGMA auto_vacuum").fetchone() == (0,):
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # of an older version's file
        # A name that is no UTF-8 cannot be given as text.
        connection.execute("VACUUM INTO CAST(? AS TEXT)", (os.fsencode(unfinished),))
    integrity.check(unfinished, was_interrupted=True)
    with closing(integrity.open_for_reading(unfinished)) as connection:
        (instances,) = connection.execute("SELECT count(*) FROM instances").fetchone()
    with unfinished.open("rb") as file:
        os.fsync(file.fileno())
    return BackedUp(int(instances), unfinished.stat().st_size)
