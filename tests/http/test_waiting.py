"""What a host answers while it waits for its store; who came too early is served later."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from aiohttp import ClientSession

from host.http.waiting import BEGINS_AFTER_S, waiting_room
from host.settings.funchost import FunchostSettings
from tests.kit.manual_clock import ManualClock


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


@asynccontextmanager
async def waiting(listener: socket.socket) -> AsyncIterator[None]:
    """A host that has waited for its store for a moment."""
    clock = ManualClock()
    async with waiting_room(listener, FunchostSettings(), clock):
        await clock.advance(timedelta(seconds=BEGINS_AFTER_S))
        yield


async def ask(listener: socket.socket, verb: str, path: str, body: bytes = b"") -> tuple[int, str]:
    host, port = listener.getsockname()
    async with (
        ClientSession() as session,
        session.request(verb, f"http://{host}:{port}{path}", data=body) as response,
    ):
        assert response.headers["Connection"] == "close"
        return response.status, await response.text()


async def test_found_f14_a_host_that_waits_is_alive_and_not_ready(listener: socket.socket) -> None:
    async with waiting(listener):
        assert await ask(listener, "GET", "/healthz") == (200, '{"status":"live"}')
        assert await ask(listener, "HEAD", "/healthz") == (200, "")
        status, said = await ask(listener, "GET", "/readyz")
        assert (status, said) == (503, '{"status":"not ready","store":"failing"}')


@pytest.mark.parametrize(
    ("verb", "path"), [("GET", "/"), ("POST", "/api/pay"), ("PUT", "/%0a?x=1"), ("DELETE", "/a/b")]
)
async def test_everything_else_is_to_be_asked_again_later(
    listener: socket.socket, verb: str, path: str
) -> None:
    async with waiting(listener):
        status, said = await ask(listener, verb, path, b"x" * 100_000)
        assert (status, "waits for its store" in said) == (503, True)


async def test_a_quick_start_answers_nobody_and_keeps_who_came(listener: socket.socket) -> None:
    clock = ManualClock()
    host, port = listener.getsockname()
    async with waiting_room(listener, FunchostSettings(), clock):
        await clock.advance(timedelta(seconds=0.5))
        with socket.create_connection((host, port)) as early:
            early.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    listener.setblocking(True)
    served, _ = listener.accept()
    assert served.recv(4) == b"GET "
    served.close()
