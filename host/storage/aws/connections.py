"""HTTP/1.1 over kept connections, with no more work for each request than a JSON post needs.

This is the transport of the hot path: a call on it costs less than half the CPU of one on aiohttp.

Rules of this file: one request at a time on a connection, and a connection is used again only after
an answer that was read to its end. The connection used last is used next, so that those not needed
grow old and are dropped.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import NamedTuple, cast
from urllib.parse import urlsplit

from host.storage.aws.http_answers import AnswerReader, MalformedAnswerError
from host.storage.aws.tls import tls_context
from host.storage.aws.transport import (
    KEEP_ALIVE_S,
    MAX_CONNECTIONS,
    Failure,
    Request,
    Response,
    TransportError,
)

CONNECT_TIMEOUT_S = 5.0


class _Target(NamedTuple):
    """A URL taken apart."""

    host: str
    port: int
    is_tls: bool
    netloc: str
    path: str


class _Connection(asyncio.Protocol):
    """One connection."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._reader = AnswerReader()
        self._answer: asyncio.Future[Response] | None = None
        self._unused_since = 0.0

    @property
    def is_reusable(self) -> bool:
        """Whether another request can be sent, as far as one can know."""
        age_s = self._loop.time() - self._unused_since
        return self._transport is not None and age_s < KEEP_ALIVE_S

    async def exchange(self, content: bytes, timeout_s: float) -> Response:
        """Send a request and read its answer."""
        transport = self._transport
        if transport is None:
            raise TransportError(Failure.CONNECTION_LOST, "the server closed the connection")
        self._reader = AnswerReader()
        self._answer = self._loop.create_future()
        timer = self._loop.call_later(timeout_s, self._time_out, timeout_s)
        transport.write(content)
        try:
            response = await self._answer
        except BaseException:
            self.abort()  # whatever arrives later belongs to nobody
            raise
        finally:
            self._answer = None
            timer.cancel()
        self._unused_since = self._loop.time()
        if not self._reader.is_reusable:
            self.abort()
        return response

    def abort(self) -> None:
        """Close the connection at once."""
        if self._transport is not None:
            self._transport.abort()
            self._transport = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember the transport."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Read on; what nobody asked for ends the connection."""
        if self._answer is None or self._answer.done():
            self.abort()
            return
        try:
            response = self._reader.feed(data)
        except MalformedAnswerError as error:
            self._fail(Failure.CONNECTION_LOST, f"the answer is not HTTP: {error}")
            return
        if response is not None:
            self._answer.set_result(response)

    def connection_lost(self, exc: Exception | None) -> None:
        """The end, of an answer too if it has no length."""
        self._transport = None
        response = self._reader.end() if exc is None else None
        if response is not None and self._answer is not None and not self._answer.done():
            self._answer.set_result(response)
        self._fail(Failure.CONNECTION_LOST, str(exc or "the server closed the connection"))

    def _time_out(self, timeout_s: float) -> None:
        self._fail(Failure.TIMED_OUT, f"no answer within {timeout_s:g} s")

    def _fail(self, failure: Failure, detail: str) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(TransportError(failure, detail))


class PooledTransport:
    """The `Transport` of the hot path. `open` it in the event loop that uses it."""

    def __init__(
        self, *, max_connections: int = MAX_CONNECTIONS, ca_bundle: str | None = None
    ) -> None:
        self._slots = asyncio.Semaphore(max_connections)
        self._ca_bundle = ca_bundle
        self._tls: ssl.SSLContext | None = None
        self._targets: dict[str, _Target] = {}
        self._unused: dict[tuple[str, int, bool], list[_Connection]] = {}
        self._connections: set[_Connection] = set()
        self._is_open = False

    async def open(self) -> None:
        """Prepare; nothing is connected yet. Raises `ConfigurationError`."""
        self._tls = await tls_context(self._ca_bundle)
        self._is_open = True

    async def close(self) -> None:
        """Close the connections; requests under way fail. Idempotent."""
        self._is_open = False
        for connection in self._connections:
            connection.abort()

    async def __call__(self, request: Request) -> Response:
        """Make one attempt. Raises `TransportError`."""
        target = self._target(request.url)
        async with self._slots:
            connection = self._take(target) or await self._connect(target)
            try:
                content = _head(request, target) + request.body
                return await connection.exchange(content, request.timeout_s)
            finally:
                self._give_back(target, connection)

    def _target(self, url: str) -> _Target:
        target = self._targets.get(url)
        if target is None:
            parts = urlsplit(url)
            is_tls = parts.scheme == "https"
            target = _Target(
                host=parts.hostname or "",
                port=parts.port or (443 if is_tls else 80),
                is_tls=is_tls,
                netloc=parts.netloc,
                path=parts.path or "/",
            )
            self._targets[url] = target
        return target

    def _take(self, target: _Target) -> _Connection | None:
        unused = self._unused.get(target[:3], [])
        while unused:
            connection = unused.pop()
            if connection.is_reusable:
                return connection
            self._drop(connection)
        return None

    def _give_back(self, target: _Target, connection: _Connection) -> None:
        if connection.is_reusable:
            self._unused.setdefault(target[:3], []).append(connection)
        else:
            self._drop(connection)

    def _drop(self, connection: _Connection) -> None:
        connection.abort()
        self._connections.discard(connection)

    async def _connect(self, target: _Target) -> _Connection:
        if not self._is_open:
            raise TransportError(Failure.NOT_CONNECTED, "the transport is not open")
        connecting = asyncio.get_running_loop().create_connection(
            _Connection, target.host, target.port, ssl=self._tls if target.is_tls else None
        )
        try:
            _, connection = await asyncio.wait_for(connecting, CONNECT_TIMEOUT_S)
        except TimeoutError as error:
            raise TransportError(Failure.NOT_CONNECTED, "connecting took too long") from error
        except OSError as error:
            raise TransportError(Failure.NOT_CONNECTED, str(error) or repr(error)) from error
        self._connections.add(connection)
        return connection


def _head(request: Request, target: _Target) -> bytes:
    headers = {"host": target.netloc, "user-agent": "funchost", **request.headers}
    lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
    return (
        f"{request.method} {target.path} HTTP/1.1\r\n"
        f"{lines}content-length: {len(request.body)}\r\n\r\n"
    ).encode("latin-1")
