"""The OpenAPI document, made of the records of operations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

from host.http.access import KEY_HEADER, Need
from host.http.operations import ALWAYS, Answer, Body, Operation
from host.http.parameters import Parameter, Place
from host.http.shapes import JSON, TEXT, JsonObject, Shape

_HEADER_KEY, _QUERY_KEY = "keyInHeader", "keyInQuery"


def document(version: str, operations: Iterable[Operation[Any]], *, has_keys: bool) -> JsonObject:
    """The document of a host with these operations."""
    parts = _Parts()
    paths: JsonObject = {}
    for each in operations:
        paths.setdefault(_path(each), {})[each.verb.lower()] = _operation(each, parts)
    return {
        "openapi": "3.1.0",
        "info": {"title": "funchost", "version": version, "summary": "Management of a hub's host."},
        "servers": [{"url": "/"}],
        "security": [{_HEADER_KEY: []}, {_QUERY_KEY: []}] if has_keys else [],
        "paths": paths,
        "components": {
            "schemas": parts.schemas,
            "parameters": parts.parameters,
            "securitySchemes": {
                _HEADER_KEY: {"type": "apiKey", "in": "header", "name": KEY_HEADER},
                _QUERY_KEY: {"type": "apiKey", "in": "query", "name": "code"},
            },
        },
    }


def _path(operation: Operation[Any]) -> str:
    """The path as OpenAPI writes it, which knows no parameter that takes several segments."""
    return operation.path.replace("{*", "{")


class _Parts:
    """What the document names, because several operations use it: shapes and parameters."""

    def __init__(self) -> None:
        self.schemas: JsonObject = {}
        self.parameters: JsonObject = {}

    def resolve(self, part: Any) -> Any:
        """A schema with references where it holds shapes."""
        match part:
            case Shape(name=name, schema=schema):
                if name not in self.schemas:
                    self.schemas[name] = {}  # a shape may hold itself
                    self.schemas[name] = self.resolve(schema)
                return {"$ref": f"#/components/schemas/{name}"}
            case dict():
                return {name: self.resolve(each) for name, each in part.items()}
            case list():
                return [self.resolve(each) for each in part]
        return part

    def parameter(self, parameter: Parameter[Any]) -> JsonObject:
        """A parameter: those of the path in full, any other one as a reference."""
        described: JsonObject = {
            "name": parameter.name,
            "in": parameter.place.value,
            "schema": self.resolve(parameter.schema),
            **parameter.style,
        }
        if parameter.is_required:
            described["required"] = True
        if parameter.place is Place.PATH:
            return described
        key = parameter.key or parameter.name
        self.parameters[key] = described | {"description": parameter.text}
        return {"$ref": f"#/components/parameters/{key}"}

    def content(self, content: Mapping[str, Any]) -> JsonObject:
        """A body by its content types."""
        return {
            kind: {} if form is None else {"schema": self.resolve(form)}
            for kind, form in content.items()
        }


def _operation(operation: Operation[Any], parts: _Parts) -> JsonObject:
    answers = {**ALWAYS, **operation.answers}
    is_open = operation.access is Need.NOTHING
    if is_open:
        del answers[HTTPStatus.UNAUTHORIZED]
    in_path = operation.parameters_in(Place.PATH)
    others = [each for each in operation.parameters if each not in in_path]
    described: JsonObject = {
        "operationId": operation.id,
        "summary": operation.summary,
        "parameters": [parts.parameter(each) for each in (*in_path, *others)],
        "responses": {
            str(int(status)): _answer(answers[status], parts) for status in sorted(answers)
        },
    }
    if operation.body is not None:
        described["requestBody"] = _body(operation.body, parts)
    if is_open:
        described["security"] = []
    else:
        described["x-role"] = operation.access.role
    return described


def _answer(answer: Answer, parts: _Parts) -> JsonObject:
    described: JsonObject = {"description": answer.text}
    if answer.content:
        described["content"] = parts.content(answer.content)
    always = {name: {"required": True, "schema": TEXT} for name in answer.headers}
    at_times = {name: {"schema": TEXT} for name in answer.some_headers}
    if headers := always | at_times:
        described["headers"] = headers
    return described


def _body(body: Body, parts: _Parts) -> JsonObject:
    described: JsonObject = {"content": parts.content({JSON: body.form, **body.others})}
    if body.text:
        described["description"] = body.text
    if body.is_required:
        described["required"] = True
    return described
