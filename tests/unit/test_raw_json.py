"""Stored JSON goes out as it is stored, and an answer is JSON whatever is stored."""

from __future__ import annotations

import json

import pytest

from host.http.raw_json import raw, to_json


@pytest.mark.parametrize(
    "payload",
    [
        '{"b":1,"a":2}',
        "1.0",
        "12345678901234567890123",
        '"\\u0000"',
        "null",
        "[]",
        '"größe ☃"',
        "1e5",
    ],
)
def test_found_d4_stored_json_goes_out_as_it_is(payload: str) -> None:
    assert to_json({"a": raw(payload)}) == f'{{"a":{payload}}}'.encode()


@pytest.mark.parametrize(
    "payload", ["", "{", "nonsense", "[1,]", "NaN", "1 2", "[" * 100_000, "]" * 9, '"\n']
)
def test_what_is_no_json_is_a_text(payload: str) -> None:
    assert json.loads(to_json([raw(payload)])) == [payload]


def test_half_a_character_does_no_harm() -> None:
    """As a value it is shown as the text that is stored; beside one it is an escape."""
    body = to_json([raw('"\ud800"'), "\ud800", raw("7")])
    assert json.loads(body) == ['"\ud800"', "\ud800", 7]


def test_nothing_is_null() -> None:
    assert to_json([raw(None)]) == b"[null]"
