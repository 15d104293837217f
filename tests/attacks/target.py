"""A real host under attack, and those who attack it."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field

from tests.fuzz.tally import peak_kib, resident_kib
from tests.kit.host_process import HostProcess

HEALTH = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


@dataclass(kw_only=True)
class Target:
    """The host. `key` is None where it has no keys. `scale` is how much of each attack is done."""

    process: HostProcess
    key: str | None
    scale: float
    statuses: Counter[int] = field(default_factory=Counter)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.process.url.rsplit(":", 1)[1])

    @property
    def credentials(self) -> list[str]:
        """The header that opens everything, if the host wants one."""
        return [] if self.key is None else [f"x-functions-key: {self.key}"]

    def times(self, count: int) -> range:
        """So many times at full scale, fewer otherwise."""
        return range(max(1, int(count * self.scale)))

    async def connect(self) -> Attacker:
        """A new connection."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        return Attacker(self, reader, writer)

    async def send(self, method: str, path: str, *lines: str, body: bytes = b"") -> int:
        """One request on a connection of its own; its status, 0 if there is no answer."""
        attacker = await self.connect()
        try:
            length = f"Content-Length: {len(body)}"
            await attacker.send(head(method, path, *lines, length) + body)
            return await attacker.status()
        finally:
            await attacker.leave()

    @property
    def peak_mib(self) -> float:
        """The most memory that the host ever held."""
        return peak_kib(self.process.pid) / 1024

    @property
    def resident_mib(self) -> float:
        """The memory that the host holds."""
        return resident_kib(self.process.pid) / 1024


class Attacker:
    """One connection of a client that means no good."""

    def __init__(
        self, target: Target, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._target = target
        self._reader = reader
        self._writer = writer

    async def send(self, data: bytes, *, within_s: float = 20.0) -> bool:
        """Send bytes; False if the host does not take them."""
        try:
            async with asyncio.timeout(within_s):
                self._writer.write(data)
                await self._writer.drain()
        except (TimeoutError, ConnectionError):
            return False
        return True

    async def status(self, within_s: float = 60.0) -> int:
        """The status of the next answer; 0 if there is none."""
        try:
            async with asyncio.timeout(within_s):
                line = await self._reader.readline()
        except (TimeoutError, ConnectionError):
            return 0
        found = re.match(rb"HTTP/1\.[01] (\d+)", line)
        status = int(found[1]) if found else 0
        self._target.statuses[status] += 1
        return status

    async def leave(self) -> None:
        """Go away without a word."""
        self._writer.transport.abort()
        with suppress(ConnectionError):
            await self._writer.wait_closed()


def head(method: str, path: str, *lines: str) -> bytes:
    """The head of a request."""
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: localhost", *lines, "", ""]).encode()
