"""Queries of the management API are read strictly; the status is written in a fixed order."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from bindings.client import RuntimeStatus
from bindings.errors import InvalidArgumentError
from host.core.arguments import FIRST_MOMENT, LAST_MOMENT
from host.core.records import Instance
from host.http.management.status_json import status_to_json
from host.http.query import Query, parse_query

TIME = datetime(2026, 1, 31, 12, 0, 0, 999999, tzinfo=UTC)


def row() -> Instance:
    return Instance(
        instance_id="i",
        execution_id="e",
        name="Main",
        status=RuntimeStatus.RUNNING,
        created_at=TIME,
        updated_at=TIME,
        input='{"a": 1}',
    )


def test_names_match_in_any_case_and_the_last_value_counts() -> None:
    query = parse_query("ShowInput=true&showinput=False&a=1%20b+c")
    assert query.flag("showInput", default=True) is False
    assert query.text("A") == "1 b c"


def test_blank_values_count_as_absent() -> None:
    query = parse_query("a=&b=%20&c")
    assert query.flag("a", default=True) is True
    assert query.integer("b") is None
    assert query.time("c") is None
    assert query.text("a") == ""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-31T12:00:00Z", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ("2026-01-31T12:00:00", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ("2026-01-31T13:00:00%2B01:00", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ("2026-01-31T13:00:00+01:00", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ("2026-01-31T12:00:00.1234567Z", datetime(2026, 1, 31, 12, 0, 0, 123456, tzinfo=UTC)),
        ("2026-01-31", datetime(2026, 1, 31, tzinfo=UTC)),
        ("2026-01-31%2012:00:00", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ("0001-01-01T00:00:00Z", FIRST_MOMENT),  # nearer to the ends of time sums would fail
        ("9999-12-31T23:59:59.999999Z", LAST_MOMENT),
    ],
)
def test_times_are_iso_and_utc_unless_they_say_otherwise(text: str, expected: datetime) -> None:
    assert parse_query(f"t={text}").time("t") == expected


@pytest.mark.parametrize(
    ("raw", "read"),
    [
        ("v=maybe", lambda query: query.flag("v", default=True)),
        ("v=1.5", lambda query: query.integer("v")),
        (f"v={'9' * 5000}", lambda query: query.integer("v")),
        ("v=soon", lambda query: query.seconds("v")),
        ("v=-1", lambda query: query.seconds("v")),
        ("v=nan", lambda query: query.seconds("v")),
        ("v=inf", lambda query: query.seconds("v")),
        ("v=yesterday", lambda query: query.time("v")),
        ("v=0001-01-01T00:00:00%2B05:00", lambda query: query.time("v")),
        ("v=Running,Runing", lambda query: query.statuses("v")),
        ("v=-1", lambda query: query.statuses("v")),
    ],
)
def test_what_cannot_be_read_is_refused(raw: str, read: Callable[[Query], object]) -> None:
    with pytest.raises(InvalidArgumentError, match="'v'"):
        read(parse_query(raw))


@pytest.mark.parametrize("raw", ["a=%ff", "a=\udcff", "&".join(["a=1"] * 2000)])
def test_a_query_that_is_no_text_is_refused(raw: str) -> None:
    with pytest.raises(InvalidArgumentError):
        parse_query(raw)


def test_statuses_come_as_lists_repetitions_and_numbers() -> None:
    query = parse_query("runtimeStatus=Running,failed&runtimeStatus=6&runtimeStatus=Running")
    assert query.statuses("runtimeStatus") == (
        RuntimeStatus.RUNNING,
        RuntimeStatus.FAILED,
        RuntimeStatus.PENDING,
    )


def test_the_status_has_its_members_in_order_and_whole_seconds() -> None:
    status = status_to_json(row(), history=[])
    assert list(status) == [
        "name",
        "instanceId",
        "runtimeStatus",
        "input",
        "customStatus",
        "output",
        "createdTime",
        "lastUpdatedTime",
        "historyEvents",
    ]
    assert status["createdTime"] == "2026-01-31T12:00:00Z"


def test_history_is_omitted_when_there_is_none() -> None:
    assert "historyEvents" not in status_to_json(row())


def test_the_input_can_be_hidden() -> None:
    assert status_to_json(row(), show_input=False)["input"] is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-31T12:00:00Z", datetime(2026, 1, 31, 12, 0, 0, 999999, tzinfo=UTC)),
        ("2026-01-31T12:00:00.5Z", datetime(2026, 1, 31, 12, 0, 0, 500000, tzinfo=UTC)),
        ("", None),
    ],
)
def test_found_c7_a_range_ends_with_the_second_that_was_shown(
    text: str, expected: datetime | None
) -> None:
    assert parse_query(f"t={text}").latest_time("t") == expected
