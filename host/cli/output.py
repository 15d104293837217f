"""What the host writes to standard error and standard output, by a thread: nobody waits for it.

A terminal that is held (Ctrl-S) or a pipe that nobody reads takes nothing for as long as it likes.
The host goes on meanwhile: so many lines wait, what comes then is dropped, and counted.
"""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue

MAX_WAITING = 1_000
MAX_LINE_CHARS = 16_000


class Outlet:
    """A file descriptor and the thread that writes to it. All methods may be called anywhere."""

    def __init__(
        self,
        descriptor: int,
        *,
        encoding: str = "utf-8",
        max_chars: int = MAX_LINE_CHARS,
        bare: Callable[[str], str] = str,
    ) -> None:
        """A longer line loses its middle; `bare` makes the line of what the outlet itself says."""
        self._max_chars = max_chars
        self._bare = bare
        self._descriptor = descriptor
        self._encoding = encoding
        self._dropped = 0
        self._begin()
        if hasattr(os, "register_at_fork"):  # not on Windows
            os.register_at_fork(after_in_child=self._begin)  # no thread survives there

    def put(self, text: str) -> None:
        """Have a line written; it is dropped if too many wait."""
        if self._lines.qsize() >= MAX_WAITING:
            self._dropped += 1
            return
        self._lines.put(shortened(text, self._max_chars))
        if self._thread is None:
            self._start()

    def flush(self, timeout_s: float) -> bool:
        """Wait until all lines so far are written; False if that takes too long."""
        if self._thread is None:
            return True
        written = threading.Event()
        self._lines.put(written)
        return written.wait(timeout_s)

    def _begin(self) -> None:
        self._lines: SimpleQueue[str | threading.Event] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._told = self._dropped

    def _start(self) -> None:
        with self._starting:
            if self._thread is not None:
                return
            thread = threading.Thread(target=self._write_all, name="funchost-output", daemon=True)
            self._thread = thread
        with suppress(RuntimeError):  # the interpreter ends: there are no threads any more
            thread.start()

    def _write_all(self) -> None:
        lines = self._lines
        while True:
            line = lines.get()
            if isinstance(line, threading.Event):
                line.set()
                continue
            if (dropped := self._dropped) > self._told:
                count, self._told = dropped - self._told, dropped
                text = f"{count} lines of this output were dropped: nobody read it."
                self._write(self._bare(text))
            self._write(line)

    def _write(self, line: str) -> None:
        left = memoryview(f"{line}\n".encode(self._encoding, "backslashreplace"))
        with suppress(OSError):  # whoever read it has gone: there is nobody to tell
            while left:
                try:
                    left = left[os.write(self._descriptor, left) :]
                except BlockingIOError:  # somebody who shares the terminal made it so
                    select.select([], [self._descriptor], [])


def shortened(line: str, max_chars: int = MAX_LINE_CHARS) -> str:
    """The line without its middle, if it is far too long: an author may log anything."""
    if len(line) <= max_chars:
        return line
    half = max_chars // 2
    left_out = len(line) - max_chars
    return f"{line[:half]} … {left_out:,} characters left out … {line[-half:]}"
