"""One exchange with a host over a socket: bytes there, answers back, with a deadline."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from dataclasses import dataclass

from tests.fuzz.hostile_requests import HostileRequest

DEADLINE_S = 30.0
"""A guard against hangs, far above what any exchange takes on a busy machine."""
PATIENCE_S = 0.03
"""How long to listen for an answer that need not come; how long decides no outcome."""

_STATUS_LINE = re.compile(rb"HTTP/[0-9]\.[0-9] ([1-9][0-9]{2})(?: [^\r\n]*)?\r\n")
_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)\r\n", re.IGNORECASE)
_WITHOUT_BODY = frozenset({100, 101, 204, 304})


class BrokenAnswerError(Exception):
    """What came back is not HTTP, or did not come at all."""


@dataclass(frozen=True, slots=True)
class Answers:
    """The statuses of all answers, and whether the last one was complete."""

    statuses: tuple[int, ...]
    is_complete: bool


async def exchange(address: str, port: int, request: HostileRequest) -> tuple[int, ...]:
    """Send the request; the statuses of what is answered until the connection ends.

    A whole request must be answered before its sender stops sending. Raises `BrokenAnswerError`.
    """
    received = bytearray()
    try:
        async with asyncio.timeout(DEADLINE_S):
            await _talk(address, port, request, received)
    except TimeoutError:
        raise BrokenAnswerError(f"It hangs after {bytes(received[:200])!r}.") from None
    answers = read_answers(bytes(received), is_head=request.is_head)
    if request.is_whole and not (answers.statuses and answers.is_complete):
        raise BrokenAnswerError(f"A whole request got no whole answer: {bytes(received[:200])!r}")
    return answers.statuses


async def _talk(address: str, port: int, request: HostileRequest, received: bytearray) -> None:
    reader, writer = await asyncio.open_connection(address, port)
    try:
        with suppress(ConnectionError):  # a host may hang up on what it does not like
            writer.write(request.data)
            await writer.drain()
        with suppress(ConnectionError):
            if not request.is_whole:
                await _listen_a_little(reader, received)
                with suppress(OSError):  # closed by the other side meanwhile
                    writer.write_eof()
            while chunk := await reader.read(65536):
                received += chunk
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def _listen_a_little(reader: asyncio.StreamReader, received: bytearray) -> None:
    """Take what comes soon: a host may wait for more of a request that lacks something."""
    with suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE_S):
            while chunk := await reader.read(65536):
                received += chunk


def read_answers(data: bytes, *, is_head: bool = False) -> Answers:
    """The answers in these bytes, one after the other. Raises `BrokenAnswerError`."""
    statuses: list[int] = []
    while data:
        line = _STATUS_LINE.match(data)
        end = data.find(b"\r\n\r\n")
        if line is None and data.startswith(b"HTTP/"[: len(data)]) and end < 0:
            return Answers(tuple(statuses), is_complete=False)
        if line is None:
            raise BrokenAnswerError(f"This is no answer: {data[:200]!r}")
        statuses.append(int(line[1]))
        if end < 0:
            return Answers(tuple(statuses), is_complete=False)
        head, data = data[: end + 2], data[end + 4 :]
        if is_head:  # what cannot be read is answered with a body: it is not known to be a HEAD
            return Answers(tuple(statuses), is_complete=True)
        length = _body_length(head, statuses[-1])
        if length is None or len(data) < length:
            return Answers(tuple(statuses), is_complete=length is None)
        data = data[length:]
    return Answers(tuple(statuses), is_complete=True)


def _body_length(head: bytes, status: int) -> int | None:
    """How long the body is; None if it goes on to the end of the connection."""
    if status in _WITHOUT_BODY:
        return 0
    found = _LENGTH.search(head)
    return int(found[1]) if found else None
