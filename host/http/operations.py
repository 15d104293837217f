"""Operations: one record says what one verb at one path does, how it is asked, and who may.

The routing (`routing.py`), the OpenAPI document (`openapi.py`) and the tables of the reference are
made from these records. A new operation is a record and its handler.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Generic, TypeAlias, TypeVar

from aiohttp import web

from host.http.access import Need
from host.http.by_state import ByState
from host.http.calls import Call
from host.http.link_tokens import Use
from host.http.parameters import Parameter, Place, Values
from host.http.shapes import ERROR, JSON, Form, JsonObject

T = TypeVar("T")
R = TypeVar("R")

Handler: TypeAlias = "Callable[[R, Asked], Awaitable[web.Response]]"
"""Answers one operation; gets its room, which has all that the room's operations work with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """The body that an operation takes. Without `text` its schema says it all."""

    text: str = ""
    form: Form
    is_required: bool = False
    others: Mapping[str, Form] = field(default_factory=dict)
    """By content type: what it may be besides JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer of an operation: its body by content type, and the headers that it always has."""

    text: str
    content: Mapping[str, Form | None]
    headers: tuple[str, ...] = ()
    some_headers: tuple[str, ...] = ()
    """Headers that it has at times."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Operation(Generic[R]):
    """One operation.

    `path` is all of the path, its parameters in braces. `link` says which links of an instance open
    the operation besides keys; None if no link does. `answers` says what `ALWAYS` does not.
    """

    id: str
    verb: str
    path: str
    summary: str
    access: Need
    handler: Handler[R]
    answers: Mapping[int, Answer]
    parameters: tuple[Parameter[Any], ...] = ()
    body: Body | None = None
    link: Use | None = None
    by_state: ByState | None = None
    """Of an operation on one instance: its other doors, and what it answers in which state."""
    is_everyday: bool = False
    """Whether it is what the hub is for, such as a start: the audit leaves it out."""
    takes_any_verb: bool = False
    """Whether other verbs do the same: load balancers check health with whatever they like."""

    def parameters_in(self, place: Place) -> list[Parameter[Any]]:
        """Those that stand there."""
        return [each for each in self.parameters if each.place is place]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A call of an operation. `asked[PARAMETER]` is what it says, as its record reads it."""

    operation: Operation[Any]
    call: Call
    values: Values

    def __getitem__(self, parameter: Parameter[T]) -> T:
        """Raises `InvalidArgumentError` for what cannot be read."""
        if parameter not in self.operation.parameters:
            raise LookupError(f"{self.operation.id} does not declare {parameter.name}")
        return parameter.read(self.call, self.values)

    async def body(self, limit: int, setting: str | None = None) -> bytes:
        """The whole body, at most so many bytes. Raises what `HeldBody.read` does.

        `setting` is what the limit is called where it can be raised; None if it is fixed.
        """
        if self.operation.body is None:
            raise LookupError(f"{self.operation.id} does not declare a body")
        return await self.call.body(limit, setting)


def answer(text: str, form: Form | None = None, *headers: str) -> Answer:
    """An answer, with a JSON body if there is a schema for it."""
    return Answer(text=text, content={} if form is None else {JSON: form}, headers=headers)


def refused(text: str, form: Form = ERROR) -> Answer:
    """The answer 400."""
    return answer(text, form)


ANY_JSON: JsonObject = {}
"""The schema of a body that may be any JSON."""

ALWAYS: Mapping[int, Answer] = {
    HTTPStatus.BAD_REQUEST: refused("The request cannot be read."),
    HTTPStatus.UNAUTHORIZED: answer("No key, or an unknown one.", ERROR),
    HTTPStatus.FORBIDDEN: answer(
        "The key opens something else; without keys: the request is of another site, or came "
        "through a proxy.",
        ERROR,
    ),
    HTTPStatus.REQUEST_TIMEOUT: answer("The body did not come in time.", ERROR),
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: answer(
        "The body is packed in an unknown way.", ERROR, "Accept-Encoding"
    ),
    HTTPStatus.MISDIRECTED_REQUEST: answer(
        "Without keys: the Host header names no loopback host.", ERROR
    ),
    HTTPStatus.TOO_MANY_REQUESTS: answer("Too many requests wait already.", ERROR, "Retry-After"),
    HTTPStatus.INTERNAL_SERVER_ERROR: answer("The host failed; its log says how.", ERROR),
    HTTPStatus.SERVICE_UNAVAILABLE: answer(
        "The store is out of reach, or it or the host was asked too much: ask again later.",
        ERROR,
        "Retry-After",
    ),
}
"""What any operation that keys guard may answer; each may say more of it."""
