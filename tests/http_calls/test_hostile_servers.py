"""Servers that lead elsewhere, send too much, too slowly or nonsense: each ends as documented."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from itertools import count
from pathlib import Path

import pytest

from tests.http_calls.conftest import Caller, Names, Remote, Seen, calling, response
from tests.kit.manual_clock import ManualClock
from tests.kit.raw_server import tls_server, write_certificate

LED_TO = [
    "http://127.0.0.1/",
    "http://10.0.0.1/",
    "http://169.254.169.254/latest/meta-data/",
    "http://[::1]/",
    "http://[::ffff:169.254.169.254]/",
    "http://[fd00:ec2::254]/",
    "http://[64:ff9b::a9fe:a9fe]/",
    "http://0/",
    "http://2852039166/",
    "http://0xa9fea9fe/",
    "http://0251.0376.0251.0376/",
    "http://169.16689662/",
    "http://localhost/",
    "http://private.example/",
    "//private.example/",
    "https://mixed.example/",
    "javascript:alert(1)",
    "file:///etc/passwd",
    "gopher://good.example/",
    "http://user:secret@good.example/",
    "http://good.example\\@private.example/",
    "http://[broken/",
]


@pytest.fixture
def names(names: Names) -> Names:
    names.addresses["localhost"] = ["127.0.0.1"]
    names.addresses["private.example"] = ["10.0.0.1"]
    names.addresses["mixed.example"] = ["8.8.8.8 10.0.0.1"]
    return names


@pytest.mark.parametrize("target", LED_TO)
async def test_nothing_leads_to_a_refused_address(
    caller: Caller, remote: Remote, target: str
) -> None:
    remote.answer = lambda _: response(302, Location=target)
    assert await caller.refused("GET", remote.url())
    assert len(remote.seen) == 1


@pytest.mark.parametrize("url", [each for each in LED_TO if each.startswith("http")])
async def test_nor_is_one_asked_by_an_orchestrator(caller: Caller, names: Names, url: str) -> None:
    assert await caller.refused("GET", url)


async def test_a_host_that_was_not_named_is_refused_though_it_is_the_same_machine(
    caller: Caller, remote: Remote, names: Names
) -> None:
    names.addresses["other.example"] = ["127.0.0.1"]
    said = await caller.refused("GET", remote.url(host="other.example"))
    assert "127.0.0.1 of 'other.example'" in said
    assert "allowedHosts" in said
    assert not remote.connections


async def test_the_address_that_was_judged_is_the_one_that_is_connected_to(
    remote: Remote, names: Names, clock: ManualClock
) -> None:
    """The first answer of the name may be asked, the next ones not: each is judged by itself."""
    names.addresses["changing.example"] = ["127.0.0.1", "127.0.0.2"]
    remote.answer = lambda _: response(302, Location="/again", Connection="close")
    async with calling(names, clock, allowedHosts=["127.0.0.1/32"]) as caller:
        said = await caller.refused("GET", remote.url(host="changing.example"))
    assert "127.0.0.2" in said
    assert names.asked == ["changing.example"] * 2
    assert len(remote.seen) == remote.connections == 1


@pytest.mark.parametrize(
    ("allowed", "is_allowed"),
    [
        (["good.example"], True),
        (["GOOD.example"], True),
        (["*.example"], True),
        (["127.0.0.0/8"], True),
        (["*.good.example"], False),
        (["ood.example"], False),
        (["good.example:1"], False),
        (["10.0.0.0/8"], False),
        ([], False),
    ],
)
async def test_who_is_allowed_is_named_by_host_port_domain_or_network(
    remote: Remote, names: Names, clock: ManualClock, allowed: list[str], is_allowed: bool
) -> None:
    async with calling(names, clock, allowedHosts=allowed) as caller:
        if is_allowed:
            assert (await caller.send("GET", remote.url()))["statusCode"] == 200
        else:
            assert await caller.refused("GET", remote.url())
    assert bool(remote.seen) is is_allowed


async def test_an_allowed_port_is_allowed_and_no_other(
    remote: Remote, names: Names, clock: ManualClock
) -> None:
    async with calling(names, clock, allowedHosts=[f"127.0.0.1:{remote.port}"]) as caller:
        assert (await caller.send("GET", remote.url(host="127.0.0.1")))["statusCode"] == 200
        assert await caller.refused("GET", "http://127.0.0.1:1/")


async def test_ten_thousand_redirects_end_after_ten(caller: Caller, remote: Remote) -> None:
    numbers = count()
    remote.answer = lambda _: response(302, Location=f"/{next(numbers)}")
    assert "more than 10 redirects" in await caller.refused("GET", remote.url())
    assert len(remote.seen) == 11


async def test_a_body_without_end_is_not_read_to_its_end(caller: Caller, remote: Remote) -> None:
    remote.answer = lambda _: b"HTTP/1.1 200 OK\r\n\r\n"

    async def flood(writer: asyncio.StreamWriter) -> None:
        while not writer.is_closing():
            writer.write(bytes(65536))
            await writer.drain()

    remote.after = flood
    assert "more than 1,048,576 bytes" in await caller.refused("GET", remote.url())


async def test_a_length_that_is_too_much_is_believed(caller: Caller, remote: Remote) -> None:
    remote.answer = lambda _: b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n"
    assert "more than 1,048,576 bytes" in await caller.refused("GET", remote.url())


RAW_DEFLATE = zlib.compressobj(wbits=-15)
PACKED = {
    "gzip": gzip.compress(b"hello" * 1000),
    "x-gzip": gzip.compress(b"hello" * 999) + gzip.compress(b"hello"),
    "deflate": zlib.compress(b"hello" * 1000),
    "Deflate": RAW_DEFLATE.compress(b"hello" * 1000) + RAW_DEFLATE.flush(),
}


@pytest.mark.parametrize("encoding", PACKED)
async def test_packed_bodies_are_unpacked(caller: Caller, remote: Remote, encoding: str) -> None:
    remote.answer = lambda _: response(200, PACKED[encoding], Content_Encoding=encoding)
    told = await caller.send("GET", remote.url())
    assert told["content"] == "hello" * 1000
    assert "Content-Encoding" not in told.get("headers", {})


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress])
async def test_what_is_unpacked_counts(caller: Caller, remote: Remote, pack: object) -> None:
    assert callable(pack)
    packed = pack(bytes(40_000_000))
    encoding = "gzip" if pack is gzip.compress else "deflate"
    remote.answer = lambda _: response(200, packed, Content_Encoding=encoding)
    assert "more than 1,048,576 bytes" in await caller.refused("GET", remote.url())


@pytest.mark.parametrize(
    "packed",
    [b"nonsense", gzip.compress(b"hello", mtime=0)[:-5], b"\x1f\x8b"],
    ids=["nonsense", "cut", "begun"],
)
async def test_what_is_packed_wrongly_is_no_answer(
    caller: Caller, remote: Remote, packed: bytes
) -> None:
    remote.answer = lambda _: response(200, packed, Content_Encoding="gzip")
    kind, said = await caller.failed("GET", remote.url())
    assert kind == "ConnectionError"
    assert "packed" in said


async def test_a_body_that_stops_coming_ends_with_the_time(
    remote: Remote, names: Names, clock: ManualClock
) -> None:
    remote.answer = lambda _: b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nx"
    stop = asyncio.Event()
    remote.after = lambda _: stop.wait()
    async with calling(names, clock, requestTimeout="00:00:00.05") as caller:
        assert await caller.failed("GET", remote.url()) == (
            "TimeoutError",
            "no whole answer in 0.05 s",
        )
    async with calling(names, clock) as caller:
        kind, _ = await caller.failed("GET", remote.url(), timeout_seconds=0.05)
    assert kind == "TimeoutError"
    stop.set()


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\x16\x03\x01\x00\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 10_000 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n",
    ],
)
async def test_what_is_no_answer_may_be_tried_again(
    caller: Caller, remote: Remote, answer: bytes
) -> None:
    async def close(_: asyncio.StreamWriter) -> None: ...

    remote.answer, remote.after = lambda _: answer, close
    kind, said = await caller.failed("GET", remote.url())
    assert kind == "ConnectionError"
    assert said


async def test_many_large_headers_are_too_many(caller: Caller, remote: Remote) -> None:
    many = "".join(f"X-{number}: {'x' * 8000}\r\n" for number in range(20))
    remote.answer = lambda _: f"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n{many}\r\n".encode()
    assert "headers" in await caller.refused("GET", remote.url())


async def test_headers_that_are_no_text_are_told_as_well_as_they_can(
    caller: Caller, remote: Remote
) -> None:
    remote.answer = lambda _: b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Name: \xff\xfe\r\n\r\n"
    told = await caller.send("GET", remote.url())
    assert told["headers"]["X-Name"] == "\ufffd\ufffd"


async def test_cookies_are_told_and_not_kept(caller: Caller, remote: Remote) -> None:
    remote.answer = lambda seen: (
        response(302, Location="/next", Set_Cookie="a=b; Path=/")
        if seen.target == "/"
        else response(200, Set_Cookie="c=d")
    )
    told = await caller.send("GET", remote.url())
    assert told["headers"]["Set-Cookie"] == "c=d"
    await caller.send("GET", remote.url())
    assert not any("cookie" in each.headers for each in remote.seen)


SECRETS = {
    "Authorization": "Bearer s1",
    "Cookie": "s=2",
    "Proxy-Authorization": "Basic s3",
    "X-Api-Key": "s4",
    "x-functions-key": "s5",
}


async def test_what_is_meant_for_one_origin_goes_to_no_other_and_does_not_come_back(
    remote: Remote, names: Names, clock: ManualClock
) -> None:
    names.addresses["else.example"] = ["127.0.0.1"]

    def answer(seen: Seen) -> bytes:
        where = {
            "/": "/same",
            "/same": remote.url("/other", "else.example"),
            "/other": remote.url("/back"),
        }
        target = where.get(seen.target)
        return response(307, Location=target) if target else response(200, b"done")

    remote.answer = answer
    async with calling(names, clock, allowedHosts=["*.example"]) as caller:
        headers = {**SECRETS, "Accept": "text/plain", "Content-Type": "text/csv"}
        told = await caller.send("POST", remote.url(), headers=headers, content="a,b")
    assert told["content"] == "done"
    shown = [{name for name in SECRETS if name.lower() in each.headers} for each in remote.seen]
    assert shown == [set(SECRETS), set(SECRETS), set(), set()]
    assert all(each.headers["accept"] == "text/plain" for each in remote.seen)
    assert all((each.method, each.body) == ("POST", b"a,b") for each in remote.seen)


@pytest.mark.parametrize(
    ("method", "status", "then"),
    [
        ("POST", 301, "GET"),
        ("POST", 302, "GET"),
        ("POST", 303, "GET"),
        ("POST", 307, "POST"),
        ("POST", 308, "POST"),
        ("PUT", 302, "PUT"),
        ("PUT", 303, "GET"),
        ("DELETE", 301, "DELETE"),
        ("HEAD", 303, "HEAD"),
        ("GET", 302, "GET"),
    ],
)
async def test_the_method_after_a_redirect_is_that_of_the_standard(
    caller: Caller, remote: Remote, method: str, status: int, then: str
) -> None:
    remote.answer = lambda seen: (
        response(status, Location="/next") if seen.target == "/" else response()
    )
    body = {"content": "x"} if method in {"POST", "PUT"} else {}
    headers = {"Content-Type": "text/plain"} if body else {}
    told = await caller.send(method, remote.url(), headers=headers, **body)
    assert told["statusCode"] == 200
    last = remote.seen[-1]
    assert last.method == then
    assert last.body == (b"x" if body and then == method else b"")
    assert ("content-type" in last.headers) is bool(body and then == method)


@pytest.mark.parametrize("status", [300, 304, 301, 308, 404, 500, 599])
async def test_an_answer_that_leads_nowhere_is_the_answer(
    caller: Caller, remote: Remote, status: int
) -> None:
    remote.answer = lambda _: response(status, b"" if status == 304 else b"why")
    assert (await caller.send("GET", remote.url()))["statusCode"] == status


async def test_no_proxy_of_the_environment_is_used(
    caller: Caller, remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/")
    assert (await caller.send("GET", remote.url()))["statusCode"] == 200


async def test_a_certificate_that_nobody_vouches_for_is_not_taken(
    caller: Caller, tmp_path: Path
) -> None:
    write_certificate(tmp_path / "certificate.pem")
    server = tls_server(tmp_path / "certificate.pem")
    async with server.running() as url:
        port = url.rstrip("/").rpartition(":")[2]
        kind, said = await caller.failed("GET", f"https://good.example:{port}/?key=secret")
    assert kind == "ConnectionError"
    assert "certificate" in said.lower()
    assert "secret" not in said


async def test_a_host_that_is_not_there_may_be_tried_again(caller: Caller, names: Names) -> None:
    kind, said = await caller.failed("GET", "http://nowhere.example/?key=secret")
    assert kind == "ConnectionError"
    assert "secret" not in said


@pytest.mark.parametrize(
    "order",
    [
        {"uri": "http://u:p@good.example/"},
        {"uri": "file:///etc/passwd"},
        {"headers": {"Host": "private.example"}},
        {"headers": {"Transfer-Encoding": "chunked"}},
        {"headers": {"X": "a\r\nHost: evil"}},
        {"headers": {"X\r\nHost": "evil"}},
        {"method": "GET / HTTP/1.1\r\nHost: evil\r\n\r\nGET"},
        {"token_source": {"kind": "unknown"}},
        {"token_source": {"kind": "setting", "other": "x"}},
    ],
)
async def test_an_order_that_no_context_stored_sends_nothing(
    caller: Caller, remote: Remote, order: dict[str, object]
) -> None:
    more = dict(order)
    method, url = more.pop("method", "GET"), more.pop("uri", remote.url())
    assert await caller.refused(str(method), str(url), **more)
    assert not remote.seen


async def test_the_body_is_a_text_where_it_is_one_and_else_bytes(
    caller: Caller, remote: Remote
) -> None:
    remote.answer = lambda seen: response(
        200,
        {"/utf": "ü".encode(), "/latin": b"\xfc", "/none": b"\xff\x00", "/odd": b"\xd8\x3d"}[
            seen.target
        ],
        Content_Type={
            "/latin": "text/plain; charset=latin-1",
            "/odd": "text/plain; charset=utf-7",
        }.get(seen.target, "text/plain"),
    )
    assert (await caller.send("GET", remote.url("/utf")))["content"] == "ü"
    assert (await caller.send("GET", remote.url("/latin")))["content"] == "ü"
    for path in ("/none", "/odd"):
        told = await caller.send("GET", remote.url(path))
        assert not told.get("content")
        assert told["contentBase64"]
