"""The transport against real connections: how far a request got, and what came back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from host.errors import ConfigurationError
from host.storage.aws.wire.connections import PooledTransport
from host.storage.aws.wire.transport import Failure, Request, Response, TransportError
from tests.kit.raw_server import (
    OK,
    Server,
    always_ok,
    read_request,
    tls_server,
    write_certificate,
)


@pytest.fixture
async def transport() -> AsyncIterator[PooledTransport]:
    transport = PooledTransport()
    await transport.open()
    yield transport
    await transport.close()


def a_request(url: str, *, body: bytes = b'{"a": 1}', timeout_s: float = 10) -> Request:
    return Request("POST", url, {"content-type": "x", "authorization": "y"}, body, timeout_s)


async def failure_of(transport: PooledTransport, request: Request) -> Failure:
    with pytest.raises(TransportError) as caught:
        await transport(request)
    assert str(caught.value)
    return caught.value.failure


async def test_the_request_arrives_as_it_is_and_the_answer_too(
    transport: PooledTransport,
) -> None:
    seen: list[tuple[str, bytes]] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await read_request(reader))
        writer.write(OK)
        await reader.read()

    async with Server(handle).running() as url:
        response = await transport(a_request(f"{url}a%20path/"))

    assert response == Response(200, response.headers, b"{}")
    assert response.headers["x-amzn-requestid"] == "R1"
    head, body = seen[0]
    assert head.startswith("POST /a%20path/ HTTP/1.1\r\n")
    assert "authorization: y\r\n" in head.lower()
    assert "accept-encoding" not in head.lower()
    assert body == b'{"a": 1}'


async def test_an_answer_may_come_in_chunks_or_end_with_the_connection(
    transport: PooledTransport,
) -> None:
    chunks = b'4\r\n{"a"\r\n3\r\n: 1\r\n1\r\n}\r\n0\r\n\r\n'
    answers = [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks,
        b'HTTP/1.0 200 OK\r\n\r\n{"a": 1}',
    ]

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for each in answers:
            await read_request(reader)
            writer.write(each)

    async with Server(handle).running() as url:
        for _ in answers:
            assert (await transport(a_request(url))).body == b'{"a": 1}'


async def test_requests_at_the_same_time_have_connections_of_their_own(
    transport: PooledTransport,
) -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            _, body = await read_request(reader)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

    server = Server(echo)
    async with server.running() as url:
        for _ in range(2):
            bodies = [str(number).encode() for number in range(20)]
            answers = await asyncio.gather(
                *(transport(a_request(url, body=body)) for body in bodies)
            )
            assert [answer.body for answer in answers] == bodies
    assert server.connections == 20


async def test_a_server_that_does_not_answer_keeps_no_request_to_another_waiting() -> None:
    """Or holds would end at SQS while DynamoDB hangs."""
    transport = PooledTransport(max_connections=2)
    await transport.open()
    never = asyncio.Event()

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await never.wait()

    async with Server(hang).running() as hangs, Server(always_ok).running() as answers:
        hanging = [asyncio.ensure_future(transport(a_request(hangs))) for _ in range(5)]
        for _ in range(3):
            async with asyncio.timeout(5):
                assert (await transport(a_request(answers))).status == 200
        for each in hanging:
            each.cancel()
        await asyncio.gather(*hanging, return_exceptions=True)
        never.set()
    await transport.close()


async def test_more_requests_than_connections_wait_for_each_other() -> None:
    server, transport = Server(always_ok), PooledTransport(max_connections=3)
    await transport.open()
    async with server.running() as url:
        await asyncio.gather(*(transport(a_request(url)) for _ in range(20)))
    await transport.close()
    assert server.connections == 3


async def test_a_cancelled_request_leaves_its_answer_to_nobody(transport: PooledTransport) -> None:
    arrived, gate = asyncio.Event(), asyncio.Event()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _, body = await read_request(reader)
        arrived.set()
        if body == b"first":
            await gate.wait()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        await reader.read()

    async with Server(handle).running() as url:
        first = asyncio.create_task(transport(a_request(url, body=b"first")))
        await arrived.wait()
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        gate.set()
        assert (await transport(a_request(url, body=b"second"))).body == b"second"
    assert first.cancelled()


async def test_closing_ends_requests_under_way(transport: PooledTransport) -> None:
    arrived = asyncio.Event()

    async def handle(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await read_request(reader)
        arrived.set()
        await reader.read()

    async with Server(handle).running() as url:
        request = asyncio.create_task(failure_of(transport, a_request(url)))
        await arrived.wait()
        await transport.close()
        assert await request is Failure.CONNECTION_LOST


async def test_connections_are_kept(transport: PooledTransport) -> None:
    server = Server(always_ok)
    async with server.running() as url:
        for _ in range(5):
            assert (await transport(a_request(url))).status == 200
    assert server.connections == 1


@pytest.mark.parametrize("status", [b"400 Bad Request", b"500 Internal Server Error", b"302 Found"])
async def test_every_status_is_an_answer(transport: PooledTransport, status: bytes) -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 " + status + b"\r\nLocation: /\r\nContent-Length: 4\r\n\r\nbody")
        await reader.read()

    async with Server(handle).running() as url:
        response = await transport(a_request(url))
    assert response.status == int(status[:3])
    assert response.body == b"body"


async def test_a_kept_connection_that_the_server_closes_on_a_request_is_lost(
    transport: PooledTransport,
) -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(OK)
        await reader.readexactly(1)

    async with Server(handle).running() as url:
        await transport(a_request(url))
        assert await failure_of(transport, a_request(url)) is Failure.CONNECTION_LOST
        assert (await transport(a_request(url))).status == 200


@pytest.mark.parametrize(
    "part",
    [
        pytest.param(b"", id="no answer"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Le", id="half a head"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{}", id="half a body"),
        pytest.param(b"SSH-2.0-OpenSSH_9.6\r\n\r\n", id="another protocol"),
    ],
)
async def test_an_answer_without_its_end_is_a_lost_connection(
    transport: PooledTransport, part: bytes
) -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(part)

    async with Server(handle).running() as url:
        assert await failure_of(transport, a_request(url)) is Failure.CONNECTION_LOST


async def test_no_answer_in_time_is_a_timeout(transport: PooledTransport) -> None:
    async def handle(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async with Server(handle).running() as url:
        request = a_request(url, timeout_s=0.02)
        assert await failure_of(transport, request) is Failure.TIMED_OUT


async def test_nobody_listening_is_not_connected(transport: PooledTransport) -> None:
    async with Server(always_ok).running() as url:
        pass
    assert await failure_of(transport, a_request(url)) is Failure.NOT_CONNECTED


async def test_a_server_that_does_not_speak_tls_is_not_connected(
    transport: PooledTransport,
) -> None:
    async with Server(always_ok).running() as url:
        request = a_request(url.replace("http:", "https:"))
        assert await failure_of(transport, request) is Failure.NOT_CONNECTED


async def test_a_transport_that_is_not_open_is_not_connected() -> None:
    transport = PooledTransport()
    assert await failure_of(transport, a_request("http://127.0.0.1:1/")) is Failure.NOT_CONNECTED


async def test_requests_after_closing_are_not_connected() -> None:
    transport = PooledTransport()
    await transport.open()
    await transport.close()
    await transport.close()
    assert await failure_of(transport, a_request("http://127.0.0.1:1/")) is Failure.NOT_CONNECTED


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tls") / "certificate.pem"
    write_certificate(path)
    return path


async def test_a_bundle_makes_its_servers_trusted(certificate: Path) -> None:
    server = tls_server(certificate)
    transport = PooledTransport(ca_bundle=str(certificate))
    await transport.open()
    async with server.running() as url:
        for _ in range(2):
            assert (await transport(a_request(url))).body == b"{}"
        await transport.close()
    assert server.connections == 1


async def test_a_server_that_nobody_vouches_for_is_not_connected(
    transport: PooledTransport, certificate: Path
) -> None:
    async with tls_server(certificate).running() as url:
        assert await failure_of(transport, a_request(url)) is Failure.NOT_CONNECTED


async def test_a_missing_bundle_is_named_at_opening() -> None:
    with pytest.raises(ConfigurationError, match=r"/nowhere/bundle\.pem"):
        await PooledTransport(ca_bundle="/nowhere/bundle.pem").open()
