"""`funchost instances start NAME --from FILE`: an instance for each line of JSON."""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from collections.abc import AsyncGenerator, Iterable, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from bindings.client import ReusePolicy
from bindings.errors import FunchostError, InvalidArgumentError, RemoteError
from bindings.remote.client import RemoteClient
from bindings.strict_json import read_json
from host.cli.asking import EXIT_REFUSED, RefusedError
from host.cli.instances.waiting import be_patient
from host.cli.showing import print_json_line, say
from host.os_words import error_in_words, path_in_words

_AT_ONCE = 64
_MEMBERS = frozenset({"instanceId", "input", "tags"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Common:
    """What all of them are started with."""

    name: str
    version: str | None
    tags: dict[str, str]
    reuse: ReusePolicy
    start_at: datetime | timedelta | None
    key: str | None


async def start_many(client: RemoteClient, file: Path, common: Common) -> int:
    """Start them, print a line for each in their order, and give the exit code."""
    refused = done = 0
    with _lines(file) as lines:
        async with aclosing(_answers(client, lines, common)) as answers:
            async for answer in answers:
                print_json_line(answer)
                refused += "error" in answer
                done += "error" not in answer
    say(f"{done:,} are started, {refused:,} are refused.")
    return EXIT_REFUSED if refused else 0


async def _answers(
    client: RemoteClient, lines: Iterable[bytes], common: Common
) -> AsyncGenerator[dict[str, Any], None]:
    """What came of each line, in order; so many are on their way at once."""
    waiting: deque[asyncio.Task[dict[str, Any]]] = deque()
    try:
        for number, line in enumerate(lines, 1):
            if line.strip():
                waiting.append(asyncio.create_task(_answer(client, number, line, common)))
            if len(waiting) >= _AT_ONCE:
                yield await waiting.popleft()
                be_patient(client)
        while waiting:
            yield await waiting.popleft()
    finally:
        for each in waiting:
            each.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


async def _answer(client: RemoteClient, number: int, line: bytes, common: Common) -> dict[str, Any]:
    """The id, or why there is none. What concerns all lines is raised."""
    try:
        return {"instanceId": await _start(client, number, line, common)}
    except RemoteError:
        raise
    except FunchostError as error:
        return {"line": number, "error": str(error)}


async def _start(client: RemoteClient, number: int, line: bytes, common: Common) -> str:
    said = _read(line)
    return await client.schedule_new_orchestration(
        common.name,
        input=said.get("input"),
        instance_id=said.get("instanceId"),
        start_at=common.start_at,
        version=common.version,
        tags=common.tags | said.get("tags", {}),
        reuse=common.reuse,
        idempotency_key=None if common.key is None else f"{common.key}.{number}",
    )


def _read(line: bytes) -> dict[str, Any]:
    try:
        said = read_json(line)
    except ValueError as error:
        raise InvalidArgumentError(f"That is not JSON: {error}") from error
    if not isinstance(said, dict) or not said.keys() <= _MEMBERS:
        expected = ", ".join(sorted(_MEMBERS))
        raise InvalidArgumentError(f"A line is a JSON object with any of {expected}.")
    tags = said.get("tags", {})
    if not isinstance(tags, dict) or not all(isinstance(each, str) for each in tags.values()):
        raise InvalidArgumentError("The tags are an object of texts.")
    return said


@contextmanager
def _lines(file: Path) -> Iterator[Iterable[bytes]]:
    try:
        if str(file) == "-":
            yield sys.stdin.buffer
            return
        with file.open("rb") as opened:
            yield opened
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            raise
        raise RefusedError(f"{path_in_words(file)}: {error_in_words(error)}.") from error
