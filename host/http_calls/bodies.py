"""The bodies of answers, as far as they may be read: what is packed counts as it is unpacked.

A piece is never unpacked farther than what is left of the limit, so a bomb costs no memory.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from bindings.errors import HttpCallError

if TYPE_CHECKING:
    from zlib import _Decompress as Decompressor

ACCEPTED_ENCODINGS: Final = "gzip, deflate"
_WINDOW_BITS: Mapping[str, int] = {"gzip": 31, "x-gzip": 31, "deflate": 15}
_RAW_DEFLATE: Final = -15


class BoundedBody:
    """Takes the pieces of a body. Raises `HttpCallError` for more than `limit` bytes."""

    def __init__(self, limit: int, encoding: str) -> None:
        self._limit = limit
        self._window_bits = _WINDOW_BITS.get(encoding.strip().lower())
        self._unpacking: Decompressor | None = None
        self._body = bytearray()
        self._taken = 0

    @property
    def is_packed(self) -> bool:
        """Whether it comes packed, in a way that is unpacked here."""
        return self._window_bits is not None

    def expect(self, length: int | None) -> None:
        """Raise `HttpCallError` if so many bytes are too many."""
        if length is not None and length > self._limit:
            raise self._too_large()

    def take(self, piece: bytes) -> None:
        """Take the next piece."""
        self._taken += len(piece)
        self.expect(self._taken)
        if self._window_bits is None:
            self._body += piece
        else:
            self._unpack(piece, self._window_bits)

    def whole(self) -> bytes:
        """All of it. Raises ConnectionError if what was packed has no end."""
        if self.is_packed and self._taken and (self._unpacking is None or not self._unpacking.eof):
            raise ConnectionError("its packed body ends too early")
        return bytes(self._body)

    def _unpack(self, piece: bytes, window_bits: int) -> None:
        while piece:
            if self._unpacking is None or self._unpacking.eof:
                self._unpacking = zlib.decompressobj(window_bits)
            self._body += self._next(self._unpacking, piece, window_bits)
            self.expect(len(self._body))
            piece = self._unpacking.unconsumed_tail or self._unpacking.unused_data

    def _next(self, unpacking: Decompressor, piece: bytes, window_bits: int) -> bytes:
        room = self._limit - len(self._body) + 1
        try:
            return unpacking.decompress(piece, room)
        except zlib.error:
            # Some send deflate without its frame, which shows at the first byte.
            if window_bits != _WINDOW_BITS["deflate"] or self._body or self._taken > len(piece):
                raise ConnectionError("its body is not packed as it says") from None
        self._window_bits = _RAW_DEFLATE
        self._unpacking = zlib.decompressobj(_RAW_DEFLATE)
        try:
            return self._unpacking.decompress(piece, room)
        except zlib.error:
            raise ConnectionError("its body is not packed as it says") from None

    def _too_large(self) -> HttpCallError:
        return HttpCallError(
            f"The answer has more than {self._limit:,} bytes: let the service send less, fetch it "
            "in an activity, or raise extensions.durableTask.httpSettings.maxResponseBytes in "
            "host.json."
        )
