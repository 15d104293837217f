"""Whether a store's log is as long as its index says: another program may have emptied it.

A tool that empties files in place, as log rotation does, leaves their names and their numbers. The
host would write on behind a hole, and SQLite would move the hole into the database.

Rules of this file: blocks, for a few system calls. Both files stay open for as long as SQLite has
them open: to close the index ends the locks that this process has on it.
"""

from __future__ import annotations

import os
import struct
from contextlib import suppress
from pathlib import Path

from host.storage.sqlite.causes import all_files

_INDEX = struct.Struct("=I8xB1xHI")
"""Of the index's head: the version, whether it is in use, the size of a page, the last frame."""
_VERSION = 3007000
_LOG_HEAD_BYTES, _FRAME_HEAD_BYTES = 32, 24
_MAGIC = {b"\x37\x7f\x06\x82", b"\x37\x7f\x06\x83"}


class LogFile:
    """The log of one open store."""

    def __init__(self, path: Path) -> None:
        """The store must be open: its log and the log's index exist."""
        _, log, index = all_files(path)
        self._log = os.open(log, os.O_RDONLY)
        try:
            self._index = os.open(index, os.O_RDONLY)
        except OSError:
            os.close(self._log)
            raise

    def is_cut_off(self) -> bool:
        """Whether something that is in the log is not in the file.

        Who shortens it rightly says in the index first that nothing is in it.
        """
        head = self._head()
        return head is not None and not self._holds(head) and self._head() == head

    def close(self) -> None:
        """Let go of both. All connections of the store must be closed."""
        for descriptor in (self._log, self._index):
            with suppress(OSError):
                os.close(descriptor)

    def _head(self) -> tuple[int, int] | None:
        """The size of a page, and the number of the last frame; nothing if there is none."""
        data = os.pread(self._index, _INDEX.size, 0)
        if len(data) < _INDEX.size:
            return None
        version, is_in_use, page_bytes, last_frame = _INDEX.unpack(data)
        if version != _VERSION or not is_in_use or not last_frame:
            return None
        return (65536 if page_bytes == 1 else page_bytes), last_frame

    def _holds(self, head: tuple[int, int]) -> bool:
        page_bytes, last_frame = head
        needed = _LOG_HEAD_BYTES + last_frame * (_FRAME_HEAD_BYTES + page_bytes)
        return os.fstat(self._log).st_size >= needed and os.pread(self._log, 4, 0) in _MAGIC
