"""Schedules of timers: what they mean, when they are due, and what is said of wrong ones."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import product
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bindings.schedules import CronSchedule, Schedule, SpanSchedule, parse_schedule, zone_of

ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe")
"""An hour in spring and autumn, the same at other times, and half an hour on the other side."""
UTC_ZONE = ZoneInfo("UTC")
START = datetime(2026, 1, 1, tzinfo=UTC)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def cron(text: str, zone: str = "UTC") -> CronSchedule:
    schedule = parse_schedule(text, ZoneInfo(zone))
    assert isinstance(schedule, CronSchedule)
    return schedule


def series(schedule: Schedule, after: datetime, count: int) -> list[str]:
    found = []
    for _ in range(count):
        after = schedule.due_after(after)
        found.append(f"{after:%Y-%m-%d %H:%M:%S}")
    return found


@pytest.mark.parametrize(
    ("text", "due"),
    [
        ("0 */5 * * * *", ["2026-01-01 00:05:00", "2026-01-01 00:10:00"]),
        ("*/5 * * * *", ["2026-01-01 00:05:00", "2026-01-01 00:10:00"]),
        ("*/20 * * * * *", ["2026-01-01 00:00:20", "2026-01-01 00:00:40"]),
        ("30 0 0 * * *", ["2026-01-01 00:00:30", "2026-01-02 00:00:30"]),
        ("0 0 9-17/4 * * *", ["2026-01-01 09:00:00", "2026-01-01 13:00:00"]),
        ("0 0,30 9 * * *", ["2026-01-01 09:00:00", "2026-01-01 09:30:00"]),
        ("0 50/4 * * * *", ["2026-01-01 00:50:00", "2026-01-01 00:54:00"]),
        ("0 0 8 * * MON-FRI", ["2026-01-01 08:00:00", "2026-01-02 08:00:00"]),
        ("0 0 8 * * mon,Wednesday", ["2026-01-05 08:00:00", "2026-01-07 08:00:00"]),
        ("0 0 8 * * 0", ["2026-01-04 08:00:00", "2026-01-11 08:00:00"]),
        ("0 0 8 * * 1/3", ["2026-01-01 08:00:00", "2026-01-05 08:00:00"]),
        ("0 0 0 1 Feb,AUGUST *", ["2026-02-01 00:00:00", "2026-08-01 00:00:00"]),
        ("0 0 0 13 * FRI", ["2026-02-13 00:00:00", "2026-03-13 00:00:00"]),
        ("0 0 0 31 * *", ["2026-01-31 00:00:00", "2026-03-31 00:00:00"]),
        ("0 0 0 29 2 *", ["2028-02-29 00:00:00", "2032-02-29 00:00:00"]),
        ("00:00:30", ["2026-01-01 00:00:30", "2026-01-01 00:01:00"]),
        ("06:00:00", ["2026-01-01 06:00:00", "2026-01-01 12:00:00"]),
        ("2.12:00:00", ["2026-01-03 12:00:00", "2026-01-06 00:00:00"]),
    ],
)
def test_what_a_schedule_means(text: str, due: list[str]) -> None:
    assert series(parse_schedule(text, UTC_ZONE), START, 2) == due


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "has 0 fields: write six"),
        ("every day", "has 2 fields: write six"),
        ("* * * * * * *", "has 7 fields: write six"),
        ("0 60 * * * *", "the minute '60' is not between 0 and 59"),
        ("60 0 * * * *", "the second '60' is not between 0 and 59"),
        ("0 0 24 * * *", "the hour '24' is not between 0 and 23"),
        ("0 0 0 0 * *", "the day of the month '0' is not between 1 and 31"),
        ("0 0 0 * 13 *", "the month '13' is not between 1 and 12 or a name such as JAN"),
        ("0 0 0 * Ma *", "the month 'Ma' is not between"),
        ("0 0 0 * * 7", r"the day of the week '7' is not between 0 and 6 \(0 is Sunday\)"),
        ("0 0 0 * * Funday", "the day of the week 'Funday' is not between"),
        ("0 0 0 L * *", "the day of the month 'L' is not between 1 and 31"),
        ("0 0 0 ? * MON", r"the day of the month '\?' cannot be read"),
        ("0 0 0 * * MON#2", "the day of the week 'MON#2' cannot be read"),
        ("0 0 0 15W * *", "the day of the month '15W' is not between"),
        ("0 0 22-2 * * *", "the hour '22-2' runs backwards: write 22-23,0-2"),
        ("0 */0 * * * *", r"the minute '\*/0' has a step of 0"),
        ("0 1, * * * *", "the minute '' cannot be read"),
        ("0 -1 * * * *", "the minute '-1' cannot be read"),
        ("0 ٣ * * * *", "the minute '٣' cannot be read"),
        ("0 0 0 30 2 *", "is never due: no such day is in any of its months"),
        ("0 0 0 31 4,6 *", "is never due"),
        ("24:00:00", "hours go to 23, minutes and seconds to 59; write days as d.hh:mm:ss"),
        ("00:00:00", "is no time at all: write at least 00:00:01"),
        ("5:00", "is no time span: write hh:mm:ss"),
        ("-00:05:00", "is no time span"),
    ],
)
def test_what_is_no_schedule_says_what_would_be_one(text: str, error: str) -> None:
    with pytest.raises(ValueError, match=error):
        parse_schedule(text, UTC_ZONE)


@pytest.mark.parametrize("name", ["Mars/Base", "", "../etc/passwd", "W. Europe Standard Time"])
def test_what_is_no_time_zone_says_what_would_be_one(name: str) -> None:
    with pytest.raises(ValueError, match=r"There is no time zone .* write a name such as Europe"):
        zone_of(name)


@pytest.mark.parametrize(
    ("text", "is_frequent"),
    [
        ("* * * * * *", True),
        ("*/30 * * * * *", True),
        ("0 * * * * *", False),
        ("*/30 */2 * * * *", False),
        ("* * * * *", False),
        ("00:00:59", True),
        ("00:01:00", False),
    ],
)
def test_which_schedules_are_due_more_than_once_a_minute(text: str, is_frequent: bool) -> None:
    assert parse_schedule(text, UTC_ZONE).is_frequent == is_frequent


# ---- wall clocks that are put forward and back ---------------------------------------------------


@pytest.mark.parametrize(
    ("text", "zone", "after", "due"),
    [
        # Berlin, 29 March 2026: 02:00 becomes 03:00, which is 01:00 in UTC
        ("0 30 2 * * *", "Europe/Berlin", "2026-03-28T12:00", ["03-29 01:30", "03-30 00:30"]),
        ("0 30 2 * * *", "Europe/Berlin", "2026-03-29T01:10", ["03-29 01:30", "03-30 00:30"]),
        ("0 30 2,3 * * *", "Europe/Berlin", "2026-03-28T12:00", ["03-29 01:30", "03-30 00:30"]),
        ("0 0,30 2-3 * * *", "Europe/Berlin", "2026-03-29T00:30", ["03-29 01:00", "03-29 01:30"]),
        ("0 30 * * * *", "Europe/Berlin", "2026-03-29T00:00", ["03-29 00:30", "03-29 01:30"]),
        # Berlin, 25 October 2026: 03:00 becomes 02:00, which is 01:00 in UTC
        ("0 30 2 * * *", "Europe/Berlin", "2026-10-24T12:00", ["10-25 00:30", "10-26 01:30"]),
        ("0 30 * * * *", "Europe/Berlin", "2026-10-25T00:00", ["10-25 00:30", "10-25 01:30"]),
        ("0 30 * * * *", "Europe/Berlin", "2026-10-25T00:45", ["10-25 01:30", "10-25 02:30"]),
        ("0 */20 2 * * *", "Europe/Berlin", "2026-10-25T00:25", ["10-25 00:40", "10-26 01:00"]),
        # Lord Howe, 4 April 2027: 02:00 becomes 01:30; 4 October 2026: 02:00 becomes 02:30
        ("0 45 1 * * *", "Australia/Lord_Howe", "2027-04-03T12:00", ["04-03 14:45", "04-04 15:15"]),
        ("0 45 * * * *", "Australia/Lord_Howe", "2027-04-03T14:00", ["04-03 14:45", "04-03 15:15"]),
        ("0 15 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00", ["10-03 15:45", "10-04 15:15"]),
    ],
)
def test_what_a_changed_wall_clock_does(text: str, zone: str, after: str, due: list[str]) -> None:
    found = series(cron(text, zone), utc(after), 2)
    assert [each[5:16] for each in found] == due


def by_hand(schedule: CronSchedule, year: int) -> list[datetime]:
    """The due times of a year by looking at each day, and each time of it that is meant.

    No library: what the head of `bindings/schedules.py` says, one wall time after the other.
    """
    minutes, hours, days, months, weekdays = (
        _allowed(text, low, high)
        for text, (low, high) in zip(
            schedule.fields[1:], ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6)), strict=True
        )
    )
    found = set()
    day = datetime(year - 1, 12, 30)
    while day < datetime(year + 1, 1, 3):
        is_meant = day.day in days and day.month in months and day.isoweekday() % 7 in weekdays
        for hour, minute in product(hours, minutes) if is_meant else ():
            wall = day.replace(hour=hour, minute=minute)
            first, second = (
                wall.replace(tzinfo=schedule.zone, fold=fold).astimezone(UTC) for fold in (0, 1)
            )
            found.add(first)
            if second > first and schedule.fields[2].startswith("*"):
                found.add(second)
        day += timedelta(days=1)
    return sorted(each for each in found if each.year == year)


def _allowed(text: str, low: int, high: int) -> set[int]:
    return {number for part in text.split(",") for number in _numbers(part, low, high)}


def _numbers(part: str, low: int, high: int) -> Iterator[int]:
    head, _, step = part.partition("/")
    first, _, last = ("", "", "") if head == "*" else head.partition("-")
    start = int(first) if first else low
    end = int(last) if last else (start if first else high)
    yield from range(start, end + 1, int(step or 1))


def of_the_year(schedule: CronSchedule, year: int) -> list[datetime]:
    found = []
    due = schedule.due_after(datetime(year, 1, 1, tzinfo=UTC) - timedelta(seconds=1))
    while due.year == year:
        found.append(due)
        due = schedule.due_after(due)
    return found


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize(
    "text",
    [
        "0 0 * * * *",
        "0 30 */2 * * *",
        "0 0,15,30,45 1-3 * * *",
        "0 30 2 * * SUN",
        "0 10 1,2 25-31 3,10 *",
        "0 45 1 1-10 4,10,11 0,1",
        "0 0 0 * * *",
    ],
)
def test_a_year_is_as_by_hand(zone: str, text: str) -> None:
    schedule = cron(text, zone)
    assert of_the_year(schedule, 2026) == by_hand(schedule, 2026)


@given(
    st.sampled_from(ZONES),
    st.sampled_from(["0 30 2 * * *", "0 30 * * * *", "0 0,30 1-3 * * *", "0 */7 * * * *"]),
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31)),
)
@settings(max_examples=100, deadline=None)
def test_the_due_times_are_one_series_from_wherever_it_is_looked_at(
    zone: str, text: str, moment: datetime
) -> None:
    schedule = cron(text, zone)
    moment = moment.replace(tzinfo=UTC)
    following = schedule.due_after(moment)
    assert following > moment
    between = moment + (following - moment) / 2
    assert schedule.due_after(between) == following
    before = schedule.due_after(moment - timedelta(hours=5))
    while before <= moment:
        before = schedule.due_after(before)
    assert before == following


def test_what_was_missed_is_left_out() -> None:
    schedule = parse_schedule("0 0 * * * *", UTC_ZONE)
    assert schedule.following(START, START + timedelta(hours=5, minutes=1)) == utc(
        "2026-01-01T06:00"
    )
    assert schedule.following(START, START - timedelta(seconds=5)) == utc("2026-01-01T01:00")
    span = SpanSchedule("01:00:00", timedelta(hours=1))
    assert span.following(START, START + timedelta(seconds=2)) == utc("2026-01-01T01:00")
    assert span.following(START, START + timedelta(hours=3)) == utc("2026-01-01T04:00")
