"""The wiring: a host from its start to its end, and the only place where all parts of it meet.

It reads from top to bottom, and what starts first stops last, but for the engine and the requests:
these end side by side, so that no stop waits for one after the other. Then the store is closed.
What each part is made with is in `host/wiring`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bindings.kinds import timer
from host.engine.client import HubClient
from host.engine.engine import Engine
from host.functions.model import App
from host.functions.registry import FunctionRegistry
from host.http.access import Lock
from host.http.functions.routes import FunctionRoutes
from host.http.keys import NewKey
from host.http.management.links import ManagementLinks
from host.http.server import HttpParts
from host.http.serving import served
from host.settings import HostSettings
from host.settings.funchost import Required
from host.traces.tracer import Tracer
from host.triggers.listeners import Listeners
from host.triggers.making import HostServices, records_of
from host.triggers.schedules import Schedules
from host.watching.reloading import Reloaded, Reloader
from host.watching.watch import watching
from host.wiring.calls import FunctionCalls, function_calls
from host.wiring.changing import reloader_of, watch_of
from host.wiring.data_folder import data_folder
from host.wiring.engine import ExecutorOver, made_engine
from host.wiring.hub import OpenHub, open_hub
from host.wiring.keys import lock_of, opened_keys
from host.wiring.metrics import figures_of, measured
from host.wiring.options import HostOptions, processes_of
from host.wiring.part_options import serving_options
from host.wiring.prepared import PreparedHost, prepared_host
from host.wiring.traces import traced
from host.wiring.work import Work
from host.workers.wiring import WorkerProcesses, worker_processes


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningHost:
    """A host that answers requests. `new_keys` is not empty if keys were made at this start.

    `hurry` says that it is to stop soon: a signal handler may call it while the loop is kept busy.
    """

    url: str
    functions_url: str
    registry: FunctionRegistry[FunctionRoutes]
    """The app."""
    reload: Callable[[], Awaitable[Reloaded]]
    """Loads the app anew. Raises `ConfigurationError` if its settings cannot be read."""
    hurry: Callable[[], None]
    busy_with: Callable[[], str]
    """What a stop has to deal with, in words."""
    data_dir: Path
    """The folder of the store and the keys."""
    new_keys: tuple[NewKey, ...] = ()

    @property
    def app(self) -> App:
        """The app as it is now."""
        return self.registry.version.app


@asynccontextmanager
async def running_host(
    options: HostOptions, settings: HostSettings, executor: ExecutorOver | None = None
) -> AsyncIterator[RunningHost]:
    """Prepare a host and serve it, inside another program's event loop.

    `executor` gives who runs the orchestrators; None for the executor of this process. Raises
    `ConfigurationError` or `StorageUnavailableError` if it cannot start.
    """
    with prepared_host(options, settings) as prepared:
        async with serving(prepared, executor) as host:
            yield host


@asynccontextmanager
async def serving(
    prepared: PreparedHost,
    executor: ExecutorOver | None = None,
    *,
    stopped: asyncio.Event | None = None,
) -> AsyncIterator[RunningHost]:
    """Start everything, and stop it in the end. `executor` is that of `running_host`.

    While the store is away it is waited for, unless `stopped` is set. Raises `ConfigurationError`
    or `StorageUnavailableError` if it cannot start, `StartStoppedError` if it was not to.
    """
    options, settings = prepared.options, prepared.settings
    grace_s = settings.funchost.stop_grace_seconds
    async with AsyncExitStack() as running:
        keys, new_keys = opened_keys(options, settings)
        hub = await running.enter_async_context(open_hub(prepared, stopped))
        workers = _workers(prepared)
        chosen = serving_options(hub.kind, options, settings)
        tracer = await running.enter_async_context(traced(hub.store, prepared.clock))
        engine = await running.enter_async_context(
            made_engine(prepared, hub, chosen, workers, executor, tracer=tracer)
        )
        lock = None if keys is None else lock_of(keys, prepared.hub_name, hub.store, prepared.clock)
        if lock is not None:
            await running.enter_async_context(lock.keys.followed())
        links = _links(prepared, lock)
        client = HubClient(engine, links)
        calls = await running.enter_async_context(function_calls(prepared, hub, client, workers))
        services = _services(prepared, hub, engine, calls, is_alone=chosen.sweep_s is None)
        listeners = Listeners(prepared.registry, calls.invoker, services, grace_s)
        work = Work(engine=engine, invoker=calls.invoker, listeners=listeners)
        reloader = reloader_of(prepared, engine, calls.resources, workers)
        parts = _http_parts(
            prepared,
            work=work,
            workers=workers,
            calls=calls,
            reloader=reloader,
            links=links,
            lock=lock,
            schedules=Schedules(
                prepared.registry,
                records_of(hub.store, timer.TYPE),
                prepared.clock,
                listeners.look_anew,
            ),
            tracer=tracer,
        )
        await running.enter_async_context(measured(prepared.metrics))
        await running.enter_async_context(workers.running())
        await running.enter_async_context(work.running(grace_s))
        await running.enter_async_context(
            served(
                parts,
                prepared.listener,
                begin_end=partial(work.begin_stop, grace_s),
                logs_requests=options.logs_requests,
            )
        )
        if prepared.seen is not None:
            watch = watch_of(prepared, reloader)
            await running.enter_async_context(watching(watch, prepared.seen))
        prefix = settings.extensions.http.route_prefix
        yield RunningHost(
            url=_url(prepared.address, prepared.port),
            functions_url=f"http://localhost:{prepared.port}/{prefix}".rstrip("/"),
            registry=prepared.registry,
            reload=reloader.reload_and_fit,
            hurry=engine.hurry,
            busy_with=engine.busy_with,
            data_dir=data_folder(options),
            new_keys=new_keys,
        )


def _workers(prepared: PreparedHost) -> WorkerProcesses:
    options, settings = prepared.options, prepared.settings
    return worker_processes(
        processes_of(options, settings),
        options.app_dir,
        settings,
        prepared.registry,
        timeout=prepared.timeout,
        clock=prepared.clock,
    )


def _links(prepared: PreparedHost, lock: Lock | None) -> ManagementLinks:
    return ManagementLinks(
        hub_name=prepared.hub_name,
        clock=prepared.clock,
        base_url=f"http://localhost:{prepared.port}",
        public_url=prepared.settings.funchost.http.public_url,
        tokens=None if lock is None else lock.tokens,
    )


def _services(
    prepared: PreparedHost, hub: OpenHub, engine: Engine, calls: FunctionCalls, *, is_alone: bool
) -> HostServices:
    return HostServices(
        store=hub.store,
        clock=prepared.clock,
        host_id=engine.parts.host_id,
        is_alone=is_alone,
        resources=calls.resources,
        place_of=calls.resources.place_of,
    )


def _http_parts(
    prepared: PreparedHost,
    *,
    work: Work,
    workers: WorkerProcesses,
    calls: FunctionCalls,
    reloader: Reloader[FunctionRoutes],
    links: ManagementLinks,
    lock: Lock | None,
    schedules: Schedules,
    tracer: Tracer | None,
) -> HttpParts:
    engine, registry, settings = work.engine, prepared.registry, prepared.settings
    return HttpParts(
        instances=engine.instances,
        hosts=engine.hosts,
        overview=engine.overview,
        feed=engine.feed,
        audit=engine.audit,
        jobs=engine.jobs,
        limits=engine.parts.limits.desks,
        invoker=calls.invoker,
        registry=registry,
        settings=settings,
        converter=prepared.converter,
        clock=prepared.clock,
        links=links,
        problems=lambda: [
            *_missing(registry.version.app, settings.funchost.ready_requires),
            *workers.problems(),
            *work.problems(),
        ],
        store_problems=engine.store_problems,
        store_watch=engine.store_watch,
        counters=engine.counters,
        resources=calls.resources,
        shown=work.listeners.shown,
        reload=reloader.reload_and_fit,
        figures=figures_of(prepared, engine, calls.resources),
        schedules=schedules,
        tracer=tracer,
        lock=lock,
    )


def _missing(app: App, required: Required) -> list[str]:
    """What does not load and keeps the host from being ready."""
    if required is Required.NOTHING:
        return []
    needs_all = required is Required.FUNCTIONS
    broken = [each for each in app.broken if (needs_all or each.is_module) and not each.goes_on]
    return [str(each) for each in broken]


def _url(address: str, port: int) -> str:
    return f"http://[{address}]:{port}" if ":" in address else f"http://{address}:{port}"
