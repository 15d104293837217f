"""What an HTTP function returned, as a response.

None is 204; an `HttpResponse` is itself; bytes are themselves; a text is itself, unless it is a
JSON object with a member `body`: that describes a response (`body`, `headers`, `status` or
`statusCode`, `cookies`). Everything else is JSON. What cannot be sent raises
`FunctionResponseError` or `SerializationError`: a fault of the function.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from http.cookies import CookieError
from typing import Any, TypeAlias

import pydantic_core
from aiohttp import web

from bindings.errors import FunchostError
from bindings.http import HttpResponse
from host.core.converter import Converter

JsonObject: TypeAlias = dict[str, Any]

JSON = "application/json; charset=utf-8"
TEXT = "text/plain; charset=utf-8"
BYTES = "application/octet-stream"

# How long the body is and how the connection goes on is the server's to say.
_SERVERS_HEADERS = frozenset({"content-length", "transfer-encoding", "connection", "keep-alive"})
_LINE_BREAKS = frozenset("\r\n\0")
_COOKIE_OPTIONS = {
    "domain": "domain",
    "path": "path",
    "expires": "expires",
    "maxage": "max_age",
    "secure": "secure",
    "httponly": "httponly",
    "samesite": "samesite",
}


class FunctionResponseError(FunchostError):
    """A function returned something that is no HTTP response."""


def render(value: Any, converter: Converter) -> web.Response:
    """The response for a function's value."""
    if value is None:
        return web.Response(status=HTTPStatus.NO_CONTENT)
    if isinstance(value, HttpResponse):
        return _of_http_response(value)
    if isinstance(value, str):
        described = _described(value)
        return _of_text(value) if described is None else _of_description(described, converter)
    if isinstance(value, bytes | bytearray | memoryview):
        return _response(bytes(value), HTTPStatus.OK, {}, BYTES)
    return _of_json(value, HTTPStatus.OK, {}, converter)


def _of_http_response(value: HttpResponse) -> web.Response:
    is_text = value.mimetype.lower().startswith("text/") and "charset" not in value.mimetype
    content_type = f"{value.mimetype}; charset={value.charset}" if is_text else value.mimetype
    try:
        body = value.get_body()
    except (LookupError, UnicodeError) as error:
        raise FunctionResponseError(
            f"The body cannot be written in the charset '{value.charset}': {error}"
        ) from error
    return _response(body, value.status_code, value.headers, content_type)


def _of_text(text: str) -> web.Response:
    return _response(_encode(text), HTTPStatus.OK, {}, TEXT)


def _of_json(
    value: Any, status: Any, headers: Mapping[str, str], converter: Converter
) -> web.Response:
    payload = converter.to_payload(value, "The function's response")
    return _response((payload or "null").encode(), status, headers, JSON)


def _encode(text: str) -> bytes:
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise FunctionResponseError(f"The text is not valid Unicode: {error}") from error


def _described(text: str) -> JsonObject | None:
    """The description of a response, if the text is one."""
    if not text.lstrip().startswith("{"):
        return None
    try:
        value = pydantic_core.from_json(text)
    except ValueError:
        return None
    members = {name.lower(): member for name, member in value.items()}
    return members if "body" in members else None


def _of_description(members: JsonObject, converter: Converter) -> web.Response:
    headers = {str(name): str(value) for name, value in _object(members, "headers").items()}
    status = members.get("status", members.get("statuscode", HTTPStatus.OK))
    body = members["body"]
    if body is None or isinstance(body, str):
        response = _response(_encode(body or ""), status, headers, TEXT)
    else:
        response = _of_json(body, status, headers, converter)
    for cookie in members.get("cookies") or ():
        _add_cookie(response, cookie)
    return response


def _object(members: JsonObject, name: str) -> JsonObject:
    value = members.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise FunctionResponseError(f"The member '{name}' of the response is not an object.")
    return value


def _add_cookie(response: web.Response, cookie: Any) -> None:
    if not isinstance(cookie, dict) or not {"name", "value"} <= cookie.keys():
        raise FunctionResponseError("A cookie of the response is no object with name and value.")
    options: JsonObject = {
        _COOKIE_OPTIONS[name.lower()]: _line(value) if isinstance(value, str) else value
        for name, value in cookie.items()
        if name.lower() in _COOKIE_OPTIONS and value is not None
    }
    try:
        response.set_cookie(str(cookie["name"]), str(cookie["value"]), **options)
    except CookieError as error:
        raise FunctionResponseError(f"A cookie of the response is impossible: {error}") from error


def _response(
    body: bytes, status: Any, headers: Mapping[str, str], content_type: str
) -> web.Response:
    sent = {
        _line(name): _line(str(value))
        for name, value in headers.items()
        if name.lower() not in _SERVERS_HEADERS
    }
    if not any(name.lower() == "content-type" for name in sent):
        sent["Content-Type"] = _line(content_type)
    return web.Response(body=body, status=_status(status), headers=sent)


def _status(status: Any) -> int:
    try:
        code = int(status)
    except (TypeError, ValueError, OverflowError) as error:
        raise FunctionResponseError(f"'{status}' is not a status code.") from error
    if not 200 <= code <= 599:
        raise FunctionResponseError(f"{code} is not the status code of a final response.")
    return code


def _line(text: str) -> str:
    _encode(text)
    if _LINE_BREAKS.intersection(text):
        raise FunctionResponseError("A header of the response holds a line break.")
    return text
