"""Reading one HTTP/1.1 answer from the pieces in which it arrives; `httptools` knows how.

Rules of this file: pure; bytes in, a `Response` out once it is whole, however it was cut. It
knows what answers of AWS, of its emulators and of gateways between are made of: a length, chunks,
or an end by closing. Whatever is none of that is a `MalformedAnswerError`.
"""

from __future__ import annotations

import httptools

from host.storage.aws.wire.transport import Response

MAX_HEAD_BYTES = 64 * 1024
_BODILESS = frozenset({204, 304})


class MalformedAnswerError(Exception):
    """What arrived is not an HTTP/1.1 answer."""


class AnswerReader:
    """Reads one answer. Feed it until it gives a response, then ask `is_reusable`.

    `is_bodiless`: as answers to CONNECT are, whatever their heads say. The methods that begin with
    `on_` are called by the parser.
    """

    def __init__(self, *, is_bodiless: bool = False) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._is_bodiless = is_bodiless
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []
        self._status = self._read = 0
        self._has_head = self._is_whole = self._is_kept = False

    @property
    def is_reusable(self) -> bool:
        """Whether another request may follow: the server keeps the connection and sent no more."""
        return self._is_kept

    def feed(self, data: bytes) -> Response | None:
        """Take the next piece; the response if this completes it.

        Raises `MalformedAnswerError`.
        """
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            if not self._is_whole:
                raise MalformedAnswerError(str(error)) from error
            self._is_kept = False  # what follows the answer is nothing that was asked for
        if self._is_whole:
            return self._response()
        self._read += len(data)
        if not self._has_head and self._read > MAX_HEAD_BYTES:
            raise MalformedAnswerError("a head without an end")
        return None

    def end(self) -> Response | None:
        """The connection was closed; the response if that is how its end is told."""
        return self._response() if self._has_head and self._ends_by_closing() else None

    def on_message_begin(self) -> None:
        """A second answer begins, which nobody asked for."""
        if self._is_whole:
            self._is_kept = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, of the head or after the last chunk."""
        if not self._has_head:
            self._headers[name.decode("latin-1").lower()] = value.decode("latin-1").strip()

    def on_headers_complete(self) -> None:
        """The body begins, if there is one."""
        if self._is_whole:
            return
        self._has_head, self._status = True, self._parser.get_status_code()
        if self._is_bodiless:
            self._is_whole = self._is_kept = True

    def on_body(self, data: bytes) -> None:
        """A piece of the body, whatever it was cut into on its way."""
        if not self._is_whole:
            self._body.append(data)

    def on_message_complete(self) -> None:
        """The answer is whole."""
        if not self._is_whole:
            self._is_whole, self._is_kept = True, self._parser.should_keep_alive()

    def _ends_by_closing(self) -> bool:
        is_framed = "content-length" in self._headers or "transfer-encoding" in self._headers
        return not is_framed and self._status not in _BODILESS

    def _response(self) -> Response:
        return Response(self._status, self._headers, b"".join(self._body))
