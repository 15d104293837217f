"""Loading the app anew while the host serves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus

from aiohttp import web

from host.errors import ConfigurationError
from host.http import answers
from host.http.access import Need
from host.http.admin.room import Administration
from host.http.operations import Asked, Operation, answer
from host.http.shapes import COUNT, ERROR, TEXT, JsonObject, Shape, list_of, object_of

MAX_IDS = 100

RELOADED = Shape(
    "Reloaded",
    object_of(
        {
            "functions": COUNT | {"description": "How many there are now."},
            "added": list_of(TEXT),
            "removed": list_of(TEXT),
            "broken": list_of(
                object_of(
                    {
                        "name": TEXT,
                        "error": TEXT,
                        "goesOn": list_of(TEXT)
                        | {"description": "Functions of it whose former version goes on."},
                    }
                )
            ),
            "remarks": list_of(TEXT) | {"description": "What does not count yet, and why."},
            "onFormerVersion": list_of(
                object_of(
                    {
                        "orchestrator": TEXT,
                        "instances": COUNT,
                        "instanceIds": list_of(TEXT) | {"description": "Some of them."},
                    }
                )
            )
            | {
                "description": "Instances whose history the new code does not fit. Not there if "
                "that is not known yet."
            },
        },
        "onFormerVersion",
    ),
)


async def reload(here: Administration, _asked: Asked) -> web.Response:
    """Load the app anew."""
    try:
        found = await here.reload()
    except ConfigurationError as error:
        return answers.message(HTTPStatus.CONFLICT, f"The app stays as it was. {error}")
    broken = [
        {"name": each.name, "error": each.error, "goesOn": list(each.goes_on)}
        for each in found.broken
    ]
    return answers.json_answer(
        {
            "functions": found.functions,
            "added": list(found.added),
            "removed": list(found.removed),
            "broken": broken,
            "remarks": list(found.remarks),
            **_on_former(found.on_former),
        }
    )


def _on_former(found: Mapping[str, Sequence[str]] | None) -> JsonObject:
    if found is None:
        return {}
    shown = [
        {"orchestrator": name, "instances": len(ids), "instanceIds": list(ids[:MAX_IDS])}
        for name, ids in found.items()
    ]
    return {"onFormerVersion": shown}


OPERATIONS: tuple[Operation[Administration], ...] = (
    Operation(
        id="reloadApp",
        verb="POST",
        path="/admin/host/reload",
        summary="Load the app anew; what does not load any more goes on as it was.",
        access=Need.ADMIN,
        answers={
            200: answer("The version that is there now counts.", RELOADED),
            409: answer("The settings cannot be read: the app stays as it was.", ERROR),
        },
        handler=reload,
    ),
)
