"""The schedules of the app's timers: when each is due, running one now, pausing and resuming it."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from typing import Any

from aiohttp import web

from host.core.history_json import time_to_json
from host.http import answers
from host.http.access import Need
from host.http.admin.room import Administration
from host.http.operations import Asked, Operation, answer
from host.http.parameters import in_path
from host.http.shapes import ERROR, FLAG, TEXT, TIME, Shape, list_of, object_of
from host.triggers.schedules import ScheduleView

NAME = in_path("name", "the name of a function with a timer")

_TIME_OR_NULL = {"type": ["string", "null"], "format": "date-time"}

SCHEDULE = Shape(
    "Schedule",
    object_of(
        {
            "name": TEXT,
            "schedule": TEXT | {"description": "As it is written."},
            "timeZone": TEXT,
            "next": _TIME_OR_NULL | {"description": "When it is due; null while nothing is."},
            "last": _TIME_OR_NULL | {"description": "The due time that was run last."},
            "isPaused": FLAG,
            "pausedTime": TIME,
            "isDisabled": FLAG,
            "isRunning": FLAG,
        },
        "pausedTime",
    ),
)


async def list_schedules(here: Administration, _asked: Asked) -> web.Response:
    """All timers."""
    return answers.json_answer([_shown(each) for each in await here.schedules.all()])


async def run(here: Administration, asked: Asked) -> web.Response:
    """Let a timer run once, now."""
    await here.schedules.run(asked[NAME])
    return answers.empty(HTTPStatus.ACCEPTED)


async def pause(here: Administration, asked: Asked) -> web.Response:
    """Let a timer run no more."""
    return answers.json_answer(_shown(await here.schedules.pause(asked[NAME])))


async def resume(here: Administration, asked: Asked) -> web.Response:
    """Let a timer run again."""
    return answers.json_answer(_shown(await here.schedules.resume(asked[NAME])))


def _shown(view: ScheduleView) -> dict[str, Any]:
    paused = {} if view.paused_at is None else {"pausedTime": time_to_json(view.paused_at)}
    return {
        "name": view.name,
        "schedule": view.schedule,
        "timeZone": view.time_zone,
        "next": _time(view.next),
        "last": _time(view.last),
        "isPaused": view.paused_at is not None,
        **paused,
        "isDisabled": view.is_disabled,
        "isRunning": view.is_running,
    }


def _time(time: datetime | None) -> str | None:
    return None if time is None else time_to_json(time)


_NONE = answer("The app has no such timer.", ERROR)

OPERATIONS: tuple[Operation[Administration], ...] = (
    Operation(
        id="listSchedules",
        verb="GET",
        path="/admin/schedules",
        summary="The timers of the app: their schedules, and when each is due.",
        access=Need.READ,
        answers={200: answer("In order of name.", list_of(SCHEDULE))},
        handler=list_schedules,
    ),
    Operation(
        id="runSchedule",
        verb="POST",
        path="/admin/schedules/{name}/run",
        summary="Run a timer once, now, also one that is paused; its due times stay.",
        access=Need.OPERATE,
        parameters=(NAME,),
        answers={
            202: answer("A host runs it, this one or, if it vanishes, another."),
            404: _NONE,
            409: answer("It is disabled, or runs just now.", ERROR),
        },
        handler=run,
    ),
    Operation(
        id="pauseSchedule",
        verb="POST",
        path="/admin/schedules/{name}/pause",
        summary="Begin no run of a timer any more, on any host, until it is resumed.",
        access=Need.OPERATE,
        parameters=(NAME,),
        answers={200: answer("It is paused; a run that goes on ends.", SCHEDULE), 404: _NONE},
        handler=pause,
    ),
    Operation(
        id="resumeSchedule",
        verb="POST",
        path="/admin/schedules/{name}/resume",
        summary="Run a timer again from its next due time on; what was due meanwhile is left out.",
        access=Need.OPERATE,
        parameters=(NAME,),
        answers={
            200: answer("It is resumed.", SCHEDULE),
            404: _NONE,
            409: answer("Other hosts have another schedule of it.", ERROR),
        },
        handler=resume,
    ),
)
