"""Doors: URLs by which clients that are not ours come to a server, along a way of a test's own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from aiohttp import web

from host.storage.aws.wire.transport import Request, Transport

_OF_ONE_HOP = frozenset({"connection", "content-length", "transfer-encoding"})


@asynccontextmanager
async def door(way: Transport, url: str) -> AsyncIterator[str]:
    """A URL whose requests go this way to the server at `url`."""

    async def pass_on(request: web.BaseRequest) -> web.Response:
        headers = _of_the_end(request.headers)
        answer = await way(Request(request.method, url, headers, await request.read()))
        headers = _of_the_end(answer.headers)
        return web.Response(status=answer.status, headers=headers, body=answer.body)

    runner = web.ServerRunner(web.Server(pass_on, access_log=None), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    try:
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()


def _of_the_end(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers that are passed on, with their names in lower case."""
    lower = {name.lower(): value for name, value in headers.items()}
    return {name: value for name, value in lower.items() if name not in _OF_ONE_HOP}
