"""Numbers that were chosen to have one hash.

Python's hash of a number is its remainder by a known prime, so whoever sends numbers can choose
many with the same one. A dict or set of them takes time quadratic in their count to build, in one
step that holds the interpreter: no thread helps. Texts are safe, their hashes are secret.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Mapping
from typing import Any

MAX_OF_ONE_HASH = 500
"""So many numbers of one hash are found in less than ten milliseconds."""

_SHORT = 16_384
"""A payload of this size cannot hold enough of them to matter."""
# All of these look at each sign once: a text that was made to be slow to search is none here.
_PRIME = sys.hash_info.modulus
_INTEGER = re.compile(r"(?<![0-9])[0-9]{19,4300}")  # shorter ones are their own hash
_DECIMAL = re.compile(r"(?<![0-9.])([0-9]++)(?:\.([0-9]*+))?[eE]([+-]?[0-9]{1,9})")
_UUID = re.compile(r"(?<![0-9a-fA-F-])[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}")
_SAFE_KEYS = frozenset({"str", "literal", "enum", "bytes", "date", "time", "datetime", "url"})
_HASHING = {"dict": "keys_schema", "set": "items_schema", "frozenset": "items_schema"}


def hashes_numbers(schema: object) -> bool:
    """Whether a pydantic core schema builds dicts or sets of what may be numbers."""
    if isinstance(schema, Mapping):
        part = _HASHING.get(schema.get("type", ""))
        if part is not None and not _is_safe(schema["type"], schema.get(part)):
            return True
        return any(hashes_numbers(each) for each in schema.values())
    return isinstance(schema, list | tuple) and any(hashes_numbers(each) for each in schema)


def _is_safe(kind: str, schema: Any) -> bool:
    if schema is None or schema.get("type") == "any":
        return kind == "dict"  # the keys of JSON are texts
    return schema.get("type") in _SAFE_KEYS


def has_colliding_numbers(payload: str) -> bool:
    """Whether more than `MAX_OF_ONE_HASH` different numbers of the text have one hash."""
    if len(payload) <= _SHORT:
        return False
    hashes = Counter(int(each) % _PRIME for each in set(_INTEGER.findall(payload)))
    hashes.update(int(each.replace("-", ""), 16) % _PRIME for each in set(_UUID.findall(payload)))
    hashes.update(_hash_of_decimal(*each) for each in set(_DECIMAL.findall(payload)))
    return bool(hashes) and max(hashes.values()) > MAX_OF_ONE_HASH


def _hash_of_decimal(whole: str, fraction: str, exponent: str) -> int:
    power = int(exponent) - len(fraction)
    digits = (whole + fraction)[:4300]
    return int(digits) * pow(10, power, _PRIME) % _PRIME
