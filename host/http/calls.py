"""One HTTP request, read once: its origin, decoded path, query and, on demand, its body.

Each segment of the path is decoded exactly once, after splitting, so an encoded slash never makes a
segment. What cannot be read raises `InvalidArgumentError`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Final, TypeAlias
from urllib.parse import unquote

from aiohttp import HttpVersion10, HttpVersion11, hdrs, web
from multidict import CIMultiDict, CIMultiDictProxy

from bindings.errors import InvalidArgumentError
from bindings.http import HttpRequest
from bindings.streams import StreamingRequest
from host.http.bodies import HeldBody
from host.http.loopback import is_valid_host
from host.http.origins import Origins
from host.http.query import Query, parse_query

_Headers: TypeAlias = CIMultiDictProxy[str] | CIMultiDict[str]

_VERSIONS = (HttpVersion11, HttpVersion10)
_OF_PACKED = ("Content-Encoding", "Content-Length")
_KEPT: Final = 512
"""So many paths are remembered with their segments: most requests ask for the same few."""
_SHORT: Final = 256
"""Longer ones are not: what is made of many segments takes far more room than the path."""


@dataclass(slots=True, kw_only=True, eq=False)  # one for each request, and frozen ones cost more
class Call:
    """A request that was read. `target` is path and query as they came.

    `origin` is that of the host as its client knows it (`origins.py`).
    """

    request: web.BaseRequest
    method: str
    """The verb, in upper case."""
    held: HeldBody
    origin: str
    target: str
    segments: tuple[str, ...]
    query: Query
    link_expires_at: datetime | None = None
    """Until when the link opens by which the call came; None if it came by none."""

    @property
    def url(self) -> str:
        """The absolute URL as it came."""
        return self.origin + self.target

    async def body(self, limit: int, setting: str | None = None) -> bytes:
        """The whole body, unless it is larger than the limit. Raises what `HeldBody.read` does."""
        return await self.held.read(limit, setting)

    async def body_for_function(self, limit: int) -> bytes:
        """The same, but one that is encoded in a way that is not known here stays as it is."""
        return await self.held.read(limit, keeps_unknown_encodings=True)

    def as_function_request(self, body: bytes, route_params: dict[str, str]) -> HttpRequest:
        """The request as functions see it."""
        return HttpRequest(
            method=self.method,
            url=self.url,
            headers=self._headers_of_body(is_unpacked=self.held.is_unpacked),
            params=dict(self.query.fields),
            route_params=route_params,
            body=body,
        )

    def as_streaming_request(
        self, chunks: AsyncIterator[bytes], route_params: dict[str, str]
    ) -> StreamingRequest:
        """The same, of a body that comes while the function runs."""
        return StreamingRequest(
            method=self.method,
            url=self.url,
            headers=self._headers_of_body(is_unpacked=self.held.is_packed),
            params=dict(self.query.fields),
            route_params=route_params,
            chunks=chunks,
        )

    def _headers_of_body(self, *, is_unpacked: bool) -> Mapping[str, str]:
        """The headers, without those that are not true of an unpacked body."""
        headers = _readable(self.request.headers)
        if not is_unpacked:
            return headers
        headers = CIMultiDict(headers)
        for name in _OF_PACKED:
            headers.popall(name, None)
        return headers


def _readable(headers: _Headers) -> _Headers:
    """The headers with Latin-1, as HTTP has it, for what is no UTF-8: no JSON could carry that."""
    if all(map(str.isascii, headers.values())):
        return headers
    return CIMultiDict((name, _text_of(value)) for name, value in headers.items())


def _text_of(value: str) -> str:
    content = value.encode("utf-8", "surrogateescape")
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content.decode("latin-1")


def open_call(request: web.BaseRequest, held: HeldBody, origins: Origins) -> Call:
    """Read everything of a request but its body."""
    if request.version not in _VERSIONS:
        raise InvalidArgumentError("This host speaks HTTP/1.0 and HTTP/1.1.")
    method = request.method
    if method == "CONNECT":
        raise InvalidArgumentError("This host is no proxy, and takes no CONNECT.")
    if not is_valid_host(request.headers.get(hdrs.HOST, "")):
        raise InvalidArgumentError("The request needs a valid Host header.")
    url = request.rel_url
    path, query = url.raw_path, url.raw_query_string
    return Call(
        request=request,
        method=method,
        held=held,
        origin=origins.of(request),
        target=f"{path}?{query}" if query else path,
        segments=_segments(path),
        query=parse_query(query),
    )


def _segments(path: str) -> tuple[str, ...]:
    return _of_short(path) if len(path) <= _SHORT else _decoded(path)


def _decoded(path: str) -> tuple[str, ...]:
    try:
        parts = path.strip("/").split("/")
        if path.isascii() and "%" not in path:
            return tuple(parts) if parts != [""] else ()
        path.encode("utf-8")
        return tuple(unquote(part, errors="strict") for part in parts) if parts != [""] else ()
    except UnicodeError as error:
        raise InvalidArgumentError("The path of the URL is not valid UTF-8.") from error


_of_short = lru_cache(_KEPT)(_decoded)
