"""Whole hostile requests, as the bytes that go through the socket.

A request is made of one seed: `make_request(seed, number)` always gives the same bytes, so that a
failure can be replayed alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import TypeAlias

from tests.fuzz import hostile_texts as texts

Headers: TypeAlias = list[tuple[bytes, bytes]]

_WEBHOOKS = b"/runtime/webhooks/durabletask"
_CLOSE = (b"Connection", b"close")
_METHODS = (b"GET", b"POST", b"DELETE", b"PUT", b"PATCH", b"HEAD", b"OPTIONS", b"TRACE", b"BREW")
_NAMES = (b"echo", b"reversing", b"failing", b"waiting", b"ECHO", b"reverse", b"nobody")
_LINES = (
    b"GET / HTTP/1.1", b"GET / HTTP/1.0", b"GET / HTTP/0.9", b"GET /", b"GET  /  HTTP/1.1",
    b"get / http/1.1", b"GET / HTTP/2.0", b"GET / HTTP/9.9", b"GET / HTTP/1.1 x",
    b"GET / HTTPS/1.1", b"GET /\x00 HTTP/1.1", b"GET /\xff HTTP/1.1", b"GET * HTTP/1.1",
    b"OPTIONS * HTTP/1.1", b"GET http://evil.example/ HTTP/1.1", b"GET http://[::1/ HTTP/1.1",
    b"GET http:// HTTP/1.1", b"GET //evil.example/instances HTTP/1.1",
    b"GET ///runtime///webhooks HTTP/1.1", b"CONNECT localhost:80 HTTP/1.1", b"CONNECT / HTTP/1.1",
    b"PRI * HTTP/2.0", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"", b"\r\n\r\n",
    b"\x00" * 50, b"GET", b"GET ", b" GET / HTTP/1.1", b"G\x00T / HTTP/1.1",
    b"X" * 9000 + b" / HTTP/1.1", b"GET /" + b"a" * 9000 + b" HTTP/1.1",
    b"GET /?" + b"a=b&" * 3000 + b" HTTP/1.1", b"GET /#x HTTP/1.1", b"GET ?x HTTP/1.1",
    b"GET runtime HTTP/1.1", b"GET \\..\\ HTTP/1.1", b"GET /%zz?%zz HTTP/1.1",
    b"POST / HTTP/1.1\nX: y", b"GET /\tHTTP/1.1", b"GET / HTTP/1.1\r\r", b"GET mailto:x HTTP/1.1",
    b"GET http://localhost:99999/ HTTP/1.1",
    b"GET /runtime/webhooks/durabletask/instances HTTP/1.1",
)  # fmt: skip
_CHUNKED = (
    b"5\r\n\"abc\"\r\n0\r\n\r\n", b"0\r\n\r\n", b"2\r\n{}\r\n0\r\nX: y\r\n\r\n",
    b"2;x=y\r\n{}\r\n0\r\n\r\n", b"2\n{}\n0\n\n", b"02\r\n{}\r\n00\r\n\r\n",
)  # fmt: skip
_BROKEN_CHUNKS = (
    b"x\r\n{}\r\n0\r\n\r\n", b"-1\r\n", b"FFFFFFFFFFFFFFFFFF\r\n{}", b"5\r\n{}\r\n0\r\n\r\n",
    b"2\r\n{}0\r\n\r\n", b"2\r\n{}\r\n", b"2", b"", b"2\r\n{}\r\n0\r\n", b"0x2\r\n{}\r\n0\r\n\r\n",
    b"2;" + b"x" * 9000 + b"\r\n{}\r\n0\r\n\r\n",
    b"2\r\n{}\r\n0\r\n" + b"X: y\r\n" * 9000 + b"\r\n", b"7fffffffffffffff\r\n{}\r\n0\r\n\r\n",
    b"2\r\n{}\r\n0\r\n\x00\r\n\r\n",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class HostileRequest:
    """Bytes to send. A request that `is_whole` is correct HTTP and must be answered."""

    data: bytes
    is_whole: bool = True
    is_head: bool = False


def make_request(seed: int, number: int) -> HostileRequest:
    """The request of this number."""
    random = Random(f"{seed}:{number}")
    kinds: Sequence[tuple[int, Callable[[Random], HostileRequest]]] = (
        (10, _management), (4, _function), (3, _administration), (2, _strange_line),
        (2, _strange_headers), (2, _chunked), (2, _lying_length), (2, _mutated), (1, _pipelined),
        (1, _endless_headers),
    )  # fmt: skip
    (make,) = random.choices([kind for _, kind in kinds], [weight for weight, _ in kinds])
    return make(random)


def _management(random: Random) -> HostileRequest:
    one, name = texts.segment, random.choice((random.choice(_NAMES), texts.segment(random)))
    paths = (
        b"/orchestrators/" + name,
        b"/orchestrators/waiting/w%d" % random.randrange(8),
        b"/orchestrators/" + name + b"/" + one(random),
        b"/instances",
        b"/instances/" + one(random),
        b"/instances/" + one(random) + b"/raiseEvent/" + random.choice((b"go", one(random))),
        *(
            b"/instances/" + one(random) + b"/" + verb
            for verb in (
                b"terminate",
                b"suspend",
                b"resume",
                b"restart",
                b"redrive",
                b"rewind",
                one(random),
            )
        ),
        b"/entities/" + one(random) + b"/" + one(random),
    )
    target = _WEBHOOKS + random.choice(paths) + _query(random, _MANAGEMENT_FIELDS)
    return _call(random, target)


def _function(random: Random) -> HostileRequest:
    one = texts.segment
    paths = (
        b"show/" + b"/".join(one(random) for _ in range(random.randrange(4))),
        b"items/" + b"/".join(one(random) for _ in range(3)),
        b"items/1/2026-01-01/" + random.choice((b"aaa", b"a" * 3000 + b"b", one(random))),
        b"typed/" + b"/".join(one(random) for _ in range(4)),
        b"files/" + one(random) + b"." + one(random),
        b"start/" + random.choice((*_NAMES, one(random))) + b"/" + one(random),
        b"json",
    )
    return _call(random, b"/api/" + random.choice(paths) + _query(random, (b"a", b"code")))


def _administration(random: Random) -> HostileRequest:
    one = texts.segment
    paths = (
        b"/admin/host/status", b"/admin/host/ping", b"/admin/functions", b"/admin/functions/show",
        b"/admin/functions/start", b"/admin/functions/echo", b"/admin/functions/" + one(random),
        b"/admin/functions/" + one(random) + b"/status", b"/admin/" + one(random), b"/openapi.json",
        b"/healthz", b"/readyz", b"/" + one(random), b"/" + one(random) + b"/" + one(random),
    )  # fmt: skip
    return _call(random, random.choice(paths) + _query(random, (b"code", b"a")))


_MANAGEMENT_FIELDS = (
    b"taskHub", b"connection", b"code", b"timeout", b"pollingInterval", b"showInput",
    b"showHistory", b"showHistoryOutput", b"runtimeStatus", b"createdTimeFrom", b"createdTimeTo",
    b"instanceIdPrefix", b"top", b"reason", b"restartWithNewInstanceId",
)  # fmt: skip


def _query(random: Random, names: Sequence[bytes]) -> bytes:
    fields = [_field(random, random.choice(names)) for _ in range(random.choice((0, 0, 1, 2, 4)))]
    return b"?" + b"&".join(fields) if fields else b""


def _field(random: Random, name: bytes) -> bytes:
    if name == b"timeout":  # a wait must end before the exchange's deadline
        return b"timeout=%s&pollingInterval=0" % random.choice(
            (b"0", b"0.01", b"nan", b"-1", b"1e9")
        )
    if name == b"createdTimeFrom" and random.random() < 0.3:
        return b"createdTimeFrom=2000-01-01"
    return name + b"=" + texts.text(random)


def _call(random: Random, target: bytes) -> HostileRequest:
    """A request with a hostile target and body that is written as HTTP wants it."""
    target = target.replace(b" ", b"%20").replace(b"\t", b"%09")
    method = random.choice((b"GET", b"POST", b"POST", b"POST", b"DELETE", random.choice(_METHODS)))
    body = b"" if method in {b"GET", b"HEAD"} else texts.json_text(random)
    headers = [(b"Host", b"localhost"), _CLOSE]
    if random.random() < 0.8:
        headers.append((b"Content-Type", b"application/json"))
    if body or random.random() < 0.5:
        headers.append((b"Content-Length", b"%d" % len(body)))
    return HostileRequest(
        data=_written(method + b" " + target + b" HTTP/1.1", headers, body),
        is_whole=all(0x20 < sign < 0x7F for sign in target),
        is_head=method == b"HEAD",
    )


def _strange_line(random: Random) -> HostileRequest:
    line = random.choice(_LINES)
    return HostileRequest(
        data=_written(line, [(b"Host", b"localhost"), _CLOSE], b""), is_whole=False
    )


def _strange_headers(random: Random) -> HostileRequest:
    target = random.choice((b"/healthz", b"/api/show/x", _WEBHOOKS + b"/orchestrators/echo"))
    headers: Headers = [(b"Host", b"localhost"), _CLOSE]
    for _ in range(random.randrange(1, 4)):
        headers.insert(random.randrange(len(headers) + 1), texts.header(random))
    body = random.choice((b"", b'"x"', texts.json_text(random)))
    line = random.choice((b"GET ", b"POST ")) + target + b" HTTP/1.1"
    return HostileRequest(data=_written(line, headers, body), is_whole=False)


def _endless_headers(random: Random) -> HostileRequest:
    count, size = random.choice(((100, 10), (2000, 1), (5, 8000), (1, 100_000)))
    headers = [(b"Host", b"localhost"), *([(b"X", b"y" * size)] * count), _CLOSE]
    return HostileRequest(data=_written(b"GET /healthz HTTP/1.1", headers, b""), is_whole=False)


def _chunked(random: Random) -> HostileRequest:
    target = random.choice((b"/api/files/a.b", _WEBHOOKS + b"/orchestrators/echo"))
    headers = [(b"Host", b"localhost"), (b"Transfer-Encoding", b"chunked"), _CLOSE]
    is_whole = random.random() < 0.4
    body = random.choice(_CHUNKED[:-2] if is_whole else (*_CHUNKED, *_BROKEN_CHUNKS))
    data = _written(b"POST " + target + b" HTTP/1.1", headers, body)
    return HostileRequest(data=data, is_whole=is_whole)


def _lying_length(random: Random) -> HostileRequest:
    target = random.choice((b"/api/files/a.b", b"/healthz", _WEBHOOKS + b"/orchestrators/echo"))
    body = texts.json_text(random)
    length = random.choice(
        (len(body) + 1, len(body) * 2 + 9, max(0, len(body) - 1), 0, 10**9, 2**63)
    )
    headers = [(b"Host", b"localhost"), (b"Content-Length", b"%d" % length)]
    return HostileRequest(
        data=_written(b"POST " + target + b" HTTP/1.1", headers, body), is_whole=False
    )


def _mutated(random: Random) -> HostileRequest:
    """Another request with a few bytes changed, lost, doubled or new."""
    data = bytearray(_management(random).data)
    for _ in range(random.randrange(1, 6)):
        place = random.randrange(len(data))
        match random.randrange(4):
            case 0:
                data[place] = random.randrange(256)
            case 1:
                del data[place : place + random.randrange(1, 20)]
            case 2:
                data[place:place] = data[place : place + random.randrange(1, 40)]
            case _:
                data[place:place] = random.randbytes(random.randrange(1, 8))
        data = data or bytearray(b"\r\n")
    return HostileRequest(data=bytes(data), is_whole=False)


def _pipelined(random: Random) -> HostileRequest:
    makes = (_management, _function, _administration, _lying_length)
    requests = [random.choice(makes)(random) for _ in range(random.randrange(2, 5))]
    data = b"".join(each.data for each in requests if not each.is_head)
    return HostileRequest(data=data.replace(b"Connection: close\r\n", b""), is_whole=False)


def _written(line: bytes, headers: Headers, body: bytes) -> bytes:
    head = b"".join(name + b": " + value + b"\r\n" for name, value in headers)
    return line + b"\r\n" + head + b"\r\n" + body
