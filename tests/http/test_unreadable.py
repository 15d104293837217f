"""What is no HTTP is answered as all else is, and nothing of it is shown or logged."""

from __future__ import annotations

import asyncio
import json
import logging
import socket

import pytest
from aiohttp import web

from host.clock import SystemClock
from host.http.connections import Connections
from host.http.http_app import HttpApp
from host.http.serving import served_app
from tests.http.hosting import Host, make_settings
from tests.http.raw_client import RawClients

KEY = "k3y-that-nobody-may-see-1234567890"
PATH = "GET /api/x HTTP/1.1\r\nHost: localhost\r\n"
HEADS = {
    "a control character in a key": f"{PATH}x-functions-key: {KEY}\x01\r\n\r\n",
    "a delete in a cookie": f"{PATH}Cookie: session={KEY}; x=\x7f\x00\r\n\r\n",
    "a line without a colon": f"{PATH}x-functions-key {KEY}\r\n\r\n",
    "a space before the colon": f"{PATH}x-functions-key : {KEY}\r\n\r\n",
    "a name that is none": f"{PATH}x-{KEY}\x01: y\r\n\r\n",
    "a long line": f"{PATH}x-functions-key: {KEY}{'x' * 20_000}\r\n\r\n",
    "a long target": f"GET /api/x?code={KEY}{'x' * 20_000} HTTP/1.1\r\n\r\n",
    "two lengths": f"{PATH}Content-Length: 1\r\nContent-Length: 2\r\nX-Key: {KEY}\r\n\r\n",
    "a length that is none": f"{PATH}Content-Length: {KEY}\r\n\r\n",
    "another version": f"GET /api/x?code={KEY} HTTP/9.{KEY}\r\n\r\n",
    "no verb": f"\x16\x03\x01{KEY} / HTTP/1.1\r\n\r\n",
    "a line that goes on": f"{PATH}x-functions-key: a\r\n {KEY}\x01\r\n\r\n",
}


@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
@pytest.mark.parametrize("kept", [False, True], ids=["first", "second"])
async def test_found_nothing_of_a_head_that_cannot_be_read_is_shown(
    host: Host, head: str, kept: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    client = await host.raw.connect()
    if kept:
        await client.send_head("GET", "/healthz")
        assert await client.status() == 200
        await client.body(int(client.header("Content-Length")))
    await client.send(head.encode("latin-1"))
    assert await client.status() == 400
    answer = await client.rest()
    assert client.header("Server") == "funchost"
    assert client.header("Content-Type").startswith("application/json")
    assert client.header("X-Content-Type-Options") == "nosniff"
    assert client.header("Cross-Origin-Resource-Policy") == "same-origin"
    assert client.header("Cache-Control") == "no-store"
    said = json.loads(answer.partition(b"\r\n\r\n")[2])
    assert list(said) == ["Message"]
    assert KEY.encode() not in answer
    assert KEY not in caplog.text
    assert "ERROR" not in caplog.text


async def test_an_application_that_fails_tells_nothing_of_how(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(_: Connections) -> HttpApp:
        async def handle(request: web.BaseRequest) -> web.StreamResponse:
            raise ValueError(KEY)

        return HttpApp(handle=handle)

    settings = make_settings({}, {}, {}).funchost
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address, port = listener.getsockname()
        async with served_app(broken, listener, settings, SystemClock()):
            clients = RawClients(address, port)
            client = await clients.connect()
            await client.send_head("GET", "/")
            assert await client.status() == 500
            assert client.header("Server") == "funchost"
            assert KEY.encode() not in await client.rest()
            await clients.close()
    assert "ValueError" in caplog.text
    await asyncio.sleep(0)
