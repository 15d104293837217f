"""A table of operations: which path and verb does what. Used for everything but functions.

An unknown path is 404. A known path with another verb is 405 and says in `Allow` which verbs there
are. Refusals of the hub become their answers here; any other error is the host's and becomes 500.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from http import HTTPStatus
from typing import TypeAlias

from aiohttp import web

from bindings.errors import FunchostError
from host.http import answers
from host.http.calls import Call
from host.http.route_templates import RouteTemplate, parse_template

Handler: TypeAlias = Callable[[Call, Mapping[str, str]], Awaitable[web.Response]]
Route: TypeAlias = tuple[str, str]
"""A verb and a path whose parameters stand in braces."""


class OperationTable:
    """Operations by route template and verb."""

    def __init__(self, operations: Mapping[str, Mapping[str, Handler]]) -> None:
        self._operations: tuple[tuple[RouteTemplate, Mapping[str, Handler]], ...] = tuple(
            (parse_template(template), handlers) for template, handlers in operations.items()
        )

    def routes(self, base: str) -> list[Route]:
        """All routes, below this base. A path whose end is optional is two."""
        return [
            (verb, f"{base}/{path}")
            for template, handlers in self._operations
            for path in template.plain_paths
            for verb in handlers
        ]

    async def answer(self, call: Call, path: Sequence[str]) -> web.Response:
        """Do what the path and the verb say. Never raises but for a lost connection."""
        for template, handlers in self._operations:
            values = template.match(path)
            if values is not None:
                handler = handlers.get(call.method)
                return (
                    _not_allowed(handlers)
                    if handler is None
                    else await _do(handler, call, values, f"{call.method} {template.text}")
                )
        return answers.empty(HTTPStatus.NOT_FOUND)


async def _do(handler: Handler, call: Call, values: Mapping[str, str], what: str) -> web.Response:
    try:
        return await handler(call, values)
    except FunchostError as error:
        refusal = answers.refusal(error)
        return answers.fault(error, what) if refusal is None else refusal
    except ConnectionError:
        raise  # the client is gone: there is nobody to answer
    except Exception as error:  # noqa: BLE001 - logged by fault; a client never sees a traceback
        return answers.fault(error, what)


def _not_allowed(handlers: Mapping[str, Handler]) -> web.Response:
    verbs = ", ".join(handlers)
    return answers.message(
        HTTPStatus.METHOD_NOT_ALLOWED, f"This URL takes {verbs} only.", {"Allow": verbs}
    )
