"""Logs of the host: to standard error, one line a record; what needs more lines is indented."""

from __future__ import annotations

import logging
import sys

from host.settings.model import LogLevel

_LEVELS = {
    LogLevel.TRACE: logging.DEBUG,
    LogLevel.DEBUG: logging.DEBUG,
    LogLevel.INFORMATION: logging.INFO,
    LogLevel.WARNING: logging.WARNING,
    LogLevel.ERROR: logging.ERROR,
    LogLevel.CRITICAL: logging.CRITICAL,
    LogLevel.NONE: logging.CRITICAL + 1,
}
_FORMAT = "%(asctime)s.%(msecs)03d %(levelname)-8s %(name)s: %(message)s"


class IndentingFormatter(logging.Formatter):
    """Keeps a line break in a message or traceback from looking like a record of its own."""

    def format(self, record: logging.LogRecord) -> str:
        """The record's text."""
        return super().format(record).replace("\r", "\\r").replace("\n", "\n    ")


def configure_logging(level: LogLevel) -> None:
    """Send everything from `level` on to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(IndentingFormatter(_FORMAT, datefmt="%Y-%m-%d %H:%M:%S"))
    logging.basicConfig(level=_LEVELS[level], handlers=[handler], force=True)
    # Where it found its settings is of interest only when one looks for that.
    logging.getLogger("botocore").setLevel(max(logging.WARNING, _LEVELS[level]))
