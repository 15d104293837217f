"""Connections over real sockets: how many, how long quiet, how much ahead of their time."""

from __future__ import annotations

import asyncio
import json
import logging
from datetime import timedelta

import pytest

from bindings import AuthLevel, FunctionApp, HttpRequest
from host.http.connections import MAX_AHEAD_BYTES
from tests.http.hosting import Host, running_host
from tests.http.raw_client import RawClient
from tests.kit.manual_clock import ManualClock

GET = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


def large_answers(size: int = 20_000_000) -> FunctionApp:
    app = FunctionApp(http_auth_level=AuthLevel.ANONYMOUS)

    @app.route("large")
    def large(req: HttpRequest) -> bytes:
        return b"x" * size

    return app


async def after(clock: ManualClock, seconds: float, *, step: float = 1.0) -> None:
    """Let time go by, and the host look at its clock all the while."""
    for _ in range(int(seconds / step)):
        await clock.advance(timedelta(seconds=step))
        await asyncio.sleep(0)


async def answered(client: RawClient) -> None:
    await client.send(GET)
    assert await client.status() == 200
    await client.body(17)


async def message_of(client: RawClient) -> str:
    """What an answer says, which has all headers of one that aiohttp's own parser refuses."""
    answer = await client.rest()
    assert client.header("Content-Type") == "application/json; charset=utf-8"
    assert client.header("Server") == "funchost"
    assert client.header("Cache-Control") == "no-store"
    assert client.header("X-Content-Type-Options") == "nosniff"
    assert client.header("Cross-Origin-Resource-Policy") == "same-origin"
    body = answer.partition(b"\r\n\r\n")[2]
    assert client.header("Content-Length") == str(len(body))
    said = json.loads(body)
    assert list(said) == ["Message"]
    return str(said["Message"])


async def test_found_d10_who_only_holds_connections_keeps_nobody_out(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with running_host(limits={"maxConnections": 20}) as host:
        begun = [await host.raw.connect() for _ in range(60)]
        for client in begun[::2]:
            await client.send(b"GET / HTTP/1.1\r\nHost: ")
        for _ in range(30):
            client = await host.raw.connect()
            await answered(client)
        for client in begun[:40]:
            await client.closed()
    said = [each.getMessage() for each in caplog.records if "connections are open" in each.message]
    assert len(said) == 1
    assert "maxConnections" in said[0]


async def test_found_d10_when_all_are_busy_the_next_one_is_told_so() -> None:
    app, go_on = FunctionApp(http_auth_level=AuthLevel.ANONYMOUS), asyncio.Event()
    begun = asyncio.Semaphore(0)

    @app.route("pause")
    async def pause(req: HttpRequest) -> str:
        begun.release()
        await go_on.wait()
        return "done"

    async with running_host(app=app, limits={"maxConnections": 3}) as host:
        busy = [await host.raw.connect() for _ in range(3)]
        for client in busy:
            await client.send_head("GET", "/api/pause")
            await begun.acquire()
        late = await host.raw.connect()
        assert await late.status() == 503
        assert late.header("Retry-After") == "5"
        assert "maxConnections" in await message_of(late)
        go_on.set()
        assert [await client.status() for client in busy] == [200] * 3
        await answered(await host.raw.connect())


async def test_found_d10_half_a_head_is_cut_off_in_time() -> None:
    clock = ManualClock()
    async with running_host(clock=clock, limits={"headTimeoutSeconds": 5}) as host:
        halves = []
        for sent in (b"", b"G", b"GET / HTTP/1.1\r\n", GET[:-2], GET[:-1]):
            halves.append(await host.raw.connect())
            await halves[-1].send(sent)
        second = await host.raw.connect()
        await answered(second)
        await second.send(GET[:-2])
        await answered(await host.raw.connect())  # what was sent before has arrived
        await after(clock, 8)
        for client in (*halves, second):
            assert await client.status() == 408
            assert "did not come in time" in await message_of(client)
        await answered(await host.raw.connect())


async def test_found_d10_a_head_that_comes_byte_by_byte_is_cut_off_all_the_same() -> None:
    clock = ManualClock()
    async with running_host(clock=clock, limits={"headTimeoutSeconds": 5}) as host:
        client = await host.raw.connect()
        for byte in GET[:7]:
            await client.send(bytes([byte]))
            await after(clock, 1)
        assert await client.status() == 408


async def test_found_d10_a_connection_without_requests_is_closed_in_time() -> None:
    clock = ManualClock()
    limits = {"headTimeoutSeconds": 5, "idleTimeoutSeconds": 60}
    async with running_host(clock=clock, limits=limits) as host:
        client = await host.raw.connect()
        await answered(client)
        await after(clock, 55)
        await answered(client)
        await after(clock, 55)
        await answered(client)
        await after(clock, 65)
        await client.closed()


async def test_found_d10_a_client_that_reads_nothing_is_cut_off() -> None:
    clock = ManualClock()
    async with running_host(
        app=large_answers(), clock=clock, limits={"writeTimeoutSeconds": 30}
    ) as host:
        slow = await host.raw.connect(limit=1000)
        await slow.send_head("GET", "/api/large")
        assert await slow.status() == 200
        await after(clock, 40)
        await slow.closed()


async def test_found_d4_answers_that_nobody_reads_are_bounded_together(
    caplog: pytest.LogCaptureFixture,
) -> None:
    limits = {"maxAnswerBytesInFlight": 45_000_000}
    async with running_host(app=large_answers(), clock=ManualClock(), limits=limits) as host:
        slow = [await host.raw.connect(limit=1000) for _ in range(4)]
        for client in slow:
            await client.send_head("GET", "/api/large")
            assert await client.status() == 200
        await slow[0].closed()
        last = await host.raw.connect()
        await answered(last)
        assert len(await slow[3].body(20_000_000)) == 20_000_000
    told = [each for each in caplog.messages if "maxAnswerBytesInFlight" in each]
    assert len(told) == 1


async def test_found_d4_one_answer_larger_than_all_should_be_goes_out() -> None:
    limits = {"maxAnswerBytesInFlight": 1}
    async with running_host(app=large_answers(), clock=ManualClock(), limits=limits) as host:
        slow = await host.raw.connect(limit=1000)
        await slow.send_head("GET", "/api/large")
        assert await slow.status() == 200
        assert len(await slow.body(20_000_000)) == 20_000_000


async def test_found_d10_a_head_has_a_largest_size() -> None:
    async with running_host() as host:
        client = await host.raw.connect()
        await client.send(GET[:-2])
        for number in range(20):
            await client.send(b"X-%d: " % number + b"x" * 8000 + b"\r\n")
        assert await client.status() in {0, 431}  # 0: the reset was faster than the answer
        whole = await host.raw.connect()  # all of it is read, so nothing is reset
        lines = b"".join(b"X-%d: " % each + b"x" * 8000 + b"\r\n" for each in range(20))
        await whole.send((GET[:-2] + lines)[: MAX_AHEAD_BYTES + 1])
        assert await whole.status() == 431
        assert "too large" in await message_of(whole)
        many = await host.raw.connect()
        await many.send(GET[:-2] + b"".join(b"X-%d: y\r\n" % each for each in range(500)) + b"\r\n")
        assert await many.status() == 400
        long = await host.raw.connect()
        await long.send_head("GET", "/" + "x" * 20_000)
        assert await long.status() == 400


async def test_found_d10_a_large_head_and_a_large_body_in_one_go_are_served() -> None:
    async with running_host(app=large_answers(5)) as host:
        client = await host.raw.connect()
        cookies = [f"X-{number}: {'x' * 7000}" for number in range(3)]
        await client.send_head("POST", "/api/large", *cookies, "Content-Length: 3000000")
        await client.send(b"x" * 3_000_000)
        assert await client.status() == 200


async def test_found_d10_requests_sent_ahead_are_answered_in_order_and_bounded() -> None:
    async with running_host(app=large_answers()) as host:
        client = await host.raw.connect()
        await client.send(GET * 100)
        for _ in range(100):
            assert await client.status() == 200
            await client.body(17)
        greedy = await host.raw.connect(limit=1000)
        await greedy.send_head("GET", "/api/large")
        assert await greedy.status() == 200
        padding = b"X-Padding: " + b"x" * 8000 + b"\r\n"
        large = GET[:-2] + padding * 5 + b"\r\n"
        for _ in range(10):
            await greedy.send(large)
        await greedy.closed()


@pytest.mark.parametrize(
    ("head", "statuses"),
    [
        ("GET /healthz HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade", {200, 400}),
        ("CONNECT localhost:80 HTTP/1.1", {400, 404, 405}),
        ("TRACE /healthz HTTP/1.1", {200, 405, 400}),
        ("HEAD /healthz HTTP/1.1", {200}),
        ("OPTIONS * HTTP/1.1", {200, 400, 404, 405}),
        ("POST /x HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4", {400}),
        ("POST /x HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked", {400}),
        ("POST /x HTTP/1.1\r\nContent-Length: +3", {400}),
        ("POST /x HTTP/1.1\r\nContent-Length: -1", {400}),
        ("POST /x HTTP/1.1\r\nContent-Length: 99999999999999999999999", {400}),
        ("POST /x HTTP/1.1\r\nTransfer-Encoding: chunked, gzip", {400}),
        ("POST /x HTTP/1.1\r\nTransfer-Encoding: xchunked", {400, 404}),
        ("GET /healthz HTTP/1.1\r\n X: folded", {400}),
        ("GET /healthz HTTP/1.1\r\nX : y", {400}),
        ("GET /healthz?" + "&".join(["a=b"] * 1001) + " HTTP/1.1", {400}),
        ("GET /healthz?" + "a" * 7000 + " HTTP/1.1", {200}),
    ],
)
async def test_found_d10_odd_requests_get_an_answer_of_the_client_s_kind(
    host: Host, head: str, statuses: set[int], caplog: pytest.LogCaptureFixture
) -> None:
    client = await host.raw.connect()
    await client.send(f"{head}\r\nHost: localhost\r\n\r\n".encode())
    assert await client.status() in statuses
    await answered(await host.raw.connect())
    assert [each for each in caplog.records if each.levelno >= logging.ERROR] == []
