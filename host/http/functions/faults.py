"""What an HTTP function raised, as an answer: whose fault it is decides.

The caller's: a body that is not what the function asks for, and what the durable client refuses (an
id that is taken, an instance that is not there). Out of reach is the store: 503. All else is the
function's own: a 500 that gives no details, with the traceback in the log. The same errors caught
by the function are its own affair.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from itertools import islice
from typing import Any

from aiohttp import web
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from bindings.complaints import in_words
from bindings.errors import (
    BlobNotFoundError,
    ClientError,
    FunctionNotFoundError,
    InstanceNotFoundError,
    NotAwaitedError,
    PayloadTooLargeError,
    RequestBodyError,
    RowExistsError,
    TooManyWaitsError,
)
from bindings.http import HttpRequest, RequestHead
from host.core.failures import caught
from host.engine.repeated import RepeatedLines
from host.engine.waiters import WaitOverError
from host.errors import QueueFullError, ResourceAwayError, StorageUnavailableError
from host.http import answers
from host.logs import HostLog

MAX_LOOKED_AT = 10_000
"""So many parts of a body are compared with what a model refused."""
_MAX_LOGGED = 200
"""So many characters of a refusal are logged."""
_REFUSALS: tuple[tuple[type[Exception], HTTPStatus, Mapping[str, str]], ...] = (
    (FunctionNotFoundError, HTTPStatus.NOT_FOUND, {}),
    (InstanceNotFoundError, HTTPStatus.NOT_FOUND, {}),
    (RowExistsError, HTTPStatus.CONFLICT, {}),
    (BlobNotFoundError, HTTPStatus.NOT_FOUND, {}),
    (TooManyWaitsError, HTTPStatus.TOO_MANY_REQUESTS, {"Retry-After": "5"}),
    (ResourceAwayError, HTTPStatus.SERVICE_UNAVAILABLE, {"Retry-After": "5"}),
    (QueueFullError, HTTPStatus.SERVICE_UNAVAILABLE, {"Retry-After": "5"}),
    (WaitOverError, HTTPStatus.SERVICE_UNAVAILABLE, {}),  # the client is gone, or the host stops
)

_log = HostLog(__name__)


def answer_to_error(
    error: BaseException, function: str, request: RequestHead, refusals: RepeatedLines
) -> web.Response:
    """The answer when the function raised this for the request."""
    if isinstance(error, StorageUnavailableError):
        return answers.fault(error, f"The function '{function}'")
    response = _refusal(error, request)
    failed = caught(error)
    if response is not None:  # anybody can have it refuse, as often as they like
        refusals.warn(
            f"The function '%s' refused a request, which is answered {response.status}: %s",
            function,
            _in_short(str(failed)),
            kind=function,
        )
        return response
    _log.error(
        "The function '%s' failed: %s",
        function,
        failed,
        exc_info=failed.exc_info,
        extra={"function": function},
    )
    return answers.message(HTTPStatus.INTERNAL_SERVER_ERROR, answers.FUNCTION_FAILED)


def note_broken_off(error: Exception, function: str, refusals: RepeatedLines) -> None:
    """Log what broke off an answer: the rest of the request that it was made of, or a failure."""
    failed = caught(error)
    if isinstance(error, RequestBodyError):
        text = "The function '%s' broke off an answer, for its request: %s"
        refusals.warn(text, function, _in_short(str(failed)), kind=function)
        return
    _log.error(
        "The function '%s' broke off its answer, for it failed: %s",
        function,
        failed,
        exc_info=failed.exc_info,
        extra={"function": function},
    )


def _in_short(text: str) -> str:
    line = " ".join(text[: 2 * _MAX_LOGGED].split())
    return line if len(line) <= _MAX_LOGGED else f"{line[:_MAX_LOGGED]} …"


def _refusal(error: BaseException, request: RequestHead) -> web.Response | None:
    """The answer if the request is at fault, else None."""
    if isinstance(error, ValidationError):
        details = error.errors(include_url=False, include_context=False)
        is_callers = _is_about(details, request)
        return answers.message(HTTPStatus.BAD_REQUEST, in_words(details)) if is_callers else None
    if isinstance(error, RequestBodyError):
        return answers.message(error.status, str(error), answers.EXTRA_HEADERS.get(error.status))
    for kind, status, headers in _REFUSALS:
        if isinstance(error, kind):
            return answers.message(status, str(error), headers)
    if isinstance(error, NotAwaitedError):
        return None  # whatever the request says
    if isinstance(error, ClientError | PayloadTooLargeError):
        return answers.refusal(error)
    return None


def _is_about(details: list[ErrorDetails], request: RequestHead) -> bool:
    """Whether a model refused what came with the request, and not something of the function's own.

    So it is if what it complains of stands at that place in the body, the query, the form or the
    route, or in a part of the body.
    """
    return any(
        _has(root, each)
        for each in details
        for root in islice(_parts(_sources(request)), MAX_LOOKED_AT)
    )


def _sources(request: RequestHead) -> list[Any]:
    sources: list[Any] = [dict(request.params), dict(request.route_params)]
    if not isinstance(request, HttpRequest):
        return sources
    try:
        sources.append(request.json())
    except ValueError:
        sources.append(_form_of(request))
    return sources


def _form_of(request: HttpRequest) -> dict[str, str]:
    try:
        return dict(request.form)
    except ValueError:
        return {}


def _parts(value: Any) -> Iterator[Any]:
    """The value, and all that is in it."""
    waiting = [value]
    while waiting:
        part = waiting.pop()
        yield part
        if isinstance(part, Mapping):
            waiting.extend(part.values())
        elif isinstance(part, list):
            waiting.extend(part)


def _has(root: Any, detail: ErrorDetails) -> bool:
    """Whether the refused input stands in `root` at the place that the complaint names."""
    place = detail["loc"][:-1] if detail["type"] == "missing" else detail["loc"]
    for part in place:
        root = _member(root, part)
    return type(root) is type(detail["input"]) and bool(root == detail["input"])


def _member(value: Any, part: str | int) -> Any:
    """The part of a value; the value itself for a name that is not there.

    Such a name may be one of the model's own, such as the kind that was tried of a union.
    """
    if isinstance(value, Mapping) and part in value:
        return value[part]
    if isinstance(value, list) and isinstance(part, int) and 0 <= part < len(value):
        return value[part]
    return value if isinstance(part, str) else None
