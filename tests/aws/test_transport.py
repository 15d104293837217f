"""The transports against real connections: how far a request got, and what came back."""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from host.errors import ConfigurationError
from host.storage.aws.connections import PooledTransport
from host.storage.aws.transport import (
    AiohttpTransport,
    Failure,
    Request,
    Response,
    TransportError,
)

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Amzn-RequestId: R1\r\n\r\n{}"


AnyTransport = AiohttpTransport | PooledTransport
KINDS = [AiohttpTransport, PooledTransport]


@pytest.fixture(params=KINDS, ids=["aiohttp", "pooled"])
def kind(request: pytest.FixtureRequest) -> type[AnyTransport]:
    kind: type[AnyTransport] = request.param
    return kind


@pytest.fixture
async def transport(kind: type[AnyTransport]) -> AsyncIterator[AnyTransport]:
    transport = kind()
    await transport.open()
    yield transport
    await transport.close()


class Server:
    """A server on a free port whose connections a handler speaks for."""

    def __init__(self, handler: Handler, tls: ssl.SSLContext | None = None) -> None:
        self._handler = handler
        self._tls = tls
        self._writers: set[asyncio.StreamWriter] = set()
        self.connections = 0
        self.url = ""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[str]:
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0, ssl=self._tls)
        scheme = "http" if self._tls is None else "https"
        self.url = f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        try:
            yield self.url
        finally:
            server.close()
            for writer in self._writers:
                writer.close()
            await server.wait_closed()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        try:
            await self._handler(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


async def read_request(reader: asyncio.StreamReader) -> tuple[str, bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    lengths = [line for line in head.split("\r\n") if line.lower().startswith("content-length")]
    return head, await reader.readexactly(int(lengths[0].split(":")[1]))


async def always_ok(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        await read_request(reader)
        writer.write(OK)


def a_request(url: str, *, body: bytes = b'{"a": 1}', timeout_s: float = 10) -> Request:
    return Request("POST", url, {"content-type": "x", "authorization": "y"}, body, timeout_s)


async def failure_of(transport: AnyTransport, request: Request) -> Failure:
    with pytest.raises(TransportError) as caught:
        await transport(request)
    assert str(caught.value)
    return caught.value.failure


async def test_the_request_arrives_as_it_is_and_the_answer_too(
    transport: AnyTransport,
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
    transport: AnyTransport,
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
    transport: AnyTransport,
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


async def test_more_requests_than_connections_wait_for_each_other(
    kind: type[AnyTransport],
) -> None:
    server, transport = Server(always_ok), kind(max_connections=3)
    await transport.open()
    async with server.running() as url:
        await asyncio.gather(*(transport(a_request(url)) for _ in range(20)))
    await transport.close()
    assert server.connections == 3


async def test_a_cancelled_request_leaves_its_answer_to_nobody(transport: AnyTransport) -> None:
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


async def test_closing_ends_requests_under_way(transport: AnyTransport) -> None:
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


async def test_connections_are_kept(transport: AnyTransport) -> None:
    server = Server(always_ok)
    async with server.running() as url:
        for _ in range(5):
            assert (await transport(a_request(url))).status == 200
    assert server.connections == 1


@pytest.mark.parametrize("status", [b"400 Bad Request", b"500 Internal Server Error", b"302 Found"])
async def test_every_status_is_an_answer(transport: AnyTransport, status: bytes) -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 " + status + b"\r\nLocation: /\r\nContent-Length: 4\r\n\r\nbody")
        await reader.read()

    async with Server(handle).running() as url:
        response = await transport(a_request(url))
    assert response.status == int(status[:3])
    assert response.body == b"body"


async def test_a_kept_connection_that_the_server_closes_on_a_request_is_lost(
    transport: AnyTransport,
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
    transport: AnyTransport, part: bytes
) -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(part)

    async with Server(handle).running() as url:
        assert await failure_of(transport, a_request(url)) is Failure.CONNECTION_LOST


async def test_no_answer_in_time_is_a_timeout(transport: AnyTransport) -> None:
    async def handle(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async with Server(handle).running() as url:
        request = a_request(url, timeout_s=0.02)
        assert await failure_of(transport, request) is Failure.TIMED_OUT


async def test_nobody_listening_is_not_connected(transport: AnyTransport) -> None:
    async with Server(always_ok).running() as url:
        pass
    assert await failure_of(transport, a_request(url)) is Failure.NOT_CONNECTED


async def test_a_server_that_does_not_speak_tls_is_not_connected(
    transport: AnyTransport,
) -> None:
    async with Server(always_ok).running() as url:
        request = a_request(url.replace("http:", "https:"))
        assert await failure_of(transport, request) is Failure.NOT_CONNECTED


async def test_a_transport_that_is_not_open_is_not_connected(kind: type[AnyTransport]) -> None:
    transport = kind()
    assert await failure_of(transport, a_request("http://127.0.0.1:1/")) is Failure.NOT_CONNECTED


async def test_requests_after_closing_are_not_connected(kind: type[AnyTransport]) -> None:
    transport = kind()
    await transport.open()
    await transport.close()
    await transport.close()
    assert await failure_of(transport, a_request("http://127.0.0.1:1/")) is Failure.NOT_CONNECTED


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with a certificate for 127.0.0.1 that nobody but its bundle trusts, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    built = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2090, 1, 1, tzinfo=UTC))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "certificate.pem"
    encoding, no_password = serialization.Encoding.PEM, serialization.NoEncryption()
    form = serialization.PrivateFormat.PKCS8
    path.write_bytes(built.public_bytes(encoding) + key.private_bytes(encoding, form, no_password))
    return path


@pytest.fixture
def tls_server(certificate: Path) -> Server:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return Server(always_ok, context)


async def test_a_bundle_makes_its_servers_trusted(
    kind: type[AnyTransport], tls_server: Server, certificate: Path
) -> None:
    transport = kind(ca_bundle=str(certificate))
    await transport.open()
    async with tls_server.running() as url:
        for _ in range(2):
            assert (await transport(a_request(url))).body == b"{}"
        await transport.close()
    assert tls_server.connections == 1


async def test_a_server_that_nobody_vouches_for_is_not_connected(
    transport: AnyTransport, tls_server: Server
) -> None:
    async with tls_server.running() as url:
        assert await failure_of(transport, a_request(url)) is Failure.NOT_CONNECTED


async def test_a_missing_bundle_is_named_at_opening(kind: type[AnyTransport]) -> None:
    with pytest.raises(ConfigurationError, match=r"/nowhere/bundle\.pem"):
        await kind(ca_bundle="/nowhere/bundle.pem").open()
