"""Whether the files are ours and whole, looked at before anything is written to them.

Rules of this file: a file that is refused stays as it was, so that it can still be rescued. The
connection is read-only: closing another would move the log into the file.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from functools import partial
from pathlib import Path
from urllib.parse import quote

from host.errors import StorageUnavailableError
from host.os_words import path_in_words
from host.storage.sqlite import log_check, tables

CHECKED_BYTES = 512 * 1024 * 1024
"""Up to this size a file is checked at every opening; that takes about 3 ms per megabyte."""

_SIGNS_OF_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_ERROR)


def check(path: Path, *, was_interrupted: bool) -> None:
    """Raises `StorageUnavailableError` for damaged files, and for those that are not ours.

    Of large files all pages are looked at only if their owner before was interrupted.
    """
    finding = log_check.find_damage(path)
    size = path.stat().st_size if path.exists() else 0
    if finding is None and size:
        finding = _find_damage(path, all_pages=was_interrupted or size <= CHECKED_BYTES)
    if finding is not None:
        raise StorageUnavailableError(
            f"The store {path_in_words(path)} is damaged: {finding}. It was left as it is. Restore "
            "it from a backup, with the backup's -wal file or with none, or give this host another "
            "file."
        )


def open_for_reading(path: Path) -> sqlite3.Connection:
    """A connection that cannot write, not even when it is closed."""
    address = f"file:{quote(os.fsencode(path))}?mode=ro"
    return sqlite3.connect(address, uri=True, isolation_level=None)


def _find_damage(path: Path, *, all_pages: bool) -> str | None:
    """The first thing that is wrong with the database."""
    with closing(open_for_reading(path)) as connection:
        # A name that is no text is a finding, or a stranger's.
        connection.text_factory = partial(str, encoding="utf-8", errors="replace")
        try:
            tables.check_origin(connection, path)
            finding = _find_bad_page(connection) if all_pages else None
            return finding or tables.find_damage(connection)
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode & 0xFF not in _SIGNS_OF_DAMAGE:
                raise
            return " ".join(str(error).split())


def _find_bad_page(connection: sqlite3.Connection) -> str | None:
    """The first thing that is wrong with the pages, or with indexes that do not fit their table."""
    (finding,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    return None if finding == "ok" else " ".join(finding.split())
