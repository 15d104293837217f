"""A whole host in this process, on the memory store, spoken to over real HTTP.

The tests get it by the fixtures of conftest.py.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from aiohttp import ClientResponse, ClientSession

from bindings import (
    AuthLevel,
    DurableClient,
    FunctionApp,
    HttpRequest,
    HttpResponse,
    OrchestrationContext,
)
from bindings.kinds import timer
from host.clock import Clock, SystemClock
from host.core.converter import Converter
from host.engine.client import HubClient
from host.engine.engine import Engine
from host.engine.hosts import About
from host.engine.options import EngineOptions
from host.functions.catalog import Catalog
from host.functions.entities import EntityRunner
from host.functions.invocation import Invoker
from host.functions.model import App, BrokenFunction, HostFunction
from host.functions.registry import AppVersion, FunctionRegistry, plan_calls
from host.http.access import Lock
from host.http.browser_sessions import BrowserSessions
from host.http.figures import Figures
from host.http.functions.routes import route_functions
from host.http.hub_keys import HubKeys
from host.http.keys import KeyKind, open_keys
from host.http.link_tokens import LinkTokens
from host.http.management.links import ManagementLinks
from host.http.server import HttpParts
from host.http.serving import served
from host.metrics.exposition import Exposition
from host.metrics.host_metrics import HostMetrics
from host.metrics.readings import Readings
from host.metrics.scale import ScaleSignal
from host.resources.host_resources import HostResources
from host.settings.model import HostDocument, HostSettings
from host.settings.values import AppSettings
from host.storage.kinds import Home
from host.storage.local_queues import LocalQueues
from host.storage.memory import MemoryStore
from host.storage.memory_messages import MemoryMessages
from host.storage.protocol import HubQueues, HubStore
from host.traces.spans import Exporter
from host.traces.tracer import Tracer
from host.triggers.making import records_of
from host.triggers.schedules import Schedules
from host.watching.reloading import Reloaded
from host.wiring.part_options import named_limits_of
from tests.http.raw_client import RawClients

WEBHOOKS = "/runtime/webhooks/durabletask"
HUB = "TestHub"
MAX_PAYLOAD = 200_000


@dataclass(frozen=True, slots=True)
class Client:
    """Sends requests to a server of this machine."""

    host: str
    port: int
    session: ClientSession

    async def request(self, method: str, path: str, **options: Any) -> ClientResponse:
        """Send a request; the connection stays open for the next one."""
        return await self.session.request(method, path, **options)


def durable_app() -> FunctionApp:
    """Orchestrations that end in every way, and one starter."""
    app = FunctionApp(http_auth_level=AuthLevel.ANONYMOUS)

    @app.activity_trigger()
    def shout(text: str) -> str:
        return text.upper()

    @app.orchestration_trigger()
    async def echo(context: OrchestrationContext, value: Any) -> Any:
        return value

    @app.orchestration_trigger()
    async def shouting(context: OrchestrationContext, text: str) -> str:
        return str(await context.call_activity("shout", text))

    @app.orchestration_trigger()
    async def failing(context: OrchestrationContext) -> None:
        raise ValueError("no luck")

    @app.orchestration_trigger()
    async def parent(context: OrchestrationContext) -> None:
        await context.call_sub_orchestrator("echo", instance_id="child")

    @app.orchestration_trigger()
    async def waiting(context: OrchestrationContext) -> Any:
        context.set_custom_status("waits")
        return await context.wait_for_external_event("go")

    @app.route("start/{name}/{id?}", methods=["POST"])
    @app.orchestration_client("client")
    async def start(req: HttpRequest, client: DurableClient) -> HttpResponse:
        instance_id = await client.schedule_new_orchestration(
            req.route_params["name"], input=req.json(), instance_id=req.route_params.get("id")
        )
        return client.create_check_status_response(req, instance_id)

    return app


def host_functions(app: FunctionApp, disabled: Sequence[str] = ()) -> tuple[HostFunction, ...]:
    return tuple(
        HostFunction(
            name=each.name, declaration=each, directory=Path(), is_disabled=each.name in disabled
        )
        for each in app.get_functions()
    )


@dataclass(slots=True, kw_only=True)
class Host:
    """A running host. Requests go to the webhooks unless their path starts with a slash."""

    http: Client
    raw: RawClients
    hub: HubClient
    engine: Engine
    settings: HostSettings
    problems: list[str] = field(default_factory=list)
    keys: Mapping[KeyKind, str] = field(default_factory=dict)

    @property
    def origin(self) -> str:
        return f"http://{self.http.host}:{self.http.port}"

    async def call(self, method: str, path: str, **options: Any) -> ClientResponse:
        """Send a request; the body is read before this returns."""
        url = path if path.startswith("/") else f"{WEBHOOKS}/{path}"
        response = await self.http.request(method, url, **options)
        await response.read()
        return response

    async def start(self, name: str, value: Any = None, instance_id: str = "") -> str:
        path = f"orchestrators/{name}/{instance_id}"
        response = await self.call("POST", path, json=value)
        assert response.status == 202, await response.text()
        return str((await response.json())["id"])

    async def waiting(self) -> str:
        """An instance that runs and waits for the event `go`."""
        instance_id = await self.start("waiting")
        await self.hub.wait_for_instance_start(instance_id)
        return instance_id

    async def ended(self, name: str = "echo", value: Any = None) -> str:
        """A finished instance."""
        instance_id = await self.start(name, value)
        await self.hub.wait_for_instance_completion(instance_id)
        return instance_id

    async def until(self, instance_id: str, status: str) -> None:
        """Poll, as clients do, until the instance has this status."""
        while True:
            response = await self.call("GET", f"instances/{instance_id}")
            if (await response.json())["runtimeStatus"] == status:
                return
            await asyncio.sleep(0)


@asynccontextmanager
async def running_host(
    key_file: Path | None = None,
    *,
    app: FunctionApp | None = None,
    disabled: Sequence[str] = (),
    drop_in: bool = False,
    broken: Sequence[BrokenFunction] = (),
    http: Mapping[str, Any] | None = None,
    values: Mapping[str, str] | None = None,
    storage: tuple[HubStore, HubQueues] | None = None,
    limits: Mapping[str, Any] | None = None,
    durable: Mapping[str, Any] | None = None,
    funchost: Mapping[str, Any] | None = None,
    clock: Clock | None = None,
    exporter: Exporter | None = None,
) -> AsyncIterator[Host]:
    """A host that serves these functions; with keys if there is a file for them.

    `drop_in`: the functions are served as if function.json files had declared them.

    Without `storage`, which must be open, it forgets everything at the end.
    """
    clock, converter = clock or SystemClock(), Converter(MAX_PAYLOAD)
    functions = host_functions(durable_app() if app is None else app, disabled)
    if drop_in:
        functions = tuple(replace(each, is_drop_in=True) for each in functions)
    own = {**(funchost or {}), "http": dict(limits or {})}
    settings = make_settings(http or {}, values or {}, own, durable or {})
    prefix = settings.extensions.http.route_prefix
    found, plans = plan_calls(App(functions=functions, broken=tuple(broken)))
    found, routes = route_functions(found, prefix)
    version = AppVersion(app=found, catalog=Catalog(found, converter), routes=routes, plans=plans)
    registry = FunctionRegistry(version)
    store, queues = storage or (MemoryStore(clock.now), LocalQueues())
    lock, keys = make_lock(key_file, store, clock)
    links = ManagementLinks(
        hub_name=HUB,
        clock=clock,
        base_url="http://base",
        public_url=settings.funchost.http.public_url,
        tokens=None if lock is None else lock.tokens,
    )
    entities, metrics = EntityRunner(registry, converter, clock), HostMetrics(clock)
    engine = Engine(
        store=store,
        queues=queues,
        catalog=registry,
        converter=converter,
        clock=clock,
        entities=entities,
        options=EngineOptions(
            max_waits=settings.funchost.http.max_waits,
            max_inbox_bytes=settings.extensions.durable_task.max_inbox_bytes,
            max_page_bytes=settings.funchost.http.max_page_bytes,
            limits=named_limits_of(settings.extensions.durable_task),
            traces=exporter is not None,
        ),
        observers=[metrics.observer],
        activities_took=metrics.activities_took,
        about=lambda: About(version="1.2.3", app_version=None, functions=["echo", "waiting"]),
    )
    hub = HubClient(engine, links)
    invoker = Invoker(
        client=hub,
        converter=converter,
        plan_of=registry.plan_of,
        told=lambda *run: metrics.ran("triggered", *run),
    )
    problems: list[str] = []
    resources = HostResources(settings.values, Home(messages=MemoryMessages()), clock)
    tracer = None if exporter is None else Tracer(exporter, store, clock)
    if tracer is not None:
        engine.parts.observers.add(tracer.observer)
    assert resources.embedded_queues is not None
    readings = Readings(engine, clock, resources.embedded_queues.states)
    figures = Figures(
        metrics=metrics,
        readings=readings,
        exposition=Exposition(metrics, {"version": "1.2.3"}),
        scale=ScaleSignal(readings, clock, lambda: metrics.longest_delay_s),
    )
    parts = HttpParts(
        instances=engine.instances,
        hosts=engine.hosts,
        overview=engine.overview,
        feed=engine.feed,
        audit=engine.audit,
        jobs=engine.jobs,
        limits=engine.parts.limits.desks,
        invoker=invoker,
        registry=registry,
        settings=settings,
        converter=converter,
        clock=clock,
        links=links,
        problems=lambda: problems + engine.problems(),
        store_problems=engine.store_problems,
        store_watch=engine.store_watch,
        counters=engine.counters,
        resources=resources,
        shown=lambda _: {},
        reload=partial(_reloaded, registry),
        figures=figures,
        schedules=Schedules(registry, records_of(store, timer.TYPE), clock, lambda _: None),
        tracer=tracer,
        lock=lock,
    )
    await engine.start()
    try:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            address, port = listener.getsockname()
            async with (
                nullcontext() if lock is None else lock.keys.followed(),
                served(parts, listener, begin_end=engine.end_waits),
                ClientSession(f"http://{address}:{port}") as session,
            ):
                raw = RawClients(address, port)
                yield Host(
                    http=Client(address, port, session),
                    raw=raw,
                    hub=hub,
                    engine=engine,
                    settings=settings,
                    problems=problems,
                    keys=keys,
                )
                await raw.close()
    finally:  # an engine whose queues are closed under it would ask them without end
        await engine.stop()
        entities.close()
        invoker.stop()


def make_lock(
    key_file: Path | None, store: HubStore, clock: Clock
) -> tuple[Lock | None, dict[KeyKind, str]]:
    if key_file is None:
        return None, {}
    file, new_keys = open_keys(key_file)
    lock = Lock(
        keys=HubKeys(file, store, clock),
        tokens=LinkTokens(file.secret, HUB),
        sessions=BrowserSessions(file.secret, HUB),
    )
    return lock, {key.kind: key.value for key in new_keys}


def make_settings(
    http: Mapping[str, Any],
    values: Mapping[str, str],
    funchost: Mapping[str, Any],
    durable: Mapping[str, Any] | None = None,
) -> HostSettings:
    extensions = {"durableTask": {"hubName": HUB, **(durable or {})}, "http": dict(http)}
    document = HostDocument.model_validate(
        {"version": "2.0", "extensions": extensions, "funchost": dict(funchost)}
    )
    return HostSettings(document=document, values=AppSettings(values))


async def _reloaded(registry: FunctionRegistry[Any]) -> Reloaded:
    """The app has no folder: what is there is what was there."""
    app = registry.version.app
    return Reloaded(
        functions=len(app.functions), added=(), removed=(), broken=app.broken, remarks=()
    )
