"""JSON from outside, read strictly: what could not be written again is refused.

NaN, infinities, numbers that become one, lone surrogates and endless nesting are no JSON here.
"""

from __future__ import annotations

import json
import math
import re
from codecs import BOM_UTF8
from typing import Any

import pydantic_core

MAX_VALUES = 1_000_000
"""So many values are read in a quarter of a second, into some 100 MB."""

_MAYBE_INFINITE = re.compile(rb"[0-9](?:[eE]\+?[0-9]{3}|(?<![0-9][0-9])[0-9]{308})")
_TEXT = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\Z)', re.DOTALL)
"""It never goes back: that would take a gigabyte for a text of nine million escapes."""


def read_json(text: bytes) -> Any:
    """The value; a byte order mark before it is no part of it. Raises ValueError."""
    text = text.removeprefix(BOM_UTF8)
    check_count(text)
    value = pydantic_core.from_json(text, allow_inf_nan=False, cache_strings="none")
    if _MAYBE_INFINITE.search(text):
        json.loads(text, parse_float=_finite)
    return value


def check_count(text: bytes) -> None:
    """Raise ValueError for more values than are read here."""
    if _may_have_too_many(text) and _may_have_too_many(_TEXT.sub(b"", text)):
        raise ValueError(f"it has more than {MAX_VALUES:,} values")


def _may_have_too_many(text: bytes) -> bool:
    """Whether there are so many signs that begin a value; within texts they mean nothing."""
    return len(text) > MAX_VALUES and sum(map(text.count, (b",", b"[", b"{"))) > MAX_VALUES


def _finite(text: str) -> float:
    """A JSON number that Python can hold; one such as 1e999 would become an infinity."""
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"the number {text[:40]} is too large")
    return number
