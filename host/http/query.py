"""The query of a request: names in any case, values that are read strictly.

A value that cannot be read raises `InvalidArgumentError`, which says what was expected: a filter
that is silently ignored would purge or list what nobody asked for. A blank value counts as absent.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TypeVar
from urllib.parse import parse_qsl

from bindings.client import RuntimeStatus
from bindings.errors import InvalidArgumentError
from bindings.timespans import parse_timespan, span_of
from host.core.arguments import within_time

T = TypeVar("T")

MAX_FIELDS = 1000

_REST_OF_SECOND = timedelta(microseconds=999_999)
_FLAGS = {"true": True, "1": True, "false": False, "0": False}
_STATUS_NUMBERS = {
    "0": RuntimeStatus.RUNNING,
    "1": RuntimeStatus.COMPLETED,
    "2": RuntimeStatus.CONTINUED_AS_NEW,
    "3": RuntimeStatus.FAILED,
    "4": RuntimeStatus.CANCELED,
    "5": RuntimeStatus.TERMINATED,
    "6": RuntimeStatus.PENDING,
    "7": RuntimeStatus.SUSPENDED,
}
_STATUSES = {status.value.lower(): status for status in RuntimeStatus} | _STATUS_NUMBERS


class Query:
    """The decoded fields of one query string."""

    def __init__(self, fields: Iterable[tuple[str, str]] = ()) -> None:
        self.fields = tuple(fields)
        self._values: dict[str, list[str]] = {}
        for name, value in self.fields:
            self._values.setdefault(name.lower(), []).append(value)

    def text(self, name: str) -> str | None:
        """The last value as it is; None if the name is not there."""
        values = self._values.get(name.lower())
        return values[-1] if values else None

    def flag(self, name: str, *, default: bool) -> bool:
        """A truth value in any case."""
        text = self._filled(name)
        if text is None:
            return default
        value = _FLAGS.get(text.lower())
        if value is None:
            raise _unreadable(name, text, "true or false")
        return value

    def integer(self, name: str) -> int | None:
        """A whole number."""
        text = self._filled(name)
        if text is None:
            return None
        try:
            return int(text)
        except ValueError as error:
            raise _unreadable(name, text, "a whole number") from error

    def positive(self, name: str) -> int | None:
        """A whole number from 1 on."""
        number = self.integer(name)
        if number is not None and number < 1:
            raise _unreadable(name, str(number), "a positive number")
        return number

    def seconds(self, name: str) -> float | None:
        """A number of seconds, zero or more, with or without a fraction."""
        text = self._filled(name)
        if text is None:
            return None
        try:
            value = float(text)
        except ValueError as error:
            raise _unreadable(name, text, "a number of seconds") from error
        if not math.isfinite(value) or value < 0:
            raise _unreadable(name, text, "a number of seconds, zero or more")
        return value

    def time(self, name: str) -> datetime | None:
        """An ISO-8601 time, not at the ends of time; one without an offset is UTC."""
        text = self._filled(name)
        if text is None:
            return None
        try:
            # A '+' that was not quoted as %2B arrives as a space.
            time = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
            time = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
        except (ValueError, OverflowError) as error:
            raise _unreadable(name, text, "a time such as 2026-01-31T12:00:00Z") from error
        return within_time(time)

    def time_or_delay(self, name: str) -> datetime | timedelta | None:
        """A time, or in how many seconds: a number and `s`."""
        text = self._filled(name)
        if text is None:
            return None
        try:
            return timedelta(seconds=float(text[:-1])) if text.endswith("s") else self.time(name)
        except (InvalidArgumentError, ValueError, OverflowError) as error:
            wanted = "a time such as 2026-01-31T12:00:00Z, or seconds such as 90s"
            raise _unreadable(name, text, wanted) from error

    def span(self, name: str) -> timedelta | None:
        """How long: a number and its unit, or `hh:mm:ss`."""
        text = self._filled(name)
        if text is None:
            return None
        try:
            span = span_of(text)
            return parse_timespan(text) if span is None else span
        except (ValueError, OverflowError) as error:
            raise _unreadable(name, text, "how long, such as 90s, 5m, 1h or 00:05:00") from error

    def pairs(self, name: str) -> dict[str, str]:
        """Names and values with a colon between, one each time that the name is there."""
        texts = [each for each in self._values.get(name.lower(), ()) if each.strip()]
        pairs = [text.partition(":") for text in texts]
        for text, (key, colon, _) in zip(texts, pairs, strict=True):
            if not (key and colon):
                raise _unreadable(name, text, "a name and a value, such as region:north")
        return {key: value for key, _, value in pairs}

    def names(self, name: str) -> tuple[str, ...]:
        """Names in a comma list or by repeating the name; no name twice."""
        lists = self._values.get(name.lower(), ())
        parts = [part.strip() for text in lists for part in text.split(",")]
        return tuple(dict.fromkeys(part for part in parts if part))

    def member(self, name: str, members: Mapping[str, T]) -> T | None:
        """One of these, by its name in any case."""
        text = self._filled(name)
        if text is None:
            return None
        found = {key.lower(): value for key, value in members.items()}
        if text.lower() not in found:
            raise _unreadable(name, text, f"one of {', '.join(members)}")
        return found[text.lower()]

    def members(self, name: str, members: Mapping[str, T]) -> tuple[T, ...]:
        """Some of these, by their names in any case: a comma list, or the name repeated."""
        found = {key.lower(): value for key, value in members.items()}
        names = self.names(name)
        unknown = [each for each in names if each.lower() not in found]
        if unknown:
            raise _unreadable(name, ", ".join(unknown), f"one or more of {', '.join(members)}")
        return tuple(dict.fromkeys(found[each.lower()] for each in names))

    def latest_time(self, name: str) -> datetime | None:
        """The same as the end of a range: a whole second is in it to its end.

        Times are shown in whole seconds, and one that was shown must find its instance.
        """
        time = self.time(name)
        is_whole = time is not None and not time.microsecond
        return time + _REST_OF_SECOND if time is not None and is_whole else time

    def statuses(self, name: str) -> tuple[RuntimeStatus, ...]:
        """Status names, in a comma list or by repeating the name; no name twice."""
        lists = self._values.get(name.lower(), ())
        names = [part.strip() for text in lists for part in text.split(",") if part.strip()]
        unknown = [each for each in names if each.lower() not in _STATUSES]
        if unknown:
            expected = ", ".join(status.value for status in RuntimeStatus)
            raise _unreadable(name, ", ".join(unknown), f"one or more of {expected}")
        return tuple(dict.fromkeys(_STATUSES[each.lower()] for each in names))

    def _filled(self, name: str) -> str | None:
        text = (self.text(name) or "").strip()
        return text or None


_NO_QUERY = Query()


def parse_query(raw: str) -> Query:
    """The query of the part of a URL behind the '?'. Raises `InvalidArgumentError`."""
    if not raw:
        return _NO_QUERY
    try:
        raw.encode("utf-8")
        fields = parse_qsl(raw, keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
    except ValueError as error:
        raise InvalidArgumentError(f"The query of the URL cannot be read: {error}") from error
    return Query(fields)


def _unreadable(name: str, text: str, expected: str) -> InvalidArgumentError:
    return InvalidArgumentError(f"The value '{text[:100]}' of '{name}' is not {expected}.")
