"""Unpacking bodies of requests, piece by piece."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from http import HTTPStatus
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar

from host.http.refusals import RefusalError

if TYPE_CHECKING:
    from zlib import _Decompress as Decompressor

ACCEPTED_ENCODINGS = "gzip, deflate"

T = TypeVar("T")

_PIECE_BYTES = 262_144
"""So much is unpacked in one go: less than a millisecond."""
_INLINE_BYTES = 4096
"""Packed bodies up to this size are unpacked on the loop, at most 4 MB in a few milliseconds."""
_WINDOW_BITS = {"gzip": 31, "x-gzip": 31, "deflate": 15}
_RAW_DEFLATE = -15
_PLAIN = frozenset({"", "identity"})


class UnknownEncodingError(RefusalError):
    """The body is packed in a way that is not known here."""

    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    summary = "The content cannot be read"
    headers = MappingProxyType({"Accept-Encoding": ACCEPTED_ENCODINGS})


def is_known(encoding: str) -> bool:
    """Whether a body that is encoded so is packed, and can be unpacked here."""
    return encoding in _WINDOW_BITS


class Unpacker:
    """Unpacks what comes, in pieces that are small. Raises `UnknownEncodingError`."""

    def __init__(self, encoding: str) -> None:
        if encoding not in _PLAIN and encoding not in _WINDOW_BITS:
            raise _unknown(encoding)
        self._window_bits = _WINDOW_BITS.get(encoding)
        self._unpacking: Decompressor | None = None

    @property
    def is_whole(self) -> bool:
        """Whether that was all of it, and nothing else."""
        if self._window_bits is None:
            return True
        unpacking = self._unpacking
        return unpacking is not None and unpacking.eof and not unpacking.unused_data

    def unpack(self, data: bytes) -> Iterator[bytes]:
        """The next pieces; `data` is not empty."""
        if self._window_bits is None:
            yield data
            return
        unpacking = self._unpacking = self._unpacking or _decompressor(self._window_bits, data)
        is_more = True
        while is_more:
            piece = unpacking.decompress(data, _PIECE_BYTES)
            if piece:
                yield piece
            data = unpacking.unconsumed_tail
            is_more = bool(data) or len(piece) == _PIECE_BYTES  # it may keep some back


def _decompressor(window_bits: int, beginning: bytes) -> Decompressor:
    """What unpacks a body that begins so."""
    if window_bits == _WINDOW_BITS["deflate"] and beginning[0] & 0x0F != zlib.DEFLATED:
        window_bits = _RAW_DEFLATE  # what some clients call deflate
    return zlib.decompressobj(window_bits)


def _unknown(encoding: str) -> UnknownEncodingError:
    return UnknownEncodingError(
        f"A body that is encoded as '{encoding[:100]}' cannot be read here; "
        f"known are {ACCEPTED_ENCODINGS}."
    )


async def in_thread_if_large(
    size: int, step: Callable[[Iterator[T], T], T], pieces: Iterator[T], end: T
) -> T:
    """The next piece of a body of this size, made on the loop only if it is small."""
    if size <= _INLINE_BYTES:
        return step(pieces, end)
    return await asyncio.get_running_loop().run_in_executor(_thread(), step, pieces, end)


@cache
def _thread() -> ThreadPoolExecutor:
    """One thread for all bodies: as many as there may be would keep the loop from its turn."""
    return ThreadPoolExecutor(1, "funchost-unpacking")
