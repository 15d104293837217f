"""What the functions of a host did since its start."""

from __future__ import annotations

from http import HTTPStatus

from aiohttp import web

from host.core.history_json import time_to_json
from host.http import answers
from host.http.access import Need
from host.http.admin.room import Administration
from host.http.operations import Asked, Operation, answer
from host.http.shapes import (
    COUNT,
    ERROR,
    SECONDS,
    TEXT,
    TIME,
    JsonObject,
    Shape,
    list_of,
    object_of,
)
from host.metrics.functions import FunctionStats

FUNCTION_STATS = Shape(
    "FunctionStats",
    object_of(
        {
            "name": TEXT,
            "kind": {"enum": ["activity", "orchestrator", "entity", "triggered"]},
            "runs": COUNT,
            "failures": COUNT,
            "meanSeconds": SECONDS,
            "p95Seconds": SECONDS | {"description": "About, by the bounds of the metrics."},
            "perMinute": {"type": "number", "minimum": 0},
            "lastError": TEXT,
            "lastErrorTime": TIME,
        },
        "meanSeconds",
        "p95Seconds",
        "lastError",
        "lastErrorTime",
    ),
)


async def show_stats(here: Administration, _asked: Asked) -> web.Response:
    """The functions that ran."""
    if here.function_stats is None:
        return answers.message(
            HTTPStatus.NOT_FOUND,
            "Metrics are switched off: set funchost.metrics to true in host.json.",
        )
    shown = [_shown(each) for each in here.function_stats()]
    return answers.json_answer(shown, headers={"Cache-Control": "no-store"})


def _shown(stats: FunctionStats) -> JsonObject:
    some = {
        "meanSeconds": _rounded(stats.mean_s),
        "p95Seconds": _rounded(stats.p95_s),
        "lastError": stats.last_error,
        "lastErrorTime": None if stats.last_error_at is None else time_to_json(stats.last_error_at),
    }
    return {
        "name": stats.name,
        "kind": stats.kind,
        "runs": stats.runs,
        "failures": stats.failures,
        "perMinute": round(stats.per_minute, 2),
        **{name: value for name, value in some.items() if value is not None},
    }


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 6)


OPERATIONS: tuple[Operation[Administration], ...] = (
    Operation(
        id="getFunctionStats",
        verb="GET",
        path="/admin/functions/stats",
        summary="What the functions did on this host since its start: runs, failures, durations.",
        access=Need.READ,
        answers={
            200: answer("Those that ran.", list_of(FUNCTION_STATS)),
            404: answer("Metrics are switched off.", ERROR),
        },
        handler=show_stats,
    ),
)
