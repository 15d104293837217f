"""`funchost instances start NAME --from FILE`: an instance for each line of JSON, in one stream.

If the host goes away in the midst, the lines without an answer are sent again, once it is back.
Each line's key has its number, so what was started without an answer is not started twice.
"""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any, cast

from bindings.client import ReusePolicy
from bindings.errors import HostUnavailableError
from bindings.remote import answers, asking
from bindings.remote.client import RemoteClient
from bindings.remote.refusals import refusal
from host.cli.asking import EXIT_REFUSED, RefusedError
from host.cli.instances.waiting import patient_pauses
from host.cli.line_files import Readable, whole_lines
from host.cli.showing import print_json_line, say
from host.os_words import error_in_words, path_in_words

_AWAY = frozenset({HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.REQUEST_TIMEOUT})


@dataclass(frozen=True, slots=True, kw_only=True)
class Common:
    """What all of them are started with."""

    name: str
    version: str | None
    tags: dict[str, str]
    reuse: ReusePolicy
    debounce: timedelta | None
    start_at: datetime | timedelta | None
    key: str | None


async def start_many(client: RemoteClient, file: Path, common: Common) -> int:
    """Start them, print a line for each in their order, and give the exit code."""
    refused = done = 0
    with _opened(file) as opened:
        async with aclosing(_answers(client, _Lines(opened), common)) as answers:
            async for answer in answers:
                print_json_line(answer)
                refused += "error" in answer
                done += "error" not in answer
    before = "" if common.key is None else " (now, or before with this key)"
    say(f"{done:,} {_is(done)} started{before}, {refused:,} {_is(refused)} refused.")
    return EXIT_REFUSED if refused else 0


def _is(count: int) -> str:
    return "is" if count == 1 else "are"


async def _answers(
    client: RemoteClient, lines: _Lines, common: Common
) -> AsyncGenerator[dict[str, Any], None]:
    """What came of each line, in order. Raises `HostUnavailableError`, and what concerns all."""
    query = asking.new_of(
        common.start_at, common.version, common.tags, common.reuse, common.debounce
    )
    headers = {"Idempotency-Key": asking.checked_key(common.key)}
    pauses: Iterator[float] = iter(())  # a host that was never there is not waited for
    while True:
        sent = client.connection.stream(
            "POST",
            ("orchestrators", asking.name_of(common.name)),
            query,
            lines=lines.unanswered(),
            headers=headers,
            refusal=refusal,
        )
        try:
            async with aclosing(sent):
                async for line in sent:
                    answer = _read(line, client.url)
                    lines.answered()
                    pauses = patient_pauses()
                    yield answer
            break
        except HostUnavailableError:
            pause_s = next(pauses, None)
            if pause_s is None:
                raise
            await asyncio.sleep(pause_s)
    if lines.count:
        raise RefusedError(f"The host has read nothing from line {lines.first:,} on.")


def _read(line: bytes, origin: str) -> dict[str, Any]:
    """An answer. Raises `HostUnavailableError` for one that says only this."""
    answer = answers.Answer(origin=origin, status=HTTPStatus.OK, headers={}, body=line)
    said = answers.read(answer, dict[str, Any])
    if said.get("status") in _AWAY:
        raise HostUnavailableError(
            f"The host at {origin} is not available now. {said.get('error')}", said["status"]
        )
    return said


class _Lines:
    """The lines of a file. Those that have no answer yet are kept, to be sent again."""

    def __init__(self, file: Readable) -> None:
        self._pieces = whole_lines(file)
        self._coming: asyncio.Future[bytes] | None = None
        self._kept: deque[bytes] = deque()
        self.first = 1
        """The number of the first one that is kept."""

    @property
    def count(self) -> int:
        """How many have no answer, though they have been sent; those that are blank get none."""
        return sum(bool(each.strip()) for each in self._kept)

    async def unanswered(self) -> AsyncIterator[bytes]:
        """All that have no answer. Blank lines stand for the others: a host counts, and no more."""
        if before := b"\n" * (self.first - 1) + b"".join(self._kept):
            yield before
        while piece := await self._next():
            self._kept.extend(each + b"\n" for each in piece.split(b"\n")[:-1])
            yield piece

    async def _next(self) -> bytes:
        """The next lines of the file. A request that is broken off loses none."""
        if self._coming is None:
            self._coming = asyncio.ensure_future(anext(self._pieces, b""))
        piece = await asyncio.shield(self._coming)
        self._coming = None
        return piece

    def answered(self) -> None:
        """The first one that is not blank has its answer."""
        while self._kept:
            self.first += 1
            if self._kept.popleft().strip():
                return


@contextmanager
def _opened(file: Path) -> Iterator[Readable]:
    try:
        if str(file) == "-":
            yield cast(Readable, sys.stdin.buffer)
            return
        with file.open("rb") as opened:
            yield opened
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            raise
        raise RefusedError(f"{path_in_words(file)}: {error_in_words(error)}.") from error
