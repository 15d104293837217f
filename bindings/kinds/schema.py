"""The JSON schema of function.json, made of the records of all kinds that are installed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from bindings.function_retry import RETRY_SCHEMA
from bindings.kinds.records import BindingKind, JsonSchema

DIALECT: Final = "http://json-schema.org/draft-07/schema#"
"""What editors know best."""
_SETTING: Final[JsonSchema] = {
    "type": "string",
    "pattern": "^%[^%]+%$",
    "description": "the app setting of this name",
}
_DISABLED: Final[JsonSchema] = {
    "anyOf": [{"type": "boolean"}, {"type": "string", "description": "an app setting"}],
    "description": "whether the function is switched off, or the app setting that says it",
}


def function_json_schema(kinds: Iterable[BindingKind]) -> JsonSchema:
    """The schema of a function.json that has bindings of these kinds.

    It is stricter than the host in one thing: types are to be written in the usual case.
    """
    known = tuple(kinds)
    return {
        "$schema": DIALECT,
        "title": "function.json",
        "description": "One function of an app: which code, and which bindings.",
        "type": "object",
        "required": ["bindings"],
        "properties": {
            "$schema": {"type": "string"},
            "scriptFile": {
                "type": "string",
                "description": "the Python file, relative to this folder",
            },
            "entryPoint": {
                "type": "string",
                "default": "main",
                "description": "the function in that file",
            },
            "disabled": _DISABLED,
            "retry": RETRY_SCHEMA,
            "bindings": {
                "type": "array",
                "minItems": 1,
                "description": "one trigger, and any number of inputs and outputs",
                "items": _binding(known),
                "contains": {"properties": {"type": {"enum": _triggers(known)}}},
            },
        },
    }


def _triggers(kinds: Iterable[BindingKind]) -> list[str]:
    return [kind.type for kind in kinds if kind.trigger is not None]


def _binding(kinds: Iterable[BindingKind]) -> JsonSchema:
    """Any binding: `type` says which properties it has."""
    known = tuple(kinds)
    return {
        "type": "object",
        "required": ["type", "name"],
        "properties": {
            "type": {"enum": [kind.type for kind in known]},
            "direction": {"enum": ["in", "out", "inout"]},
            "name": {
                "type": "string",
                "description": "the function's parameter, or $return for what it returns",
            },
        },
        "allOf": [
            {
                "if": {"required": ["type"], "properties": {"type": {"const": kind.type}}},
                "then": _of_kind(kind),
            }
            for kind in known
        ],
    }


def _of_kind(kind: BindingKind) -> JsonSchema:
    properties: Mapping[str, Any] = kind.schema["properties"]
    own = {name: _or_setting(schema) for name, schema in kind.properties.items()}
    return {**kind.schema, "properties": {**properties, **own}}


def _or_setting(schema: JsonSchema) -> JsonSchema:
    """The schema, or for what is no text anyway the name of a setting that holds it."""
    if schema.get("type") == "string" and "enum" not in schema and "pattern" not in schema:
        return schema
    about = {key: schema[key] for key in ("description", "default") if key in schema}
    return {**about, "anyOf": [schema, _SETTING]}
