"""Notices over HTTP: what receivers get, and what hostile ones can do to a host."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiohttp import web

from bindings.client import RuntimeStatus
from host.core.records import Notice, NoticeKind
from host.engine.notices import TAKEN, Answer
from host.http import notifications
from host.http.notifications import BodyOf, Webhook, event_grid_body, own_body
from tests.kit.manual_clock import ManualClock
from tests.kit.raw_server import Server, tls_server, write_certificate

SECRET = b"the secret"
AT = datetime(2026, 3, 1, 12, 30, 15, 250, tzinfo=UTC)
FAILED = Notice(
    notice_id="0af1",
    kind=NoticeKind.FAILED,
    at=AT,
    instance_id="order-7",
    name="Order",
    status=RuntimeStatus.FAILED,
    reason="no stock: Füllstand",
)

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def webhook(port: int, body_of: BodyOf = own_body) -> AsyncIterator[Webhook]:
    hook = Webhook(
        url=f"http://127.0.0.1:{port}/hook/private?token=hidden",
        secret=SECRET,
        hub="Hub",
        body_of=body_of,
        clock=ManualClock(AT),
    )
    try:
        yield hook
    finally:
        await hook.close()


@asynccontextmanager
async def receiving(
    handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
) -> AsyncIterator[int]:
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", handler)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def answer_of(handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> Answer:
    async with receiving(handler) as port, webhook(port) as hook:
        return await hook.post(FAILED)


async def raw_answer(serve: Serve) -> Answer:
    """What becomes of a post to a server that sends what it likes."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await serve(reader, writer)

    async with Server(handle).running() as url, webhook(int(url.split(":")[2][:-1])) as hook:
        return await hook.post(FAILED)


async def test_a_receiver_gets_what_happened_signed_with_its_secret() -> None:
    got: list[tuple[web.Request, bytes]] = []

    async def take(request: web.Request) -> web.Response:
        got.append((request, await request.read()))
        return web.Response(status=204)

    assert await answer_of(take) == TAKEN
    ((request, body),) = got
    assert (request.method, request.path_qs) == ("POST", "/hook/private?token=hidden")
    assert json.loads(body) == {
        "id": "0af1",
        "type": "orchestration.failed",
        "time": "2026-03-01T12:30:15.000250Z",
        "hub": "Hub",
        "instanceId": "order-7",
        "name": "Order",
        "runtimeStatus": "Failed",
        "reason": "no stock: Füllstand",
    }
    headers = request.headers
    assert headers["X-Funchost-Event-Id"] == "0af1"
    assert headers["X-Funchost-Timestamp"] == str(int(AT.timestamp()))
    signed = headers["X-Funchost-Timestamp"].encode() + b"." + body
    expected = hmac.new(SECRET, signed, hashlib.sha256).hexdigest()
    assert headers["X-Funchost-Signature"] == f"v1={expected}"
    assert headers["Content-Type"] == "application/json; charset=utf-8"
    assert headers["User-Agent"].startswith("funchost/")


def test_the_shape_of_event_grid_is_that_of_azures_extension() -> None:
    (event,) = event_grid_body(FAILED, "Hub")
    assert event == {
        "id": "0af1",
        "subject": "durable/orchestrator/Failed",
        "eventType": "orchestratorEvent",
        "eventTime": "2026-03-01T12:30:15.000250Z",
        "dataVersion": "1.0",
        "metadataVersion": "1",
        "data": {
            "hubName": "Hub",
            "functionName": "Order",
            "instanceId": "order-7",
            "reason": "no stock: Füllstand",
            "runtimeStatus": "Failed",
        },
    }


@pytest.mark.parametrize("status", [200, 201, 202, 204])
async def test_any_success_is_taken(status: int) -> None:
    async def take(_: web.Request) -> web.Response:
        return web.Response(status=status)

    assert await answer_of(take) == TAKEN


@pytest.mark.parametrize("status", [304, 400, 401, 404, 408, 410, 425, 429, 500, 503])
async def test_anything_else_is_sent_again(status: int) -> None:
    async def refuse(_: web.Request) -> web.Response:
        return web.Response(status=status)

    answer = await answer_of(refuse)
    assert answer.problem is not None
    assert answer.problem.endswith(f" answered {status}.")
    assert "hidden" not in answer.problem
    assert "private" not in answer.problem


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("120", 120.0),
        ("9" * 50, 999_999_999.0),
        ("Sun, 01 Mar 2026 12:31:15 GMT", 59.99975),
        ("Sun, 01 Mar 2020 12:31:15 GMT", 0.0),
        ("soon", 0.0),
        ("-5", 0.0),
        ("", 0.0),
    ],
)
async def test_a_receiver_says_when_it_wants_to_be_asked_again(said: str, expected: float) -> None:
    async def refuse(_: web.Request) -> web.Response:
        return web.Response(status=429, headers={"Retry-After": said})

    assert (await answer_of(refuse)).retry_after_s == pytest.approx(expected)


async def test_a_redirect_leads_nowhere() -> None:
    asked: list[str] = []

    async def metadata(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response()

    async with receiving(metadata) as port:

        async def redirect(_: web.Request) -> web.Response:
            target = f"http://127.0.0.1:{port}/latest/meta-data/"
            return web.Response(status=307, headers={"Location": target})

        answer = await answer_of(redirect)
    assert answer.problem is not None
    assert answer.problem.endswith("answered 307.")
    assert asked == []


async def test_nobody_there_is_told_without_the_address(unused_tcp_port: int) -> None:
    async with webhook(unused_tcp_port) as hook:
        answer = await hook.post(FAILED)
    assert answer.problem == (
        f"http://127.0.0.1:{unused_tcp_port}: cannot connect: connection refused."
    )


async def test_a_name_of_several_addresses_at_which_nobody_is_is_told_in_words(
    unused_tcp_port: int,
) -> None:
    async with webhook(unused_tcp_port) as hook:
        hook.url = f"http://localhost:{unused_tcp_port}/hidden"
        answer = await hook.post(FAILED)
    assert answer.problem == (
        f"http://localhost:{unused_tcp_port}: cannot connect: connection refused."
    )


async def test_a_certificate_that_nobody_vouches_for_is_told_as_such(tmp_path: Path) -> None:
    write_certificate(tmp_path / "certificate.pem")
    async with tls_server(tmp_path / "certificate.pem").running() as url, webhook(1) as hook:
        hook.url = f"{url}hidden"
        answer = await hook.post(FAILED)
    assert answer.problem is not None
    assert "the certificate is not trusted: self-signed certificate" in answer.problem
    assert "hidden" not in answer.problem


async def test_who_speaks_no_tls_is_told_as_such() -> None:
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await reader.read()

    async with Server(speak).running() as url, webhook(1) as hook:
        hook.url = url.replace("http:", "https:")
        answer = await hook.post(FAILED)
    assert answer.problem is not None
    assert "TLS failed: " in answer.problem
    assert "permission" not in answer.problem


async def test_who_hangs_up_without_a_word_is_told_as_such() -> None:
    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    answer = await raw_answer(hang_up)
    assert answer.problem is not None
    assert answer.problem.endswith(": the connection was closed before an answer came.")


async def test_a_receiver_that_never_answers_is_given_up_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(notifications, "TIMEOUT_S", 0.05)

    async def hold(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    answer = await raw_answer(hold)
    assert answer.problem is not None
    assert "no answer in 0.05 s" in answer.problem


async def test_an_endless_answer_is_not_read() -> None:
    sent = 0

    async def pour(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"10000\r\n" + b"x" * 65536 + b"\r\n")
            sent += 65536
            await writer.drain()

    assert await raw_answer(pour) == TAKEN
    assert sent < 64 * 1024 * 1024


async def test_an_answer_that_is_said_to_be_long_is_not_waited_for() -> None:
    async def promise(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        await writer.drain()
        await reader.read()

    assert await raw_answer(promise) == TAKEN


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 200 OK\r\nX-Large: " + b"x" * 1_000_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200_000 + b"\r\n",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 OK\r\n\r\n",
        b"",
    ],
    ids=["a huge header", "many headers", "no HTTP", "no status", "nothing"],
)
async def test_what_is_no_decent_answer_takes_nothing(said: bytes) -> None:
    async def speak(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        await writer.drain()

    answer = await raw_answer(speak)
    assert answer.problem is not None
    assert "hidden" not in answer.problem
    assert len(answer.problem) < 500


async def test_cookies_are_not_kept() -> None:
    seen: list[str | None] = []

    async def give(request: web.Request) -> web.Response:
        seen.append(request.headers.get("Cookie"))
        return web.Response(headers={"Set-Cookie": "a=b"})

    async with receiving(give) as port, webhook(port) as hook:
        await hook.post(FAILED)
        await hook.post(FAILED)
    assert seen == [None, None]
