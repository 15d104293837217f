"""A client that sends what no real one would, byte by byte as a test says."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress


class RawClient:
    """One connection."""

    def __init__(
        self, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._name = f"localhost:{port}"
        self._reader = reader
        self._writer = writer
        self._head = b""

    async def send(self, data: bytes) -> None:
        """Send bytes; what the host does not take any more is dropped."""
        try:
            self._writer.write(data)
            await self._writer.drain()
        except ConnectionError:
            return

    async def send_head(self, method: str, path: str, *lines: str) -> None:
        """Send the head of a request."""
        head = [f"{method} {path} HTTP/1.1", f"Host: {self._name}", *lines]
        await self.send("\r\n".join(head).encode("latin-1") + b"\r\n\r\n")

    async def status(self) -> int:
        """The status of the next answer, whose head is read. 0 if the connection was closed."""
        try:
            head = await self._reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            return 0
        found = re.match(rb"HTTP/1\.[01] (\d+)", head)
        assert found is not None, head
        self._head = head
        return int(found[1])

    def header(self, name: str) -> str:
        """What a header of the head that was read last says; "" if it is not there."""
        found = re.search(rb"\r\n%s: ([^\r]*)" % name.encode(), self._head, re.IGNORECASE)
        return "" if found is None else found[1].decode("latin-1")

    async def body(self, size: int) -> bytes:
        """So many bytes of an answer's body."""
        return await self._reader.readexactly(size)

    async def chunk(self) -> bytes:
        """The next chunk of an answer's body."""
        size = int(await self._reader.readline(), 16)
        return (await self._reader.readexactly(size + 2))[:-2]

    async def rest(self) -> bytes:
        """The head that was read last, and all that comes until the host closes."""
        try:
            return self._head + await self._reader.read()
        except ConnectionError:
            return self._head

    async def closed(self) -> None:
        """Wait until the host closes the connection."""
        try:
            while await self._reader.read(65536):
                pass
        except ConnectionError:
            return

    async def is_reset(self) -> bool:
        """Read until the connection ends; whether it was broken off, and not closed."""
        try:
            while await self._reader.read(65536):
                pass
        except ConnectionError:
            return True
        return False

    async def is_answered(self) -> bool:
        """Whether anything came, or the connection is closed."""
        await asyncio.sleep(0)
        return bool(self._reader._buffer) or self._reader.at_eof()  # type: ignore[attr-defined]

    async def close(self) -> None:
        """Go away."""
        self._writer.close()
        with suppress(ConnectionError):
            await self._writer.wait_closed()


class RawClients:
    """All such clients of one test."""

    def __init__(self, address: str, port: int) -> None:
        self._address, self._port = address, port
        self._all: list[RawClient] = []

    async def connect(self, *, limit: int = 65_536) -> RawClient:
        """A client that has connected, and reads at most about this much ahead."""
        reader, writer = await asyncio.open_connection(self._address, self._port, limit=limit)
        client = RawClient(self._port, reader, writer)
        self._all.append(client)
        return client

    async def close(self) -> None:
        """Let all go away."""
        for client in self._all:
            await client.close()
