"""Which HTTP function a path and verb mean.

Routes are tried from the most to the least specific; one whose verbs do not include the request's
is passed over, so a wrong verb is no route at all. A function whose route cannot be understood, is
reserved, or is taken by another one becomes a broken function.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from bindings.bodies import takes_stream
from bindings.http import AuthLevel
from bindings.kinds.http import HTTP_TRIGGER, METHODS
from host.functions.model import App, BrokenFunction, HostFunction
from host.http.route_constraints import RouteTemplateError
from host.http.route_templates import RouteTemplate, Shape, parse_template

RESERVED = frozenset(
    {"admin", "dashboard", "healthz", "metrics", "openapi.json", "readyz", "runtime", "scale"}
)

_KEPT: Final = 512
"""So many paths are remembered with their route: most requests ask for the same few."""
_SHORT: Final = 32
"""Those of more segments are not: many small ones take far more room than their path."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionRoute:
    """One HTTP function at its path. No `methods` means all of them."""

    function: HostFunction
    template: RouteTemplate
    methods: tuple[str, ...]
    auth_level: AuthLevel
    takes_stream: bool = False
    """Whether the body is not to be read before the function runs."""

    @property
    def path(self) -> str:
        """The path as its author wrote it, with the prefix."""
        return f"/{self.template.text}"

    def takes(self, method: str) -> bool:
        """Whether the route is for this verb."""
        return not self.methods or method in self.methods

    def overlaps(self, other: FunctionRoute) -> bool:
        """Whether a request could mean either."""
        shared = set(self.methods) & set(other.methods)
        return not self.methods or not other.methods or bool(shared)


def route_functions(app: App, prefix: str) -> tuple[App, FunctionRoutes]:
    """The app without the functions whose route is impossible (they are broken), and the routes."""
    routes = FunctionRoutes(app.functions, prefix)
    names = {each.name for each in routes.broken}
    working = tuple(each for each in app.functions if each.name not in names)
    return replace(app, functions=working, broken=app.broken + routes.broken), routes


class FunctionRoutes:
    """The routes of an app, and the functions whose route is impossible."""

    def __init__(self, functions: Iterable[HostFunction], prefix: str) -> None:
        self._prefix = prefix
        self._by_shape: dict[Shape, list[FunctionRoute]] = {}
        broken: list[BrokenFunction] = []
        for function in functions:
            if function.declaration.trigger.type == HTTP_TRIGGER.type:
                try:
                    self._add(function)
                except RouteTemplateError as error:
                    broken.append(_broken(function, error))
        self.broken = tuple(broken)
        routes = [route for routes in self._by_shape.values() for route in routes]
        self.routes = tuple(sorted(routes, key=lambda route: route.template.precedence))
        self._remembered = lru_cache(_KEPT)(self._search)

    def find(
        self, path: tuple[str, ...], method: str
    ) -> tuple[FunctionRoute, dict[str, str]] | None:
        """The route that is meant and its parameters' values. What takes GET takes HEAD."""
        find = self._remembered if len(path) <= _SHORT else self._search
        found = find(path, method)
        return None if found is None else (found[0], dict(found[1]))  # which a function may change

    def _search(
        self, path: tuple[str, ...], method: str
    ) -> tuple[FunctionRoute, dict[str, str]] | None:
        for route in self.routes:
            values = route.template.match(path) if route.takes(method) else None
            if values is not None:
                return route, values
        return self._search(path, "GET") if method == "HEAD" else None

    def methods_at(self, path: Sequence[str]) -> tuple[str, ...]:
        """The verbs that this path takes, OPTIONS among them; none if nothing is there."""
        there = [route for route in self.routes if route.template.match(path) is not None]
        if not there:
            return ()
        taken = {method for method in METHODS if any(route.takes(method) for route in there)}
        if "GET" in taken:
            taken.add("HEAD")
        taken.add("OPTIONS")
        return tuple(method for method in METHODS if method in taken)

    def route_of(self, name: str) -> FunctionRoute | None:
        """The route of a function, by its name."""
        return next((route for route in self.routes if route.function.name == name), None)

    def shown_path(self, function: HostFunction) -> str | None:
        """The path as it was written: an app setting's name, not its value."""
        route = self.route_of(function.name)
        if route is None or not function.written:
            return None if route is None else route.path
        written = function.shown_bindings[0].properties.get("route", function.name)
        return f"/{self._prefix}/{written}".replace("//", "/")

    def _add(self, function: HostFunction) -> None:
        route = self._route(function)
        same = self._by_shape.setdefault(route.template.shape, [])
        for other in same:
            if route.overlaps(other):
                raise RouteTemplateError(
                    f"The route '{route.path}' is taken by the function '{other.function.name}'; "
                    "give one of them another route or other methods."
                )
        same.append(route)

    def _route(self, function: HostFunction) -> FunctionRoute:
        properties = function.declaration.trigger.properties
        full = f"{self._prefix}/{properties['route']}".strip("/")
        if full.partition("/")[0].lower() in RESERVED:
            raise RouteTemplateError(f"The path '/{full}' is reserved for the host itself.")
        return FunctionRoute(
            function=function,
            template=parse_template(full),
            methods=tuple(properties.get("methods", ())),
            auth_level=AuthLevel(properties["authLevel"]),
            takes_stream=takes_stream(function.declaration.function, function.declaration.trigger),
        )


def _broken(function: HostFunction, error: RouteTemplateError) -> BrokenFunction:
    return BrokenFunction(name=function.name, directory=function.directory, error=str(error))
