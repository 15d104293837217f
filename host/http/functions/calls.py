"""Running HTTP functions: key, limit, body, invocation, response.

What a function raises becomes an answer in `faults.py`.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus

from aiohttp import web

from bindings.errors import InvalidArgumentError, PayloadTooLargeError
from bindings.http import HttpRequest
from host.clock import Clock
from host.core.converter import Converter
from host.engine.repeated import RepeatedLines
from host.errors import HostError
from host.functions.invocation import Invoker
from host.http import answers
from host.http.access import Access, Verdict
from host.http.calls import Call
from host.http.functions.faults import answer_to_error
from host.http.functions.responses import render
from host.http.functions.routes import FunctionRoute
from host.logs import HostLog
from host.settings.model import UNBOUNDED, HttpSettings

_log = HostLog(__name__)


class FunctionCalls:
    """Runs the functions that requests mean."""

    def __init__(
        self,
        *,
        invoker: Invoker,
        converter: Converter,
        access: Access,
        settings: HttpSettings,
        max_body_bytes: int,
        clock: Clock,
    ) -> None:
        self._refusals = RepeatedLines(clock, _log)
        self._invoker = invoker
        self._converter = converter
        self._access = access
        self._settings = settings
        self._max_body_bytes = max_body_bytes
        self._outstanding = 0
        limit = settings.max_concurrent_requests
        self._slots = None if limit == UNBOUNDED else asyncio.Semaphore(limit)

    async def answer(
        self, call: Call, route: FunctionRoute, values: dict[str, str]
    ) -> web.Response:
        """Run the function of the route, if the call may."""
        function, level = route.function, route.auth_level
        if await self._access.to_function(call, function.name, level) is not Verdict.ALLOWED:
            return answers.message(HTTPStatus.UNAUTHORIZED, answers.NO_KEY)
        if function.is_disabled and not await self._access.to_disabled_function(call):
            return answers.message(HTTPStatus.NOT_FOUND, answers.NOTHING_HERE)
        limit = self._settings.max_outstanding_requests
        if limit != UNBOUNDED and self._outstanding >= limit:
            headers = {"X-FUNCTION-SCALEOUT": "1", "Retry-After": "1"}
            return answers.message(HTTPStatus.TOO_MANY_REQUESTS, answers.TOO_MUCH_RUNS, headers)
        self._outstanding += 1
        try:
            return await self._in_turn(call, route, values)
        finally:
            self._outstanding -= 1

    async def _in_turn(
        self, call: Call, route: FunctionRoute, values: dict[str, str]
    ) -> web.Response:
        if self._slots is None:
            return await self._run(call, route, values)
        async with self._slots:
            return await self._run(call, route, values)

    async def _run(self, call: Call, route: FunctionRoute, values: dict[str, str]) -> web.Response:
        try:
            body = await call.body_for_function(self._max_body_bytes)
        except PayloadTooLargeError:
            return answers.message(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, answers.BODY_TOO_LARGE)
        except InvalidArgumentError as error:
            return answers.message(HTTPStatus.BAD_REQUEST, str(error))
        except HostError as error:
            return answers.refusal(error) or answers.fault(error, "Receiving a body")
        return await self._invoke(route, call.as_function_request(body, values))

    async def _invoke(self, route: FunctionRoute, request: HttpRequest) -> web.Response:
        function = route.function
        try:
            value = await self._invoker.invoke(function, request)
            response = render(value, self._converter, may_describe=function.is_drop_in)
        except asyncio.CancelledError:  # the request is given up, not the function's doing
            raise
        except BaseException as error:  # noqa: BLE001 - an author's function may raise anything
            response = answer_to_error(error, function.name, request, self._refusals)
        response.headers.extend(self._settings.custom_headers)
        return response
