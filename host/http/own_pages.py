"""What the host says of itself at paths of its own: alive, ready, its OpenAPI document, its home.

Liveness and readiness are open to everybody and name no problem. The document names no function
and no instance, but it is shown to those only who may use the webhooks: whoever has no key learns
nothing of a host.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus

from aiohttp import web

from host.http import answers
from host.http.access import Need
from host.http.health import Health
from host.http.operations import Asked, Operation, answer
from host.http.shapes import JSON, TEXT, Shape, object_of

_NO_STORE = {"Cache-Control": "no-store"}

LIVENESS = Shape("Liveness", object_of({"status": {"const": "live"}}))
READINESS = Shape(
    "Readiness",
    object_of(
        {"status": {"enum": ["ready", "not ready"]}, "store": {"enum": ["working", "failing"]}}
    ),
)
OPENAPI = Shape(
    "OpenApi",
    object_of({"openapi": TEXT, "info": {"type": "object"}, "paths": {"type": "object"}}),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnPages:
    """The room. `document` is the OpenAPI document, written once.

    `home` is the path that `/` leads to; None if it leads nowhere.
    """

    health: Health
    home: str | None
    document: bytes


async def show_homepage(here: OwnPages, _asked: Asked) -> web.Response:
    """To the dashboard, for those who open the host in a browser."""
    if here.home is None:
        return answers.empty(HTTPStatus.NO_CONTENT)
    return answers.empty(HTTPStatus.SEE_OTHER, {"Location": here.home, **_NO_STORE})


async def show_liveness(_here: OwnPages, _asked: Asked) -> web.Response:
    """The process answers."""
    return answers.json_answer({"status": "live"}, headers=_NO_STORE)


async def show_readiness(here: OwnPages, _asked: Asked) -> web.Response:
    """The host works, or should be given no work for now; how its store is does not count."""
    store = "failing" if here.health.is_store_failing() else "working"
    if here.health.is_ready():
        return answers.json_answer({"status": "ready", "store": store}, headers=_NO_STORE)
    body = {"status": "not ready", "store": store}
    return answers.json_answer(body, HTTPStatus.SERVICE_UNAVAILABLE, _NO_STORE)


async def show_document(here: OwnPages, _asked: Asked) -> web.Response:
    """The OpenAPI document."""
    return web.Response(body=here.document, content_type=JSON, charset="utf-8")


OPERATIONS: tuple[Operation[OwnPages], ...] = (
    Operation(
        id="getHomepage",
        verb="GET",
        path="/",
        summary="Leads to the dashboard, unless a function has this path.",
        access=Need.NOTHING,
        answers={
            303: answer("To the dashboard.", None, "Location"),
            204: answer("There is none: AzureWebJobsDisableHomepage is set."),
        },
        handler=show_homepage,
        takes_any_verb=True,
    ),
    Operation(
        id="getLiveness",
        verb="GET",
        path="/healthz",
        summary="Whether the process lives: for load balancers and supervisors.",
        access=Need.NOTHING,
        answers={200: answer("It does.", LIVENESS)},
        handler=show_liveness,
        takes_any_verb=True,
    ),
    Operation(
        id="getReadiness",
        verb="GET",
        path="/readyz",
        summary="Whether this host should get work, whatever its store does; and how that is.",
        access=Need.NOTHING,
        answers={200: answer("It should.", READINESS), 503: answer("It should not.", READINESS)},
        handler=show_readiness,
        takes_any_verb=True,
    ),
    Operation(
        id="getOpenApi",
        verb="GET",
        path="/openapi.json",
        summary="This document.",
        access=Need.READ,
        answers={200: answer("The document.", OPENAPI)},
        handler=show_document,
    ),
)
