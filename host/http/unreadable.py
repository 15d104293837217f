"""Requests that aiohttp's parser refuses, and answers that fail: answered like all others.

aiohttp would quote the line that was wrong, which may hold a key or a cookie, and say which version
of what serves here. The answer, and the log, say what is wrong in words, and nothing of what came.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, TypeAlias

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError, LineTooLong

from host.http import answers
from host.http.http_app import HttpApp

_Finish: TypeAlias = Callable[[web.BaseRequest, web.Response], None]
_BEGUN = "The answer has begun: there can be no other one."


class HttpServer(web.Server):
    """aiohttp's server of an application; `options` are those of its `RequestHandler`."""

    def __init__(self, app: HttpApp, **options: Any) -> None:
        super().__init__(app.handle, **options)
        self._finish = app.finish
        self._options = options

    def __call__(self) -> web.RequestHandler:
        """What speaks HTTP on a new connection."""
        loop = asyncio.get_running_loop()
        return _RequestHandler(self._finish, self, loop=loop, **self._options)


class _RequestHandler(web.RequestHandler):
    __slots__ = ("_finish",)

    def __init__(self, finish: _Finish, server: HttpServer, **options: Any) -> None:
        super().__init__(server, **options)
        self._finish = finish

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = HTTPStatus.INTERNAL_SERVER_ERROR,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - aiohttp's words, which quote the request
    ) -> web.StreamResponse:
        """The answer to what cannot be read, or failed; the connection ends with it."""
        self.log_exception("Error handling request from %s", request.remote, exc_info=exc)
        if request.writer.output_size > 0:
            raise ConnectionError(_BEGUN)
        if isinstance(exc, HttpProcessingError):
            response = answers.message(HTTPStatus.BAD_REQUEST, _words(exc))
        else:
            response = answers.message(status, answers.INTERNAL_ERROR)
        response.headers["Cache-Control"] = "no-store"
        self._finish(request, response)
        response.force_close()
        return response


def _words(error: HttpProcessingError) -> str:
    if isinstance(error, LineTooLong):
        return "A line of the request's head is too long."
    return "The request's head is no valid HTTP."
