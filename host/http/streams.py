"""Lines of JSON, one after the other: bodies and answers that are never held as a whole."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from functools import partial
from http import HTTPStatus
from typing import Any, ClassVar, NamedTuple

import msgspec
from aiohttp import web

from bindings.errors import FunchostError
from host.core.exported import MAX_LINE_BYTES
from host.http.bodies import HeldBody
from host.http.refusals import RefusalError
from host.http.sending import Sending, as_response
from host.logs import HostLog

NDJSON = "application/x-ndjson"

MAX_STREAMS = 8
"""With large instances each holds some 20 MB as long as its client does not read."""

_log = HostLog(__name__)
_encode = msgspec.json.Encoder().encode


class TooManyStreamsError(RefusalError):
    """As many exports and imports are under way as may."""

    status = HTTPStatus.TOO_MANY_REQUESTS
    summary = "Too many exports and imports are under way already"
    headers: ClassVar[Mapping[str, str]] = {"Retry-After": "5"}


class Streams:
    """How many exports and imports are under way: each holds what its client does not read yet."""

    def __init__(self, limit: int = MAX_STREAMS) -> None:
        self._limit = limit
        self._under_way: set[UnderWay] = set()

    def begin(self) -> UnderWay:
        """Count one more. Raises `TooManyStreamsError`."""
        if len(self._under_way) >= self._limit:
            raise TooManyStreamsError(f"This host does {self._limit} at once.")
        begun = UnderWay(self._under_way)
        self._under_way.add(begun)
        return begun


class UnderWay:
    """One of them."""

    def __init__(self, among: set[UnderWay]) -> None:
        self._among = among

    def end(self) -> None:
        """Make room for another one."""
        self._among.discard(self)


class Line(NamedTuple):
    """A line of a body, by its number from 1 on; `data` is None if it is too long."""

    number: int
    data: bytes | None


async def lines_of(body: HeldBody, limit: int = MAX_LINE_BYTES) -> AsyncIterator[list[Line]]:
    """The lines of a body as they come, without their ends; blank ones are passed over.

    Of a line that is longer than `limit` nothing is kept, and what follows it is read.

    Raises what `HeldBody.pieces` does.
    """
    begun: list[bytes] = []
    size, number = 0, 1
    async for piece in body.pieces():
        *ended, rest = piece.split(b"\n")
        found: list[Line] = []
        for end in ended:
            if size + len(end) <= limit:
                found.append(Line(number, b"".join((*begun, end))))
            else:
                found.append(Line(number, None))
            begun, size = [], 0
            number += 1
        size += len(rest)
        if size <= limit:
            begun.append(rest)
        else:
            begun = []
        body.hold(min(size, limit))
        body.owes_rest = size > 0
        if found := [line for line in found if line.data is None or line.data.strip()]:
            yield found
    last = Line(number, b"".join(begun) if size <= limit else None)
    if last.data is None or last.data.strip():
        yield [last]


def streamed(
    lines: AsyncIterator[bytes], what: str, streams: Streams | None = None
) -> web.Response:
    """An answer of lines that are made as they are sent; `what` names it in the log.

    It is one of the `streams`, if they are given. Raises `TooManyStreamsError`.
    """
    begun = None if streams is None else streams.begin()
    stream = Sending(lines, partial(_broke_off, what))
    if begun is not None:
        stream.when_over(begun.end)
    headers = {"Cache-Control": "no-store", "Content-Type": NDJSON}
    return as_response(stream, headers=headers)


def _broke_off(what: str, error: Exception) -> None:
    if not isinstance(error, FunchostError):
        raise error
    _log.warning("%s broke off: %s", what, error)


def line(value: Any) -> bytes:
    """A line of an answer."""
    return _encode(value) + b"\n"
