"""Bytes of stored items. The first byte names the format, so that formats can change for ever.

Format 1 is MessagePack of the structs in `history` and `records`. Raises `CodecError` for anything
that cannot be decoded: a damaged or foreign item must be recognised, never guessed at.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec

from bindings.errors import FunchostError
from host.core.history import Batch
from host.core.records import Instance, Message

T = TypeVar("T")

_FORMAT = b"\x01"
_encode = msgspec.msgpack.Encoder().encode
_batches = msgspec.msgpack.Decoder(Batch)
_messages = msgspec.msgpack.Decoder(Message)
_instances = msgspec.msgpack.Decoder(Instance)


class CodecError(FunchostError):
    """A stored item cannot be decoded."""


def encode(item: Batch | Message | Instance) -> bytes:
    """The item as bytes. Raises `CodecError` for what has no form as bytes (lone surrogates)."""
    try:
        return _FORMAT + _encode(item)
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise CodecError(f"A {type(item).__name__} cannot be encoded: {error}") from error


def decode_batch(data: bytes) -> Batch:
    """A batch from its bytes."""
    return _decode(_batches, data)


def decode_message(data: bytes) -> Message:
    """A message from its bytes."""
    return _decode(_messages, data)


def decode_instance(data: bytes) -> Instance:
    """An instance row from its bytes."""
    return _decode(_instances, data)


def _decode(decoder: msgspec.msgpack.Decoder[T], data: bytes) -> T:
    if data[:1] != _FORMAT:
        raise CodecError(f"Unknown format {data[:1]!r}: written by a newer version, or damaged.")
    try:
        return decoder.decode(memoryview(data)[1:])
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise CodecError(f"A stored item cannot be decoded: {error}") from error
