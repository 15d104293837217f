"""Instances from hub to hub: exported and imported as lines of JSON, as they come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

from aiohttp import web

from bindings.client import ImportedInstance
from bindings.errors import FunchostError, InvalidArgumentError
from host.core import exported
from host.http import parameters
from host.http.access import Need
from host.http.bodies import HeldBody
from host.http.by_state import ByState, answering
from host.http.management.choosing import refuse_unsure
from host.http.management.looking import FILTERS, wanted
from host.http.management.room import (
    INSTANCE,
    INSTANCE_ID,
    UNKNOWN,
    WRONG_STATE,
    Management,
    webhook,
)
from host.http.operations import Answer, Asked, Body
from host.http.parameters import in_query
from host.http.query import Query
from host.http.shapes import FLAG, TEXT
from host.http.streams import NDJSON, Line, line, lines_of, streamed


def _flag_or_none(query: Query, name: str) -> bool | None:
    return query.flag(name, default=False) if (query.text(name) or "").strip() else None


MOVE = parameters.flag(
    "move",
    "Terminate each here, in the turn that follows what its line says. Always `true` with POST, "
    "and never with GET.",
    default=False,
)
WITH_ENTITIES = in_query(
    "entities",
    "All entities, too, before the others; without it, if nothing restricts the export.",
    FLAG,
    _flag_or_none,
)
SUSPENDED = parameters.flag(
    "suspended", "Unfinished ones wait until they are resumed.", default=False
)
_AT_ONCE = 32
_BYTES_AT_ONCE = 8_000_000
_SHORT_BYTES = 4096


async def export_one(here: Management, asked: Asked) -> web.Response:
    """An instance and the children that it waits for."""
    lines = await here.instances.export(asked[INSTANCE_ID], moves=_moves(asked))
    return streamed(lines, f"Exporting '{asked[INSTANCE_ID]}'", here.streams)


async def export_many(here: Management, asked: Asked) -> web.Response:
    """All instances that the filters find."""
    refuse_unsure(asked)
    lines = here.instances.export_all(
        wanted(asked), moves=_moves(asked), entities=asked[WITH_ENTITIES]
    )
    return streamed(lines, "An export", here.streams)


def _moves(asked: Asked) -> bool:
    """Whether the export moves: a POST does, and a GET changes nothing.

    Raises `InvalidArgumentError` for a request of which half says so.
    """
    is_post, moves = asked.operation.verb == "POST", asked[MOVE]
    if moves and not is_post:
        raise InvalidArgumentError(
            "A GET changes nothing. To move, send a POST to the same URL, with move=true."
        )
    if is_post and not moves:
        raise InvalidArgumentError(
            "A POST moves what it exports: it terminates all of that here. Say move=true if that "
            "is meant, or send a GET for a copy."
        )
    return moves


async def import_all(here: Management, asked: Asked) -> web.Response:
    """Plant what comes, line by line."""
    is_held = asked[SUSPENDED]
    lines = _imported(here, asked.call.held, suspended=is_held)
    return streamed(lines, "An import", here.streams)


async def _imported(here: Management, body: HeldBody, *, suspended: bool) -> AsyncIterator[bytes]:
    number, refuses = 0, False
    try:
        async for found in lines_of(body):
            for part in _parts(found):
                number = part[-1].number
                hopeless = [_looked_at(each) if refuses else None for each in part]
                said = await _import_rest(here, part, hopeless, suspended=suspended)
                refuses = all(each.status == "refused" for each in said)
                yield b"".join(map(_said, said))
    except FunchostError as error:  # nothing more can be read
        yield _said(ImportedInstance(line=number + 1, status="failed", error=str(error)))


async def _import_rest(
    here: Management,
    part: Sequence[Line],
    hopeless: Sequence[ImportedInstance | None],
    *,
    suspended: bool,
) -> list[ImportedInstance]:
    """What becomes of each line; of what is refused already, nothing more."""
    left = [each for each, refused in zip(part, hopeless, strict=True) if refused is None]
    said = iter(await asyncio.gather(*[_import(here, each, suspended=suspended) for each in left]))
    return [next(said) if refused is None else refused for refused in hopeless]


def _looked_at(each: Line) -> ImportedInstance | None:
    """The refusal of a line that is no instance, at the price of a look; else None.

    Where the lines before were refused, so is this one, mostly: a million of them is soon sent, and
    a task for each would take a minute.
    """
    if each.data is None or len(each.data) > _SHORT_BYTES:
        return None
    try:
        exported.from_line(each.data)
    except InvalidArgumentError as error:
        of = exported.instance_id_of(each.data)
        return ImportedInstance(
            line=each.number, instance_id=of, status="refused", error=str(error)
        )
    return None


def _parts(found: Sequence[Line]) -> list[list[Line]]:
    """The lines in parts of few lines, and of few bytes."""
    parts: list[list[Line]] = []
    size = 0
    for each in found:
        size += len(each.data or b"")
        if not parts or len(parts[-1]) == _AT_ONCE or size > _BYTES_AT_ONCE:
            parts.append([])
            size = len(each.data or b"")
        parts[-1].append(each)
    return parts


async def _import(here: Management, each: Line, *, suspended: bool) -> ImportedInstance:
    if each.data is None:
        error = f"The line has more than {exported.MAX_LINE_BYTES:,} bytes."
        return ImportedInstance(line=each.number, status="refused", error=error)
    return await here.instances.import_line(each.number, each.data, suspended=suspended)


def _said(found: ImportedInstance) -> bytes:
    said = {"line": found.line, "instanceId": found.instance_id, "status": found.status}
    return line(said if found.error is None else said | {"error": found.error})


def _lines(text: str) -> Answer:
    return Answer(text=text, content={NDJSON: TEXT})


_OF_ONE = _lines("A line for each; the last says how many they are.")
_OF_MANY = _lines(
    "A line for each, with an error for what cannot be read; the last says how many they are."
)
_ONE_BY_STATE = answering(unknown=404, active=200, finished=200)

OPERATIONS = (
    webhook(
        id="exportInstance",
        verb="GET",
        path=f"{INSTANCE}/export",
        summary="An instance and the children that it waits for, as lines of JSON.",
        access=Need.OPERATE,
        parameters=(INSTANCE_ID, MOVE),
        answers={200: _OF_ONE, 404: UNKNOWN},
        by_state=ByState(
            client="export_instance",
            command="instances export",
            answers=_ONE_BY_STATE,
        ),
        handler=export_one,
    ),
    webhook(
        id="moveInstance",
        verb="POST",
        path=f"{INSTANCE}/export",
        summary="The same, and each is terminated here: it goes on where it is imported.",
        access=Need.OPERATE,
        parameters=(INSTANCE_ID, MOVE),
        answers={200: _OF_ONE, 404: UNKNOWN, 409: WRONG_STATE},
        by_state=ByState(
            client="export_instance",
            command="instances export",
            answers=_ONE_BY_STATE,
        ),
        handler=export_one,
    ),
    webhook(
        id="exportInstances",
        verb="GET",
        path="export",
        summary="All instances that are found, as lines of JSON.",
        access=Need.OPERATE,
        parameters=(*FILTERS, MOVE, WITH_ENTITIES),
        answers={200: _OF_MANY},
        handler=export_many,
    ),
    webhook(
        id="moveInstances",
        verb="POST",
        path="export",
        summary="The same, and each is terminated here: it goes on where it is imported.",
        access=Need.OPERATE,
        parameters=(*FILTERS, MOVE, WITH_ENTITIES),
        answers={200: _OF_MANY},
        handler=export_many,
    ),
    webhook(
        id="importInstances",
        verb="POST",
        path="import",
        summary="Store what another hub has exported; what exists is refused, line by line.",
        access=Need.OPERATE,
        parameters=(SUSPENDED,),
        body=Body(text="Lines of an export.", form=TEXT, is_required=True),
        answers={
            200: _lines(
                "A line for each line: its number, instanceId, and status (imported, exists, "
                "refused, failed) with the error."
            )
        },
        handler=import_all,
    ),
)
