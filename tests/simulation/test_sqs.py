"""The simulated SQS hands out what was sent: a field that it lost would be seen by no check."""

from __future__ import annotations

import msgspec
import pytest

from tests.simulation.sqs import _hint, _text

BODIES = [
    {"id": "a"},
    {"id": "a", "re": True},
    {"id": "a", "re": True, "p": 3},
    {"id": "a", "ex": "e", "t": 1},
    {"id": "a", "ex": "e", "t": 1, "p": 2},
]


@pytest.mark.parametrize("body", BODIES, ids=str)
def test_a_body_comes_out_as_it_went_in(body: dict[str, object]) -> None:
    assert msgspec.json.decode(_text(_hint(msgspec.json.encode(body).decode()))) == body
