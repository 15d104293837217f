"""Bodies over real HTTP: read when somebody may, unpacked in bounds, held within a budget."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bindings import AuthLevel, FunctionApp, HttpRequest
from host.http.keys import KeyKind
from tests.http.hosting import MAX_PAYLOAD, WEBHOOKS, Host, running_host
from tests.http.raw_client import RawClient

JSON = {"Content-Type": "application/json"}
START = f"{WEBHOOKS}/orchestrators/echo"
BUDGET = {"maxBodyBytesInFlight": 100_000}


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


def measuring() -> FunctionApp:
    app = FunctionApp(http_auth_level=AuthLevel.ANONYMOUS)

    @app.route("measure")
    def measure(req: HttpRequest) -> dict[str, object]:
        return {
            "size": len(req.get_body()),
            "start": req.get_body()[:4].hex(),
            "encoding": req.headers.get("content-encoding"),
            "length": req.headers.get("CONTENT-LENGTH"),
        }

    @app.route("guarded", auth_level=AuthLevel.FUNCTION)
    def guarded(req: HttpRequest) -> int:
        return len(req.get_body())

    return app


@asynccontextmanager
async def bounded(**limits: float) -> AsyncIterator[Host]:
    async with running_host(app=measuring(), limits=limits) as host:
        yield host


async def in_flight(host: Host, path: str, size: int, declared: int) -> RawClient:
    """A client that has sent this much of its body, all of which has arrived."""
    client = await host.raw.connect()
    await client.send_head("POST", path, f"Content-Length: {declared}", "Expect: 100-continue")
    assert await client.status() == 100
    await client.send(b"x" * size)
    return client


async def test_found_d1_nothing_is_unpacked_for_who_may_not(tmp_path: Path) -> None:
    bomb = gzip.compress(b" " * 50_000_000)
    headers = {"Content-Encoding": "gzip", **JSON}
    async with running_host(tmp_path / "keys.json", app=measuring()) as host:
        for path in (START, "/api/guarded", "/admin/functions/guarded", "/nothing"):
            response = await host.call("POST", path, data=bomb, headers=headers)
            assert response.status in {401, 404}
        key = {"x-functions-key": host.keys[KeyKind.MASTER]}
        fine = await host.call("POST", "/api/guarded", data=bomb, headers=headers | key)
        assert (fine.status, await fine.text()) == (200, "50000000")


async def test_found_d1_who_may_not_is_answered_before_the_body_and_cut_off(
    locked: Host,
) -> None:
    for path in (START, "/admin/functions/x", "/nothing", "/healthz"):
        client = await locked.raw.connect()
        await client.send_head("POST", path, "Content-Length: 100000000")
        await client.send(b"x" * 1000)
        assert await client.status() in {200, 401, 404}
        assert b"connection: close" in (await client.rest()).lower()


async def test_found_d1_a_client_that_asks_first_is_refused_without_its_body(
    locked: Host,
) -> None:
    client = await locked.raw.connect()
    await client.send_head("POST", START, "Content-Length: 100000", "Expect: 100-continue")
    assert await client.status() == 401
    await client.rest()  # it was hung up on


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress, raw_deflate])
async def test_found_d1_a_packed_body_is_measured_as_it_unpacks(host: Host, pack: object) -> None:
    assert callable(pack)
    encoding = "gzip" if pack is gzip.compress else "deflate"
    headers = {"Content-Encoding": encoding, **JSON}
    for index, value in enumerate((b'"hi"', b'"' + b"x" * (MAX_PAYLOAD - 2) + b'"')):
        path = f"orchestrators/echo/{index}"
        assert (await host.call("POST", path, data=pack(value), headers=headers)).status == 202
        state = await host.hub.wait_for_instance_completion(str(index))
        assert state.output == value.decode().strip('"')
    for size in (MAX_PAYLOAD + 1, MAX_PAYLOAD * 20, MAX_PAYLOAD * 100):
        response = await host.call("POST", START, data=pack(b" " * size), headers=headers)
        assert response.status == 413


@pytest.mark.parametrize(
    "body",
    [
        b"no gzip",
        gzip.compress(b"[1]")[:-1],
        gzip.compress(b"[1]")[:5],
        gzip.compress(b"[1]") + b"more",
        gzip.compress(b"[1]") + gzip.compress(b"[2]"),
        gzip.compress(bytes(range(256)) * 500)[:-9],
        gzip.compress(b"[1]").replace(b"\x1f\x8b", b"\x1f\x00"),
    ],
    ids=range(7),
)
async def test_found_d1_a_body_that_is_not_packed_as_it_says_is_refused(
    host: Host, body: bytes
) -> None:
    headers = {"Content-Encoding": "gzip", **JSON}
    assert (await host.call("POST", START, data=body, headers=headers)).status == 400


async def test_found_d1_other_encodings_are_refused_by_the_host_and_left_to_functions() -> None:
    async with bounded() as host:
        for encoding in ("br", "zstd", "gzip, gzip", "aes128gcm", "é"):
            headers = {"Content-Encoding": encoding}
            refused = await host.call("POST", START, data=b"[1]", headers=headers | JSON)
            assert refused.status == 415
            assert refused.headers["Accept-Encoding"] == "gzip, deflate"
            seen = await host.call("POST", "/api/measure", data=b"\x01\x02", headers=headers)
            body = await seen.json()
            assert (body["start"], body["encoding"]) == ("0102", encoding)


async def test_found_d1_a_function_sees_headers_that_are_true_of_its_body() -> None:
    async with bounded() as host:
        headers = {"Content-Encoding": "gzip"}
        response = await host.call(
            "POST", "/api/measure", data=gzip.compress(b"abcde"), headers=headers
        )
        assert await response.json() == {
            "size": 5, "start": b"abcd".hex(), "encoding": None, "length": None,
        }  # fmt: skip


async def test_found_d2_bodies_that_never_end_do_not_keep_others_out() -> None:
    async with bounded(**BUDGET) as host:
        slow = [await in_flight(host, "/api/measure", 9_000, 90_000) for _ in range(30)]
        for _ in range(3):
            fine = await host.call("POST", "/api/measure", data=b"x" * 8_000)
            assert fine.status == 200
        cut = [client for client in slow if await client.is_answered()]
        assert cut  # the largest had to make room
        for client in cut:
            assert await client.status() == 503
            assert b"retry-after" in (await client.rest()).lower()


async def test_found_d2_a_packed_body_counts_as_it_unpacks() -> None:
    async with bounded(**BUDGET) as host:
        headers = {"Content-Encoding": "gzip"}
        for size, status in ((90_000, 200), (110_000, 413), (50_000_000, 413)):
            body = gzip.compress(b" " * size)
            response = await host.call("POST", "/api/measure", data=body, headers=headers)
            assert response.status == status


async def test_found_d2_what_a_client_sent_is_given_back_when_it_goes_away() -> None:
    async with bounded(**BUDGET) as host:
        for _ in range(20):
            client = await in_flight(host, "/api/measure", 90_000, 95_000)
            await client.close()
            fine = await host.call("POST", "/api/measure", data=b"x" * 95_000)
            assert fine.status == 200
        for _ in range(20):
            assert (await host.call("POST", START, data=b"{" * 50_000)).status == 400
            assert (await host.call("POST", "/api/measure", data=b"x" * 95_000)).status == 200


async def test_found_d2_a_body_that_could_never_be_held_is_too_large() -> None:
    async with bounded(**BUDGET) as host:
        response = await host.call("POST", "/api/measure", data=b"x" * 100_001)
        assert response.status == 413
        response = await host.call("POST", START, data=b"1" * 100_001)
        assert response.status == 413
        assert "raise funchost.http.maxBodyBytesInFlight" in await response.text()


async def test_found_d2_a_body_must_come_in_time() -> None:
    async with bounded(bodyTimeoutSeconds=0.05) as host:
        for path in ("/api/measure", START):
            for length in ("Content-Length: 10", "Transfer-Encoding: chunked"):
                client = await host.raw.connect()
                await client.send_head("POST", path, length)
                assert await client.status() == 408
                assert b"connection: close" in (await client.rest()).lower()


async def test_found_d2_outstanding_requests_have_a_limit_by_default() -> None:
    async with running_host() as host:
        assert host.settings.extensions.http.max_outstanding_requests == 500


async def test_found_d2_tiny_chunks_are_one_body() -> None:
    async with bounded(**BUDGET) as host:
        client = await host.raw.connect()
        await client.send_head("POST", "/api/measure", "Transfer-Encoding: chunked")
        await client.send(b"1\r\nx\r\n" * 10_000 + b"0\r\n\r\n")
        assert await client.status() == 200
        for chunk in (b"1\r\nx\r\n", b"1;" + b"y" * 5000 + b"\r\nx\r\n"):
            client = await host.raw.connect()
            await client.send_head("POST", "/api/measure", "Transfer-Encoding: chunked")
            await client.send(chunk * (600_000 // len(chunk)))
            assert await client.status() == 400
            await client.closed()
        many = [asyncio.create_task(host.call("POST", "/api/measure", data=b"x")) for _ in range(9)]
        assert {(await each).status for each in many} == {200}
