"""One HTTP request, read once: its origin, decoded path, query and, on demand, its body.

Each segment of the path is decoded exactly once, after splitting, so an encoded slash never makes a
segment. What cannot be read raises `InvalidArgumentError`, a body over its limit
`PayloadTooLargeError`.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote

from aiohttp import HttpVersion10, HttpVersion11, web
from aiohttp.http_exceptions import PayloadEncodingError

from bindings.errors import InvalidArgumentError, PayloadTooLargeError
from bindings.http import HttpRequest
from host.http.loopback import is_valid_host
from host.http.query import Query, parse_query


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request that was read. `target` is path and query as they came."""

    request: web.Request
    origin: str
    target: str
    segments: tuple[str, ...]
    query: Query

    @property
    def method(self) -> str:
        """The verb, in upper case."""
        return self.request.method

    @property
    def url(self) -> str:
        """The absolute URL as it came."""
        return self.origin + self.target

    @property
    def is_json(self) -> bool:
        """Whether the body says it is JSON."""
        media_type = self.request.headers.get("Content-Type", "").partition(";")[0]
        return media_type.strip().lower() == "application/json"

    async def body(self, limit: int) -> bytes:
        """The whole body, unless it is larger than the limit."""
        declared = self.request.content_length
        if declared is not None and declared > limit:
            raise PayloadTooLargeError("The request's body", declared, limit)
        try:
            return await self._read(limit)
        except (PayloadEncodingError, web.RequestPayloadError) as error:
            raise InvalidArgumentError("The request's body is not encoded as it says.") from error

    async def _read(self, limit: int) -> bytes:
        data = bytearray()
        async for chunk in self.request.content.iter_any():
            data += chunk
            if len(data) > limit:
                raise PayloadTooLargeError("The request's body", len(data), limit)
        return bytes(data)

    def as_function_request(self, body: bytes, route_params: dict[str, str]) -> HttpRequest:
        """The request as functions see it."""
        return HttpRequest(
            method=self.method,
            url=self.url,
            headers=self.request.headers,
            params=dict(self.query.fields),
            route_params=route_params,
            body=body,
        )


def open_call(request: web.Request) -> Call:
    """Read everything of a request but its body."""
    if request.version not in {HttpVersion10, HttpVersion11}:
        raise InvalidArgumentError("This host speaks HTTP/1.0 and HTTP/1.1.")
    host = request.headers.get("Host", "")
    if not is_valid_host(host):
        raise InvalidArgumentError("The request needs a valid Host header.")
    path, query = request.rel_url.raw_path, request.rel_url.raw_query_string
    return Call(
        request=request,
        origin=f"{request.scheme}://{host}",
        target=f"{path}?{query}" if query else path,
        segments=_segments(path),
        query=parse_query(query),
    )


def _segments(path: str) -> tuple[str, ...]:
    try:
        path.encode("utf-8")
        parts = path.strip("/").split("/")
        return tuple(unquote(part, errors="strict") for part in parts) if parts != [""] else ()
    except UnicodeError as error:
        raise InvalidArgumentError("The path of the URL is not valid UTF-8.") from error
