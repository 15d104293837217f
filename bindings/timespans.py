"""Durations as texts: `[d.]hh:mm:ss[.fff]`, as Azure Functions writes them, and `90s` or `2h`."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

TIMESPAN_PATTERN = r"(?:(\d+)\.)?(\d{1,2}):(\d{2}):(\d{2}(?:\.\d{1,7})?)"
_TIMESPAN = re.compile(TIMESPAN_PATTERN, re.ASCII)
_MAX_DAY_DIGITS = 6
_SPAN = re.compile(r"(?P<number>[0-9]{1,9}(?:\.[0-9]{1,6})?)(?P<unit>[smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def span_of(text: str) -> timedelta | None:
    """How long `90s`, `30m`, `2h` or `7d` is; None if the text is none of these.

    Raises OverflowError.
    """
    found = _SPAN.fullmatch(text)
    return timedelta(**{_UNITS[found["unit"]]: float(found["number"])}) if found else None


def parse_timespan(value: Any) -> timedelta:
    """The duration of a text such as `00:05:00`. Raises ValueError."""
    if isinstance(value, timedelta):
        return value
    match = _TIMESPAN.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError(
            "Write a duration as hh:mm:ss or d.hh:mm:ss, such as 00:05:00 or 30.00:00:00"
        )
    if len(match[1] or "") > _MAX_DAY_DIGITS:
        raise ValueError("A duration has at most 999999 days")
    days, hours, minutes, seconds = (float(part or 0) for part in match.groups())
    if hours >= 24 or minutes >= 60 or seconds >= 60:
        raise ValueError("Hours go to 23, minutes and seconds to 59; write days as d.hh:mm:ss")
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
