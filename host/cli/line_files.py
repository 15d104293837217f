"""Files of lines that are sent to a host, and pipes, whose lines come when they come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Protocol

_PIECE_BYTES = 262_144


class Readable(Protocol):
    """A file, or standard input."""

    def read1(self, size: int, /) -> bytes:
        """What is there, at most so many bytes; nothing at the end."""


async def whole_lines(file: Readable) -> AsyncIterator[bytes]:
    """All of it as it comes, some whole lines at a time; the last one gets its end. Raises OSError.

    Half a line is kept back: the host cuts off who sends that and no more.
    """
    begun: list[bytes] = []
    while data := await asyncio.to_thread(file.read1, _PIECE_BYTES):
        end = data.rfind(b"\n") + 1
        if end:
            yield b"".join((*begun, data[:end]))
            begun = []
        if end < len(data):
            begun.append(data[end:])
    if begun:
        yield b"".join((*begun, b"\n"))
