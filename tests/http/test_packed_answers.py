"""Large answers go out packed, for those who unpack them."""

from __future__ import annotations

import gzip
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from bindings import AuthLevel, EventStream, FunctionApp, HttpRequest, HttpResponse
from bindings.streams import StreamingResponse
from host.http.keys import KeyKind
from host.http.packing import takes_gzip
from tests.http.hosting import Host, running_host

LARGE = "0123456789" * 200
GZIP = {"Accept-Encoding": "gzip"}


def giving(value: Any) -> FunctionApp:
    app = FunctionApp(http_auth_level=AuthLevel.ANONYMOUS)

    @app.route()
    async def give(req: HttpRequest) -> Any:
        return value() if callable(value) else value

    return app


async def raw(host: Host, path: str, method: str = "GET", *lines: str) -> tuple[bytes, bytes]:
    """Head and body as they come."""
    client = await host.raw.connect()
    await client.send_head(method, path, *lines, "Connection: close")
    assert await client.status() == 200
    head, _, body = (await client.rest()).partition(b"\r\n\r\n")
    return head.lower(), body


async def is_packed(host: Host, accepted: str | None = "gzip") -> bool:
    lines = [] if accepted is None else [f"Accept-Encoding: {accepted}"]
    head, body = await raw(host, "/api/give", "GET", *lines)
    is_said = b"content-encoding: gzip" in head
    assert is_said == (body[:2] == b"\x1f\x8b")
    return is_said


async def some(*chunks: Any) -> AsyncIterator[Any]:
    for chunk in chunks:
        yield chunk


@pytest.mark.parametrize(
    ("value", "packed"),
    [
        (LARGE, True),
        ({"a": LARGE}, True),
        ("x" * 1024, True),
        ("x" * 1023, False),
        (None, False),
        (LARGE.encode(), False),  # of no type that is known to shrink
        (HttpResponse(LARGE, mimetype="image/svg+xml"), True),
        (HttpResponse(LARGE, mimetype="application/problem+json"), True),
        (HttpResponse(LARGE, mimetype="application/hal+xml"), True),
        (HttpResponse(LARGE, mimetype="Text/CSV"), True),
        (HttpResponse(LARGE, mimetype="application/x-ndjson"), True),
        (HttpResponse(LARGE, mimetype="image/png"), False),
        (HttpResponse(LARGE, mimetype="application/jsonic"), False),
        (HttpResponse(LARGE, mimetype="text/event-stream"), False),
        (HttpResponse(LARGE, headers={"Content-Encoding": "br"}), False),
        (HttpResponse(LARGE, headers={"Cache-Control": "no-transform"}), False),
        (HttpResponse(LARGE, headers={"Content-Range": "bytes 0-1999/5000"}), False),
        (lambda: web.Response(text=LARGE), True),
        (lambda: StreamingResponse(some(LARGE)), False),
        (lambda: EventStream(some(LARGE)), False),
    ],
)
async def test_which_answers_are_packed(value: Any, packed: bool) -> None:
    async with running_host(app=giving(value)) as host:
        if value is None:
            assert (await host.call("GET", "/api/give", headers=GZIP)).status == 204
            return
        client = await host.raw.connect()
        await client.send_head("GET", "/api/give", "Accept-Encoding: gzip", "Connection: close")
        assert await client.status() == 200
        head, _, body = (await client.rest()).partition(b"\r\n\r\n")
        assert (b"content-encoding: gzip" in head.lower()) == packed
        if packed:
            expected = LARGE if not isinstance(value, str) else value
            assert gzip.decompress(body).decode().strip('{"a:}') == expected
            assert b"content-length: %d\r\n" % len(body) in head.lower() + b"\r\n"


async def test_what_is_packed_already_is_not_packed_again() -> None:
    body = gzip.compress(LARGE.encode())
    response = HttpResponse(body, headers={"Content-Encoding": "gzip"}, mimetype="text/plain")
    async with running_host(app=giving(response)) as host:
        _, got = await raw(host, "/api/give", "GET", "Accept-Encoding: gzip")
        assert got == body


@pytest.mark.parametrize(
    ("accepted", "takes"),
    [
        (None, False),
        ("", False),
        ("gzip", True),
        ("GZip", True),
        ("x-gzip", True),
        ("deflate, gzip;q=1.0, *;q=0.5", True),
        ("br , gzip ; q=0.1", True),
        ("*", True),
        ("gzip;q=0", False),
        ("gzip; q=0.000", False),
        ("*;q=0", False),
        ("gzip;q=0, *", False),
        ("*;q=0, gzip", True),
        ("identity", False),
        ("deflate, br", False),
        ("gzipped", False),
        ("notgzip", False),
        ("gzip;q=x", False),
        ("gzip;q=..", False),
    ],
)
async def test_who_takes_packed_answers(accepted: str | None, takes: bool) -> None:
    assert takes_gzip([] if accepted is None else [accepted]) == takes


async def test_answers_say_what_they_depend_on() -> None:
    headers = {"ETag": '"abc"', "Vary": "Cookie, Accept-Encoding"}
    async with running_host(app=giving(HttpResponse(LARGE, headers=headers))) as host:
        packed = await host.call("GET", "/api/give", headers=GZIP)
        plain = await host.call("GET", "/api/give", headers={"Accept-Encoding": "identity"})
        assert (packed.headers["ETag"], plain.headers["ETag"]) == ('W/"abc"', '"abc"')
        assert packed.headers.getall("Vary") == ["Cookie, Accept-Encoding"]
    async with running_host(app=giving(LARGE)) as host:
        for accepted in ("gzip", "identity"):
            response = await host.call("GET", "/api/give", headers={"Accept-Encoding": accepted})
            assert response.headers["Vary"] == "Accept-Encoding"
            assert await response.text() == LARGE


async def test_head_has_the_length_of_the_packed_answer() -> None:
    async with running_host(app=giving(LARGE)) as host:
        got, body = await raw(host, "/api/give", "GET", "Accept-Encoding: gzip")
        head, nothing = await raw(host, "/api/give", "HEAD", "Accept-Encoding: gzip")
        assert nothing == b""
        length = b"content-length: %d" % len(body)
        assert length in got
        assert length in head


async def test_what_does_not_shrink_goes_out_as_it_is() -> None:
    noise = random.Random(1).randbytes(2000)
    response = HttpResponse(noise, mimetype="text/plain")
    async with running_host(app=giving(response)) as host:
        assert not await is_packed(host)


async def test_large_answers_are_packed_too() -> None:
    async with running_host(app=giving(LARGE * 500)) as host:
        _, body = await raw(host, "/api/give", "GET", "Accept-Encoding: gzip")
        assert gzip.decompress(body) == LARGE.encode() * 500


async def test_the_hosts_own_json_is_packed_unless_it_holds_a_token(
    host: Host, locked: Host
) -> None:
    await host.ended("echo", LARGE)
    head, body = await raw(
        host, "/runtime/webhooks/durabletask/instances", "GET", "Accept-Encoding: gzip"
    )
    assert b"content-encoding: gzip" in head
    assert LARGE.encode() in gzip.decompress(body)
    headers = {"x-functions-key": locked.keys[KeyKind.MASTER], **GZIP}
    started = await locked.call("POST", "orchestrators/echo", json=1, headers=headers)
    assert started.status == 202
    assert len(await started.read()) > 1024
    assert "Content-Encoding" not in started.headers


async def test_packing_can_be_switched_off() -> None:
    async with running_host(app=giving(LARGE), limits={"compressAnswers": False}) as host:
        assert not await is_packed(host)
        assert "Vary" not in (await host.call("GET", "/api/give")).headers
