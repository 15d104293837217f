"""Logs of the host: to standard error, a line a record.

Whoever logs waits for nobody who reads: `host/cli/output.py`.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping

from host.cli.log_lines import MAX_JSON_CHARS, IndentingFormatter, JsonFormatter, LineFormatter
from host.cli.output import MAX_LINE_CHARS, Outlet
from host.engine.progress import CATEGORY as PROGRESS
from host.logs import set_outlet
from host.printing import log_what_is_printed
from host.running import InsideFunctions
from host.settings.log_levels import LogFormat, LogLevel

_LEVELS = {
    LogLevel.TRACE: logging.DEBUG,
    LogLevel.DEBUG: logging.DEBUG,
    LogLevel.INFORMATION: logging.INFO,
    LogLevel.WARNING: logging.WARNING,
    LogLevel.ERROR: logging.ERROR,
    LogLevel.CRITICAL: logging.CRITICAL,
    LogLevel.NONE: logging.CRITICAL + 1,
}
_FLUSH_S = 1.0
_TALKATIVE = ("botocore", "boto3", "httpx", "httpcore", "urllib3", "watchfiles")
_FUNCTIONS = "function"
_AZURES = {"host": ("host", "funchost"), "host.triggers.durabletask": ("funchost.engine",)}
"""Azure's names of categories, in lower case, and the loggers here that they mean."""


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
            if isinstance(self.formatter, IndentingFormatter):
                text = self.formatter.bare(text)
        self._outlet.put(text)

    def flush(self) -> None:
        """Wait for what was logged so far, but not for long: nobody may be reading."""
        self._outlet.flush(_FLUSH_S)


class FunctionLevels(logging.Filter):
    """Levels of the categories `Function.NAME`: of what is logged inside of functions."""

    def __init__(self, default: int, levels: Mapping[str, int]) -> None:
        """`levels` are those of functions by name in lower case, and of all others by ""."""
        super().__init__()
        self._default = default
        self._levels = levels

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is to be written."""
        running = getattr(record, "running", None)
        level = None
        if running is not None:
            level = self._levels.get(running.function.lower(), self._levels.get(""))
        if level is None:
            # The root takes all that any function's level wants: here that is not wanted.
            level = 0 if _has_own_level(record.name) else self._default
        return record.levelno >= level


class _Bare:
    """What the app's logging refused, as a line of the log."""

    def __init__(self, outlet: Outlet, formatter: IndentingFormatter) -> None:
        self._outlet = outlet
        self._formatter = formatter

    def put(self, text: str) -> None:
        self._outlet.put(self._formatter.bare(text))

    def flush(self, timeout_s: float) -> bool:
        return self._outlet.flush(timeout_s)


def configure_logging(
    level: LogLevel,
    categories: Mapping[str, LogLevel] | None = None,
    form: LogFormat = LogFormat.TEXT,
    *,
    logs_prints: bool = False,
) -> None:
    """Send everything from `level` on to standard error; by category what has a level of its own.

    Libraries that log each request as information are asked for warnings only, unless they are
    named. With `logs_prints` what functions print is logged, too.
    """
    default = _LEVELS[level]
    formatter = _formatter(form)
    outlet = Outlet(
        sys.stderr.fileno(),
        encoding=sys.stderr.encoding,
        max_chars=MAX_LINE_CHARS if form is LogFormat.TEXT else MAX_JSON_CHARS,
        bare=formatter.bare,
    )
    set_outlet(_Bare(outlet, formatter))
    handler = OutletHandler(outlet)
    handler.setFormatter(formatter)
    handler.addFilter(InsideFunctions())
    if logs_prints:
        log_what_is_printed(handler)
    of_functions, of_loggers = _by_kind(categories or {})
    if of_functions:
        handler.addFilter(FunctionLevels(default, of_functions))
    lowest = min(default, *of_functions.values()) if of_functions else default
    logging.basicConfig(level=lowest, handlers=[handler], force=True)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(max(logging.WARNING, default))
    if not sys.stderr.isatty():  # nobody watches, and a busy host would say a lot
        logging.getLogger(PROGRESS).setLevel(max(logging.WARNING, default))
    for name, each in of_loggers.items():
        logging.getLogger(name).setLevel(each)


def _formatter(form: LogFormat) -> IndentingFormatter:
    if form is LogFormat.JSON:
        return JsonFormatter()
    return LineFormatter(has_colours=sys.stderr.isatty() and not os.environ.get("NO_COLOR"))


def _by_kind(categories: Mapping[str, LogLevel]) -> tuple[dict[str, int], dict[str, int]]:
    """Levels of functions, and levels of loggers."""
    of_functions: dict[str, int] = {}
    of_loggers: dict[str, int] = {}
    for name, level in categories.items():
        first, *rest = name.lower().split(".")
        if first == _FUNCTIONS:  # what a function says itself is Azure's Function.NAME.User
            of_functions[rest[0] if rest else ""] = _LEVELS[level]
            continue
        for each in _AZURES.get(name.lower(), (name,)):
            of_loggers[each] = _LEVELS[level]
    return of_functions, of_loggers


def _has_own_level(name: str) -> bool:
    """Whether this logger or one above it, but for the root, has a level of its own."""
    logger: logging.Logger | None = logging.getLogger(name)
    while logger is not None and logger is not logging.root:
        if logger.level:
            return True
        logger = logger.parent
    return False
