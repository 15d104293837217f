"""Running HTTP functions: key, limit, body, invocation, response.

What a function raises becomes an answer in `faults.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from functools import partial
from http import HTTPStatus

from aiohttp import web

from bindings.errors import InvalidArgumentError, PayloadTooLargeError
from bindings.http import RequestHead
from bindings.streams import StreamingResponse
from host.clock import Clock
from host.core.converter import Converter
from host.engine.callers import CALLER
from host.engine.repeated import RepeatedLines
from host.errors import HostError
from host.functions.invocation import Invoker
from host.http import answers
from host.http.access import Access, Verdict
from host.http.calls import Call
from host.http.functions.bodies import chunks_of
from host.http.functions.faults import answer_to_error, note_broken_off
from host.http.functions.responses import render
from host.http.functions.routes import FunctionRoute
from host.http.functions.streaming import StreamMaker
from host.http.sending import ClientGoneError, Sending, sending_of
from host.logs import HostLog
from host.settings.http import UNBOUNDED, HttpSettings

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
        self._streams = StreamMaker(invoker=invoker, converter=converter, clock=clock)
        self._outstanding = 0
        limit = settings.max_concurrent_requests
        self._slots = None if limit == UNBOUNDED else asyncio.Semaphore(limit)

    def end_events(self) -> None:
        """Let all streams of events end."""
        self._streams.end_events()

    async def answer(
        self, call: Call, route: FunctionRoute, values: dict[str, str]
    ) -> web.Response:
        """Run the function of the route, if the call may."""
        function, level = route.function, route.auth_level
        if not self._access.is_open(level):
            verdict = await self._access.to_function(call, function.name, level)
            if verdict is not Verdict.ALLOWED:  # 401 for each of them, as Azure Functions answers
                why = answers.NO_KEY if verdict is Verdict.UNKNOWN else answers.WRONG_KEY
                return answers.message(HTTPStatus.UNAUTHORIZED, why)
        if function.is_disabled and not await self._access.to_disabled_function(call):
            return answers.message(HTTPStatus.NOT_FOUND, answers.NOTHING_HERE)
        limit = self._settings.max_outstanding_requests
        if limit != UNBOUNDED and self._outstanding >= limit:
            headers = {"X-FUNCTION-SCALEOUT": "1", "Retry-After": "1"}
            return answers.message(HTTPStatus.TOO_MANY_REQUESTS, answers.TOO_MUCH_RUNS, headers)
        over = self._end_waiting
        sending = None
        self._outstanding += 1
        try:
            if self._slots is not None:
                await self._slots.acquire()
                over = self._end_running
            response = await self._run(call, route, values)
            sending = sending_of(response)
            return response
        finally:
            if sending is None:
                over()
            else:  # an answer that is made while it is sent has its turn until then
                sending.when_over(over)

    def _end_waiting(self) -> None:
        self._outstanding -= 1

    def _end_running(self) -> None:
        self._outstanding -= 1
        assert self._slots is not None  # noqa: S101 - one of them was taken
        self._slots.release()

    def _run(
        self, call: Call, route: FunctionRoute, values: dict[str, str]
    ) -> Awaitable[web.Response]:
        if route.takes_stream:
            chunks = chunks_of(call.held, self._max_body_bytes)
            return self._invoke(route, call.as_streaming_request(chunks, values))
        if not call.request.body_exists:
            return self._invoke(route, call.as_function_request(b"", values))
        return self._run_with_body(call, route, values)

    async def _run_with_body(
        self, call: Call, route: FunctionRoute, values: dict[str, str]
    ) -> web.Response:
        try:
            body = await call.body_for_function(self._max_body_bytes)
        except PayloadTooLargeError:
            return answers.message(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, answers.BODY_TOO_LARGE)
        except InvalidArgumentError as error:
            return answers.message(HTTPStatus.BAD_REQUEST, str(error))
        except HostError as error:
            return answers.refusal(error) or answers.fault(error, "Receiving a body")
        return await self._invoke(route, call.as_function_request(body, values))

    async def _invoke(self, route: FunctionRoute, request: RequestHead) -> web.Response:
        function = route.function
        response: web.Response | None = None
        try:
            value = await self._invoker.invoke(function, request)
            response = render(
                value,
                self._converter,
                partial(self._make_stream, function.name),
                may_describe=function.is_drop_in,
            )
            sending = sending_of(response)
            if sending is not None and sending.clock is None and request.method != "HEAD":
                await sending.begin(CALLER.get())
        except (asyncio.CancelledError, ClientGoneError):  # nobody waits, not the function's doing
            await _drop(response)
            raise
        except BaseException as error:  # noqa: BLE001 - an author's function may raise anything
            await _drop(response)
            response = answer_to_error(error, function.name, request, self._refusals)
        if self._settings.custom_headers:
            response.headers.extend(self._settings.custom_headers)
        return response

    def _make_stream(self, function_name: str, value: StreamingResponse) -> Sending:
        broke_off = partial(note_broken_off, function=function_name, refusals=self._refusals)
        return self._streams.sending(value, broke_off)


async def _drop(response: web.Response | None) -> None:
    """Let go of an answer that is not sent."""
    sending = None if response is None else sending_of(response)
    if sending is not None:
        await sending.close()
