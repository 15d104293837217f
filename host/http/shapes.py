"""The shapes of JSON in requests and answers, as JSON schemas for the OpenAPI document.

A `Shape` has a name there, and is written once however many operations use it: a schema holds it
wherever its reference will stand.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

JsonObject: TypeAlias = dict[str, Any]
Form: TypeAlias = "JsonObject | Shape"

JSON = "application/json"


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """A schema with a name, which is unique in the document."""

    name: str
    schema: JsonObject


TEXT: JsonObject = {"type": "string"}
FLAG: JsonObject = {"type": "boolean"}
COUNT: JsonObject = {"type": "integer", "minimum": 0}
POSITIVE: JsonObject = {"type": "integer", "minimum": 1}
SECONDS: JsonObject = {"type": "number", "minimum": 0}
TIME: JsonObject = {"type": "string", "format": "date-time"}
URL: JsonObject = {"type": "string", "minLength": 1}
NAME: JsonObject = {"type": "string", "minLength": 1}
ANY: JsonObject = {"description": "Any JSON value."}


def object_of(members: Mapping[str, Form], *optional: str) -> JsonObject:
    """An object that has these members; only those that are named again may be missing."""
    required = [name for name in members if name not in optional]
    return {"type": "object", "properties": dict(members), "required": required}


def list_of(items: Form) -> JsonObject:
    """An array."""
    return {"type": "array", "items": items}


ERROR = Shape(
    "Error",
    object_of(
        {
            "Message": TEXT,
            "ExceptionMessage": TEXT,
            "ExceptionType": TEXT,
            "StackTrace": {"const": ""},
        },
        "ExceptionMessage",
        "ExceptionType",
        "StackTrace",
    ),
)
