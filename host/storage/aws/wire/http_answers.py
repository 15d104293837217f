"""Reading one HTTP/1.1 answer from the pieces in which it arrives.

Rules of this file: pure; bytes in, a `Response` out once it is whole, however it was cut. It
knows what answers of AWS, of its emulators and of gateways between are made of: a length, chunks,
or an end by closing. Whatever is none of that is a `MalformedAnswerError`.
"""

from __future__ import annotations

from host.storage.aws.wire.transport import Response

MAX_HEAD_BYTES = 64 * 1024
_BODILESS = frozenset({204, 304})


class MalformedAnswerError(Exception):
    """What arrived is not an HTTP/1.1 answer."""


class AnswerReader:
    """Reads one answer. Feed it until it gives a response, then ask `is_reusable`.

    `is_bodiless`: as answers to CONNECT are, whatever their heads say.
    """

    def __init__(self, *, is_bodiless: bool = False) -> None:
        self._is_bodiless = is_bodiless
        self._buffer = bytearray()
        self._status = 0
        self._headers: dict[str, str] = {}
        self._length: int | None = None
        self._is_chunked = False
        self._chunks: list[bytes] = []
        self._is_kept = False

    @property
    def is_reusable(self) -> bool:
        """Whether another request may follow: the server keeps the connection and sent no more."""
        return self._is_kept and not self._buffer

    def feed(self, data: bytes) -> Response | None:
        """Take the next piece; the response if this completes it."""
        self._buffer += data
        if not self._status and not self._read_head():
            return None
        if self._is_chunked:
            return self._read_chunks()
        if self._length is None or len(self._buffer) < self._length:
            return None
        return self._response(self._take(self._length))

    def end(self) -> Response | None:
        """The connection was closed; the response if that is how its end is told."""
        if not self._status or self._is_chunked or self._length is not None:
            return None
        return self._response(self._take(len(self._buffer)))

    def _read_head(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > MAX_HEAD_BYTES:
                raise MalformedAnswerError("a head without an end")
            return False
        first, *lines = self._take(end + 4)[:-4].decode("latin-1").split("\r\n")
        for line in lines:
            name, _, value = line.partition(":")
            self._headers[name.lower()] = value.strip()
        self._read_status(first)
        self._read_framing()
        return True

    def _read_status(self, line: str) -> None:
        version, _, rest = line.partition(" ")
        status = rest[:3]
        if not (version.startswith("HTTP/1.") and len(status) == 3 and status.isdecimal()):
            raise MalformedAnswerError(f"no status: {line[:60]!r}")
        self._status = int(status)
        says = self._headers.get("connection", "").lower()
        self._is_kept = version == "HTTP/1.1" and says != "close"

    def _read_framing(self) -> None:
        if self._is_bodiless:
            self._length, self._is_kept = 0, True
            return
        self._is_chunked = "chunked" in self._headers.get("transfer-encoding", "").lower()
        length = self._headers.get("content-length")
        if length is not None:
            self._length = _number(length, 10)
        elif self._status in _BODILESS:
            self._length = 0
        elif not self._is_chunked:
            self._is_kept = False

    def _read_chunks(self) -> Response | None:
        while (line_end := self._buffer.find(b"\r\n")) >= 0:
            size = _number(self._buffer[:line_end].decode("latin-1").partition(";")[0], 16)
            if size == 0:
                return self._read_trailer(line_end)
            if len(self._buffer) < line_end + size + 4:
                return None
            self._chunks.append(self._take(line_end + size + 4)[line_end + 2 : -2])
        return None

    def _read_trailer(self, line_end: int) -> Response | None:
        end = self._buffer.find(b"\r\n\r\n", line_end)
        if end < 0:
            return None
        self._take(end + 4)
        return self._response(b"".join(self._chunks))

    def _take(self, count: int) -> bytes:
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        return taken

    def _response(self, body: bytes) -> Response:
        return Response(self._status, self._headers, body)


def _number(text: str, base: int) -> int:
    try:
        number = int(text.strip(), base)
    except ValueError:
        number = -1
    if number < 0:
        raise MalformedAnswerError(f"no length: {text[:60]!r}")
    return number
