"""How a record of the log is written, for people and for programs."""

from __future__ import annotations

import json
import logging
import sys
from typing import Any

import pytest

from host.cli.log_lines import MAX_JSON_CHARS, JsonFormatter, LineFormatter
from host.cli.logs import FunctionLevels
from host.running import Running, mark

RUN = Running("charge", "order-7", "e1", attempt=2, trace_id="ab" * 16)


def record_of(message: str, level: int = logging.INFO, **fields: Any) -> logging.LogRecord:
    record = logging.LogRecord("shop.orders", level, "shop.py", 7, message, (), None)
    record.__dict__.update(fields)
    return record


def inside(record: logging.LogRecord, running: Running = RUN) -> logging.LogRecord:
    mark(record, running)
    return record


def test_a_line_for_people_says_where_it_was_logged() -> None:
    line = LineFormatter(has_colours=False).format(inside(record_of("charging")))
    assert line.endswith(" INFO     shop.orders [charge order-7, attempt 2]: charging")


def test_a_line_that_is_logged_in_no_function_says_no_place() -> None:
    line = LineFormatter(has_colours=False).format(record_of("ready"))
    assert line.endswith(" INFO     shop.orders: ready")


def test_colours_are_the_hosts_alone_and_the_text_is_the_same() -> None:
    record = inside(record_of("\x1b[31mcharging", logging.WARNING))
    plain = LineFormatter(has_colours=False).format(record)
    coloured = LineFormatter(has_colours=True).format(record)
    assert "\x1b[33mWARNING" in coloured
    assert "\\x1b[31mcharging" in coloured
    for code in ("\x1b[2m", "\x1b[33m", "\x1b[36m", "\x1b[0m"):
        coloured = coloured.replace(code, "")
    assert coloured == plain


def test_json_has_the_place_the_authors_fields_and_the_traceback() -> None:
    try:
        raise LookupError("no such order")
    except LookupError:
        record = record_of(
            "failed\nbadly", logging.ERROR, exc_info=sys.exc_info(), order=7, tag={1}
        )
    line = JsonFormatter().format(inside(record))
    assert "\n" not in line
    said = json.loads(line)
    assert 'raise LookupError("no such order")' in said.pop("exception")
    assert said.pop("time").endswith("Z")
    assert said == {
        "level": "Error",
        "category": "shop.orders",
        "message": "failed\nbadly",
        "function": "charge",
        "instanceId": "order-7",
        "executionId": "e1",
        "attempt": 2,
        "traceId": "ab" * 16,
        "fields": {"order": 7, "tag": "{1}"},
    }


def test_json_hides_what_opens_the_host_wherever_it_stands() -> None:
    key = "aB3-" * 10 + "x_Z"
    line = JsonFormatter().format(record_of(f"?code={key}", asked=f"/a?code={key}"))
    assert key not in line


def test_an_object_stays_whole_whatever_an_author_logs() -> None:
    much: dict[str, Any] = {f"field{number}": "\x00" * 100_000 for number in range(500)}
    line = JsonFormatter().format(record_of("\x00" * 1_000_000, **much))
    assert len(line) < MAX_JSON_CHARS
    assert json.loads(line)["level"] == "Information"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1.5, None, True])
def test_json_is_json_whatever_number_is_logged(value: Any) -> None:
    def refuse(name: str) -> None:
        raise AssertionError(name)

    json.loads(JsonFormatter().format(record_of("x", number=value)), parse_constant=refuse)


@pytest.mark.parametrize(
    ("function", "level", "is_written"),
    [
        ("charge", logging.DEBUG, True),
        ("Charge", logging.DEBUG, True),
        ("refund", logging.INFO, False),
        ("refund", logging.WARNING, True),
        (None, logging.DEBUG, False),
        (None, logging.INFO, True),
    ],
)
def test_levels_of_functions_are_for_what_is_logged_in_them(
    function: str | None, level: int, is_written: bool
) -> None:
    levels = FunctionLevels(logging.INFO, {"charge": logging.DEBUG, "": logging.WARNING})
    record = record_of("x", level)
    if function is not None:
        mark(record, Running(function))
    assert levels.filter(record) is is_written
