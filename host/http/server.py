"""The host's one HTTP application: a request's way from the socket to whoever answers it.

Every request takes the same steps: is it to be looked at (`access`), can it be read (`calls`),
which room answers (`_open`). The answer is one of ours in every case: aiohttp's own routing is
not in the way (`http_app.py`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import pydantic_core
from aiohttp import hdrs, web
from multidict import istr

from bindings.errors import InvalidArgumentError
from host.about import installed_version
from host.clock import Clock
from host.core.converter import Converter
from host.engine.audit import AuditLog
from host.engine.callers import ASKED_IN, CALLER
from host.engine.feed.feed import Feed
from host.engine.hosts import Hosts
from host.engine.jobs import Jobs
from host.engine.limits.desks import Desks
from host.engine.management import InstanceManager
from host.engine.overview.overview import HubOverview
from host.engine.repeated import RepeatedLines
from host.engine.store_watch import StoreWatch
from host.errors import ConfigurationError
from host.functions.invocation import Invoker
from host.functions.model import HostFunction
from host.functions.registry import FunctionRegistry
from host.http import answers, figures, own_pages
from host.http.access import Access, Lock, Need
from host.http.admin.operations import OPERATIONS as ADMIN_OPERATIONS
from host.http.admin.room import Administration
from host.http.auditing import Auditor
from host.http.bodies import BodyBudget, BodyLimits, HeldBody
from host.http.calls import Call, open_call
from host.http.connections import Connections
from host.http.cors import Cors
from host.http.dashboard.files import DashboardFiles
from host.http.dashboard.operations import OPERATIONS as DASHBOARD_OPERATIONS
from host.http.dashboard.operations import PATH as DASHBOARD_PATH
from host.http.dashboard.room import Dashboard
from host.http.figures import Figures
from host.http.functions.calls import FunctionCalls
from host.http.functions.routes import RESERVED, FunctionRoutes
from host.http.hanging_up import hang_up
from host.http.health import Health
from host.http.http_app import SERVER, HttpApp
from host.http.hub_meant import check_hub
from host.http.link_tokens import MARK
from host.http.management.links import ManagementLinks
from host.http.management.operations import OPERATIONS as WEBHOOKS
from host.http.management.room import Management
from host.http.management.webhooks import Webhooks
from host.http.openapi import document
from host.http.operations import Operation
from host.http.origins import Origins
from host.http.own_pages import OwnPages
from host.http.packing import MIN_BYTES, pack
from host.http.request_spans import RequestSpans
from host.http.routing import OperationTable
from host.http.sending import send, sending_of
from host.logs import HostLog
from host.resources.host_resources import HostResources
from host.settings.model import HostSettings
from host.traces.tracer import Tracer
from host.triggers.schedules import Schedules
from host.watching.reloading import Reloaded

DEFAULT_MAX_BODY_BYTES = 100_000_000
_MAX_DIGITS = 18
BODY_LIMIT_SETTING = "FUNCTIONS_REQUEST_BODY_SIZE_LIMIT"
HOMEPAGE_SETTING = "AzureWebJobsDisableHomepage"

_MANUAL_GRACE_S = 5.0
_CONTENT_TYPE_OPTIONS = istr("X-Content-Type-Options")  # `istr`: found faster than a `str`
_RESOURCE_POLICY = istr("Cross-Origin-Resource-Policy")
_UNAVAILABLE = int(HTTPStatus.SERVICE_UNAVAILABLE)  # each look at an enum's member costs
_TOKEN_MARK = MARK.encode()

_WITHOUT_DASHBOARD: tuple[Operation[Any], ...] = (
    *own_pages.OPERATIONS,
    *figures.OPERATIONS,
    *WEBHOOKS,
    *ADMIN_OPERATIONS,
)
OPERATIONS = (*_WITHOUT_DASHBOARD, *DASHBOARD_OPERATIONS)
"""All that a host answers by itself, without the author's functions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpParts:
    """What the HTTP application is made of. Without a `lock` it is for loopback only.

    `problems` are the host's own, `store_problems` what the store fails just now. `shown` gives
    what the listener of a function says of it. `reload` loads the app anew.
    """

    instances: InstanceManager
    hosts: Hosts
    overview: HubOverview
    feed: Feed
    audit: AuditLog
    jobs: Jobs
    limits: Desks
    invoker: Invoker
    registry: FunctionRegistry[FunctionRoutes]
    settings: HostSettings
    converter: Converter
    clock: Clock
    links: ManagementLinks
    problems: Callable[[], list[str]]
    store_problems: Callable[[], list[str]]
    store_watch: StoreWatch
    counters: Callable[[], Mapping[str, int]]
    resources: HostResources
    shown: Callable[[str], Mapping[str, str]]
    reload: Callable[[], Awaitable[Reloaded]]
    figures: Figures
    schedules: Schedules
    tracer: Tracer | None = None
    lock: Lock | None = None


def create_http_app(parts: HttpParts, connections: Connections) -> HttpApp:
    """The application, ready to be served."""
    front = _Front(parts, connections)
    return HttpApp(
        handle=front.handle, finish=front.finish, begin_end=front.end_events, end=front.close
    )


class _Front:
    def __init__(self, parts: HttpParts, connections: Connections) -> None:
        limits = parts.settings.funchost.http
        self._connections = connections
        self._budget = BodyBudget(
            BodyLimits(
                bytes_in_flight=limits.max_body_bytes_in_flight,
                timeout_s=limits.body_timeout_seconds,
            )
        )
        self._origins = Origins(
            public_url=limits.public_url, trusted_proxies=limits.trusted_proxies
        )
        self._is_open_to_pages = parts.lock is not None
        self._packs = limits.compress_answers
        self._cors = Cors(parts.settings.cors)
        hsts = parts.settings.extensions.http.hsts
        self._hsts = hsts.header if hsts.is_enabled else None
        self._hub_name = hub_name = parts.settings.extensions.durable_task.hub_name
        self._access = Access(parts.lock, parts.clock)
        self._registry = parts.registry
        self._store_watch = parts.store_watch
        health = Health(
            host_id=hub_name,
            version=installed_version(),
            clock=parts.clock,
            problems=parts.problems,
            store_problems=parts.store_problems,
            counters=parts.counters,
        )
        management = Management(
            instances=parts.instances,
            hosts=parts.hosts,
            overview=parts.overview,
            feed=parts.feed,
            audit=parts.audit,
            clock=parts.clock,
            access=self._access,
            jobs=parts.jobs,
            limits=parts.limits,
            links=parts.links,
            converter=parts.converter,
            max_wait_s=limits.max_wait_seconds,
            max_page_bytes=limits.max_page_bytes,
        )
        self._event_streams = management.event_streams
        auditor = Auditor(parts.audit, self._access, self._origins, parts.clock)
        self._webhooks = Webhooks(management, self._access, hub_name, auditor)
        self._administration = Administration(
            app=lambda: self._registry.version.app,
            path_of=self._path_of,
            invoker=parts.invoker,
            health=health,
            clock=parts.clock,
            resources=parts.resources,
            shown=parts.shown,
            reload=parts.reload,
            caller=self._access.caller,
            function_stats=None
            if parts.figures.metrics is None
            else parts.figures.metrics.function_stats,
            keys=None if parts.lock is None else parts.lock.keys,
            schedules=parts.schedules,
        )
        self._admin = OperationTable(self._administration, ADMIN_OPERATIONS, auditor)
        base = urlsplit(limits.public_url or "").path
        dashboard = Dashboard(
            files=DashboardFiles(base),
            access=self._access,
            auditor=auditor,
            sign_ins=RepeatedLines(parts.clock, HostLog("funchost.audit")),
            hub_name=hub_name,
            version=installed_version(),
        )
        self._dashboard = OperationTable(
            dashboard, DASHBOARD_OPERATIONS if parts.settings.funchost.dashboard else ()
        )
        has_dashboard = parts.settings.funchost.dashboard
        operations = OPERATIONS if has_dashboard else _WITHOUT_DASHBOARD
        described = document(installed_version(), operations, has_keys=self._access.has_keys)
        has_homepage = has_dashboard and not parts.settings.values.is_true(HOMEPAGE_SETTING)
        pages = OwnPages(
            health=health,
            home=f"{base}{DASHBOARD_PATH}/" if has_homepage else None,
            document=pydantic_core.to_json(described),
        )
        self._figures = OperationTable(parts.figures, figures.OPERATIONS)
        self._metrics = parts.figures.metrics
        self._clock = parts.clock
        self._requests = None if parts.tracer is None else RequestSpans(parts.tracer, parts.clock)
        self._own_pages = OperationTable(pages, own_pages.OPERATIONS)
        self._functions = FunctionCalls(
            invoker=parts.invoker,
            converter=parts.converter,
            access=self._access,
            settings=parts.settings.extensions.http,
            clock=parts.clock,
            max_body_bytes=_max_body_bytes(parts.settings),
        )

    def _path_of(self, function: HostFunction) -> str | None:
        return self._registry.version.routes.shown_path(function)

    async def handle(self, request: web.BaseRequest) -> web.Response:
        """Answer any request."""
        connection = self._connections.begin(request)
        CALLER.set(connection)
        held = HeldBody(request, self._budget)
        began_at = 0.0 if self._metrics is None else self._clock.monotonic()
        asked = None
        if self._requests is not None:
            asked = self._requests.begin(request)
            ASKED_IN.set(asked.inside)
        try:
            by = answers.BY_NOBODY
            response = _refuse_expected(request) or self._access.refuse(request)
            if response is None:
                response, by = await self._open(request, held)
            status = response.status
            if self._requests is not None and asked is not None:
                self._requests.end(asked, response, by)
            if self._metrics is not None:
                self._metrics.answered((by, status, self._clock.monotonic() - began_at))
            body = response.body
            is_secret = self._finish(request, response, body)
            if self._packs and isinstance(body, bytes) and len(body) >= MIN_BYTES and not is_secret:
                await pack(request, response, body)
            if status == _UNAVAILABLE:
                self._tell_store_watch(response)
            sending = sending_of(response)
            if sending is not None:
                await send(request, response, sending, connection)
            elif not request.content.is_eof():
                await hang_up(request, response)
            return response
        finally:
            held.release()
            if connection is not None:
                self._connections.end(connection)

    def _tell_store_watch(self, response: web.Response) -> None:
        failure = response.get(answers.STORE_FAILURE)
        if failure is not None:
            self._store_watch.failed("%s failed: %s", *failure)

    def finish(self, request: web.BaseRequest, response: web.Response) -> None:
        """Add the headers of all answers to one that others made."""
        self._finish(request, response, response.body)

    def _finish(self, request: web.BaseRequest, response: web.Response, body: object) -> bool:
        """Add the headers of all answers; gives whether it holds a token."""
        headers = response.headers
        headers.setdefault(hdrs.SERVER, SERVER)
        is_secret = isinstance(body, bytes) and _TOKEN_MARK in body
        if is_secret:
            headers.setdefault("Cache-Control", "no-store")
        headers.setdefault(_CONTENT_TYPE_OPTIONS, "nosniff")
        if not self._is_open_to_pages:
            headers.setdefault(_RESOURCE_POLICY, "same-origin")
        if self._hsts is not None and self._origins.is_secure(request):
            headers.setdefault("Strict-Transport-Security", self._hsts)
        return is_secret

    def end_events(self) -> None:
        """Let answers end that go on for ever, and that their clients ask for again."""
        self._functions.end_events()
        self._event_streams.end()

    async def close(self) -> None:
        """Let functions that were run by hand finish."""
        await self._administration.close(_MANUAL_GRACE_S)

    async def _open(self, request: web.BaseRequest, held: HeldBody) -> tuple[web.Response, str]:
        """The answer, and whose it is: a function's, or the operation's of this id."""
        try:
            call = open_call(request, held, self._origins)
        except InvalidArgumentError as error:
            return answers.message(HTTPStatus.BAD_REQUEST, str(error)), answers.BY_NOBODY
        first = call.segments[0].lower() if call.segments else ""
        if first not in RESERVED:
            found = self._registry.version.routes.find(call.segments, call.method)
            response = self._answer_instead(call, is_found=found is not None)
            by = answers.BY_NOBODY
            if response is None and found is not None:
                response, by = await self._functions.answer(call, *found), answers.BY_FUNCTION
                if self._requests is not None:
                    response[answers.FUNCTION] = found[0].function.name
            if response is not None:
                if self._cors.is_on:
                    self._cors.add_to(response.headers, request)
                return response, by
        response = self._access.refuse_page(request) or await self._answer_of_room(call)
        return response, response.get(answers.OPERATION, answers.BY_NOBODY)

    async def _answer_of_room(self, call: Call) -> web.Response:
        match [part.lower() for part in call.segments[:3]]:
            case ["runtime", "webhooks", "durabletask"]:
                return await self._webhooks.answer(call)
            case ["admin", *_]:
                return await self._admin.answer_by_key(
                    call, self._access, Need.ADMIN, partial(check_hub, hub_name=self._hub_name)
                )
            case ["dashboard", *_]:
                return await self._dashboard.answer_by_key(call, self._access, Need.NOTHING)
            case ["metrics"] | ["scale"]:
                return await self._figures.answer_by_key(call, self._access, Need.NOTHING)
        return await self._own_pages.answer_by_key(call, self._access, Need.NOTHING)

    def _answer_instead(self, call: Call, *, is_found: bool) -> web.Response | None:
        """What the host answers in place of a function, or of those at a path for other verbs.

        None if the function is to answer, or if none is at this path.
        """
        request = call.request
        methods: tuple[str, ...] = ()
        if request.method == "OPTIONS":
            methods = self._registry.version.routes.methods_at(call.segments)
        if not (is_found or methods):
            return None
        if not (self._cors.is_on and self._cors.allows(request)):
            refusal = self._access.refuse_function(request)
            if refusal is not None:
                return refusal
        elif methods and self._cors.is_preflight(request):
            return self._cors.preflight(request, methods)
        if is_found:
            return None
        return answers.empty(HTTPStatus.NO_CONTENT, {"Allow": ", ".join(methods)})


def _refuse_expected(request: web.BaseRequest) -> web.Response | None:
    """Refuse what cannot be expected. A client is told to go on once its body is wanted."""
    expected = request.headers.get(hdrs.EXPECT)
    if not expected or expected.lower() == "100-continue":
        return None
    return answers.message(HTTPStatus.EXPECTATION_FAILED, "Only 100-continue can be expected.")


def _max_body_bytes(settings: HostSettings) -> int:
    text = settings.values.get(BODY_LIMIT_SETTING, "")
    if text and not (text.isascii() and text.isdecimal() and len(text) < _MAX_DIGITS and int(text)):
        raise ConfigurationError(
            f"{BODY_LIMIT_SETTING} must be a whole number of bytes above 0, and it is {text!a}."
        )
    return int(text) if text else DEFAULT_MAX_BODY_BYTES
