"""Serving the HTTP application on a socket: aiohttp's server, and what it may take."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial

from aiohttp import web

from host.clock import Clock
from host.http.access_log import AccessLogger
from host.http.connections import BUFFERED_BYTES, Connection, ConnectionLimits, Connections
from host.http.descriptors import room_for_connections
from host.http.http_app import HttpApp
from host.http.server import HttpParts, create_http_app
from host.http.server_log import ServerLog
from host.http.unreadable import HttpServer
from host.settings.funchost import FunchostHttp, FunchostSettings

_BACKLOG = 1024

_access_logger = logging.getLogger("funchost.access")
_server_logger = logging.getLogger("aiohttp.server")


@asynccontextmanager
async def served(
    parts: HttpParts,
    listener: socket.socket,
    *,
    begin_end: Callable[[], None] | None = None,
    logs_requests: bool = False,
) -> AsyncIterator[None]:
    """Answer requests meanwhile.

    `begin_end` is called when the end begins: it lets those go that wait, and the rest of the host
    stops side by side with the requests.
    """
    async with served_app(
        partial(create_http_app, parts),
        listener,
        parts.settings.funchost,
        parts.clock,
        begin_end=begin_end,
        logs_requests=logs_requests,
    ):
        yield


@asynccontextmanager
async def served_app(
    make: Callable[[Connections], HttpApp],
    listener: socket.socket,
    settings: FunchostSettings,
    clock: Clock,
    *,
    begin_end: Callable[[], None] | None = None,
    logs_requests: bool = False,
) -> AsyncIterator[None]:
    """Serve any application meanwhile; `listener` is closed in the end."""
    connections = Connections(_limits(settings.http), clock)
    app = make(connections)
    serves = HttpServer(
        app,
        access_log_class=AccessLogger,
        access_log=_access_logger if logs_requests else None,
        logger=ServerLog(_server_logger),
        auto_decompress=False,  # a body is unpacked when its sender may do what it asks
        lingering_time=0,  # the application itself hangs up on those who go on sending
        read_bufsize=BUFFERED_BYTES,
    )
    runner = web.ServerRunner(serves, shutdown_timeout=settings.stop_grace_seconds)
    await runner.setup()
    server = await _listen(runner, listener, connections)
    watching = asyncio.create_task(connections.watch())
    try:
        yield
    finally:
        if begin_end is not None:
            begin_end()
        server.close()
        app.begin_end()
        await runner.cleanup()
        await app.end()
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching


async def _listen(
    runner: web.ServerRunner, listener: socket.socket, connections: Connections
) -> asyncio.Server:
    make = runner.server
    assert make is not None  # noqa: S101 - set up by our caller
    return await asyncio.get_running_loop().create_server(
        lambda: Connection(connections, make()), sock=listener, backlog=_BACKLOG
    )


def _limits(settings: FunchostHttp) -> ConnectionLimits:
    return ConnectionLimits(
        count=room_for_connections(settings.max_connections),
        head_s=settings.head_timeout_seconds,
        idle_s=settings.idle_timeout_seconds,
        write_s=settings.write_timeout_seconds,
        unsent_bytes=settings.max_answer_bytes_in_flight,
    )
