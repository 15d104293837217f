"""Parameters of operations: what a request may say besides its body, described and read as one.

A handler reads a parameter by its record only, so what is read is what is documented. Names in a
query are in any case. A value that cannot be read raises `InvalidArgumentError`, when it is read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any, Generic, TypeAlias, TypeVar

from bindings.errors import InvalidArgumentError
from host.http import shapes
from host.http.calls import Call
from host.http.query import Query
from host.http.shapes import JsonObject

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
Values: TypeAlias = Mapping[str, str]


class Place(StrEnum):
    """Where in a request a parameter stands."""

    PATH = "path"
    QUERY = "query"
    HEADER = "header"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Parameter(Generic[T_co]):
    """One parameter. `read` gets the call, and the values of the path's parameters.

    `key` names it in the OpenAPI document if another parameter has the same `name`, and `style`
    says there how it is written.
    """

    name: str
    text: str
    schema: JsonObject
    read: Callable[[Call, Values], T_co]
    place: Place = Place.QUERY
    is_required: bool = False
    key: str = ""
    style: JsonObject = field(default_factory=dict)


def in_query(
    name: str, text: str, schema: JsonObject, read: Callable[[Query, str], T], **more: Any
) -> Parameter[T]:
    """A parameter of the query, read by one of the methods of `Query`."""
    return Parameter(
        name=name, text=text, schema=schema, read=lambda call, _: read(call.query, name), **more
    )


def in_path(name: str, text: str, schema: JsonObject = shapes.NAME) -> Parameter[str]:
    """A parameter of the path, which is there and not empty; `text` says in words what it is."""
    return Parameter(
        name=name,
        text=text,
        schema=schema,
        read=lambda _, values: values[name],
        place=Place.PATH,
        is_required=True,
    )


def in_header(name: str, text: str) -> Parameter[str | None]:
    """A header; None if it is missing or empty."""
    return Parameter(
        name=name,
        text=text,
        schema=shapes.TEXT,
        read=lambda call, _: call.request.headers.get(name) or None,
        place=Place.HEADER,
    )


def in_one_header(name: str, text: str) -> Parameter[str | None]:
    """A header that is there once with a value, or not at all: None."""

    def read(call: Call, _: Values) -> str | None:
        said = call.request.headers.getall(name, [])
        if said and (len(said) > 1 or not said[0].strip()):
            raise InvalidArgumentError(f"The header {name} is to be there once, and not empty.")
        return said[0] if said else None

    return Parameter(name=name, text=text, schema=shapes.TEXT, read=read, place=Place.HEADER)


def text(name: str, meaning: str) -> Parameter[str | None]:
    """A text as it is; None if it is missing."""
    return in_query(name, meaning, shapes.TEXT, Query.text)


def flag(name: str, meaning: str, *, default: bool) -> Parameter[bool]:
    """True or false."""
    return in_query(
        name, meaning, shapes.FLAG, lambda query, name: query.flag(name, default=default)
    )


def choice(name: str, meaning: str, members: Mapping[str, T]) -> Parameter[T | None]:
    """One of these, by its name in any case; None if it is missing."""
    schema = {"type": "string", "enum": list(members)}
    return in_query(name, meaning, schema, lambda query, name: query.member(name, members))


def positive(name: str, meaning: str) -> Parameter[int | None]:
    """A whole number from 1 on; None if it is missing."""
    return in_query(name, meaning, shapes.POSITIVE, Query.positive)


def seconds(name: str, meaning: str) -> Parameter[float | None]:
    """A number of seconds; None if it is missing."""
    return in_query(name, meaning, shapes.SECONDS, Query.seconds)


def span(name: str, meaning: str) -> Parameter[timedelta | None]:
    """How long; None if it is missing."""
    return in_query(name, meaning, shapes.TEXT, Query.span)


DRY_RUN = flag("dryRun", "Only count them, and do nothing.", default=False)
