"""Starting many instances with one request: a line for each, and a line of answer for each.

A line is begun as soon as it is there, together with those that came with it, and answered in
order. What is wrong with a line is its answer, and the rest goes on. A client that hangs up ends
it; what was answered is started.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from http import HTTPStatus
from typing import Any, Final

import msgspec
from aiohttp import HttpVersion11, web

from bindings.errors import FunchostError, InvalidArgumentError, PayloadTooLargeError
from host.core import arguments
from host.engine import many
from host.engine.starting import Begun, NewInstance
from host.http import answers, streams
from host.http.bodies import HeldBody
from host.http.management.room import Management
from host.http.operations import Asked
from host.http.streams import Line

ROOM_BESIDE_INPUT: Final = 65_536
"""So many bytes a line may have besides an input of the largest size: for its id and tags."""


class _Said(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    instance_id: str | None = None
    input: msgspec.Raw = msgspec.Raw(b"null")
    tags: dict[str, str] | None = None


_decode = msgspec.json.Decoder(_Said).decode


async def start_many(here: Management, asked: Asked, each: NewInstance) -> web.Response:
    """Start one for each line, as `each` says and the line. Raises what is wrong for all."""
    if asked.call.request.version < HttpVersion11:
        raise InvalidArgumentError("Answers line by line need HTTP/1.1.")
    here.instances.check_start(each)
    return streams.streamed(_Starts(here, each).answers(asked.call.held), "A start of many")


class _Starts:
    def __init__(self, here: Management, each: NewInstance) -> None:
        self._here = here
        self._each = each
        self._tags = arguments.tags(each.tags)
        self._max_bytes = here.converter.max_payload_bytes + ROOM_BESIDE_INPUT

    async def answers(self, body: HeldBody) -> AsyncIterator[bytes]:
        """The lines of the answer, some at a time."""
        number = 0
        try:
            async for lines in streams.lines_of(body, self._max_bytes):
                for first in range(0, len(lines), many.AT_ONCE):
                    some = lines[first : first + many.AT_ONCE]
                    number = some[-1].number
                    yield await self._start(some)
        except FunchostError as error:  # nothing of what comes can be read
            yield _refused(number + 1, error)

    async def _start(self, lines: Sequence[Line]) -> bytes:
        wanted = [*map(self._wanted, lines)]
        good = [each for each in wanted if not isinstance(each, FunchostError)]
        started = iter(await many.start_all(self._here.instances, good))
        outcomes = (each if isinstance(each, FunchostError) else next(started) for each in wanted)
        return b"".join(map(_answer, lines, outcomes))

    def _wanted(self, line: Line) -> many.Wanted:
        """What a line says of its instance, or what is wrong with it."""
        try:
            said = self._read(line.data)
            new = msgspec.structs.replace(
                self._each,
                input=self._here.converter.check_json(bytes(said.input), "The input"),
                instance_id=said.instance_id,
                tags=self._tags | arguments.tags(said.tags),
            )
        except FunchostError as error:
            return error
        return many.numbered(new, line.number)

    def _read(self, data: bytes | None) -> _Said:
        if data is None:
            raise PayloadTooLargeError("The line", self._max_bytes + 1, self._max_bytes)
        try:
            return _decode(data)
        except (msgspec.DecodeError, RecursionError) as error:
            raise InvalidArgumentError(
                f"The line is no JSON object with instanceId, input or tags: {error}"
            ) from error


def _answer(line: Line, outcome: Begun | FunchostError) -> bytes:
    if isinstance(outcome, FunchostError):
        return _refused(line.number, outcome)
    said: dict[str, Any] = {"instanceId": outcome.instance_id}
    if outcome.is_repeated:
        said["replayed"] = True
    if outcome.existing is not None:
        said["existing"] = outcome.existing
    return streams.line(said)


def _refused(number: int, error: FunchostError) -> bytes:
    """The answer to a line that started nothing, with the status that it would have had alone."""
    status, text = answers.status_of(error), str(error)
    if status is None:
        status = answers.fault(error, "Starting one of many").status
        is_away = status == HTTPStatus.SERVICE_UNAVAILABLE
        text = answers.UNAVAILABLE if is_away else answers.INTERNAL_ERROR
    kind = type(error).__name__
    body = {"line": number, "status": int(status), "error": text, "type": kind}
    return streams.line(body)
