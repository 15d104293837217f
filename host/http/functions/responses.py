"""What an HTTP function returned, as a response.

* None is 204; an `HttpResponse`, or aiohttp's `Response`, is itself: a copy of it is sent, since an
  app may keep one for all requests.
* A `StreamingResponse` is made while it is sent.
* A text and bytes are themselves: a text that looks like JSON or like a response is a text.
* `(value, status)` and `(value, status, headers)` are the response of the value, so changed.
  A named tuple is a value.
* Of a function.json function, an object with `body`, and nothing but `headers`, `status` or
  `statusCode`, and `cookies` besides, is the response that it describes.
* Everything else is JSON.

What cannot be sent raises `FunctionResponseError` or `SerializationError`: a fault of the function.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, TypeAlias

from aiohttp import Payload, hdrs, web
from multidict import CIMultiDict

from bindings.azure_names import instead_of, of_azure
from bindings.http import HttpResponse, header_fields
from bindings.streams import StreamingResponse
from host.core.converter import Converter
from host.http.functions.response_fields import (
    FunctionResponseError,
    checked_headers,
    described_cookie,
)
from host.http.sending import Sending, as_response
from host.http.whole_responses import WholeResponse

JSON = "application/json; charset=utf-8"
TEXT = "text/plain; charset=utf-8"
BYTES = "application/octet-stream"

_DESCRIBING = frozenset(
    {"body", "headers", "status", "statuscode", "cookies", "enablecontentnegotiation"}
)
_STATUSES = range(200, 600)
_PLAIN_VALUES = frozenset({str, bytes, dict, list, int, float, bool})
"""Values that are nothing but themselves: most answers are, and need not be looked at further."""


MakeStream: TypeAlias = Callable[[StreamingResponse], Sending]


def render(
    value: Any, converter: Converter, make_stream: MakeStream, *, may_describe: bool = False
) -> web.Response:
    """The response for a function's value.

    `may_describe`: an object that has the members of a response, `body` among them and no others,
    is one. What a caller sends must never decide that, so it is for function.json functions only,
    whose authors know this form.
    """
    kind = type(value)
    try:
        if kind in _PLAIN_VALUES and not (may_describe and kind is dict):
            return _of_value(value, converter)
        if kind is tuple and (parts := _status_and_headers(value)) is not None:
            response = _rendered(value[0], converter, make_stream, may_describe=False)
            return _changed(response, *parts)
        return _rendered(value, converter, make_stream, may_describe=may_describe)
    except ValueError as error:
        raise FunctionResponseError(str(error)) from error


def _rendered(
    value: Any, converter: Converter, make_stream: MakeStream, *, may_describe: bool
) -> web.Response:
    if value is None:
        return web.Response(status=HTTPStatus.NO_CONTENT)
    if isinstance(value, web.StreamResponse):
        return _unsent(value)
    if isinstance(value, HttpResponse):
        return _of_http_response(value, converter)
    if isinstance(value, StreamingResponse):
        return _of_stream(value, make_stream)
    if may_describe and isinstance(value, Mapping) and _describes(value):
        return _of_description({str(k).lower(): each for k, each in value.items()}, converter)
    theirs = of_azure(type(value))
    if theirs is not None:
        raise FunctionResponseError(
            f"The function returned Azure's {theirs}: {instead_of(theirs)}."
        )
    return _of_value(value, converter)


def _of_value(value: Any, converter: Converter) -> web.Response:
    body, content_type = _encoded(value, converter)
    return WholeResponse(body=body, headers={hdrs.CONTENT_TYPE: content_type})


def _unsent(value: web.StreamResponse) -> web.Response:
    """A copy of aiohttp's response: one object can be sent only once, and then sends nothing.

    So whoever asks next would wait for ever, or take the answer to the request after his for his.
    """
    if not isinstance(value, web.Response) or value.prepared:
        raise FunctionResponseError(
            f"The function returned a {type(value).__name__} that cannot be sent: return a "
            "response with a body, which is made for this request or was never sent."
        )
    body = value.body
    if isinstance(body, Payload) and _is_used_up(body):
        raise FunctionResponseError(
            "The function returned a response whose body was sent before, and is no text or bytes: "
            "make a new one for each request."
        )
    copy = web.Response(body=body, status=value.status, reason=value.reason, headers=value.headers)
    copy.headers.popall("Content-Length", None)  # a wrong one makes the next answer part of this
    copy.cookies.update(value.cookies)
    if value.keep_alive is False:
        copy.force_close()
    if value.chunked:
        copy.enable_chunked_encoding()
    if value.compression:
        copy.enable_compression()
    return copy


def _is_used_up(body: Payload) -> bool:
    try:
        return body.consumed or (body.size or 0) < 0
    except ValueError:  # of a file that was closed when it was sent
        return True


def _encoded(value: Any, converter: Converter) -> tuple[bytes, str]:
    """A value as a body, and the type of that."""
    if isinstance(value, str):
        return _encode(value), TEXT
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value), BYTES
    payload = converter.to_payload(value, "The function's response")
    return (payload or "null").encode(), JSON


def _of_stream(value: StreamingResponse, make: MakeStream) -> web.Response:
    fields = _sent_fields(_fields(value.headers), _content_type(value))
    status = _status(value.status_code)
    return as_response(make(value), status=status, headers=fields)


def _content_type(value: HttpResponse | StreamingResponse) -> str:
    content_type = str(value.mimetype)
    if content_type.lower().startswith("text/") and "charset" not in content_type:
        return f"{content_type}; charset={value.charset}"
    return content_type


def _of_http_response(value: HttpResponse, converter: Converter) -> web.Response:
    content_type = _content_type(value)
    if not value.is_raw:
        body, _ = _encoded(value.body, converter)
    else:
        body = _body_of(value)
    return _response(body, value.status_code, _fields(value.headers), content_type)


def _body_of(value: HttpResponse) -> bytes:
    try:
        return value.get_body()
    except (LookupError, UnicodeError) as error:
        raise FunctionResponseError(
            f"The body cannot be written in the charset '{value.charset}': {error}"
        ) from error


def _status_and_headers(value: tuple[Any, ...]) -> tuple[int, CIMultiDict[str]] | None:
    """What stands after the value in `(value, status)` or `(value, status, headers)`."""
    if len(value) not in {2, 3} or not isinstance(value[1], int) or value[1] not in _STATUSES:
        return None
    if isinstance(value[1], bool) or isinstance(value[0], int | float):  # two numbers are a list
        return None
    return int(value[1]), _fields(value[2] if len(value) == 3 else None)


def _changed(response: web.Response, status: int, headers: CIMultiDict[str]) -> web.Response:
    response.set_status(status)
    for name in set(headers):
        response.headers.popall(name, None)
    response.headers.extend(checked_headers(headers))
    return response


def _describes(value: Mapping[Any, Any]) -> bool:
    names = {str(name).lower() for name in value}
    return "body" in names and names <= _DESCRIBING


def _of_description(members: Mapping[str, Any], converter: Converter) -> web.Response:
    body, content_type = _encoded("" if members["body"] is None else members["body"], converter)
    status = members.get("status", members.get("statuscode", HTTPStatus.OK))
    response = _response(body, status, _fields(members.get("headers")), content_type)
    for cookie in members.get("cookies") or ():
        response.headers.add("Set-Cookie", described_cookie(cookie))
    return response


def _fields(headers: Any) -> CIMultiDict[str]:
    try:
        return header_fields(headers)
    except (TypeError, ValueError) as error:
        raise FunctionResponseError(
            f"The headers are {type(headers).__name__}, and must be a mapping or pairs: {error}"
        ) from error


def _encode(text: str) -> bytes:
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise FunctionResponseError(f"The text is not valid Unicode: {error}") from error


def _response(
    body: bytes, status: Any, headers: CIMultiDict[str], content_type: str
) -> web.Response:
    sent = _sent_fields(headers, content_type)
    return WholeResponse(body=body, status=_status(status), headers=sent)


def _sent_fields(headers: CIMultiDict[str], content_type: str) -> CIMultiDict[str]:
    sent = checked_headers(headers)
    if "Content-Type" not in sent:
        sent.extend(checked_headers(CIMultiDict({"Content-Type": content_type})))
    return sent


def _status(status: Any) -> int:
    try:
        code = int(status)
    except (TypeError, ValueError, OverflowError) as error:
        raise FunctionResponseError(f"'{status}' is not a status code.") from error
    if code not in _STATUSES:
        raise FunctionResponseError(f"{code} is not the status code of a final response.")
    return code
