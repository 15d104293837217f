"""Times as texts in the formats of .NET (`yyyy-MM-dd`), which binding expressions use."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from types import MappingProxyType
from typing import Final

_TOKEN: Final = re.compile(r"'[^']*'|\"[^\"]*\"|\\.|([A-Za-z])\1*|[^A-Za-z]")


def _fraction(digits: int, time: datetime) -> str:
    return f"{time.microsecond:06d}0"[:digits]


_MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June", "July", "August", "September"),
    *("October", "November", "December"),
)
_DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_PARTS: Final[Mapping[str, Callable[[datetime], str]]] = MappingProxyType(
    {
        "yyyy": lambda time: f"{time.year:04d}",
        "yy": lambda time: f"{time.year % 100:02d}",
        "MMMM": lambda time: _MONTHS[time.month - 1],
        "MMM": lambda time: _MONTHS[time.month - 1][:3],
        "MM": lambda time: f"{time.month:02d}",
        "M": lambda time: str(time.month),
        "dddd": lambda time: _DAYS[time.weekday()],
        "ddd": lambda time: _DAYS[time.weekday()][:3],
        "dd": lambda time: f"{time.day:02d}",
        "d": lambda time: str(time.day),
        "HH": lambda time: f"{time.hour:02d}",
        "H": lambda time: str(time.hour),
        "hh": lambda time: f"{(time.hour + 11) % 12 + 1:02d}",
        "h": lambda time: str((time.hour + 11) % 12 + 1),
        "mm": lambda time: f"{time.minute:02d}",
        "m": lambda time: str(time.minute),
        "ss": lambda time: f"{time.second:02d}",
        "s": lambda time: str(time.second),
        "tt": lambda time: "AM" if time.hour < 12 else "PM",
        **{"f" * digits: partial(_fraction, digits) for digits in range(1, 8)},
        "T": lambda _: "T",
        "Z": lambda _: "Z",
        "z": lambda _: "+0",
        "zz": lambda _: "+00",
        "zzz": lambda _: "+00:00",
        "K": lambda _: "Z",
    }
)


def check_format(format_: str) -> None:
    """Raise `ValueError` for a format that means nothing."""
    for match in _TOKEN.finditer(format_):
        if match[1] and match[0] not in _PARTS:
            raise ValueError(
                f"'{match[0]}' is no part of a time: write parts such as yyyy, MM, dd, HH, mm and "
                "ss, and other letters in quotes"
            )


def formatted(time: datetime, format_: str) -> str:
    """The time in this format, which was checked; `time` is in UTC."""
    return "".join(_part(match, time) for match in _TOKEN.finditer(format_))


def _part(match: re.Match[str], time: datetime) -> str:
    text = match[0]
    if match[1]:
        return _PARTS[text](time)
    if text[0] in "'\"" and len(text) > 1:
        return text[1:-1]
    return text[1:] if text[0] == "\\" else text
