"""Values that were chosen to take long, and their harmless neighbours."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any
from uuid import UUID

import pydantic
import pytest

from bindings.errors import SerializationError
from bindings.strict_json import MAX_VALUES, read_json
from host.core.converter import Converter

PRIME = 2**61 - 1
COUNT = 40_000


class Order(pydantic.BaseModel):
    """Where a dict of numbers may hide."""

    lines: list[dict[int, str]] = []
    ids: set[UUID] = set()
    parent: Order | None = None


def colliding() -> list[int]:
    return [number * PRIME for number in range(1, COUNT)]


@pytest.mark.timeout(20)  # each would take that long, or longer
@pytest.mark.parametrize(
    ("expected", "value"),
    [
        (dict[int, int], dict.fromkeys(map(str, colliding()), 1)),
        (dict[int, Any], dict.fromkeys(map(str, [-each for each in colliding()]), 1)),
        (set[int], colliding()),
        (frozenset[int | str], colliding()),
        (set[Any], colliding()),
        (set[tuple[int, int]], [[each, 1] for each in colliding()]),
        (dict[Decimal, int], dict.fromkeys(map(str, colliding()), 1)),
        (dict[UUID, int], {str(UUID(int=each)): 1 for each in colliding()}),
        (Order, {"lines": [dict.fromkeys(map(str, colliding()), "")]}),
        (Order, {"parent": {"parent": {"ids": [str(UUID(int=each)) for each in colliding()]}}}),
        (list[Order] | None, [{"ids": [str(UUID(int=each)) for each in colliding()]}]),
        (
            dict[Decimal, int],
            {f"{pow(10, -e, PRIME)}e{e}": 1 for e in range(20, 20 + 3000)},
        ),
    ],
    ids=range(12),
)
def test_found_d11_numbers_with_one_hash_are_refused(expected: Any, value: Any) -> None:
    with pytest.raises(SerializationError, match="one hash"):
        Converter().from_payload(json.dumps(value), expected, "The input")


@pytest.mark.parametrize(
    ("expected", "value"),
    [
        (dict[int, int], {str(number): number for number in range(50_000)}),
        (dict[int, int], {str(10**18 + number * 7919): 1 for number in range(50_000)}),
        (dict[int, int], {str(10**19 + number): 1 for number in range(20_000)}),
        (list[int], colliding()),
        (dict[str, int], dict.fromkeys(map(str, colliding()), 1)),
        (dict[int, list[int]], {"1": [12345678901234567890] * 20_000}),
        (set[float], [number / 7 for number in range(20_000)]),
        (dict[UUID, int], {str(UUID(int=10**30 + each * 7919)): 1 for each in range(20_000)}),
    ],
    ids=range(8),
)
def test_found_d11_other_numbers_are_read(expected: Any, value: Any) -> None:
    read = Converter().from_payload(json.dumps(value), expected, "The input")
    assert len(read) == len(value)


@pytest.mark.parametrize(
    "text",
    [
        b"[" + b"[]," * MAX_VALUES + b"[]]",
        b"[" + b"0," * MAX_VALUES + b"0]",
        b"{" + b",".join(b'"%d":1' % number for number in range(MAX_VALUES + 1)) + b"}",
    ],
    ids=range(3),
)
def test_found_d11_json_has_only_so_many_values(text: bytes) -> None:
    with pytest.raises(ValueError, match="more than 1,000,000 values"):
        read_json(text)


def test_found_d11_signs_within_texts_are_no_values() -> None:
    text = '[{,\\"' * MAX_VALUES
    assert read_json(json.dumps([text, text]).encode()) == [text, text]
    assert len(read_json(b"[" + b"0," * (MAX_VALUES - 10) + b"0]")) == MAX_VALUES - 9


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "text", ["1" * 4000, "1." + "1" * 4000, "1" * 300 + "e" + "1" * 300, "1-" * 2000, "a" * 30]
)
def test_found_d11_looking_for_them_takes_linear_time(text: str) -> None:
    many = ",".join(f'"{text}{number}"' for number in range(2_000_000 // len(text)))
    with pytest.raises(SerializationError):
        Converter().from_payload("[" + many, set[int], "The input")


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "text",
    [b'"' + b'\\"' * 8_000_000, b'[,"' * 3_000_000, b"[1" + b"0" * 4_000_000, b'"' * 9_000_001],
    ids=range(4),
)
def test_found_d11_broken_json_is_refused_in_linear_time(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"at line|values"):
        read_json(text)
