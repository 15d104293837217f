"""A server whose every byte a test decides, and the calls of a host that may ask it by its name.

`good.example` is the only host that is allowed; what it and others resolve to, the test says.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import pytest

from host.core.failures import Caught
from host.core.http_calls import HttpOrder
from host.http_calls.calls import HttpCalls
from host.http_calls.opening import http_calls
from host.settings.http_calls import HttpCallSettings
from host.settings.values import AppSettings
from tests.kit.manual_clock import ManualClock
from tests.kit.raw_server import Server

GOOD = "good.example"


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A request that came in."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


Answer: TypeAlias = Callable[[Seen], bytes]


def response(status: int = 200, body: bytes = b"", /, **headers: str) -> bytes:
    """An answer; underscores of names stand for hyphens."""
    lines = [f"HTTP/1.1 {status} Some", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@dataclass
class Remote:
    """The server, and what came to it. `answer` may be changed; `after` goes on writing."""

    answer: Answer = field(default=lambda _: response())
    after: Callable[[asyncio.StreamWriter], Any] | None = None
    seen: list[Seen] = field(default_factory=list)
    port: int = 0
    connections: int = 0

    def url(self, path: str = "/", host: str = GOOD) -> str:
        return f"http://{host}:{self.port}{path}"

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            method, target, _ = head[0].split(" ")
            pairs = [line.partition(": ") for line in head[1:] if line]
            headers = {name.lower(): value for name, _, value in pairs}
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            seen = Seen(method=method, target=target, headers=headers, body=body)
            self.seen.append(seen)
            writer.write(self.answer(seen))
            if self.after is not None:
                await self.after(writer)
                return


class Names:
    """What hosts resolve to: each time the next address, and the last one for ever."""

    def __init__(self) -> None:
        self.addresses: dict[str, list[str]] = {GOOD: ["127.0.0.1"]}
        self.asked: list[str] = []

    async def look_up(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        found = self.addresses.get(host)
        if not found:
            raise OSError("no such host")
        return (found.pop(0) if len(found) > 1 else found[0]).split()


class Caller:
    """Runs the built-in activity as a host does."""

    def __init__(self, calls: HttpCalls) -> None:
        self._calls = calls

    async def send(self, method: str, url: str, **more: Any) -> Any:
        """What is told of the answer, or what went wrong."""
        told = await self._calls.run(HttpOrder(method=method, uri=url, **more).to_payload())
        return told if isinstance(told, Caught) else json.loads(told or "null")

    async def refused(self, method: str, url: str, **more: Any) -> str:
        """Why it is refused, for good."""
        told = await self.send(method, url, **more)
        assert isinstance(told, Caught)
        assert told.details.error_type == "HttpCallError"
        assert told.details.is_non_retriable
        return told.details.message

    async def failed(self, method: str, url: str, **more: Any) -> tuple[str, str]:
        """How it failed in a way that may pass: type and message."""
        told = await self.send(method, url, **more)
        assert isinstance(told, Caught)
        assert not told.details.is_non_retriable
        return told.details.error_type, told.details.message


@pytest.fixture
async def remote() -> AsyncIterator[Remote]:
    remote = Remote()
    server = Server(remote.handle)
    async with server.running() as url:
        remote.port = int(url.rstrip("/").rpartition(":")[2])
        yield remote


@pytest.fixture
def names() -> Iterator[Names]:
    yield Names()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@asynccontextmanager
async def calling(
    names: Names, clock: ManualClock, values: dict[str, str] | None = None, **settings: Any
) -> AsyncIterator[Caller]:
    """The calls of a host with these settings."""
    given = HttpCallSettings.model_validate({"allowedHosts": [GOOD], **settings})
    calls = http_calls(given, lambda: AppSettings(values or {}), clock, names.look_up)
    try:
        yield Caller(calls)
    finally:
        await calls.close()


@pytest.fixture
async def caller(names: Names, clock: ManualClock) -> AsyncIterator[Caller]:
    async with calling(names, clock) as caller:
        yield caller
