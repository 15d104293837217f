"""Routes that are taken as they are written, and are probably not meant so."""

from __future__ import annotations

import re
from collections.abc import Iterator

from host.functions.model import Oddity
from host.http.functions.routes import FunctionRoute, FunctionRoutes

_PARAMETER = "a part that is given by the caller is written {name}"
_ODD_TEXTS = (
    (re.compile(r"<\w[^>]*>"), _PARAMETER),
    (re.compile(r"^:\w"), _PARAMETER),
    (re.compile(r"\?"), "a query is no part of a route: leave it out, and read req.params"),
    (re.compile(r"\s"), "there is a blank in it"),
)
"""What literal parts of a route rarely have, and what to write instead."""


def odd_routes(routes: FunctionRoutes, prefix: str) -> Iterator[Oddity]:
    """The routes that hardly any request will find. `prefix` stands before all of them."""
    for route in routes.routes:
        reason = _reason(route, prefix.strip("/"))
        if reason is not None:
            path = routes.shown_path(route.function)
            text = f"its route is taken literally, as {path}: {reason}."
            yield Oddity(where=route.function.name, text=text)


def _reason(route: FunctionRoute, prefix: str) -> str | None:
    if prefix and f"{route.path}/".lower().startswith(f"/{prefix}/{prefix}/".lower()):
        return f"'{prefix}' stands before every route (routePrefix in host.json), leave it out"
    literals = [
        part for segment in route.template.segments for part in segment if isinstance(part, str)
    ]
    return next(
        (
            reason
            for pattern, reason in _ODD_TEXTS
            if any(pattern.search(each) for each in literals)
        ),
        None,
    )
