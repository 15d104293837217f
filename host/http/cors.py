"""Pages of other sites that may ask functions: what browsers are told so that they let them.

Only functions are opened so. A page of a site that is not allowed gets the same answer as
everybody, and its browser keeps that from it.
"""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import Final

from aiohttp import web
from multidict import CIMultiDict

from host.http import answers
from host.http.varying import add_vary
from host.settings.cors import ANY_ORIGIN, CorsSettings

_MAX_AGE_S: Final = 7200
"""Browsers ask again after that; most keep it no longer, whatever they are told."""
_ASKED_METHOD: Final = "Access-Control-Request-Method"
_ASKED_HEADERS: Final = "Access-Control-Request-Headers"


class Cors:
    """Decides by the `Origin` that a browser sends."""

    def __init__(self, settings: CorsSettings) -> None:
        self._allowed = frozenset(settings.allowed_origins)
        self.is_on = bool(self._allowed)
        """Whether any page of another site may ask: if not, there is nothing to look at."""
        self._allows_any = settings.allows_any
        self._has_credentials = settings.support_credentials
        self._exposed = ", ".join(settings.exposed_headers)

    def allows(self, request: web.BaseRequest) -> bool:
        """Whether the request is of a page that may ask functions."""
        if not self._allowed:
            return False
        origin = request.headers.get("Origin")
        return origin is not None and (self._allows_any or origin.lower() in self._allowed)

    def is_preflight(self, request: web.BaseRequest) -> bool:
        """Whether a browser asks first, for a page that may ask functions."""
        return (
            request.method == "OPTIONS"
            and _ASKED_METHOD in request.headers
            and self.allows(request)
        )

    def preflight(self, request: web.BaseRequest, methods: Iterable[str]) -> web.Response:
        """What the page may send to a path that takes these methods."""
        response = answers.empty(HTTPStatus.NO_CONTENT)
        headers = response.headers
        headers["Access-Control-Allow-Methods"] = ", ".join(methods)
        headers["Access-Control-Max-Age"] = str(_MAX_AGE_S)
        asked = request.headers.get(_ASKED_HEADERS)
        if asked:
            headers["Access-Control-Allow-Headers"] = asked
            add_vary(headers, _ASKED_HEADERS)
        return response

    def add_to(self, headers: CIMultiDict[str], request: web.BaseRequest) -> None:
        """Let the page read the answer, if it may."""
        if not self._allowed:
            return
        if not self._allows_any:
            add_vary(headers, "Origin")
        if not self.allows(request):
            return
        headers["Access-Control-Allow-Origin"] = (
            ANY_ORIGIN if self._allows_any else request.headers["Origin"]
        )
        if self._has_credentials:
            headers["Access-Control-Allow-Credentials"] = "true"
        if self._exposed:
            headers.setdefault("Access-Control-Expose-Headers", self._exposed)
