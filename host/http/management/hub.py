"""Looking at the hub itself: its hosts."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from host.core.history_json import time_to_json
from host.engine.hosts import HostRecord
from host.http import answers
from host.http.access import Need
from host.http.management.room import Management, webhook
from host.http.management.shapes import HOST
from host.http.operations import Asked, answer
from host.http.shapes import list_of


async def show_hosts(here: Management, _asked: Asked) -> web.Response:
    """The hosts that are there."""
    return answers.json_answer([_host_to_json(each) for each in await here.hosts.all()])


def _host_to_json(host: HostRecord) -> dict[str, Any]:
    return {
        "id": host.host_id,
        "version": host.version,
        "appVersion": host.app_version,
        "startedTime": time_to_json(host.started_at),
        "lastSeenTime": time_to_json(host.seen_at),
        "sessions": host.sessions,
        "activities": host.activities,
        "functions": list(host.functions),
        "moreFunctions": host.more_functions,
    }


OPERATIONS = (
    webhook(
        id="listHosts",
        verb="GET",
        path="hosts",
        summary="The hosts of the hub that are there, in order of their start.",
        access=Need.READ,
        answers={
            200: answer(
                "As each was at its lastSeenTime; the one that answers as it is now.", list_of(HOST)
            )
        },
        handler=show_hosts,
    ),
)
