"""One request and its answer. No redirect is followed here, and no cookie or proxy used.

Rules of this file: what fails is told in words of our own, because the texts of the library quote
what was sent. `ConnectionError` and `TimeoutError` may be tried again, `HttpCallError` not.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import aiohttp
from yarl import URL

from bindings.errors import HttpCallError
from bindings.http_calls import HttpHeaders
from host.about import installed_version
from host.http_calls.bodies import ACCEPTED_ENCODINGS, BoundedBody
from host.http_calls.gate import CheckedResolver, Gate, Lookup
from host.os_words import no_connection_in_words

CONNECT_S: Final = 15.0
READ_S: Final = 30.0
"""How long the next bytes of an answer may take."""
MAX_HEADER_BYTES: Final = 64 * 1024

_NOT_OF_UNPACKED = ("Content-Encoding", "Content-Length")


class Received(NamedTuple):
    """An answer, whatever its status."""

    status: int
    headers: HttpHeaders
    body: bytes


class Sender:
    """Sends requests to whom the gate lets through. Close it when nobody uses it any more."""

    def __init__(self, gate: Gate, *, lookup: Lookup, max_bytes: int) -> None:
        self._gate = gate
        self._lookup = lookup
        self._max_bytes = max_bytes
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Close all connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def send(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None
    ) -> Received:
        """Send a request to a checked URL. Raises as the rules of this file say."""
        self._gate.check_url(url)
        sent = {"Accept": "*/*", "Accept-Encoding": ACCEPTED_ENCODINGS, "User-Agent": _agent()}
        own = {name.lower() for name in headers}
        all_headers = {name: each for name, each in sent.items() if name.lower() not in own}
        try:
            async with self._opened().request(
                method,
                URL(url, encoded=True),
                headers={**all_headers, **headers},
                data=body,
                allow_redirects=False,
            ) as response:
                return await self._received(response)
        except HttpCallError:
            raise
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise _in_words(error) from None

    async def _received(self, response: aiohttp.ClientResponse) -> Received:
        headers = _headers(response)
        body = BoundedBody(self._max_bytes, headers.get("Content-Encoding", ""))
        if response.method != "HEAD":
            if not body.is_packed:
                body.expect(response.content_length)
            async for piece in response.content.iter_any():
                body.take(piece)
        if body.is_packed and response.method != "HEAD":
            headers = HttpHeaders(
                {name: headers[name] for name in headers if name.title() not in _NOT_OF_UNPACKED}
            )
        return Received(response.status, headers, body.whole())

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    resolver=CheckedResolver(self._gate, self._lookup),
                    use_dns_cache=False,
                    limit=0,  # activities are bounded
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(sock_connect=CONNECT_S, sock_read=READ_S),
                auto_decompress=False,
                trust_env=False,
            )
        return self._session


async def look_up(host: str, port: int) -> Sequence[str]:
    """The addresses of a host by the system's resolver. Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG
    )
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def _headers(response: aiohttp.ClientResponse) -> HttpHeaders:
    """The headers; of several of one name the values together. Raises `HttpCallError`."""
    found = HttpHeaders()
    size = 0
    names: dict[str, str] = {}
    for name, value in response.headers.items():
        size += len(name) + len(value)
        as_sent = names.setdefault(name.lower(), name)
        text = value.encode(errors="surrogateescape").decode(errors="replace")
        found[as_sent] = f"{found[as_sent]}, {text}" if as_sent in found else text
    if size > MAX_HEADER_BYTES:
        raise HttpCallError(f"The headers of the answer have more than {MAX_HEADER_BYTES:,} bytes.")
    return found


def _agent() -> str:
    return f"funchost/{installed_version()}"


def _in_words(error: Exception) -> Exception:
    """The error for whoever called; not as the library says it, which may quote what was sent."""
    if type(error) is ConnectionError:  # it is one of ours
        return error
    if isinstance(error, TimeoutError):
        return TimeoutError(_TOO_SLOW)
    for kind, text in _WORDS.items():
        if isinstance(error, kind):
            return ConnectionError(text.format(cause=no_connection_in_words(_reason(error))))
    return HttpCallError(f"The request cannot be sent ({type(error).__name__}).")


_TOO_SLOW = f"no connection in {CONNECT_S:g} s, or nothing more of the answer for {READ_S:g} s"
_WORDS: Mapping[type[Exception], str] = {
    aiohttp.ClientConnectorCertificateError: "cannot connect: {cause}",
    aiohttp.ClientConnectorError: "cannot connect: {cause}",
    aiohttp.ServerDisconnectedError: "the connection was closed before an answer came",
    aiohttp.ClientPayloadError: "the connection was closed before the whole answer came",
    aiohttp.ClientResponseError: "what came is no answer of HTTP, or its headers are too large",
    aiohttp.ClientConnectionError: "{cause}",
    OSError: "{cause}",
}
"""What to say of errors; the first class counts that fits."""


def _reason(error: Exception) -> Exception:
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return error.certificate_error
    return error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
