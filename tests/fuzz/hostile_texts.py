"""The pieces of hostile requests: texts, paths and JSON that have broken servers before.

Everything is drawn from a `random.Random`, so one seed always gives the same pieces.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import TypeAlias
from urllib.parse import quote

Draw: TypeAlias = Callable[[Random], bytes]

SEGMENTS = (
    b"", b".", b"..", b"%2e%2e", b"%2E", b"..%2f..%2f..%2fetc%2fpasswd", b"%252e%252e%252f", b"%00",
    b"a%00b", b"%0d%0aX-Injected:%201", b"%0a", b"%c0%ae%c0%ae", b"%c0%af", b"%e0%80%af",
    b"%ed%a0%80", b"%f4%90%80%80", b"%ff", b"%fe%ff", b"%", b"%2", b"%zz", b"%u0041", b"%5c..%5c",
    b"\\..\\", b"\xff\xfe", "ä€😀".encode(), b"%e2%80%ae", b"%ef%bf%bf", b"@entity@key", b"@", b"~",
    b"-", b"*", b";a=b", b"a;b", b"a:b", b"a+b", b"a%20b", b" ", b"\t", b"a%2fb", b"a%5cb",
    b"a%23b", b"a%3fb", b"'\"<script>", b"{name}", b"{{}}", b"%7b%7d", b"$(id)", b"CON", b"nul.txt",
    b"0", b"-1", b"9" * 400, b"null", b"true", b"NaN", b"__proto__", b"I" * 256, b"I" * 257,
    b"%F0%9F%98%80" * 300, b"x" * 5000, b"%41" * 2000, b"/" * 500, b"../" * 300,
)  # fmt: skip

TEXTS = (
    *SEGMENTS, b"1e999", b"-0", b"1e-400", b"inf", b"-inf", b"0x10", b"1_000", "٣".encode(), b"1.5",
    b"+1", b"9" * 5000, b"0001-01-01T00:00:00+23:59", b"9999-12-31T23:59:59-23:59", b"2026-02-30",
    b"2026-01-01", b"2026-W01-1", b"2026-01-01T24:00:00", b"2026-01-01T00:00:00.123456789Z",
    b"Running,Completed", b"Running,", b",,,", b"running", b"7", b"8", b"TRUE", b"tRuE", b"0",
    b"%00%00", b"%d8%00", b"a&b=c", b"a=b=c", b"&&&", b"=", b"?", b"??", b"#x", b"%26", b"%3d",
)  # fmt: skip

HEADER_VALUES = (
    b"", b" ", b"\t", b"\x00", b"a\x00b", b"\x7f", b"\xff\xfe", b"a\rb", b"a\nb", b"\r\n b",
    b"x" * 9000, "ä".encode(), b"a, b;c=\"d", b"*/*;q=NaN", b"application/json",
    b"application/json; charset=utf-16", b"application/json; charset=\xff", b"text/plain",
    b"multipart/form-data; boundary=" + b"x" * 300, b"multipart/form-data", b"gzip", b"deflate",
    b"br", b"zstd", b"gzip, gzip", b"identity", b"chunked", b"Chunked", b"xchunked",
    b"chunked, identity", b"-1", b"+5", b"5, 5", b"5, 6", b"0x5", b"1e3", b"9" * 30,
    b"100-continue", b"200-ok", b"close", b"keep-alive", b"upgrade", b"websocket", b"h2c", b"TE",
    b"bytes=0-", b"localhost", b"localhost:0", b"localhost:99999", b"[::1", b"[::1]:80", b"a b",
    b"evil.example", b"null", b"http://localhost", b"http://[::1", b"https://evil.example",
    b"../../x", b"9999999999999999999999",
)  # fmt: skip

HEADER_NAMES = (
    b"Host", b"Content-Length", b"Transfer-Encoding", b"Content-Type", b"Content-Encoding",
    b"Connection", b"Upgrade", b"Expect", b"Origin", b"Cookie", b"Authorization",
    b"x-functions-key", b"Range", b"x-ms-continuation-token", b"X-Forwarded-For",
    b"X-Forwarded-Proto", b"X-Original-URL", b"TE", b"Trailer", b"Accept-Encoding",
    b"If-None-Match", b"If-Modified-Since", b"HTTP2-Settings", b"Sec-WebSocket-Key",
    b"X-HTTP-Method-Override", b"traceparent", b"a b", b"", b":", b"\xff", b"x\x00y", b"(x)",
    b"x" * 9000,
)  # fmt: skip

_JSON = (
    b"", b" ", b"null", b"0", b"-0", b'""', b"{}", b"[]", b"true", b"tru", b"NaN", b"Infinity",
    b"-Infinity", b"[NaN]", b"1e999", b"-1e999", b"1e400", b"1" * 400, b"1" * 6000,
    b"0." + b"1" * 6000, b"01", b"1.", b".1", b"0x1", b"1 2", b"'a'", b"{a:1}", b"[1,]",
    b'{"a":1,}', b"// x\n1", b"\xef\xbb\xbf1", b"\xff\xfe1\x00", b"\x00", b'"\x00"', b'"\\u0000"',
    b'"\\ud800"', b'"\\udc00\\ud800"', b'{"\\ud800":1}', b'"\xed\xa0\x80"', b'"\xc0\xaf"',
    b'"\\x41"', b'"\\u00"', b'"\n"', b'"\xf0\x9f\x98\x80"', b'{"a":1,"a":2}', b'{"":{"":{"":0}}}',
    b'{"__proto__":{"x":1},"constructor":1}', b'{"input":"x"}', b'{"input":{"a":1}}',
    b'{"input":"\\ud800"}', b'{"input":"\\u0000"}', b'{"INPUT":1}', b'{"input":null,"input":"x"}',
    b'[{"input":"x"}]', b'"' + b"x" * 60_000 + b'"', b'"open', b"{", b"[", b"}", b"]", b'{"a"',
    b'{"a":', b"[1", b"\x1f\x8b\x08\x00broken", b"a=b&c=d", b"<x/>", b'{"body":1,"status":99}',
    b'{"$type":"System.Object"}', b"2026-01-01T00:00:00Z",
)  # fmt: skip


def segment(random: Random) -> bytes:
    """One segment of a path, hostile more often than not."""
    draws: Sequence[Draw] = (_known_id, _listed(SEGMENTS), _listed(SEGMENTS), _escaped)
    return random.choice(draws)(random)


def text(random: Random) -> bytes:
    """The value of a query field."""
    draws: Sequence[Draw] = (_listed(TEXTS), _listed(TEXTS), _escaped)
    return random.choice(draws)(random)


def header(random: Random) -> tuple[bytes, bytes]:
    """A header that may be anything."""
    return random.choice(HEADER_NAMES), random.choice(HEADER_VALUES)


def json_text(random: Random) -> bytes:
    """JSON, or what looks like it."""
    draws: Sequence[Draw] = (_listed(_JSON), _listed(_JSON), _listed(_JSON), _nested, _cut, _noise)
    return random.choice(draws)(random)


def _listed(texts: Sequence[bytes]) -> Draw:
    return lambda random: random.choice(texts)


def _known_id(random: Random) -> bytes:
    return f"w{random.randrange(8)}".encode()


def _escaped(random: Random) -> bytes:
    """Any few characters, each of them quoted or not."""
    signs = [
        chr(random.choice((random.randrange(256), random.randrange(0xD800)))) for _ in range(6)
    ]
    return "".join(
        sign if random.random() < 0.2 else quote(sign, safe="") for sign in signs
    ).encode()


def _nested(random: Random) -> bytes:
    """Lists or objects in each other, closed or not."""
    depth = random.choice((190, 199, 200, 201, 255, 1000, 10_000, 100_000))
    opening, inner, closing = random.choice(((b"[", b"", b"]"), (b'{"a":', b"0", b"}")))
    return opening * depth + inner + closing * random.choice((depth, depth, 0, depth - 1))


def _cut(random: Random) -> bytes:
    """JSON with a piece of other JSON in it."""
    whole, piece = random.choice(_JSON), random.choice(_JSON)
    place = random.randrange(len(whole) + 1)
    return whole[:place] + piece + whole[place:]


def _noise(random: Random) -> bytes:
    return random.randbytes(random.randrange(200))
