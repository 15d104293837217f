"""What the writer does beside writing: it looks after the files, about once a second.

Rules of this file: runs in the writer thread, between two groups, so each look is short: a log is
cut off only if nobody reads it, and free pages are given back in slices. Nothing here fails
anybody; what is found is told, once a state.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from host.logs import HostLog
from host.os_words import path_in_words
from host.storage.sqlite.causes import beside, primary_code
from host.storage.sqlite.database import CHECKPOINT_PAGES, PAGE_BYTES
from host.storage.sqlite.presence import Presence
from host.storage.sqlite.room import RESERVED_BYTES, Room
from host.storage.sqlite.writer import Writer

LOOK_S = 1.0
"""How often the files are looked at."""
LONG_LOG_BYTES = CHECKPOINT_PAGES * PAGE_BYTES * 3 // 2
"""A log that is longer should have been moved into the file before."""
SPARE_PAGES = 1024
"""So many free pages (4 MiB), or a quarter of all if that is more, stay for the next writes."""

_SLICE_PAGES = 256
_SLICE_PAUSE_S = 0.05
_INCREMENTAL = 2

_logger = HostLog("funchost.storage")


class Care:
    """Looks after the files of one store."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        path: Path,
        *,
        writer: Writer,
        presence: Presence,
        room: Room,
    ) -> None:
        self._connection = connection
        self._path = path
        self._room = room
        self._log = beside(path, "-wal")
        self._writer = writer
        self._presence = presence
        self._is_log_long = False
        self._gives_back = self._number("auto_vacuum") == _INCREMENTAL

    def look(self) -> float:
        """Do what is to be done now; the seconds until the next look."""
        self._presence.look()
        if self._presence.trouble.text is not None:
            return LOOK_S
        self._writer.look_for_hold()
        if self._writer.hold.text is not None:
            return LOOK_S
        try:
            self._look_at_log()
            self._keep_room()
            if self._gives_back and not self._is_log_long and self._give_back():
                return _SLICE_PAUSE_S
        except (sqlite3.Error, OSError) as error:
            _logger.debug("The files of %s were not tidied: %s", path_in_words(self._path), error)
        return LOOK_S

    def _look_at_log(self) -> None:
        """Tell that the log is long, and make it short when whoever reads from it has gone."""
        log_bytes = self._log.stat().st_size
        is_long = log_bytes > LONG_LOG_BYTES
        if is_long or (log_bytes and self._writer.trouble.text is not None):
            is_long = not self._move_log() and is_long  # on a full disk a short one is much, too
        self._note_log(is_long=is_long, log_bytes=log_bytes)

    def _move_log(self) -> bool:
        """Cut the log off if nobody reads it; False if somebody does."""
        try:
            _, frames, moved = self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            return bool(frames == moved and self._writer.shorten_log())
        except sqlite3.Error as error:
            if primary_code(error) != sqlite3.SQLITE_FULL:
                raise
            return self._writer.make_room()

    def _keep_room(self) -> None:
        """As much as it takes to move the log, which is as long as a reader lets it be."""
        missing = 0
        if self._is_log_long:
            missing = self._number("page_count") * PAGE_BYTES - self._path.stat().st_size
        self._room.keep(RESERVED_BYTES + max(0, missing))

    def _note_log(self, *, is_long: bool, log_bytes: int) -> None:
        if is_long and not self._is_log_long:
            _logger.warning(
                "The log of the store %s has grown to %d MB and grows on: another program has been "
                "reading the file for long. Close that program, or the disk fills up.",
                path_in_words(self._path),
                log_bytes // 1_000_000,
            )
        elif self._is_log_long and not is_long:
            _logger.warning("The log of the store %s is short again.", path_in_words(self._path))
        self._is_log_long = is_long

    def _give_back(self) -> bool:
        """Give a slice of the free pages back to the disk; whether there are more."""
        spare = self._count_spare()
        if spare <= 0:
            return False
        # Only a script takes all the steps of this one.
        self._connection.executescript(f"PRAGMA incremental_vacuum({min(spare, _SLICE_PAGES):d})")
        if 0 < self._count_spare() < spare:
            return True
        self._writer.shorten_log()  # the file itself gets shorter when the log is moved
        return False

    def _count_spare(self) -> int:
        """How many free pages there are beyond those that stay."""
        kept = max(SPARE_PAGES, self._number("page_count") // 4)
        return self._number("freelist_count") - kept

    def _number(self, pragma: str) -> int:
        (found,) = self._connection.execute(f"PRAGMA {pragma}").fetchone()
        return int(found)
