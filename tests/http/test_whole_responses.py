"""Responses of bytes go out a shorter way than aiohttp's, and nobody can tell by what comes."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from host.http.whole_responses import WholeResponse

Kind = type[web.Response]
TEXT = {"Content-Type": "text/plain"}


def plain(kind: Kind) -> web.Response:
    return kind(body=b"Hello!", headers=TEXT)


def with_headers(kind: Kind) -> web.Response:
    headers = {**TEXT, "X-One": "1", "Set-Cookie": "a=b", "Date": "today", "Server": "me"}
    return kind(body=b"Hello!", status=418, headers=headers)


def with_reason(kind: Kind) -> web.Response:
    return kind(body=b"Hello!", status=299, reason="Quite Well", headers=TEXT)


def with_length(kind: Kind) -> web.Response:
    return kind(body=b"Hello!", headers={**TEXT, "Content-Length": "6"})


def with_cookie(kind: Kind) -> web.Response:
    response = plain(kind)
    response.set_cookie("a", "b")
    return response


def chunked(kind: Kind) -> web.Response:
    response = plain(kind)
    response.enable_chunked_encoding()
    return response


def compressed(kind: Kind) -> web.Response:
    response = plain(kind)
    response.enable_compression(web.ContentCoding.deflate)
    return response


def closing(kind: Kind) -> web.Response:
    response = plain(kind)
    response.force_close()
    return response


def changed(kind: Kind) -> web.Response:
    response = plain(kind)
    response.body = b"Something else"
    response.set_status(404)
    return response


RESPONSES: dict[str, Callable[[Kind], web.Response]] = {
    "plain": plain,
    "headers": with_headers,
    "reason": with_reason,
    "length": with_length,
    "cookie": with_cookie,
    "chunked": chunked,
    "compressed": compressed,
    "closing": closing,
    "changed": changed,
    "large": lambda kind: kind(body=b"x" * 300_000, headers=TEXT),
    "empty": lambda kind: kind(body=b"", headers=TEXT),
    "nothing": lambda kind: kind(status=200),
    "untyped": lambda kind: kind(body=b"Hello!"),
    "told to close": lambda kind: kind(body=b"Hello!", headers={**TEXT, "Connection": "close"}),
    "204": lambda kind: kind(body=b"Hello!", status=204, headers=TEXT),
    "304": lambda kind: kind(body=b"Hello!", status=304, headers=TEXT),
    "text": lambda kind: kind(text="Hello!"),
}
REQUESTS = {
    "GET": b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "HEAD": b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n",
    "the last": b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    "old": b"GET / HTTP/1.0\r\nHost: a\r\n\r\n",
    "old, kept": b"GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n",
}


@asynccontextmanager
async def serving(make: Callable[[], web.Response]) -> AsyncIterator[int]:
    async def handle(_: web.BaseRequest) -> web.Response:
        response = make()
        response.headers.setdefault("Server", "ours")  # as the host does
        return response

    runner = web.ServerRunner(web.Server(handle, access_log=None))
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()


async def what_comes(make: Callable[[], web.Response], request: bytes) -> bytes:
    """All that a client gets for two such requests, but for the time of day."""
    async with serving(make) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request * 2)
        last = request.replace(b"Connection: keep-alive", b"Connection: close")
        writer.write(last if last != request else REQUESTS["the last"])
        came = await reader.read()
        writer.close()
        return re.sub(rb"Date: \w+, [^\r]+", b"Date: now", came)


@pytest.mark.parametrize("request_name", REQUESTS)
@pytest.mark.parametrize("name", RESPONSES)
async def test_what_comes_is_what_aiohttp_sends(name: str, request_name: str) -> None:
    make, request = RESPONSES[name], REQUESTS[request_name]

    came = await what_comes(lambda: make(WholeResponse), request)

    assert came == await what_comes(lambda: make(web.Response), request)
    assert came or name == "chunked"  # which HTTP/1.0 does not know: there is no answer
