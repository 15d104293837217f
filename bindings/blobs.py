"""What functions get of a blob: a stream that is read once, from its beginning to its end."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from typing_extensions import Buffer

CHUNK_BYTES: Final = 256 * 1024
"""How much of a blob is in memory at a time."""


class Source(Protocol):
    """Where the bytes of a stream come from."""

    def read(self, size: int, /) -> bytes:
        """The next bytes, at most so many; none at the end. May block."""

    def close(self) -> None:
        """Let go of it."""


class InputStream(io.BufferedReader):
    """A blob, to be read once: `read(size)`, lines, or all that takes a binary file.

    Little of it is in memory at a time. Reading may wait for a disk or a network, so an `async def`
    reads it by `async for` (pieces of bytes) or by `aread`. It is open until the function returns.

    In a test, make one of the bytes that it is to hold: `InputStream(b"a;b", name="in/sales.csv")`.
    """

    def __init__(
        self,
        data: bytes | Source,
        *,
        name: str = "",
        uri: str = "",
        length: int | None = None,
        etag: str = "",
        last_modified: datetime | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        """`name` is `container/name`, `length` is in bytes."""
        is_given = isinstance(data, bytes | bytearray)
        source: Source = io.BytesIO(data) if is_given else data  # type: ignore[arg-type, assignment]
        super().__init__(_Raw(source), CHUNK_BYTES)
        self._name = name
        self.uri = uri
        """Where the blob is: a `file:` or `s3:` URL."""
        self.length = len(data) if length is None and is_given else length  # type: ignore[arg-type]
        """Its bytes; None if that is not known."""
        self.etag = etag
        """What is another one when the blob has changed."""
        self.last_modified = last_modified
        self.metadata: Mapping[str, str] = MappingProxyType(dict(metadata or {}))
        """What whoever wrote it said of it, on S3."""

    @property
    def name(self) -> str:
        """`container/name`."""
        return self._name

    async def aread(self, size: int = -1) -> bytes:
        """The next bytes, at most so many; all that are left without a size. None at the end."""
        return await asyncio.to_thread(self.read, size)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """The rest of it, in pieces."""
        while piece := await asyncio.to_thread(self.read1, CHUNK_BYTES):
            yield piece


class _Raw(io.RawIOBase):
    """A source as Python's own files are made of."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer, /) -> int:
        view = memoryview(buffer).cast("B")
        piece = self._source.read(len(view))
        view[: len(piece)] = piece
        return len(piece)

    def close(self) -> None:
        if not self.closed:
            try:
                self._source.close()
            finally:
                super().close()

    def __reduce__(self) -> Any:
        raise TypeError("A blob's stream cannot leave its process: read it first.")
