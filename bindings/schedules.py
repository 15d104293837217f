"""Schedules of timers: what their texts mean, and when they are due.

A schedule is a cron expression of six fields (seconds first) or five, or a time span. Cron speaks
of the clock on the wall of a time zone. Where that clock is put forward, a time that it leaves out
is due as much later as it was put forward; where it is put back, a time that it shows twice is due
the first time only, unless the schedule is for every hour (its hours begin with `*`): then it is
due both times. So the due times of a schedule are one fixed series, whoever asks from where.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

_SHIFTS_WITHIN = timedelta(hours=3)
"""So far from a change of the wall clock, times that it leaves out or repeats may be due."""
_FIRST_TRY: Final = datetime(2000, 1, 1)  # noqa: DTZ001 - a time on a wall


@dataclass(frozen=True, slots=True, kw_only=True)
class _Field:
    name: str
    lowest: int
    highest: int
    names: Sequence[str] = ()
    first_named: int = 0
    about: str = ""


_MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_DAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_FIELDS: Final = (
    _Field(name="second", lowest=0, highest=59),
    _Field(name="minute", lowest=0, highest=59),
    _Field(name="hour", lowest=0, highest=23),
    _Field(name="day of the month", lowest=1, highest=31),
    _Field(name="month", lowest=1, highest=12, names=_MONTHS, first_named=1),
    _Field(name="day of the week", lowest=0, highest=6, names=_DAYS, about=" (0 is Sunday)"),
)
_ITEM = re.compile(r"(\*|(\w+)(?:-(\w+))?)(?:/(\d+))?", re.ASCII)
_SPAN = re.compile(r"(?:(\d{1,5})\.)?(\d{1,2}):(\d{2}):(\d{2})", re.ASCII)
_NAME_LENGTH = 3


@dataclass(frozen=True, slots=True)
class CronSchedule:
    """Due whenever the clock on the wall of a zone shows what the fields say."""

    text: str
    fields: tuple[str, ...]
    zone: ZoneInfo

    @property
    def identity(self) -> str:
        """What tells it from another schedule."""
        return f"{self.text} {self.zone.key}"

    @property
    def is_frequent(self) -> bool:
        """Whether it is due more than once in each minute."""
        return (
            all(each == "*" for each in self.fields[1:]) and len(self._from(_FIRST_TRY).seconds) > 1
        )

    def due_after(self, moment: datetime) -> datetime:
        """The first due time after this one, in UTC."""
        found: datetime | None = None
        for wall in self._from(self._wall_before(moment)):
            first, second = self._at(wall, 0), self._at(wall, 1)
            due = [first, second] if self._is_hourly and second > first else [first]
            for each in due:
                if each > moment and (found is None or each < found):
                    found = each
            is_left_out = first > second
            if found is not None and not is_left_out and first >= found:
                return found
        raise AssertionError(self.text)  # a schedule that is never due is refused

    def following(self, due: datetime, now: datetime) -> datetime:
        """What is due next when what was due then runs now; what lies in between is left out."""
        return self.due_after(max(due, now))

    @property
    def _is_hourly(self) -> bool:
        return self.fields[2].startswith("*")

    def _from(self, wall: datetime) -> CronSim:
        times = CronSim(" ".join(self.fields), wall)
        times.day_and = True  # cron's own rule is "or", where both days are given
        return times

    def _at(self, wall: datetime, fold: int) -> datetime:
        return wall.replace(tzinfo=self.zone, fold=fold).astimezone(UTC)

    def _wall_before(self, moment: datetime) -> datetime:
        """The clock on the wall then, put back as far as due times may lie out of its order."""
        local = moment.astimezone(self.zone)
        offset = self._offset(moment)
        near = (moment - _SHIFTS_WITHIN, moment + _SHIFTS_WITHIN)
        shift = max(offset - self._offset(each) for each in near)
        return local.replace(tzinfo=None, fold=0) - max(shift, timedelta(0))

    def _offset(self, moment: datetime) -> timedelta:
        return moment.astimezone(self.zone).utcoffset() or timedelta(0)


@dataclass(frozen=True, slots=True)
class SpanSchedule:
    """Due again and again, as long after the time before."""

    text: str
    span: timedelta

    @property
    def identity(self) -> str:
        """What tells it from another schedule."""
        return self.text

    @property
    def is_frequent(self) -> bool:
        """Whether it is due more than once in each minute."""
        return self.span < timedelta(minutes=1)

    def due_after(self, moment: datetime) -> datetime:
        """When it is due if it was due at this time."""
        return moment + self.span

    def following(self, due: datetime, now: datetime) -> datetime:
        """What is due next when what was due then runs now; what lies in between is left out."""
        return due + self.span if due + self.span > now else now + self.span


Schedule: TypeAlias = CronSchedule | SpanSchedule


def parse_schedule(text: str, zone: ZoneInfo) -> Schedule:
    """The schedule of a text. Raises `ValueError`, which says what would be right."""
    parts = text.split()
    if len(parts) == 1 and ":" in text:
        return _span(text.strip())
    if len(parts) not in {5, 6}:
        count = f"{len(parts)} field{'' if len(parts) == 1 else 's'}"
        raise ValueError(
            f"'{text:.100}' has {count}: write six (second minute hour day month day-of-week), "
            "such as '0 */5 * * * *', or five without the seconds, or a time span such as "
            "'00:05:00'"
        )
    given = parts if len(parts) == 6 else ["0", *parts]
    fields = tuple(_field(each, what) for each, what in zip(given, _FIELDS, strict=True))
    schedule = CronSchedule(text=" ".join(parts), fields=fields, zone=zone)
    if not _is_ever_due(schedule):
        raise ValueError(f"'{text}' is never due: no such day is in any of its months")
    return schedule


def zone_of(name: str) -> ZoneInfo:
    """The time zone of this name. Raises `ValueError`, which says what would be right."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        hint = " (Windows' names are not known here)" if name.endswith("Time") else ""
        raise ValueError(
            f"There is no time zone '{name:.100}'{hint}: write a name such as Europe/Berlin, "
            "America/New_York or UTC"
        ) from None


def _is_ever_due(schedule: CronSchedule) -> bool:
    try:
        times = CronSim(" ".join(schedule.fields), _FIRST_TRY)
    except CronSimError:  # it looks at days and months only: all else was looked at here
        return False
    times.day_and = True
    return next(iter(times), None) is not None


def _span(text: str) -> SpanSchedule:
    match = _SPAN.fullmatch(text)
    if match is None:
        raise ValueError(f"'{text:.100}' is no time span: write hh:mm:ss or d.hh:mm:ss")
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    if hours > 23 or minutes > 59 or seconds > 59:
        raise ValueError(
            f"'{text}' is no time span: hours go to 23, minutes and seconds to 59; write days as "
            "d.hh:mm:ss"
        )
    span = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    if not span:
        raise ValueError(f"'{text}' is no time at all: write at least 00:00:01")
    return SpanSchedule(text=text, span=span)


def _field(text: str, field: _Field) -> str:
    """The field with numbers for names."""
    return ",".join(_item(each, field) for each in text.split(","))


def _item(text: str, field: _Field) -> str:
    match = _ITEM.fullmatch(text)
    if match is None:
        raise ValueError(
            f"the {field.name} '{text:.40}' cannot be read: write a number, *, a range such as "
            "1-5, a list such as 1,3, or a step such as */2"
        )
    whole, first, last, step = match.groups()
    if step is not None and not int(step):
        raise ValueError(f"the {field.name} '{text}' has a step of 0: write 1 or more")
    behind = "" if step is None else f"/{int(step)}"
    if first is None:
        return f"{whole}{behind}"
    low = _value(first, field)
    if last is None:
        return f"{low}-{field.highest}{behind}" if behind else f"{low}"
    high = _value(last, field)
    if high < low:
        raise ValueError(
            f"the {field.name} '{text}' runs backwards: write "
            f"{first}-{field.highest},{field.lowest}-{last}"
        )
    return f"{low}-{high}{behind}"


def _value(text: str, field: _Field) -> int:
    named = text.lower()
    for number, name in enumerate(field.names, start=field.first_named):
        if len(named) >= _NAME_LENGTH and name.startswith(named):
            return number
    if not text.isdigit() or not field.lowest <= int(text) <= field.highest:
        names = f" or a name such as {field.names[0][:3].upper()}" if field.names else ""
        raise ValueError(
            f"the {field.name} '{text:.40}' is not between {field.lowest} and {field.highest}"
            f"{field.about}{names}"
        )
    return int(text)
