"""Answers of the host itself, and the table from the errors of other layers to status codes.

Error bodies have Durable Functions' PascalCase members; clients read `ExceptionMessage`. An error
that is not in the table is a fault of the host: it is logged, and the client is told nothing of it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final, NamedTuple

import pydantic_core
from aiohttp import web

from bindings.errors import (
    EntityNotLockedError,
    FunchostError,
    FunctionNotFoundError,
    InboxFullError,
    InstanceAlreadyExistsError,
    InstanceNotFoundError,
    InstanceStateError,
    InvalidArgumentError,
    PayloadTooLargeError,
    SerializationError,
    TooManyWaitsError,
)
from host.errors import (
    DamagedDataError,
    JobEndedError,
    JobNotFoundError,
    ScheduleNotFoundError,
    ScheduleStateError,
    StorageUnavailableError,
)
from host.http import raw_json
from host.http.refusals import RefusalError
from host.http.whole_responses import WholeResponse
from host.logs import HostLog

BAD_ARGUMENT = "One or more of the arguments submitted is incorrect"
BAD_JSON = "Invalid JSON content"
INTERNAL_ERROR = "Something went wrong while processing your request"
NOTHING_HERE = (
    "Nothing here has this path and takes this method. GET /admin/functions lists the functions."
)
NO_KEY = "This needs a key, in the header x-functions-key, and there is none, or an unknown one."
WRONG_KEY = "The key exists, and opens something else."
TOO_MUCH_RUNS = "As many requests wait for functions as may (maxOutstandingRequests)."
BODY_TOO_LARGE = "The body is larger than the host takes."
FUNCTION_FAILED = "The function failed. The host's log says how."
STARTING = "The host is starting: it waits for its store; try again later"
UNAVAILABLE = "The host cannot store anything right now; try again later"


class StoreFailure(NamedTuple):
    """What failed, and why: one line for all requests says it, not one for each."""

    what: str
    error: StorageUnavailableError


BY_FUNCTION: Final = "function"
BY_NOBODY: Final = "none"
"""How answers are counted that are a function's, and those of no operation."""
OPERATION = web.ResponseKey("operation", str)
"""Which operation an answer is of, for who counts them."""
FUNCTION = web.ResponseKey("function", str)
"""The function that made an answer."""
STORE_FAILURE = web.ResponseKey("store failure", StoreFailure)
"""What an answer carries that the store is to blame for."""

_log = HostLog(__name__)

EXTRA_HEADERS: Mapping[int, Mapping[str, str]] = {
    HTTPStatus.TOO_MANY_REQUESTS: {"Retry-After": "5"},
    HTTPStatus.SERVICE_UNAVAILABLE: {"Retry-After": "5"},
}
"""What answers of these statuses say besides."""

_REFUSALS: tuple[tuple[type[FunchostError], HTTPStatus, str], ...] = (
    (PayloadTooLargeError, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The content is too large"),
    (SerializationError, HTTPStatus.BAD_REQUEST, BAD_JSON),
    (InvalidArgumentError, HTTPStatus.BAD_REQUEST, BAD_ARGUMENT),
    (InboxFullError, HTTPStatus.TOO_MANY_REQUESTS, "Too much waits for the instance already"),
    (TooManyWaitsError, HTTPStatus.TOO_MANY_REQUESTS, "Too many requests wait already"),
    (FunctionNotFoundError, HTTPStatus.BAD_REQUEST, BAD_ARGUMENT),
    (InstanceAlreadyExistsError, HTTPStatus.CONFLICT, "The instance exists already"),
    (InstanceStateError, HTTPStatus.CONFLICT, "The instance's state does not allow this"),
    (EntityNotLockedError, HTTPStatus.CONFLICT, "The entity is not locked, or by another"),
    (ScheduleNotFoundError, HTTPStatus.NOT_FOUND, "There is no such timer"),
    (ScheduleStateError, HTTPStatus.CONFLICT, "The timer's state does not allow this"),
    (JobNotFoundError, HTTPStatus.NOT_FOUND, "There is no such job"),
    (JobEndedError, HTTPStatus.GONE, "The job is over"),
    (DamagedDataError, HTTPStatus.INTERNAL_SERVER_ERROR, "The instance is damaged"),
)


def empty(status: int, headers: Mapping[str, str] | None = None) -> web.Response:
    """An answer without any content."""
    return web.Response(status=status, headers=headers)


def json_answer(
    value: Any, status: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    """An answer whose body is JSON."""
    return WholeResponse(
        body=_to_json(value),
        status=status,
        headers=headers,
        content_type="application/json",
        charset="utf-8",
    )


def _to_json(value: Any) -> bytes:
    try:
        return pydantic_core.to_json(value, fallback=str)
    except pydantic_core.PydanticSerializationError:  # half a character in an author's text
        return json.dumps(value, default=str).encode()


def raw_answer(
    value: Any, status: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    """An answer whose body is JSON with stored JSON in it (`raw_json`)."""
    return WholeResponse(
        body=raw_json.to_json(value),
        status=status,
        headers=headers,
        content_type="application/json",
        charset="utf-8",
    )


def message(status: int, text: str, headers: Mapping[str, str] | None = None) -> web.Response:
    """An error in the simple form."""
    return json_answer({"Message": text}, status, headers)


def refusal(error: FunchostError) -> web.Response | None:
    """The answer to a refused operation; None if the error is not one of the client's."""
    found = _refusal_of(error)
    if found is None:
        return None
    if found.summary is None:
        return message(found.status, str(error))
    return with_exception(found.status, found.summary, error, found.headers)


def status_of(error: FunchostError) -> int | None:
    """The status of that answer."""
    found = _refusal_of(error)
    return None if found is None else found.status


class _Refusal(NamedTuple):
    status: int
    summary: str | None
    """None if the error itself says all."""
    headers: Mapping[str, str] | None = None


def _refusal_of(error: FunchostError) -> _Refusal | None:
    if isinstance(error, InstanceNotFoundError):
        return _Refusal(HTTPStatus.NOT_FOUND, None)
    if isinstance(error, InstanceStateError) and error.finished:
        return _Refusal(HTTPStatus.GONE, None)
    if isinstance(error, RefusalError):
        return _Refusal(error.status, error.summary, error.headers)
    for kind, status, summary in _REFUSALS:
        if isinstance(error, kind):
            return _Refusal(status, summary)
    return None


def with_exception(
    status: int, summary: str, error: Exception, headers: Mapping[str, str] | None = None
) -> web.Response:
    """An error in the form with an exception. The stack stays empty: it is not for clients."""
    body = {
        "Message": summary,
        "ExceptionMessage": str(error),
        "ExceptionType": type(error).__name__,
        "StackTrace": "",
    }
    return json_answer(body, status, headers or EXTRA_HEADERS.get(status))


def fault(error: Exception, what: str) -> web.Response:
    """The answer when the host itself failed; `what` names the operation in the log."""
    if isinstance(error, StorageUnavailableError):
        response = message(HTTPStatus.SERVICE_UNAVAILABLE, UNAVAILABLE, {"Retry-After": "5"})
        response[STORE_FAILURE] = StoreFailure(what, error)
        return response
    _log.error("%s failed", what, exc_info=error)
    return message(HTTPStatus.INTERNAL_SERVER_ERROR, INTERNAL_ERROR)
