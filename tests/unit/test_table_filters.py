"""Filters of tables: which texts are some, what they are true of, and that values stay values."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from bindings.errors import FunctionDefinitionError, InvalidArgumentError
from bindings.expressions import BindingData
from bindings.tables.filter_reading import MAX_COMPARISONS, MAX_DEPTH, MAX_LENGTH, FilterTemplate
from bindings.tables.filters import Filter, matches
from bindings.tables.values import time_text

NOW = datetime(2026, 3, 4, tzinfo=UTC)
ROW: dict[str, Any] = {
    "PartitionKey": "p",
    "RowKey": "r",
    "age": 18,
    "price": 0.1,
    "name": "O'Hara",
    "city": "Köln",
    "active": True,
    "none": None,
    "at": time_text(datetime(2026, 1, 31, 8, 0, 0, 500_000, tzinfo=UTC)),
    "id": "0f8fad5b-d9cb-469f-a165-70867728950e",
    "tags": ["x"],
}


def bound(text: str, **found: Any) -> Filter:
    data = BindingData(lambda: found, function_name="f", now=lambda: NOW)
    return FilterTemplate(text).bind(data)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("age eq 18", True),
        ("age eq 18.0", True),
        ("age eq 18L", True),
        ("age gt 17.9999999999999999999999", True),
        ("price eq 0.1", True),
        ("price lt 0.1", False),
        ("name eq 'O''Hara'", True),
        ("name ge 'O'", True),
        ("city gt 'Kz'", True),
        ("active eq true", True),
        ("active ne true", False),
        ("active eq 1", False),
        ("active ne 1", True),
        ("none eq null and missing eq null", True),
        ("none ne 1 or missing ne 1", False),
        ("not (missing eq 1)", True),
        ("at gt datetime'2026-01-31T09:00:00+01:00'", True),
        ("at lt datetime'2026-01-31T08:00:01Z'", True),
        ("id eq guid'0F8FAD5B-D9CB-469F-A165-70867728950E'", True),
        ("tags eq 'x'", False),
        ("tags ne 'x'", True),
        ("age eq 1 or age eq 18 and name eq 'x'", False),
        ("(age eq 1 or age eq 18) and not (name eq 'x')", True),
        ("not age eq 1", True),
        ("not not (age eq 18)", True),
        ("  age\n ge  -1e0  ", True),
        ("(RowKey eq 'r')and(PartitionKey eq 'p')", True),
    ],
)
def test_what_a_filter_is_true_of(text: str, expected: bool) -> None:
    assert matches(bound(text), ROW) is expected


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "ends where the name of a property stands"),
        ("age", "ends where one of eq, ne"),
        ("age eq", "ends where a value stands"),
        ("age = 1", "'=' where one of eq"),
        ("age EQ 1", "'EQ' where one of eq"),
        ("age eq x", "put texts in quotes"),
        ("age eq 'x", "' without its other half"),
        ("age eq 1 and", "ends where the name"),
        ("age eq 1 age eq 2", "goes on with 'age'"),
        ("(age eq 1", r"lacks a '\)'"),
        ("age eq 1)", r"goes on with '\)'"),
        ("1 eq age", "'1' where the name"),
        ("'age' eq 1", "where the name of a property"),
        ("and eq 1", "'and' where the name"),
        ("a/b eq 1", "'a/b' where the name"),
        ("age eq and", "'and' where a value"),
        ("age gt true", "there are only eq and ne"),
        ("age ge null", "there are only eq and ne"),
        ("at eq datetime'soon'", "no time such as"),
        ("id eq guid'1'", "which is none"),
        ("age eq 1e500", "too large or too small"),
        (f"age eq {'1' * 40}", "more than 38 digits"),
        ("age eq {", "without its other half"),
        ("age eq '{'", "brace without its other half"),
        ("age eq {a b}", "which is no name"),
        (" or ".join(["a eq 1"] * (MAX_COMPARISONS + 1)), "more than 40 comparisons"),
        ("(" * (MAX_DEPTH + 1) + "a eq 1" + ")" * (MAX_DEPTH + 1), "more than 30 levels"),
        ("not " * 5000 + "a eq 1", "longer than 4,000"),
        ("a eq '" + "x" * MAX_LENGTH + "'", "longer than 4,000"),
    ],
)
def test_what_is_no_filter_says_why(text: str, why: str) -> None:
    with pytest.raises(FunctionDefinitionError, match=why):
        FilterTemplate(text)


@pytest.mark.parametrize(
    "value",
    ["x' or age ge 0 or name eq '", "''", "'", "') or (age ge 0", "{age}", "\\'", "x\n'y"],
)
def test_a_value_in_quotes_changes_nothing_of_the_filter(value: str) -> None:
    filter_ = bound("name eq '{name}'", name=value)
    assert not matches(filter_, ROW)
    assert matches(filter_, {**ROW, "name": value})
    both = bound("name eq 'a-{name}' and age eq {age}", name=value, age=18)
    assert matches(both, {**ROW, "name": f"a-{value}"})


@pytest.mark.parametrize(
    "value", ["18 or true", "'18'", "x", "", "18 ", "NaN", "1_8", "datetime'x'"]
)
def test_a_value_without_quotes_is_a_number_or_nothing(value: str) -> None:
    with pytest.raises(InvalidArgumentError, match="no number, true or false"):
        bound("age eq {age}", age=value)


def test_values_of_calls_have_the_type_of_their_place() -> None:
    assert matches(bound("age eq {n} and active eq {yes}", n=18, yes=True), ROW)
    assert matches(bound("age eq {n}", n="18"), ROW)
    assert not matches(bound("age eq '{n}'", n=18), ROW)
    assert matches(bound("at ge datetime'{day}T00:00:00Z'", day="2026-01-31"), ROW)
    with pytest.raises(InvalidArgumentError, match="no time such as"):
        bound("at ge datetime'{day}'", day="today")
    with pytest.raises(InvalidArgumentError, match="only eq and ne"):
        bound("age ge {n}", n=True)
    with pytest.raises(InvalidArgumentError, match="No value for named parameter 'n'"):
        bound("age ge {n}")
    with pytest.raises(InvalidArgumentError, match="half a character"):
        bound("name eq '{n}'", n="\ud800")
