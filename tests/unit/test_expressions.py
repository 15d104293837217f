"""Binding expressions: what they stand for, and which texts are none."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from bindings import FunctionDefinitionError, InvalidArgumentError
from bindings.expressions import BindingData, template

NOW = datetime(2026, 3, 4, 15, 6, 7, 89_000, tzinfo=UTC)


def render(text: str, found: Mapping[str, Any] | None = None) -> str:
    data = BindingData(lambda: found or {}, function_name="bill", now=lambda: NOW)
    return template(text, "The path").render(data)


ORDER = {
    "id": "7",
    "Total": 12.5,
    "paid": True,
    "customer": {"Name": "Ada", "address": {"city": "Turin"}},
    "lines": [1, {"a": None}],
    "note": None,
    "at": NOW,
    "dashed-name": "x",
}


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("orders/{id}.json", "orders/7.json"),
        ("{ID}{id}", "77"),
        ("{total}", "12.5"),
        ("{paid}", "true"),
        ("{customer.name}-{CUSTOMER.ADDRESS.CITY}", "Ada-Turin"),
        ("{customer.address}", '{"city": "Turin"}'),
        ("{lines}", '[1, {"a": null}]'),
        ("[{note}]", "[]"),
        ("{at:yyyy/MM/dd}", "2026/03/04"),
        ("{at}", "2026-03-04T15:06:07.089000+00:00"),
        ("plain", "plain"),
        ("", ""),
    ],
)
def test_a_name_stands_for_its_value_in_any_case(text: str, meant: str) -> None:
    assert render(text, ORDER) == meant


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("{datetime}", "2026-03-04T15-06-07Z"),
        ("{DateTime:yyyy-MM}", "2026-03"),
        ("{datetime:d.M.yy h:mm tt}", "4.3.26 3:06 PM"),
        ("{datetime:HHmmss.fff}", "150607.089"),
        ("{datetime:dddd 'at' MMM}", "Wednesday at Mar"),
        ("{sys.methodname}", "bill"),
        ("{sys.utcnow}", "2026-03-04T15-06-07Z"),
    ],
)
def test_what_is_built_in(text: str, meant: str) -> None:
    assert render(text) == meant


def test_what_the_trigger_knows_comes_before_what_is_built_in() -> None:
    assert render("{datetime}", {"DATETIME": "theirs"}) == "theirs"
    assert render("{sys.methodname}", {"sys": {"methodName": "theirs"}}) == "theirs"


def test_each_guid_is_a_new_one() -> None:
    first, second = render("{rand-guid} {Rand-Guid}").split()
    assert UUID(first) != UUID(second)
    assert re.fullmatch("[0-9a-f]{32}", render("{rand-guid:N}"))
    assert re.fullmatch(r"\{[0-9a-f-]{36}\}", render("{rand-guid:b}"))
    assert re.fullmatch(r"\([0-9a-f-]{36}\)", render("{rand-guid:P}"))
    assert UUID(render("{sys.randguid}"))


@pytest.mark.parametrize("text", ["{nobody}", "{id.more}", "{customer.age}", "{sys}", "{sys.x}"])
def test_a_name_without_a_value_is_an_error_of_the_call(text: str) -> None:
    with pytest.raises(InvalidArgumentError, match="No value for named parameter '"):
        render(text, ORDER)


@pytest.mark.parametrize(
    "text",
    [
        *("{", "}", "{id", "id}", "{{id}}", "{}", "{ }", "{a b}", "{.a}", "{a.}", "{a..b}"),
        *("{dashed-name}", "{rand-guid:X}", "{datetime:qq}", "{at:yyyyy}"),
    ],
)
def test_what_is_no_expression_is_an_error_of_the_function(text: str) -> None:
    with pytest.raises(FunctionDefinitionError, match="The path"):
        template(text, "The path")


def test_what_the_trigger_knows_is_looked_for_once_and_only_if_somebody_asks() -> None:
    asked = []

    def find() -> Mapping[str, object]:
        asked.append(1)
        return {"a": 1}

    data = BindingData(find, function_name="f", now=lambda: NOW)
    assert template("plain", "x").render(data) == "plain"
    assert template("plain", "x").is_constant
    assert not asked
    assert template("{a}{a}", "x").render(data) == "11"
    assert len(asked) == 1
