"""The way through a proxy, when the environment demands one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from host.errors import ConfigurationError
from host.storage.aws.wire.connections import PooledTransport
from host.storage.aws.wire.transport import Failure, Request, TransportError
from tests.kit.raw_server import Server, always_ok, tls_server, write_certificate

VARIABLES = ("http_proxy", "https_proxy", "no_proxy")
CREDENTIALS = "Proxy-Authorization: Basic dXNlcjpwQHNz\r\n"
"""Of `user` with the password `p@ss`."""


class Proxy:
    """A proxy that keeps the heads of what it was asked for, and passes bytes on as it was told."""

    def __init__(self, established: bytes = b"HTTP/1.1 200 Connection established\r\n\r\n") -> None:
        self._established = established
        self.heads: list[str] = []

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Speak with one client."""
        head = await reader.readuntil(b"\r\n\r\n")
        self.heads.append(head.decode())
        method, target, _ = head.decode().split(" ", 2)
        is_tunnel = method == "CONNECT"
        if is_tunnel:
            writer.write(self._established)
            if b" 200 " not in self._established:
                return
        server = urlsplit(f"//{target}" if is_tunnel else target)
        server_reader, server_writer = await asyncio.open_connection(server.hostname, server.port)
        if not is_tunnel:
            server_writer.write(head)
        try:
            await asyncio.gather(_pass_on(reader, server_writer), _pass_on(server_reader, writer))
        finally:
            server_writer.close()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
    writer.close()


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """No proxies but those of the test."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    return monkeypatch


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tls") / "certificate.pem"
    write_certificate(path)
    return path


@pytest.fixture
async def transport(certificate: Path) -> AsyncIterator[PooledTransport]:
    transport = PooledTransport(ca_bundle=str(certificate))
    await transport.open()
    yield transport
    await transport.close()


def a_request(url: str) -> Request:
    return Request("POST", url, {"authorization": "y"}, b"{}")


async def failure_of(transport: PooledTransport, url: str) -> TransportError:
    with pytest.raises(TransportError) as caught:
        await transport(a_request(url))
    return caught.value


async def test_a_proxy_is_asked_for_the_whole_url(
    environment: pytest.MonkeyPatch, transport: PooledTransport
) -> None:
    proxy, server = Proxy(), Server(always_ok)
    async with Server(proxy.handle).running() as proxy_url, server.running() as url:
        environment.setenv("HTTP_PROXY", proxy_url.replace("//", "//user:p%40ss@"))
        assert (await transport(a_request(f"{url}a/"))).body == b"{}"
    (head,) = proxy.heads
    assert head.startswith(f"POST {url}a/ HTTP/1.1\r\n")
    assert CREDENTIALS.lower() in head.lower()
    assert "authorization: y\r\n" in head


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize(
    "established",
    [
        pytest.param(b"HTTP/1.1 200 Connection established\r\n\r\n", id="1.1"),
        pytest.param(b"HTTP/1.0 200 OK\r\nContent-Length: 9\r\n\r\n", id="1.0"),
    ],
)
def test_a_server_with_tls_is_reached_through_a_tunnel_that_is_kept(
    environment: pytest.MonkeyPatch, certificate: Path, established: bytes, loop: str
) -> None:
    proxy, server = Proxy(established), tls_server(certificate)

    async def exchange() -> str:
        transport = PooledTransport(ca_bundle=str(certificate))
        await transport.open()
        async with Server(proxy.handle).running() as proxy_url, server.running() as url:
            environment.setenv("https_proxy", proxy_url.replace("//", "//user:p%40ss@"))
            for _ in range(3):
                assert (await transport(a_request(url))).body == b"{}"
            await transport.close()
        return urlsplit(url).netloc

    with asyncio.Runner(loop_factory=pytest.importorskip(loop).new_event_loop) as runner:
        address = runner.run(exchange())
    (head,) = proxy.heads
    assert head.startswith(f"CONNECT {address} HTTP/1.1\r\nhost: {address}\r\n")
    assert CREDENTIALS.lower() in head.lower()
    assert "authorization: y\r\n" not in head
    assert server.connections == 1


async def test_a_server_behind_a_proxy_must_be_vouched_for_too(
    environment: pytest.MonkeyPatch, certificate: Path
) -> None:
    transport = PooledTransport()
    await transport.open()
    proxy, server = Proxy(), tls_server(certificate)
    async with Server(proxy.handle).running() as proxy_url, server.running() as url:
        environment.setenv("HTTPS_PROXY", proxy_url)
        error = await failure_of(transport, url)
        await transport.close()
    assert error.failure is Failure.NOT_CONNECTED
    assert "certificate" in str(error)


async def test_a_proxy_that_refuses_is_not_connected(
    environment: pytest.MonkeyPatch, transport: PooledTransport
) -> None:
    proxy = Proxy(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 2\r\n\r\nno")
    async with Server(proxy.handle).running() as proxy_url:
        environment.setenv("HTTPS_PROXY", proxy_url)
        error = await failure_of(transport, "https://127.0.0.1:1/")
    assert error.failure is Failure.NOT_CONNECTED
    assert "407" in str(error)


async def test_a_proxy_that_closes_the_connection_saw_no_request(
    environment: pytest.MonkeyPatch, transport: PooledTransport
) -> None:
    async with Server(Proxy(b" 200 ").handle).running() as proxy_url:
        environment.setenv("HTTPS_PROXY", proxy_url)
        error = await failure_of(transport, "https://127.0.0.1:1/")
    assert error.failure is Failure.NOT_CONNECTED


async def test_no_proxy_leads_to_a_server_that_is_to_be_reached_without(
    environment: pytest.MonkeyPatch, transport: PooledTransport
) -> None:
    proxy = Proxy()
    async with Server(proxy.handle).running() as proxy_url, Server(always_ok).running() as url:
        environment.setenv("HTTP_PROXY", proxy_url)
        environment.setenv("NO_PROXY", "example.com, 127.0.0.1")
        assert (await transport(a_request(url))).body == b"{}"
    assert proxy.heads == []


@pytest.mark.parametrize(
    "address", ["https://user:secret@proxy:3128", "socks5://proxy:1080", "http://:secret@:1", "a:b"]
)
async def test_a_proxy_that_cannot_be_used_is_refused_and_never_passed_over(
    environment: pytest.MonkeyPatch, transport: PooledTransport, address: str
) -> None:
    environment.setenv("HTTPS_PROXY", address)
    with pytest.raises(ConfigurationError, match=r"^HTTPS_PROXY .*NO_PROXY") as caught:
        await transport(a_request("https://127.0.0.1:1/"))
    assert "secret" not in str(caught.value)
