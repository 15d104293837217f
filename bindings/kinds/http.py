"""`httpTrigger` and `http`: the function answers requests."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from bindings.bodies import check_stream, reader_of
from bindings.errors import FunctionDefinitionError
from bindings.functions import RETURN, Binding, Direction
from bindings.http import AuthLevel, HttpRequest, RequestHead
from bindings.kinds.decorating import Decorating, F, check_called
from bindings.kinds.records import BindingKind, FunctionFacts, Reply, Trigger
from bindings.shown_values import shown_value

_TRIGGER_TYPE: Final = "httpTrigger"
_OUTPUT_TYPE: Final = "http"
METHODS: Final = ("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS")
_RESERVED_ROUTES: Final = ("admin", "runtime")


class HttpDecorators(Decorating):
    """The decorator of HTTP functions."""

    def route(
        self,
        route: str | None = None,
        trigger_arg_name: str | None = None,
        binding_arg_name: str = RETURN,
        methods: Sequence[str] | str | None = None,
        auth_level: AuthLevel | str | None = None,
        *,
        data_type: str | None = None,
    ) -> Callable[[F], F]:
        """Run the function for HTTP requests; `route` defaults to its name, methods to all.

        What its parameter is annotated with decides what it gets of the request.
        """
        check_called(route, "route")
        trigger = self.add_binding(
            _TRIGGER_TYPE,
            Direction.IN,
            trigger_arg_name,
            route=route,
            methods=methods,
            authLevel=auth_level,
            dataType=data_type,
        )
        output = self.add_binding(_OUTPUT_TYPE, Direction.OUT, binding_arg_name)
        return lambda function: output(trigger(function))


def _complete(trigger: Binding, facts: FunctionFacts) -> Binding:
    """With route and auth level filled in and, if restricted, upper-case methods."""
    given = trigger.properties
    properties = {
        **given,
        "route": _route(given.get("route"), facts.name),
        "authLevel": _auth_level(given.get("authLevel", facts.auth_level)).value,
        "methods": _methods(given.get("methods", ())),
    }
    if not properties["methods"]:
        del properties["methods"]
    return Binding(
        type=trigger.type, direction=trigger.direction, name=trigger.name, properties=properties
    )


def _route(route: Any, function_name: str) -> str:
    if route is not None and not isinstance(route, str):
        raise FunctionDefinitionError(f"The route must be a text, not {shown_value(route)}.")
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
        raise FunctionDefinitionError(
            f"The methods must be a list of names, not {shown_value(methods)}."
        )
    names = [str(method).upper() for method in methods]
    for name in names:
        if name not in METHODS:
            raise FunctionDefinitionError(
                f"The HTTP method '{name}' does not exist; use {', '.join(METHODS)}."
            )
    return list(dict.fromkeys(names))


def _by_hand(text: str | None, url: str) -> HttpRequest:
    return HttpRequest(
        method="POST",
        url=url,
        headers={"Content-Type": "application/json"},
        body=(text or "").encode("utf-8", "replace"),
    )


def _data(request: RequestHead) -> Mapping[str, object]:
    """Parts of the route before fields of the query, and these before properties of the body.

    A body that comes as a stream has none: it is not there yet.
    """
    try:
        body = request.json() if isinstance(request, HttpRequest) else None
    except ValueError:
        body = None
    query = {name: value for name, value in request.params.items() if name != "code"}
    parts = {"Query": query, "Headers": request.headers}
    properties = body if isinstance(body, dict) else {}
    return {**parts, **properties, **query, **request.route_params}


def _shown(trigger: Binding, functions_url: str) -> str:
    methods = ",".join(trigger.properties.get("methods", ())) or "any verb"
    return f"[{methods}] {functions_url}/{trigger.properties['route']}"


HTTP_TRIGGER = BindingKind(
    type=_TRIGGER_TYPE,
    about="an `HttpRequest`; annotated otherwise, the body as that (JSON, `str`, `bytes`)",
    trigger=Trigger(
        decorator="route",
        check=check_stream,
        read=reader_of,
        by_hand=_by_hand,
        shown=_shown,
        data=_data,
        instead_of_retry=(
            "its caller waits for the answer; start an orchestration, whose activities have a "
            "retry_policy"
        ),
    ),
    properties={
        "route": {"type": "string", "description": "the path; the function's name if absent"},
        "methods": {
            "type": "array",
            "items": {"type": "string"},
            "description": "the verbs; all if absent",
        },
        "authLevel": {
            "type": "string",
            "enum": [level.value for level in AuthLevel],
            "default": AuthLevel.FUNCTION.value,
            "description": "which key a request needs on a host with keys",
        },
        "dataType": {
            "type": "string",
            "enum": ["stream"],
            "description": "the parameter is a `StreamingRequest`, as if it were annotated with it",
        },
    },
    annotation=HttpRequest,
    customary_names=("req",),
    default_name="req",
    complete=_complete,
)
HTTP = BindingKind(type=_OUTPUT_TYPE, about="the answer to the request", output=Reply())
