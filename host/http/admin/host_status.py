"""The host itself: whether its process answers, and its status."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from aiohttp import web

from host.http import answers
from host.http.access import Need
from host.http.admin.room import Administration
from host.http.operations import Answer, Asked, Operation, answer
from host.http.shapes import COUNT, TEXT, Shape, list_of, object_of

_NO_STORE = {"Cache-Control": "no-store"}

HOST_STATUS = Shape(
    "HostStatus",
    object_of(
        {
            "id": TEXT,
            "state": {"enum": ["Running", "Error"]},
            "version": TEXT,
            "processUptime": COUNT | {"description": "In milliseconds."},
            "counters": {"type": "object", "additionalProperties": COUNT},
            "errors": list_of(TEXT),
        },
        "counters",
        "errors",
    ),
)


async def ping(_here: Administration, _asked: Asked) -> web.Response:
    """The process answers."""
    return answers.empty(HTTPStatus.OK, _NO_STORE)


async def show_status(here: Administration, _asked: Asked) -> web.Response:
    """The host's state, and what is wrong."""
    return answers.json_answer(here.health.status(here.app), headers=_NO_STORE)


_PINGED: Mapping[int, Answer] = {200: answer("It does.")}

OPERATIONS: tuple[Operation[Administration], ...] = (
    Operation(
        id="getHostStatus",
        verb="GET",
        path="/admin/host/status",
        summary="The host's state, and what is wrong.",
        access=Need.READ,
        answers={200: answer("The status.", HOST_STATUS)},
        handler=show_status,
    ),
    Operation(
        id="ping",
        verb="GET",
        path="/admin/host/ping",
        summary="Whether the process answers.",
        access=Need.NOTHING,
        answers=_PINGED,
        handler=ping,
    ),
    Operation(
        id="pingByPost",
        verb="POST",
        path="/admin/host/ping",
        summary="Whether the process answers.",
        access=Need.NOTHING,
        answers=_PINGED,
        handler=ping,
    ),
)
