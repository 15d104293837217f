"""Payloads at the edge: what cannot be read again is not written, what is no JSON not taken."""

from __future__ import annotations

from typing import Any

import pytest

from bindings import SerializationError
from host.core.converter import Converter


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize("depth", [1, 150, 199])
def test_what_is_written_can_be_read_again(depth: int) -> None:
    converter = Converter()
    payload = converter.to_payload(nested(depth), "It")
    assert converter.from_payload(payload, None, "It") == nested(depth)


@pytest.mark.parametrize("depth", [201, 230, 254, 300])
def test_a_value_too_deep_to_be_read_again_is_not_written(depth: int) -> None:
    with pytest.raises(SerializationError):
        Converter().to_payload(nested(depth), "It")


def test_a_wide_value_is_not_taken_for_a_deep_one() -> None:
    wide = [[number] for number in range(1000)]
    assert Converter().to_payload(wide, "It") is not None


@pytest.mark.parametrize("text", [b"[1e999]", b'{"v": -1E400}', b"1" + b"0" * 400 + b".5"])
def test_a_number_that_would_become_an_infinity_is_refused(text: bytes) -> None:
    with pytest.raises(SerializationError, match="too large"):
        Converter().check_json(text, "The body")


@pytest.mark.parametrize("text", [b"[1e300]", b'"1e999"', b"1e-999", b"1" + b"0" * 400])
def test_large_but_finite_numbers_and_texts_are_taken(text: bytes) -> None:
    assert Converter().check_json(text, "The body") == text.decode()
