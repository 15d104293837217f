"""The bodies of records: packed bytes in an item, or in chunk items that the item names.

Rules of this file: pure. Packed bytes that begin with `z` are compressed, all others are as they
were: the codec's own first byte is a format number, and never a letter. Chunks are written before
the item that names them, under a token of that one write, and deleted after it: so who finds some
missing read while they were replaced, and reads again.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from host.core.codec import CodecError
from host.storage.aws.table.keys import (
    CHUNKS,
    Item,
    Value,
    key_of,
    moment,
    read_text,
    sort_key_of,
    text,
)

CHUNK_BYTES = 380_000
"""How much one item holds: 400 KB are allowed, names and keys of all attributes included."""
MAX_INLINE_ROW_BYTES = 16_000
"""A row is written again and again, so what is longer than this lies in chunks of its own."""

_COMPRESSED = b"z"
_WORTH_TRYING_BYTES = 700
_MAX_DIGITS = 4
"""How many digits the number of a chunk has."""
_LEVEL = 1


def pack(data: bytes) -> bytes:
    """The bytes to store."""
    if len(data) < _WORTH_TRYING_BYTES:
        return data
    packed = _COMPRESSED + zlib.compress(data, _LEVEL)
    return packed if len(packed) < len(data) else data


def unpack(packed: bytes) -> bytes:
    """The bytes that `pack` was given. Raises `CodecError` for damaged ones."""
    if packed[:1] != _COMPRESSED:
        return packed
    try:
        return zlib.decompress(memoryview(packed)[1:])
    except zlib.error as error:
        raise CodecError(f"A stored item cannot be decompressed: {error}") from error


def split(packed: bytes) -> Sequence[bytes]:
    """The bytes in pieces of which each fits into one item."""
    view = memoryview(packed)
    return [bytes(view[at : at + CHUNK_BYTES]) for at in range(0, len(packed), CHUNK_BYTES)]


class ChunksMissingError(Exception):
    """The chunks of the body of this item are not (or no longer) there: read again."""


class Chunks(NamedTuple):
    """Where a long body lies: `parts` chunk items of one token."""

    token: str
    parts: int

    @property
    def sort_keys(self) -> list[str]:
        """The keys of the chunks."""
        return [f"{CHUNKS}{self.token}#{part:0{_MAX_DIGITS}d}" for part in range(self.parts)]

    @property
    def value(self) -> Value:
        """As an attribute."""
        return text(f"{self.token}.{self.parts}")


class Body(NamedTuple):
    """The packed bytes of a record, in its item or in chunks."""

    data: bytes
    chunks: Chunks | None = None

    @property
    def attributes(self) -> Item:
        """The attribute that holds or names the bytes."""
        return {"d": {"B": self.data}} if self.chunks is None else {"c": self.chunks.value}

    def chunk_items(self, instance_id: str, run: str, now: datetime) -> list[Item]:
        """The items to write before the one that names them."""
        if self.chunks is None:
            return []
        return [
            key_of(instance_id, sort_key) | {"r": text(run), "wa": moment(now), "d": {"B": part}}
            for sort_key, part in zip(self.chunks.sort_keys, split(self.data), strict=True)
        ]


def chunks_of(item: Item) -> Chunks | None:
    """Where the item's body lies, if not in the item. Raises `CodecError` if it says nowhere."""
    if "c" not in item:
        return None
    named = read_text(item, "c")
    token, _, count = named.rpartition(".")
    parts = int(count) if count.isdecimal() and len(count) <= _MAX_DIGITS else 0
    if not parts:
        raise CodecError(f"A stored item names no chunks: {named!r}")
    return Chunks(token, parts)


def body_of(item: Item, chunks: Mapping[str, Item]) -> bytes:
    """The body. `chunks` are chunk items by sort key.

    Raises `ChunksMissingError`, and `CodecError` for damaged bytes.
    """
    found = chunks_of(item)
    if found is None:
        return unpack(_read_bytes(item))
    try:
        parts = [chunks[sort_key] for sort_key in found.sort_keys]
    except KeyError as error:
        raise ChunksMissingError(read_text(item, "sk")) from error
    return unpack(b"".join(map(_read_bytes, parts)))


def _read_bytes(item: Item) -> bytes:
    return base64.b64decode(item["d"]["B"])


def make_body(data: bytes, token: str, limit: int = CHUNK_BYTES) -> Body:
    """A body from encoded bytes, in chunks of this token if it is longer than `limit`."""
    packed = pack(data)
    if len(packed) <= limit:
        return Body(packed)
    return Body(packed, Chunks(token, len(split(packed))))


def split_by_kind(items: Sequence[Item]) -> tuple[Sequence[Item], dict[str, Item]]:
    """The records, in order, and the chunks by sort key."""
    chunks = {key: item for item in items if (key := sort_key_of(item)).startswith(CHUNKS)}
    return [item for item in items if sort_key_of(item) not in chunks], chunks
