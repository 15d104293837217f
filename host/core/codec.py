"""Bytes of stored items. The first byte names the format, so that formats can change for ever.

Format 1 is MessagePack of the structs in `history` and `records`. Format 2, which is written, has a
CRC-32 before that, of the item's key and its MessagePack: so bytes that changed, and bytes that
lie under a key that is not theirs, are recognised. Both are read for ever. Raises `CodecError` for
anything that cannot be decoded: a damaged or foreign item must be recognised, never guessed at.
"""

from __future__ import annotations

import struct
import zlib
from typing import TypeVar

import msgspec

from bindings.errors import FunchostError
from host.core.history import Batch, TaskScheduled
from host.core.records import Instance, Message

T = TypeVar("T")

FORMAT = 2
"""The format that is written."""

_PLAIN, _CHECKED = 1, 2
_HEAD = struct.Struct("<BI")
"""The format's number and the checksum."""
_NEWER = (
    ". Its checksum is right, so it is as it was written: most likely a newer version of this "
    "program wrote it. Upgrade this host."
)
_encode = msgspec.msgpack.Encoder().encode
_batches = msgspec.msgpack.Decoder(Batch)
_messages = msgspec.msgpack.Decoder(Message)
_instances = msgspec.msgpack.Decoder(Instance)
_scheduled = msgspec.msgpack.Decoder(TaskScheduled)


class CodecError(FunchostError):
    """A stored item cannot be decoded."""


def encode(item: Batch | Message | Instance | TaskScheduled, key: str = "") -> bytes:
    """The item as bytes, to be decoded with the same key.

    Raises `CodecError` for what has no form as bytes (lone surrogates).
    """
    try:
        body = _encode(item)
        return _HEAD.pack(_CHECKED, _checksum(body, key)) + body
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise CodecError(f"A {type(item).__name__} cannot be encoded: {error}") from error


def decode_batch(data: bytes, key: str = "") -> Batch:
    """A batch from its bytes."""
    return _decode(_batches, data, key)


def decode_message(data: bytes, key: str = "") -> Message:
    """A message from its bytes."""
    return _decode(_messages, data, key)


def decode_instance(data: bytes, key: str = "") -> Instance:
    """An instance row from its bytes."""
    return _decode(_instances, data, key)


def decode_scheduled(data: bytes, key: str = "") -> TaskScheduled:
    """What an unawaited activity is to do, from its bytes."""
    return _decode(_scheduled, data, key)


def _decode(decoder: msgspec.msgpack.Decoder[T], data: bytes, key: str) -> T:
    body = _body(data, key)
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        text = f"A stored item cannot be decoded: {error}"
        if data[0] == _CHECKED:
            text += _NEWER
        raise CodecError(text) from error


def _body(data: bytes, key: str) -> memoryview:
    format_ = data[0] if data else 0
    if format_ == _PLAIN:
        return memoryview(data)[1:]
    if format_ != _CHECKED:
        raise CodecError(
            f"Unknown format {format_}, this version knows {_PLAIN} to {FORMAT}: a newer version "
            "wrote it, or it is damaged."
        )
    body = memoryview(data)[_HEAD.size :]
    if data[: _HEAD.size] != _HEAD.pack(_CHECKED, _checksum(body, key)):
        raise CodecError("A stored item is damaged, or not where it belongs: its checksum differs.")
    return body


def _checksum(body: bytes | memoryview, key: str) -> int:
    return zlib.crc32(body, zlib.crc32(key.encode(errors="surrogatepass")))
