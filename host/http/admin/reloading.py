"""Loading the app anew while the host serves."""

from __future__ import annotations

from http import HTTPStatus

from aiohttp import web

from host.errors import ConfigurationError
from host.http import answers
from host.http.access import Need
from host.http.admin.room import Administration
from host.http.operations import Asked, Operation, answer
from host.http.shapes import COUNT, ERROR, TEXT, Shape, list_of, object_of

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
        }
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
        }
    )


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
