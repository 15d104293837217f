"""What a host answers while it waits for its store: it is alive, and not ready for anything.

Rules of this file: nothing of the app is known here, and nothing is said of what is waited for.
Each connection ends with its answer, so that the next request finds the host that has started.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus

from aiohttp import web

from host.clock import Clock
from host.http import answers
from host.http.connections import Connections
from host.http.hanging_up import hang_up
from host.http.http_app import SERVER, HttpApp
from host.http.serving import served_app
from host.settings.funchost import FunchostSettings

BEGINS_AFTER_S = 1.0
"""A start that is quicker needs none of this: requests wait for it in the socket."""

_NO_STORE = {"Cache-Control": "no-store"}
_NOT_READY = {"status": "not ready", "store": "failing"}


@asynccontextmanager
async def waiting_room(
    listener: socket.socket, settings: FunchostSettings, clock: Clock
) -> AsyncIterator[None]:
    """Answer requests meanwhile, if it takes longer than a moment."""
    serving = asyncio.create_task(_serve(listener, settings, clock))
    try:
        yield
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


async def _serve(listener: socket.socket, settings: FunchostSettings, clock: Clock) -> None:
    await clock.sleep(BEGINS_AFTER_S)
    # Who serves a socket closes it in the end; what waits in this one is for the next server.
    async with served_app(_make_app, listener.dup(), settings, clock):
        await asyncio.Event().wait()


def _make_app(connections: Connections) -> HttpApp:
    async def handle(request: web.BaseRequest) -> web.Response:
        connection = connections.begin(request)
        try:
            response = _answer(request)
            response.force_close()
            response.headers["Server"] = SERVER
            if not request.content.is_eof():
                await hang_up(request, response)
            return response
        finally:
            if connection is not None:
                connections.end(connection)

    return HttpApp(handle=handle)


def _answer(request: web.BaseRequest) -> web.Response:
    match request.path.strip("/").lower():
        case "healthz":
            return answers.json_answer({"status": "live"}, headers=_NO_STORE)
        case "readyz":
            return answers.json_answer(_NOT_READY, HTTPStatus.SERVICE_UNAVAILABLE, _NO_STORE)
    return answers.message(
        HTTPStatus.SERVICE_UNAVAILABLE, answers.STARTING, {"Retry-After": "5", **_NO_STORE}
    )
