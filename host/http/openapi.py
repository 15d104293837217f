"""The OpenAPI document of the management API and the administration, at `/openapi.json`.

What it says of an operation is in `openapi_operations.py`, what many operations share in
`openapi_parts.py`. It names no function and no instance, but it is shown to those only who may use
the webhooks: whoever has no key learns nothing of a host.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any, TypeAlias

import pydantic_core
from aiohttp import web

from host.http.access import KEY_HEADER, Access, refused
from host.http.calls import Call
from host.http.management.links import WEBHOOKS
from host.http.openapi_operations import DESCRIPTIONS, Operation
from host.http.openapi_parts import ALWAYS, JSON, PARAMETERS, PATH_PARAMETERS, SCHEMAS
from host.http.operations import OperationTable, Route
from host.http.route_templates import Parameter, parse_template

JsonObject: TypeAlias = dict[str, Any]

PATH = "openapi.json"
HOST_ROUTES: tuple[Route, ...] = tuple(
    ("GET", path) for path in ("/", "/healthz", "/readyz", f"/{PATH}")
)
"""What the host answers by itself, without a table."""

_HEADER_KEY, _QUERY_KEY = "keyInHeader", "keyInQuery"


class OpenApi:
    """Answers requests for the document, which is written once."""

    def __init__(self, access: Access, version: str, routes: Iterable[Route]) -> None:
        self._access = access
        self._text = pydantic_core.to_json(document(version, routes, has_keys=access.has_keys))
        self._table = OperationTable({PATH: {"GET": self._show}})

    async def answer(self, call: Call) -> web.Response:
        """Answer a call of the document's path."""
        refusal = refused(self._access.to_webhooks(call))
        return await self._table.answer(call, call.segments) if refusal is None else refusal

    async def _show(self, _call: Call, _values: Mapping[str, str]) -> web.Response:
        return web.Response(body=self._text, content_type=JSON, charset="utf-8")


def document(version: str, routes: Iterable[Route], *, has_keys: bool) -> JsonObject:
    """The document of a host with these routes; those without a description are left out."""
    paths: JsonObject = {}
    for verb, path in routes:
        operation = DESCRIPTIONS.get((verb, path))
        if operation is not None:
            paths.setdefault(path, {})[verb.lower()] = _describe(path, operation)
    return {
        "openapi": "3.1.0",
        "info": {"title": "funchost", "version": version, "summary": "Management of a hub's host."},
        "servers": [{"url": "/"}],
        "security": [{_HEADER_KEY: []}, {_QUERY_KEY: []}] if has_keys else [],
        "paths": paths,
        "components": {
            "schemas": dict(SCHEMAS),
            "parameters": {name: {"name": name} | each for name, each in PARAMETERS.items()},
            "securitySchemes": {
                _HEADER_KEY: {"type": "apiKey", "in": "header", "name": KEY_HEADER},
                _QUERY_KEY: {"type": "apiKey", "in": "query", "name": "code"},
            },
        },
    }


def _describe(path: str, operation: Operation) -> JsonObject:
    answers = {**ALWAYS, **operation.answers}
    if operation.is_open:
        del answers[HTTPStatus.UNAUTHORIZED]
    shared = ("taskHub",) if path.startswith(WEBHOOKS) else ()
    described: JsonObject = {
        "operationId": operation.operation_id,
        "summary": operation.summary,
        "parameters": _path_parameters(path)
        + [
            {"$ref": f"#/components/parameters/{name}"} for name in (*shared, *operation.parameters)
        ],
        "responses": {str(status): answers[status] for status in sorted(answers)},
    }
    if operation.body is not None:
        described["requestBody"] = operation.body
    if operation.is_open:
        described["security"] = []
    return described


def _path_parameters(path: str) -> list[JsonObject]:
    parts = (part for segment in parse_template(path).segments for part in segment)
    return [
        {"name": part.name, "in": "path", "required": True, "schema": PATH_PARAMETERS[part.name]}
        for part in parts
        if isinstance(part, Parameter)
    ]
