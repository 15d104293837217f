"""The host's figures: metrics for Prometheus, and the signal for an autoscaler."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus

from aiohttp import web

from host.http import answers
from host.http.access import Need
from host.http.operations import Answer, Asked, Operation, answer, refused
from host.http.parameters import in_query
from host.http.query import Query
from host.http.shapes import COUNT, ERROR, POSITIVE, SECONDS, Shape, object_of
from host.metrics.exposition import Exposition
from host.metrics.host_metrics import HostMetrics
from host.metrics.readings import Readings
from host.metrics.scale import PER_HOST, ScaleSignal

_NO_STORE = {"Cache-Control": "no-store"}
OFF = "Metrics are switched off: set funchost.metrics to true in host.json."

PER = in_query(
    "perHost",
    f"How much one host is to do at once, of the backlog and what runs: {PER_HOST} if absent.",
    POSITIVE,
    Query.positive,
)
SCALE = Shape(
    "Scale",
    object_of(
        {
            "backlog": COUNT,
            "oldestSeconds": SECONDS,
            "running": COUNT,
            "hosts": COUNT,
            "wantedHosts": COUNT,
        }
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """The room. `metrics` and `exposition` are None on a host that does not measure itself."""

    metrics: HostMetrics | None
    readings: Readings
    exposition: Exposition | None
    scale: ScaleSignal


async def show_metrics(here: Figures, asked: Asked) -> web.Response:
    """The metrics, in the format that the `Accept` header asks for."""
    if here.exposition is None:
        return answers.message(HTTPStatus.NOT_FOUND, OFF)
    accept = asked.call.request.headers.get("Accept", "")
    hub = await here.readings.hub()
    text, content_type = here.exposition.written(here.readings.host(), hub, accept)
    return web.Response(body=text, headers={**_NO_STORE, "Content-Type": content_type})


async def show_scale(here: Figures, asked: Asked) -> web.Response:
    """The signal."""
    found = await here.scale.now(asked[PER] or PER_HOST)
    body = {
        "backlog": found.backlog,
        "oldestSeconds": round(found.oldest_s, 3),
        "running": found.running,
        "hosts": found.hosts,
        "wantedHosts": found.wanted_hosts,
    }
    return answers.json_answer(body, headers=_NO_STORE)


OPERATIONS: tuple[Operation[Figures], ...] = (
    Operation(
        id="getMetrics",
        verb="GET",
        path="/metrics",
        summary="The metrics of this host, for Prometheus.",
        access=Need.READ,
        answers={
            200: Answer(text="The metrics.", content={"text/plain": None}),
            404: answer("They are switched off.", ERROR),
        },
        handler=show_metrics,
    ),
    Operation(
        id="getScale",
        verb="GET",
        path="/scale",
        summary="How much waits in the hub, and how many hosts it could use.",
        access=Need.READ,
        parameters=(PER,),
        answers={200: answer("The signal.", SCALE), 400: refused("The share is no number.")},
        handler=show_scale,
    ),
)
