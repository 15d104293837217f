"""How the use of a limit is stored: JSON, under its name and the key of its tasks."""

from __future__ import annotations

from hashlib import sha256

import msgspec

from host.core.limits import Use
from host.storage.protocol import NamedRecord

MAX_KEY_IN_NAME = 200
"""Longer keys are stored under a digest; the record says what they are."""

_encode = msgspec.json.encode
_decoder = msgspec.json.Decoder(Use)


def record_key(name: str, key: str) -> str:
    """The key of the record."""
    if not key:
        return name
    if len(key.encode(errors="replace")) <= MAX_KEY_IN_NAME and key.isprintable():
        return f"{name}/{key}"
    return f"{name}//{sha256(key.encode(errors='surrogatepass')).hexdigest()}"


def encode(use: Use) -> bytes:
    """The data of the record."""
    return _encode(use)


def decode(record: NamedRecord | None, name: str, key: str) -> Use:
    """What the record says; nothing if there is none, or if nobody can read it."""
    if record is None:
        return Use(name, key)
    try:
        return _decoder.decode(record.data)
    except (msgspec.DecodeError, ValueError):
        return Use(name, key)
