"""The binding types that a function may use, and what may stand in each.

A new type of binding is a new row of `_DIRECTIONS`. Names are compared without regard to case
everywhere and are written as here from then on, so that nobody after this file folds case again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from bindings.errors import FunctionDefinitionError
from bindings.functions import RETURN, Binding, Direction
from bindings.http import AuthLevel

ORCHESTRATION_TRIGGER: Final = "orchestrationTrigger"
ACTIVITY_TRIGGER: Final = "activityTrigger"
HTTP_TRIGGER: Final = "httpTrigger"
MANUAL_TRIGGER: Final = "manualTrigger"
HTTP: Final = "http"
ORCHESTRATION_CLIENT: Final = "orchestrationClient"
DURABLE_CLIENT: Final = "durableClient"

CLIENT_TYPES: Final = frozenset({ORCHESTRATION_CLIENT, DURABLE_CLIENT})

_IN: Final = (Direction.IN,)
_OUT: Final = (Direction.OUT,)
_DIRECTIONS: Final[Mapping[str, tuple[Direction, ...]]] = {
    ORCHESTRATION_TRIGGER: _IN,
    ACTIVITY_TRIGGER: _IN,
    HTTP_TRIGGER: _IN,
    MANUAL_TRIGGER: _IN,
    HTTP: _OUT,
    ORCHESTRATION_CLIENT: _IN + _OUT,
    DURABLE_CLIENT: _IN + _OUT,
}
_TYPES: Final = {name.lower(): name for name in _DIRECTIONS}
_PROPERTIES: Final = {
    name.lower(): name
    for name in (
        "activity",
        "atMostOnce",
        "authLevel",
        "connectionName",
        "dataType",
        "methods",
        "orchestration",
        "route",
        "taskHub",
    )
}
_METHODS: Final = ("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS")
_RESERVED_ROUTES: Final = ("admin", "runtime")


def normalize(binding: Binding) -> Binding:
    """The binding with its type and properties written in the usual case.

    Raises `FunctionDefinitionError` for a type or direction that does not exist.
    """
    kind = _TYPES.get(binding.type.lower())
    if kind is None:
        raise FunctionDefinitionError(
            f"The binding type '{binding.type}' is not supported. Supported types: "
            f"{', '.join(_DIRECTIONS)}."
        )
    _check_direction(kind, binding)
    properties = {
        _PROPERTIES.get(name.lower(), name): value
        for name, value in binding.properties.items()
        if value is not None
    }
    return Binding(type=kind, direction=binding.direction, name=binding.name, properties=properties)


def _check_direction(kind: str, binding: Binding) -> None:
    allowed = _DIRECTIONS[kind]
    if binding.direction not in allowed:
        raise FunctionDefinitionError(
            f"The {kind} binding '{binding.name}' has the direction '{binding.direction}'; "
            f"it must be {' or '.join(allowed)}."
        )
    if binding.name == RETURN and binding.direction is not Direction.OUT:
        raise FunctionDefinitionError(
            f"The {kind} binding is named '{RETURN}', which only outputs can be: "
            "name the parameter that receives its value."
        )


def complete_http_trigger(
    trigger: Binding, function_name: str, default_auth_level: AuthLevel | str
) -> Binding:
    """The trigger with route and auth level filled in and, if restricted, upper-case methods."""
    given = trigger.properties
    properties = {
        **given,
        "route": _route(given.get("route"), function_name),
        "authLevel": _auth_level(given.get("authLevel", default_auth_level)).value,
        "methods": _methods(given.get("methods", ())),
    }
    if not properties["methods"]:
        del properties["methods"]
    return Binding(
        type=trigger.type, direction=trigger.direction, name=trigger.name, properties=properties
    )


def _route(route: Any, function_name: str) -> str:
    if route is not None and not isinstance(route, str):
        raise FunctionDefinitionError(f"The route must be a text, not {route!r}.")
    path = (route or "").strip("/") or function_name
    if path.lower().startswith(_RESERVED_ROUTES):
        raise FunctionDefinitionError(
            f"The route '{path}' starts with '{path.split('/')[0]}': routes that start with "
            f"{' or '.join(_RESERVED_ROUTES)} belong to the host. Choose another one."
        )
    return path


def _auth_level(level: Any) -> AuthLevel:
    try:
        return AuthLevel(str(level).lower())
    except ValueError:
        raise FunctionDefinitionError(
            f"The auth level '{level}' does not exist; it is one of {', '.join(AuthLevel)}."
        ) from None


def _methods(methods: Any) -> list[str]:
    if isinstance(methods, str):
        methods = [methods]
    if not isinstance(methods, Iterable):
        raise FunctionDefinitionError(f"The methods must be a list of names, not {methods!r}.")
    names = [str(method).upper() for method in methods]
    for name in names:
        if name not in _METHODS:
            raise FunctionDefinitionError(
                f"The HTTP method '{name}' does not exist; use {', '.join(_METHODS)}."
            )
    return list(dict.fromkeys(names))
