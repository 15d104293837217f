"""Requests and responses of HTTP-triggered functions."""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any, TypeAlias

from multidict import CIMultiDict, MultiDict

from bindings.cookies import cookie_field
from bindings.errors import RequestBodyError
from bindings.forms import Form, FormFile, charset_of, decoded, read_form
from bindings.strict_json import read_json

GivenHeaders: TypeAlias = "Mapping[str, Any] | Iterable[tuple[str, Any]] | None"


class AuthLevel(StrEnum):
    """Which key a request needs when the host runs with keys."""

    ANONYMOUS = "anonymous"
    FUNCTION = "function"
    ADMIN = "admin"


@dataclass(frozen=True, kw_only=True)
class RequestHead:
    """What a request says before its body. `headers` are case-insensitive.

    `params` holds the query's last values.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    route_params: Mapping[str, str] = field(default_factory=dict)

    @property
    def content_type(self) -> str:
        """The `Content-Type`, with its parameters; "" if the request says none."""
        return self._header("Content-Type") or ""

    @property
    def last_event_id(self) -> str | None:
        """The id of the last event that a page got, which comes back for those after it."""
        return self._header("Last-Event-ID")

    @property
    def cookies(self) -> dict[str, str]:
        """The cookies of the request; of a repeated name the first."""
        cookies: dict[str, str] = {}
        for pair in (self._header("Cookie") or "").split(";"):
            name, is_pair, value = pair.strip().partition("=")
            if is_pair and name:
                cookies.setdefault(name, _unquoted(value.strip()))
        return cookies

    def _header(self, name: str) -> str | None:
        """A header in any case: who makes a request for a test may give a plain dict."""
        return CIMultiDict(self.headers).get(name)


@dataclass(frozen=True, kw_only=True, init=False)
class HttpRequest(RequestHead):
    """One HTTP request, with its whole body."""

    body: bytes = b""

    def __init__(
        self,
        *,
        method: str,
        url: str,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        route_params: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> None:
        # All at once: a frozen dataclass sets one by one, which costs half a microsecond more.
        self.__dict__.update(
            method=method,
            url=url,
            headers={} if headers is None else headers,
            params={} if params is None else params,
            route_params={} if route_params is None else route_params,
            body=body,
        )

    @property
    def has_body(self) -> bool:
        """Whether there is more in the body than blanks."""
        return bool(self.body.removeprefix(BOM_UTF8).strip())

    def get_body(self) -> bytes:
        """The raw body."""
        return self.body

    def text(self) -> str:
        """The body as a text, in the charset that its type says, else UTF-8.

        Raises `RequestBodyError` if it is none.
        """
        charset = charset_of(self.content_type)
        try:
            return decoded(self.body, charset)
        except LookupError as error:
            raise RequestBodyError(
                f"The charset '{charset:.40}' is not known here: send the text in UTF-8.",
                status=415,
            ) from error
        except UnicodeError as error:
            raise RequestBodyError(f"The request's body is no text: {error}") from error

    def get_json(self) -> Any:
        """The body as JSON. Raises `RequestBodyError`, a ValueError, if it is not JSON.

        If the function does not catch it, the host answers 400 with the reason.
        """
        try:
            return read_json(self.body)
        except ValueError as error:
            raise RequestBodyError(f"The request's body is not JSON: {error}") from error

    def json(self) -> Any:
        """The body as JSON, or None when the body is empty. Raises as `get_json` does."""
        return self.get_json() if self.has_body else None

    @property
    def form(self) -> MultiDict[str]:
        """The fields of a form, URL-encoded or multipart; `getall` gives all values of a name.

        Raises `RequestBodyError` for a multipart body that cannot be read.
        """
        return self._form.fields

    @property
    def files(self) -> MultiDict[FormFile]:
        """The files of a multipart form, by the names of their fields. Raises as `form` does."""
        return self._form.files

    @cached_property
    def _form(self) -> Form:
        return read_form(self.content_type, self.body)


def _unquoted(value: str) -> str:
    is_quoted = len(value) >= 2 and value[0] == value[-1] == '"'
    return value[1:-1] if is_quoted else value


@dataclass(slots=True, init=False)
class HttpResponse:
    """What an HTTP-triggered function answers.

    `body` is a text, bytes, or any value that is to be sent as JSON. `headers` may be given as a
    mapping or as pairs; a list as value sends the header once for each of its items. They are kept
    in a multi-dict that ignores case, so `response.headers.add("Set-Cookie", ...)` works, too.
    Without a `mimetype` it is text/plain, or application/json for a value.
    """

    body: Any = None
    status_code: int = 200
    headers: CIMultiDict[str] = field(default_factory=CIMultiDict)
    mimetype: str = ""
    charset: str = "utf-8"

    def __init__(
        self,
        body: Any = None,
        status_code: int = 200,
        headers: GivenHeaders = None,
        mimetype: str | None = None,
        charset: str | None = None,
    ) -> None:
        self.body = body
        self.status_code = status_code
        self.headers = header_fields(headers)
        self.mimetype = mimetype or ("text/plain" if self.is_raw else "application/json")
        self.charset = charset or "utf-8"

    @property
    def is_raw(self) -> bool:
        """Whether the body is sent as it is: it is a text, bytes, or nothing."""
        return self.body is None or isinstance(self.body, str | bytes | bytearray | memoryview)

    def get_body(self) -> bytes:
        """The body as bytes. Raises TypeError for a value that is to be sent as JSON."""
        if self.body is None:
            return b""
        if isinstance(self.body, str):
            return self.body.encode(self.charset)
        if not self.is_raw:
            raise TypeError("The body is a value, which the host sends as JSON.")
        return bytes(self.body)

    def set_cookie(self, name: str, value: str = "", **attributes: Any) -> None:
        """Add a `Set-Cookie` header: `set_cookie("a", "b", max_age=60, httponly=True)`.

        Attributes are those of the header: path, domain, expires, max_age, secure, httponly,
        samesite, partitioned. Raises ValueError for what cannot be sent.
        """
        self.headers.add("Set-Cookie", cookie_field(name, value, attributes))


def header_fields(given: GivenHeaders) -> CIMultiDict[str]:
    """Headers in any shape as fields, in order. Raises TypeError or ValueError for no shape."""
    fields: CIMultiDict[str] = CIMultiDict()
    pairs = given.items() if isinstance(given, Mapping) else given or ()
    for name, value in pairs:
        if isinstance(value, list | tuple | set | frozenset):
            fields.extend((_text(name), _text(each)) for each in value)
        elif value is not None:
            fields.add(_text(name), _text(value))
    return fields


def _text(value: Any) -> str:
    return bytes(value).decode("latin-1") if isinstance(value, bytes | bytearray) else str(value)
