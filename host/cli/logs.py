"""Logs of the host: to standard error, one line a record; what needs more lines is indented.

Whoever logs waits for nobody who reads: `host/cli/output.py`.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping

from host.cli.output import Outlet, shortened
from host.engine.progress import CATEGORY as PROGRESS
from host.log_text import shown
from host.logs import set_outlet
from host.settings.log_levels import LogLevel

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
_FLUSH_S = 1.0
_TALKATIVE = ("botocore", "boto3", "httpx", "httpcore", "urllib3", "watchfiles")


class IndentingFormatter(logging.Formatter):
    """Shows a record as `host/log_text.py` says.

    A line break in a message or traceback must not look like a record of its own.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The record's text."""
        return shown(shortened(super().format(record))).replace("\n", "\n    ")


class OutletHandler(logging.Handler):
    """Formats records where they are logged, since what they hold may change, and hands them on."""

    def __init__(self, outlet: Outlet) -> None:
        super().__init__()
        self._outlet = outlet

    def emit(self, record: logging.LogRecord) -> None:
        """Have the record written; one that cannot be formatted says at least where it is from."""
        try:
            text = self.format(record)
        except Exception as error:  # noqa: BLE001 - what an author logs may raise anything
            place = f"{record.pathname}:{record.lineno}"
            text = f"{record.levelname} {record.name}: (a {type(error).__name__} hides it; {place})"
        self._outlet.put(text)

    def flush(self) -> None:
        """Wait for what was logged so far, but not for long: nobody may be reading."""
        self._outlet.flush(_FLUSH_S)


def configure_logging(level: LogLevel, categories: Mapping[str, LogLevel] | None = None) -> None:
    """Send everything from `level` on to standard error; by category what has a level of its own.

    Libraries that log each request as information are asked for warnings only, unless they are
    named.
    """
    outlet = Outlet(sys.stderr.fileno(), encoding=sys.stderr.encoding)
    set_outlet(outlet)
    handler = OutletHandler(outlet)
    handler.setFormatter(IndentingFormatter(_FORMAT, datefmt="%Y-%m-%d %H:%M:%S"))
    logging.basicConfig(level=_LEVELS[level], handlers=[handler], force=True)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(max(logging.WARNING, _LEVELS[level]))
    if not sys.stderr.isatty():  # nobody watches, and a busy host would say a lot
        logging.getLogger(PROGRESS).setLevel(max(logging.WARNING, _LEVELS[level]))
    for name, each in (categories or {}).items():
        logging.getLogger(name).setLevel(_LEVELS[each])
