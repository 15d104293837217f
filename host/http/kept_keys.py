"""What a hub keeps of its keys: one record for all of them, which all of its hosts read.

One record is read and changed as a whole: nobody sees half of a change, two that change something
at once cannot lose one of the changes, and to follow it is one small read. It holds hashes, never
keys. The file of keys (`keys.py`) stays the root: a key of it that is replaced or deleted here is
noted by its hash, so a new value in the file is a new key, and works.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

import msgspec

from host.http.keys import KeyKind, KeyRole

KIND: Final = "keys"
KEY: Final = "all"
FORMAT: Final = 1
MAX_BYTES: Final = 200 * 1024
"""Below what a record may have: some 700 keys."""


class UnreadableKeysError(Exception):
    """The record is damaged, or was written by a newer version."""


class EndedValue(msgspec.Struct, frozen=True, kw_only=True):
    """A value that opens nothing more from then on."""

    sha256: str
    until: datetime


class KeptKey(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A key that was made over HTTP. A function key without a `function` opens all functions."""

    kind: KeyKind
    name: str
    sha256: str
    made_at: datetime
    changed_at: datetime
    """When it got this value."""
    function: str | None = None
    role: KeyRole | None = None
    before: EndedValue | None = None
    """The value before this one, if it was left some time."""


class KeptKeys(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The record's content."""

    format: int = FORMAT
    keys: tuple[KeptKey, ...] = ()
    ended: tuple[EndedValue, ...] = ()
    """Keys of the hosts' files that were replaced or deleted here: kept for ever."""


def encode(kept: KeptKeys) -> bytes:
    """The bytes of the record."""
    return msgspec.json.encode(kept)


def decode(data: bytes) -> KeptKeys:
    """What the record says. Raises `UnreadableKeysError`."""
    try:
        kept = msgspec.json.decode(data, type=KeptKeys)
    except (msgspec.DecodeError, ValueError) as error:
        raise UnreadableKeysError("it is damaged") from error
    if kept.format != FORMAT:
        raise UnreadableKeysError("a newer version has written it")
    return kept
