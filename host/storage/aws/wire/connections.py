"""HTTP/1.1 over kept connections, with no more work for each request than a JSON post needs.

Rules of this file: one request at a time on a connection, and a connection is used again only after
an answer that was read to its end. The connection used last is used next, so that those not needed
grow old and are dropped. Each server has its own share of connections: one that does not answer, or
whose answers are long in coming, keeps no request to another waiting.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import cast
from urllib.parse import urlsplit

from host.storage.aws.wire.http_answers import AnswerReader, MalformedAnswerError
from host.storage.aws.wire.proxies import proxy_for
from host.storage.aws.wire.tls import tls_context
from host.storage.aws.wire.transport import (
    Failure,
    Request,
    Response,
    TransportError,
)

CONNECT_TIMEOUT_S = 5.0
KEEP_ALIVE_S = 20.0
MAX_CONNECTIONS = 200


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
        return await self._exchange(content, timeout_s, AnswerReader())

    async def tunnel(self, connect_request: bytes, tls: ssl.SSLContext, host: str) -> None:
        """Have the proxy at the other end connect this to a server, and speak TLS with that."""
        reader = AnswerReader(is_bodiless=True)
        response = await self._exchange(connect_request, CONNECT_TIMEOUT_S, reader)
        if self._transport is None or response.status // 100 != 2:
            detail = f"the proxy answered with status {response.status}"
            raise TransportError(Failure.NOT_CONNECTED, detail)
        self._transport = await self._loop.start_tls(
            self._transport, self, tls, server_hostname=host
        )

    async def _exchange(self, content: bytes, timeout_s: float, reader: AnswerReader) -> Response:
        transport = self._transport
        if transport is None:
            raise TransportError(Failure.CONNECTION_LOST, "the server closed the connection")
        self._reader = reader
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


class _Server:
    """Who answers at a URL, the way there, and the connections to it that are not in use."""

    def __init__(self, url: str, max_connections: int) -> None:
        parts = urlsplit(url)
        self.is_tls = parts.scheme == "https"
        self.host = parts.hostname or ""
        self.port = parts.port or (443 if self.is_tls else 80)
        self.proxy = proxy_for(parts)
        self.unused: list[_Connection] = []
        self.slots = asyncio.Semaphore(max_connections)
        self._target = parts.path or "/"
        self._headers = {"host": parts.netloc, "user-agent": "funchost"}
        if self.proxy is not None and not self.is_tls:
            self._target = f"http://{parts.netloc}{self._target}"
            self._headers |= self.proxy.headers

    def content_of(self, request: Request) -> bytes:
        """The bytes of a request."""
        headers = {**self._headers, **request.headers}
        lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
        head = (
            f"{request.method} {self._target} HTTP/1.1\r\n"
            f"{lines}content-length: {len(request.body)}\r\n\r\n"
        )
        return head.encode("latin-1") + request.body


class PooledTransport:
    """A `Transport`. `open` it in the event loop that uses it."""

    def __init__(
        self, *, max_connections: int = MAX_CONNECTIONS, ca_bundle: str | None = None
    ) -> None:
        """`max_connections` is for each server."""
        self._max_connections = max_connections
        self._ca_bundle = ca_bundle
        self._tls: ssl.SSLContext | None = None
        self._servers: dict[str, _Server] = {}
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
        """Make one attempt.

        Raises `TransportError`; `ConfigurationError` for a proxy that cannot be used.
        """
        server = self._servers.get(request.url)
        if server is None:
            server = self._servers[request.url] = _Server(request.url, self._max_connections)
        async with server.slots:
            connection = self._take(server) or await self._connect(server)
            try:
                return await connection.exchange(server.content_of(request), request.timeout_s)
            finally:
                self._give_back(server, connection)

    def _take(self, server: _Server) -> _Connection | None:
        while server.unused:
            connection = server.unused.pop()
            if connection.is_reusable:
                return connection
            self._drop(connection)
        return None

    def _give_back(self, server: _Server, connection: _Connection) -> None:
        if connection.is_reusable:
            server.unused.append(connection)
        else:
            self._drop(connection)

    def _drop(self, connection: _Connection) -> None:
        connection.abort()
        self._connections.discard(connection)

    async def _connect(self, server: _Server) -> _Connection:
        if not self._is_open:
            raise TransportError(Failure.NOT_CONNECTED, "the transport is not open")
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                connection = await self._reach(server)
        except TimeoutError as error:
            raise TransportError(Failure.NOT_CONNECTED, "connecting took too long") from error
        except (OSError, TransportError) as error:
            raise TransportError(Failure.NOT_CONNECTED, str(error) or repr(error)) from error
        self._connections.add(connection)
        return connection

    async def _reach(self, server: _Server) -> _Connection:
        loop = asyncio.get_running_loop()
        proxy, tls = server.proxy, self._tls if server.is_tls else None
        if proxy is None:
            address = (server.host, server.port)
            return (await loop.create_connection(_Connection, *address, ssl=tls))[1]
        _, connection = await loop.create_connection(_Connection, proxy.host, proxy.port)
        if tls is not None:
            try:
                connect_request = proxy.connect_request(server.host, server.port)
                await connection.tunnel(connect_request, tls, server.host)
            except BaseException:
                connection.abort()
                raise
        return connection
