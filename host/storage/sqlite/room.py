"""Room on the disk that is kept for moving the log into the database when the disk is full.

A log that another program's reader kept may have taken all the room there was, most of it for pages
that were written again and again. To move it makes it vanish, but the database must grow first, by
the pages that are new: without room for those the disk would stay full for ever.

Rules of this file: blocks. What cannot be kept is not: the store works without.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from host.storage.sqlite.causes import beside

RESERVED_BYTES = 2 * 1024 * 1024
_MORE_BYTES = 1024 * 1024


class Room:
    """The file that takes the room."""

    def __init__(self, database: Path) -> None:
        self._file = beside(database, ".room")
        self._size = 0
        self._was_kept = False

    def keep(self, size: int = RESERVED_BYTES) -> None:
        """Keep so many bytes, or what was kept if there are not so many."""
        if size == self._size or not hasattr(os, "posix_fallocate"):
            return
        with suppress(OSError):
            self._take(size)
            self._was_kept = True

    def give_up(self) -> None:
        """Let others have the room."""
        with suppress(OSError):
            self._file.unlink()
        self._size = 0

    def is_beside_more(self) -> bool:
        """Whether the disk has more room than what is kept, as far as that can be found out.

        A full disk takes small writes now and then.
        """
        if not self._was_kept:
            return True
        kept = max(self._size, RESERVED_BYTES)
        try:
            self._take(kept + _MORE_BYTES)
            self._take(kept)
        except OSError:
            return False
        return True

    def _take(self, size: int) -> None:
        descriptor = os.open(self._file, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if size > self._size:
                os.posix_fallocate(descriptor, 0, size)
            os.ftruncate(descriptor, size)
            self._size = size
        except OSError:
            os.ftruncate(descriptor, self._size)
            raise
        finally:
            os.close(descriptor)
