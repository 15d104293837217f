"""`logging` of host.json: how much is logged."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import Field, field_validator, model_validator

from host.settings.sections import Section, member


class LogLevel(StrEnum):
    """How much is logged, by the names of host.json."""

    TRACE = "Trace"
    DEBUG = "Debug"
    INFORMATION = "Information"
    WARNING = "Warning"
    ERROR = "Error"
    CRITICAL = "Critical"
    NONE = "None"


class LogLevels(Section):
    """`logging.logLevel`: how much is logged, by `default` and by category.

    A category is the name of a logger, of the app, of a library or of the host; the longest one
    that a logger's name begins with counts, as everywhere in Python.
    """

    default: LogLevel = LogLevel.INFORMATION
    categories: dict[str, LogLevel] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _gather_categories(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        levels = {name: _level(each) for name, each in value.items()}
        default = next((name for name in levels if name.lower() == "default"), None)
        given = {} if default is None else {"default": levels.pop(default)}
        return {**given, "categories": levels}


def _level(value: Any) -> Any:
    """A level in any case."""
    return member(LogLevel, value)


class LogFormat(StrEnum):
    """How a line is written."""

    TEXT = "text"
    """For people."""
    JSON = "json"
    """One object a line, for programs."""


class LoggingSettings(Section):
    """`logging`."""

    log_level: LogLevels = LogLevels()
    format: LogFormat = LogFormat.TEXT

    @field_validator("format", mode="before")
    @classmethod
    def _read_format(cls, value: Any) -> Any:
        return member(LogFormat, value)
