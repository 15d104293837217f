"""How a record of the log is written: a line for people, or a JSON object for programs.

All that is written is shown as `host/log_text.py` says. A line break in a message or traceback must
not look like a record of its own: for people what needs more lines is indented, JSON has none.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from host.cli.output import shortened
from host.log_text import shown

_FORMAT = "%(asctime)s.%(msecs)03d %(levelname)-8s %(name)s%(where)s: %(message)s"
_TIME_FORMAT = "%Y-%m-%d %H:%M:%S"
_TIME_CHARS = len("2026-01-31 00:00:00.000")
_LEVEL_CHARS = 8
_MAX_TEXT_CHARS = 8_000
"""Of a message or a traceback; escaped it may be six times as long."""
_MAX_FIELD_CHARS = 1_000
_MAX_FIELDS = 50
MAX_JSON_CHARS: Final = 1_000_000
"""More than any object has: half of one would be none."""

_DIM, _CYAN, _END = "\x1b[2m", "\x1b[36m", "\x1b[0m"
_COLOURS: Final[Mapping[str, str]] = {
    "DEBUG": _DIM,
    "INFO": "\x1b[32m",
    "WARNING": "\x1b[33m",
    "ERROR": "\x1b[31m",
    "CRITICAL": "\x1b[1;31m",
}
_LEVELS: Final = (
    (logging.CRITICAL, "Critical"),
    (logging.ERROR, "Error"),
    (logging.WARNING, "Warning"),
    (logging.INFO, "Information"),
)
_PLACES: Final[Mapping[str, str]] = {
    "function": "function",
    "instance_id": "instanceId",
    "execution_id": "executionId",
    "attempt": "attempt",
    "trace_id": "traceId",
}
"""What a record may have of where it was logged, and its name in JSON."""
_KNOWN: Final = frozenset(
    {*vars(logging.makeLogRecord({})), *_PLACES, "running", "where", "message", "asctime"}
    | {"taskName"}
)


class IndentingFormatter(logging.Formatter):
    """Writes a record for people, as its format says."""

    def format(self, record: logging.LogRecord) -> str:
        """The record's text."""
        return shown(shortened(super().format(record))).replace("\n", "\n    ")

    def bare(self, text: str) -> str:
        """The line of a text that is no record."""
        return text


class LineFormatter(IndentingFormatter):
    """Writes time, level, logger, in which function and instance it was logged, and what."""

    def __init__(self, *, has_colours: bool) -> None:
        super().__init__(_FORMAT, datefmt=_TIME_FORMAT)
        self._has_colours = has_colours

    def format(self, record: logging.LogRecord) -> str:
        """The record's line."""
        where = record.where = _where(record)
        text = super().format(record)
        return _coloured(text, record.levelname, shown(where)) if self._has_colours else text


class JsonFormatter(IndentingFormatter):
    """Writes a JSON object in one line."""

    def format(self, record: logging.LogRecord) -> str:
        """The record's line."""
        line: dict[str, Any] = {
            "time": _iso(record.created),
            "level": next((name for level, name in _LEVELS if record.levelno >= level), "Debug"),
            "category": record.name,
            "message": _text(record.getMessage()),
        }
        for name, key in _PLACES.items():
            if (value := getattr(record, name, None)) not in ("", None):
                line[key] = _value(value)
        if record.exc_info and not record.exc_text:
            record.exc_text = self.formatException(record.exc_info)
        if record.exc_text:
            line["exception"] = _text(record.exc_text)
        if record.stack_info:
            line["stack"] = _text(self.formatStack(record.stack_info))
        given = [name for name in vars(record) if name not in _KNOWN][:_MAX_FIELDS]
        if given:
            line["fields"] = {
                _text(name, _MAX_FIELD_CHARS): _value(getattr(record, name)) for name in given
            }
        return json.dumps(line, ensure_ascii=False)

    def bare(self, text: str) -> str:
        """The line of a text that is no record."""
        return json.dumps({"level": "Error", "category": "funchost", "message": _text(text)})


def _where(record: logging.LogRecord) -> str:
    running = getattr(record, "running", None)
    if running is None:
        return ""
    instance = f" {running.instance_id}" if running.instance_id else ""
    attempt = f", attempt {running.attempt}" if running.attempt > 1 else ""
    return f" [{running.function}{instance}{attempt}]"


def _coloured(text: str, level: str, where: str) -> str:
    """The line in colours: these are put in where all else that moves a terminal is taken out."""
    level_from = _TIME_CHARS + 1
    level_to = level_from + _LEVEL_CHARS
    time, shown_level, rest = text[:_TIME_CHARS], text[level_from:level_to], text[level_to:]
    if where:
        rest = rest.replace(where, f"{_CYAN}{where}{_END}", 1)
    return f"{_DIM}{time}{_END} {_COLOURS.get(level, '')}{shown_level}{_END}{rest}"


def _iso(created: float) -> str:
    text = datetime.fromtimestamp(created, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def _text(text: str, max_chars: int = _MAX_TEXT_CHARS) -> str:
    return shown(shortened(text, max_chars))


def _value(value: object) -> object:
    """A value as JSON has it; what it has no word for, as text."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float) and value - value == 0:  # neither infinite nor no number
        return value
    return _text(str(value), _MAX_FIELD_CHARS)
