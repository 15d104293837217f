"""The one-callable seam between the client and HTTP, and its aiohttp form.

Rules of this file: a transport makes one attempt and knows nothing of AWS. It answers with whatever
the server said, an error status too, or raises `TransportError`, which says how far the request
got: that decides whether a write may have been carried out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from enum import Enum
from typing import NamedTuple

import aiohttp
from yarl import URL

from host.storage.aws.tls import tls_context

DEFAULT_TIMEOUT_S = 10.0
MAX_CONNECTIONS = 200
KEEP_ALIVE_S = 20.0


class Request(NamedTuple):
    """One HTTP request, signed and ready. After `timeout_s` without a whole answer it failed."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    timeout_s: float = DEFAULT_TIMEOUT_S


class Response(NamedTuple):
    """One HTTP answer, read to its end. The names of `headers` are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


Transport = Callable[[Request], Awaitable[Response]]


class Failure(Enum):
    """How far a request got that has no answer."""

    NOT_CONNECTED = "not connected"
    """No connection: the server saw nothing of it."""
    CONNECTION_LOST = "connection lost"
    """The connection broke, perhaps because it had been idle: the server may have seen it."""
    TIMED_OUT = "timed out"
    """No answer in time: the server may have seen it, or may see it yet."""


class TransportError(Exception):
    """There is no answer."""

    def __init__(self, failure: Failure, detail: str) -> None:
        super().__init__(detail)
        self.failure = failure


class AiohttpTransport:
    """HTTP over a pool of kept connections. `open` it in the event loop that uses it."""

    def __init__(
        self, *, max_connections: int = MAX_CONNECTIONS, ca_bundle: str | None = None
    ) -> None:
        self._max_connections = max_connections
        self._ca_bundle = ca_bundle
        self._session: aiohttp.ClientSession | None = None
        self._urls: dict[str, URL] = {}
        self._timeouts: dict[float, aiohttp.ClientTimeout] = {}

    async def open(self) -> None:
        """Make the pool; nothing is connected yet. Raises `ConfigurationError`."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=self._max_connections,
                keepalive_timeout=KEEP_ALIVE_S,
                ssl=await tls_context(self._ca_bundle),
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("Accept", "Accept-Encoding"),
            auto_decompress=False,
        )

    async def close(self) -> None:
        """Close the connections; requests under way fail. Idempotent."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def __call__(self, request: Request) -> Response:
        """Make one attempt. Raises `TransportError`."""
        if self._session is None:
            raise TransportError(Failure.NOT_CONNECTED, "The transport is not open.")
        try:
            return await self._exchange(self._session, request)
        except aiohttp.ConnectionTimeoutError as error:
            raise TransportError(Failure.NOT_CONNECTED, "connecting took too long") from error
        except (TimeoutError, aiohttp.ServerTimeoutError) as error:
            detail = f"no answer within {request.timeout_s:g} s"
            raise TransportError(Failure.TIMED_OUT, detail) from error
        except aiohttp.ClientConnectorError as error:
            raise TransportError(Failure.NOT_CONNECTED, str(error)) from error
        except (aiohttp.ClientError, OSError, asyncio.IncompleteReadError) as error:
            raise TransportError(Failure.CONNECTION_LOST, str(error) or repr(error)) from error

    async def _exchange(self, session: aiohttp.ClientSession, request: Request) -> Response:
        async with session.request(
            request.method,
            self._url(request.url),
            data=request.body,
            headers=request.headers,
            timeout=self._timeout(request.timeout_s),
            allow_redirects=False,
        ) as response:
            headers = {name.lower(): value for name, value in response.headers.items()}
            return Response(response.status, headers, await response.read())

    def _url(self, text: str) -> URL:
        if text not in self._urls:
            self._urls[text] = URL(text, encoded=True)
        return self._urls[text]

    def _timeout(self, seconds: float) -> aiohttp.ClientTimeout:
        if seconds not in self._timeouts:
            connect_s = min(seconds, DEFAULT_TIMEOUT_S) / 2
            self._timeouts[seconds] = aiohttp.ClientTimeout(total=seconds, sock_connect=connect_s)
        return self._timeouts[seconds]
