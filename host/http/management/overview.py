"""The hub as a whole: how much there is, since when, what fails; and how much was started when."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from bindings.client import RuntimeStatus
from bindings.errors import InvalidArgumentError
from host.core.arguments import MAX_PAGE_SIZE
from host.core.history_json import time_to_json
from host.core.records import Instance
from host.engine.overview.buckets import Counts
from host.engine.overview.failures import LATEST, MAX_ERROR, FailureGroup
from host.engine.overview.last_hour import Series
from host.engine.overview.quarantined import MAX_LOOKED_AT
from host.http import answers, parameters
from host.http.access import Need
from host.http.management.looking import FILTERS, wanted
from host.http.management.room import Management, webhook
from host.http.management.shapes import HISTOGRAM, HUB_OVERVIEW, STATUS
from host.http.management.status_json import status_to_json
from host.http.operations import Asked, answer, refused
from host.http.shapes import list_of

MAX_BUCKETS = 120
DEFAULT_BUCKETS = 60

BUCKETS = parameters.positive(
    "buckets",
    f"Into how many stretches the time is cut: {DEFAULT_BUCKETS}, or up to {MAX_BUCKETS}.",
)


async def show_overview(here: Management, _asked: Asked) -> web.Response:
    """The overview."""
    view = await here.overview.view()
    return answers.json_answer(
        {
            "counts": _counts(view.counts),
            "oldestRunning": _oldest(view.oldest_running),
            "oldestPending": _oldest(view.oldest_pending),
            "recentFailures": [_failures(each) for each in view.failures],
            "quarantined": view.quarantined,
            "hosts": view.hosts,
            "series": _series(view.series),
        }
    )


async def show_quarantine(here: Management, _asked: Asked) -> web.Response:
    """Who is quarantined."""
    rows = await here.overview.quarantined()
    return answers.raw_answer(
        [status_to_json(row, show_input=False, show_output=False) for row in rows[:MAX_PAGE_SIZE]]
    )


async def show_histogram(here: Management, asked: Asked) -> web.Response:
    """How many of those that the filters find were created when, by status."""
    number = asked[BUCKETS] or DEFAULT_BUCKETS
    if number > MAX_BUCKETS:
        raise InvalidArgumentError(f"There may be up to {MAX_BUCKETS} buckets.")
    found = await here.overview.histogram(here.instances.filter_of(wanted(asked)), number)
    return answers.json_answer(
        {
            "from": time_to_json(found.start),
            "to": time_to_json(found.end),
            "stepSeconds": found.step.total_seconds(),
            "buckets": [{"counts": _counts(each)} for each in found.buckets],
        }
    )


def _counts(counts: Counts) -> dict[str, int]:
    return {status.value: counts[status] for status in RuntimeStatus if counts.get(status)}


def _oldest(row: Instance | None) -> dict[str, str] | None:
    if row is None:
        return None
    return {
        "instanceId": row.instance_id,
        "name": row.name,
        "createdTime": time_to_json(row.created_at),
    }


def _failures(group: FailureGroup) -> dict[str, Any]:
    latest = {
        "instanceId": group.latest.instance_id,
        "name": group.latest.name,
        "lastUpdatedTime": time_to_json(group.latest.updated_at),
    }
    return {"error": group.error, "count": group.count, "latest": latest}


def _series(series: Series) -> dict[str, Any]:
    return {
        "from": time_to_json(series.start),
        "stepSeconds": series.step.total_seconds(),
        "started": list(series.started),
        "failed": list(series.failed),
    }


OPERATIONS = (
    webhook(
        id="getOverview",
        verb="GET",
        path="overview",
        summary="The hub at a glance: counts, the oldest, the last failures, the last hour.",
        access=Need.READ,
        answers={
            200: answer(
                "As it was up to 2 s ago, or longer ago where counting takes long. Failures are "
                f"those of the {LATEST} that were created last, by type and first line of the "
                f"message ({MAX_ERROR} characters).",
                HUB_OVERVIEW,
            )
        },
        handler=show_overview,
    ),
    webhook(
        id="listQuarantine",
        verb="GET",
        path="quarantine",
        summary="The quarantined instances; blockedReason says why.",
        access=Need.READ,
        answers={
            200: answer(
                f"Up to {MAX_PAGE_SIZE}, without inputs and outputs, entities included. On AWS "
                f"{MAX_LOOKED_AT} that may be blocked are looked at.",
                list_of(STATUS),
            )
        },
        handler=show_quarantine,
    ),
    webhook(
        id="getHistogram",
        verb="GET",
        path="histogram",
        summary="How many instances were created when, by status.",
        access=Need.READ,
        parameters=(*FILTERS, BUCKETS),
        answers={
            200: answer(
                "From createdTimeFrom, or the oldest, to createdTimeTo, or now.", HISTOGRAM
            ),
            400: refused("The request cannot be read, or so many take too long to count."),
        },
        handler=show_histogram,
    ),
)
