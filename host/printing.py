"""What functions print becomes lines of the log, with what the log says of a function.

A function may print in pieces: a line is handed on when it is complete, or the stream is flushed,
or the run is over. What is printed outside of functions goes where it always went.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable
from typing import Any, Final, TextIO, cast

from host.running import RUNNING

CATEGORY: Final = "print"
"""The logger's name of what is printed."""


def log_what_is_printed(handler: logging.Handler) -> None:
    """From now on hand to this handler what functions print.

    The handler itself, and not the logger: handlers of the app may print what they are given.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is not None and not isinstance(stream, PrintedText):  # None: it was closed
            setattr(sys, name, cast("TextIO", PrintedText(stream, handler)))


class PrintedText:
    """Stands for `sys.stdout` or `sys.stderr`; all but writing is the stream's own."""

    def __init__(self, stream: TextIO, handler: logging.Handler) -> None:
        self._stream = stream
        self._handler = handler
        self._logger = logging.getLogger(CATEGORY)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Take a text, as any text stream does."""
        running = RUNNING.get()
        is_debugged = sys.gettrace() is not None  # a debugger talks to whoever sits there
        if running is None or is_debugged or not isinstance(text, str):
            return self._stream.write(text)
        if not running.is_replaying:
            *lines, running.printed = (running.printed + text).split("\n")
            for line in lines:
                self._log(line)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Take several texts."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Hand on what the run has printed, and write out the rest."""
        running = RUNNING.get()
        if running is not None and running.printed:
            line, running.printed = running.printed, ""
            self._log(line)
        self._stream.flush()

    def _log(self, line: str) -> None:
        if self._logger.isEnabledFor(logging.INFO):
            self._handler.handle(
                self._logger.makeRecord(CATEGORY, logging.INFO, "", 0, line, (), None)
            )
