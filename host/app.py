"""The wiring: the only file that knows all concrete classes.

It reads from top to bottom, and what starts first stops last, but for the engine and the requests:
these end side by side, so that no stop waits for one after the other. Then the store is closed.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import (
    AsyncExitStack,
    ExitStack,
    asynccontextmanager,
    closing,
    contextmanager,
    suppress,
)
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TypeAlias

from bindings.client import RuntimeStatus
from bindings.kinds.blobs import BlobRules
from host.about import installed_version
from host.clock import Clock, SystemClock
from host.core.converter import Converter
from host.core.executors import OrchestratorExecutor
from host.core.replay.changing import ChangingExecutor
from host.core.versions import Versioning
from host.engine.client import HubClient
from host.engine.engine import Engine
from host.engine.hosts import About
from host.engine.installed_observers import installed_observers
from host.engine.jobs import LOOK_S
from host.engine.observer import Observer
from host.engine.options import EngineOptions
from host.errors import ConfigurationError
from host.forks import close_sockets_at, let_go_in_children
from host.functions.bound_activities import InvokerSlot
from host.functions.catalog import Catalog
from host.functions.entities import EntityRunner
from host.functions.invocation import Invoker
from host.functions.loader import load_app
from host.functions.model import App
from host.functions.registry import AppVersion, FunctionRegistry, plan_calls
from host.http.access import Lock
from host.http.functions.odd_routes import odd_routes
from host.http.functions.routes import FunctionRoutes, route_functions
from host.http.hub_keys import HubKeys
from host.http.keys import KeyFile, NewKey, open_keys, shared_keys
from host.http.link_tokens import LinkTokens
from host.http.listening import listening_on
from host.http.loopback import is_loopback_name
from host.http.management.links import ManagementLinks
from host.http.server import HttpParts
from host.http.serving import served
from host.http.waiting import waiting_room
from host.http_calls.opening import http_calls
from host.logs import HostLog
from host.notifications import notifications
from host.os_words import make_folder
from host.resources.host_resources import HostResources
from host.settings import HostSettings, load_settings
from host.settings.cors import NO_WISH, CorsWish
from host.settings.model import (
    NO_WATCHDOG,
    DurableTaskSettings,
    OverridableStates,
    Required,
)
from host.settings.versions import VersionMatch
from host.storage.kinds import StoreKind, StorePlace
from host.storage.opening import STORES
from host.storage.patience import StoreOpener, unless
from host.storage.protocol import HubQueues, HubStore
from host.triggers.listeners import Listeners
from host.triggers.making import HostServices
from host.watching.apart import in_thread
from host.watching.files import Seen, Watched, look, watched_of
from host.watching.news import SystemNews
from host.watching.reloading import Reloaded, Reloader
from host.watching.source import AppSource, Loaded
from host.watching.watch import Watch, watching
from host.workers.wiring import worker_processes

_logger = HostLog("funchost.host")

DEFAULT_ADDRESS = "127.0.0.1"
DEFAULT_PORT = 7071
DATA_FOLDER = ".funchost"
KEY_FILE = "keys.json"
BLOB_FOLDER = "blobs"
BLOBS_FOR_EACH_PROCESSOR = 8
DEFAULT_STORAGE = "sqlite"

_ENDS = {
    "completed": (RuntimeStatus.COMPLETED,),
    "failed": (RuntimeStatus.FAILED,),
    "terminated": (RuntimeStatus.TERMINATED, RuntimeStatus.CANCELED),
}
"""How an instance has ended that is kept for the time of this name in host.json's `retention`."""
_HUB_VARIABLE = "AzureFunctionsJobHost__extensions__durableTask__hubName"


ExecutorOver: TypeAlias = Callable[[OrchestratorExecutor], OrchestratorExecutor]
"""Gives who runs orchestrators, from who would: he asks that one for those that are not his."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostOptions:
    """What the command line says; None where it says nothing."""

    app_dir: Path
    port: int | None = None
    address: str | None = None
    storage: str | None = None
    hub: str | None = None
    data_dir: Path | None = None
    logs_requests: bool = False
    requires_keys: bool = False
    """Whether requests need keys on a loopback address, too."""
    processes: int | None = None
    """How many worker processes run plain functions; 0 for threads."""
    watches: bool = False
    """Whether the app is loaded anew when its files change."""
    cors: CorsWish = NO_WISH
    """Pages of which other sites may ask functions."""
    is_debugging: bool = False
    """Whether functions may stand in a debugger: then none of them takes too long."""


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


def read_settings(options: HostOptions) -> HostSettings:
    """The app's settings, with the hub of the command line. Raises `ConfigurationError`."""
    return _settings_over(options, os.environ)


def _settings_over(options: HostOptions, environ: Mapping[str, str]) -> HostSettings:
    overrides = {_HUB_VARIABLE: options.hub} if options.hub else {}
    settings = load_settings(options.app_dir, {**environ, **overrides})
    settings = replace(settings, cors_wish=options.cors.or_else(settings.cors_wish))
    try:
        _ = settings.cors
    except ValueError as error:
        raise ConfigurationError(f"--cors, --cors-credentials: {error}.") from error
    return settings


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedHost:
    """An app that is loaded, and the socket on which it will be served."""

    options: HostOptions
    settings: HostSettings
    listener: socket.socket
    address: str
    registry: FunctionRegistry[FunctionRoutes]
    observers: tuple[Observer, ...]
    """Those of other packages."""
    slot: InvokerSlot
    """Where the app's activities find the host's invoker."""
    seen: Seen | None
    """The files that the app was loaded from; None if nobody watches them."""

    @property
    def port(self) -> int:
        """The port of the socket."""
        return int(self.listener.getsockname()[1])


@contextmanager
def prepared_host(options: HostOptions, settings: HostSettings) -> Iterator[PreparedHost]:
    """Listen, and load the app. Raises `ConfigurationError`.

    Call it on the main thread and before any event loop runs: an app may run a loop of its own
    while it is imported, or set signal handlers, and neither works elsewhere.
    """
    address = options.address or settings.local.http_address or DEFAULT_ADDRESS
    with ExitStack() as held:
        listener = held.enter_context(listening_on(address, _port(options, settings)))
        port = listener.getsockname()[1]
        held.enter_context(let_go_in_children(partial(close_sockets_at, port)))
        os.environ.update(settings.exports, WEBSITE_HOSTNAME=f"localhost:{port}")
        slot = InvokerSlot()
        seen = look(_watched(options, settings)) if options.watches else None
        yield PreparedHost(
            seen=seen,
            options=options,
            settings=settings,
            listener=listener,
            address=address,
            registry=FunctionRegistry(load_version(options, settings, slot)),
            observers=_observers(),
            slot=slot,
        )


def load_version(
    options: HostOptions, settings: HostSettings, slot: InvokerSlot | None = None
) -> AppVersion[FunctionRoutes]:
    """Load the app as it is in its folder now, running the author's modules. Blocks.

    Its activities find the host's invoker in the `slot`. Raises `ConfigurationError`.
    """
    return version_of(load_app(options.app_dir, settings), options, settings, slot)


def version_of(
    loaded: App, options: HostOptions, settings: HostSettings, slot: InvokerSlot | None = None
) -> AppVersion[FunctionRoutes]:
    """All that is made of an app."""
    app, plans = plan_calls(loaded)
    prefix = settings.extensions.http.route_prefix
    app, routes = route_functions(app, prefix)
    app = replace(app, oddities=(*app.oddities, *odd_routes(routes, prefix)))
    timeout = _function_timeout(options, settings)
    catalog = Catalog(app, converter_of(settings), timeout, slot)
    return AppVersion(app=app, catalog=catalog, routes=routes, plans=plans)


def _source(prepared: PreparedHost) -> AppSource[FunctionRoutes]:
    """Where the versions of the app come from that follow the first one."""
    options = prepared.options
    return AppSource(
        options.app_dir,
        prepared.settings,
        read=partial(_settings_over, options),
        make=lambda app, now: version_of(app, options, now, prepared.slot),
    )


def _watch(options: HostOptions, reloader: Reloader[FunctionRoutes], clock: Clock) -> Watch:
    """Who loads the app anew when its files change."""
    return Watch(
        options.app_dir,
        watched=lambda: _watched(options, reloader.settings),
        look=lambda watched: in_thread(partial(look, watched), "funchost-looking"),
        news=SystemNews(clock),
        reload=reloader.reload,
        clock=clock,
    )


def _watched(options: HostOptions, settings: HostSettings) -> Watched:
    return watched_of(options.app_dir, settings, _data_dir(options))


def _observers() -> tuple[Observer, ...]:
    """The installed ones that load."""
    working, broken = installed_observers()
    for each in broken:
        _logger.error("The observer of %s does not load: %s", each.source, each.error)
    return tuple(working)


def converter_of(settings: HostSettings) -> Converter:
    """What makes payloads of values, and values of payloads."""
    return Converter(settings.extensions.durable_task.max_payload_bytes)


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
    options, settings, registry = prepared.options, prepared.settings, prepared.registry
    clock = SystemClock()
    async with AsyncExitStack() as running:
        keys, new_keys = _keys(prepared.address, options, settings)
        kind = STORES.find(storage_kind(options, settings))
        store, queues = await _open_store(kind, prepared, clock, running, stopped)
        converter = converter_of(settings)
        limits = _serving_options(engine_options(kind, options, settings), settings)
        timeout = _function_timeout(options, settings)
        workers = worker_processes(
            _processes(options, settings),
            options.app_dir,
            settings,
            registry,
            timeout=timeout,
            clock=clock,
        )
        own = ChangingExecutor(registry, converter, limits.max_actions)
        entities = running.enter_context(
            closing(EntityRunner(registry, converter, clock, timeout=timeout))
        )
        engine = Engine(
            store=store,
            queues=queues,
            catalog=registry,
            converter=converter,
            clock=clock,
            options=limits,
            orchestrators=executor and executor(own),
            activities=workers.activities,
            changing=own,
            entities=entities,
            observers=prepared.observers,
            about=partial(_about, registry, settings),
            notifications=await running.enter_async_context(notifications(settings, clock)),
        )
        registry.follow(engine.functions_changed)
        hub_name = settings.extensions.durable_task.hub_name
        lock = None if keys is None else _lock(keys, hub_name, store, clock)
        if lock is not None:
            await running.enter_async_context(lock.keys.followed())
        links = ManagementLinks(
            hub_name=hub_name,
            clock=clock,
            base_url=f"http://localhost:{prepared.port}",
            public_url=settings.funchost.http.public_url,
            tokens=None if lock is None else lock.tokens,
        )
        client = HubClient(engine, links)
        home = kind.home(store, settings.extensions.durable_task.storage_provider)
        grace_s = settings.funchost.stop_grace_seconds
        resources = HostResources(
            settings.values,
            home,
            clock,
            queues=settings.extensions.queues,
            blob_rules=blob_rules_of(settings),
            blob_folder=_data_dir(options) / BLOB_FOLDER,
            stop_grace_s=grace_s,
        )
        running.push_async_callback(resources.close)
        invoker = Invoker(
            client=client,
            converter=converter,
            resources=resources,
            clock=clock,
            timeout=timeout,
            plan_of=registry.plan_of,
            elsewhere=workers.calls,
        )
        prepared.slot.invoker = invoker
        http_settings = settings.extensions.durable_task.http_settings
        calls = http_calls(http_settings, lambda: resources.values, clock)
        running.push_async_callback(calls.close)
        prepared.slot.send_http = calls.run
        services = HostServices(
            store=store,
            clock=clock,
            host_id=engine.parts.host_id,
            is_alone=limits.sweep_s is None,
            resources=resources,
            place_of=resources.place_of,
        )
        listeners = Listeners(registry, invoker, services, grace_s)
        work = _Work(engine=engine, invoker=invoker, listeners=listeners)

        def swap(loaded: Loaded[FunctionRoutes]) -> None:
            former, now = registry.current(), loaded.settings
            resources.use(now.values)  # before who follows the registry asks for them
            workers.use(now)
            registry.swap(loaded.version)
            engine.app_changed(former)

        reloader = Reloader(_source(prepared), registry, clock, swap=swap, fitted=engine.fitted)
        parts = HttpParts(
            instances=engine.instances,
            hosts=engine.hosts,
            jobs=engine.jobs,
            invoker=invoker,
            registry=registry,
            settings=settings,
            converter=converter,
            clock=clock,
            links=links,
            problems=lambda: [
                *_missing(registry.version.app, settings.funchost.ready_requires),
                *workers.problems(),
                *work.problems(),
            ],
            store_problems=engine.store_problems,
            store_watch=engine.store_watch,
            counters=engine.counters,
            resources=resources,
            shown=listeners.shown,
            reload=reloader.reload_and_fit,
            lock=lock,
        )
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
            watch = _watch(options, reloader, clock)
            await running.enter_async_context(watching(watch, prepared.seen))
        prefix = settings.extensions.http.route_prefix
        yield RunningHost(
            url=_url(prepared.address, prepared.port),
            functions_url=f"http://localhost:{prepared.port}/{prefix}".rstrip("/"),
            registry=registry,
            reload=reloader.reload_and_fit,
            hurry=engine.hurry,
            busy_with=engine.busy_with,
            data_dir=_data_dir(options),
            new_keys=new_keys,
        )


def _about(registry: FunctionRegistry[FunctionRoutes], settings: HostSettings) -> About:
    """What the host says of itself to who asks which hosts there are."""
    return About(
        version=installed_version(),
        app_version=settings.extensions.durable_task.default_version,
        functions=sorted(function.name for function in registry.version.app.functions),
    )


def _serving_options(limits: EngineOptions, settings: HostSettings) -> EngineOptions:
    """What a host does besides for its hub, which a test's does not."""
    given = settings.extensions.durable_task.retention.given
    kept = {status: given[name] for name in given for status in _ENDS[name]}
    return replace(limits, look_for_jobs_s=LOOK_S, retention=kept)


def _port(options: HostOptions, settings: HostSettings) -> int:
    given = (options.port, settings.local.http_port, DEFAULT_PORT)
    return next(port for port in given if port is not None)


def _processes(options: HostOptions, settings: HostSettings) -> int:
    """How many worker processes there are to be. Nobody could debug what runs in them."""
    given = settings.funchost.processes if options.processes is None else options.processes
    if given and options.is_debugging:
        _logger.info("Functions run in threads, not in worker processes: you debug them")
        return 0
    return given


def needs_keys(options: HostOptions, settings: HostSettings) -> bool:
    """Whether requests need keys: where not only this machine can send any, or keys are given.

    Raises `ConfigurationError` for keys that cannot be read.
    """
    address = options.address or settings.local.http_address or DEFAULT_ADDRESS
    is_open = is_loopback_name(address) and not options.requires_keys
    return not is_open or shared_keys(settings.values) is not None


def _keys(
    address: str, options: HostOptions, settings: HostSettings
) -> tuple[KeyFile | None, tuple[NewKey, ...]]:
    """The keys that requests need; none where only this machine can send any, and none are given.

    A proxy on this machine lets everybody reach a loopback address, so keys that are given hold
    there, too.
    """
    shared = shared_keys(settings.values)
    if shared is not None:
        return shared, ()
    if is_loopback_name(address) and not options.requires_keys:
        return None, ()
    _keep_out_of_git(options)
    return open_keys(_data_dir(options) / KEY_FILE)


def _lock(file: KeyFile, hub_name: str, store: HubStore, clock: Clock) -> Lock:
    return Lock(keys=HubKeys(file, store, clock), tokens=LinkTokens(file.secret, hub_name))


def _data_dir(options: HostOptions) -> Path:
    return options.data_dir or options.app_dir / DATA_FOLDER


def _keep_out_of_git(options: HostOptions) -> None:
    """Let the data folder within an app ignore itself: it holds keys and what instances know."""
    if options.data_dir is None:
        marker = _data_dir(options) / ".gitignore"
        with suppress(OSError):  # whoever writes there next says what is wrong
            make_folder(marker.parent, 0o700)
            if not marker.exists():
                marker.write_text("*\n", encoding="utf-8")


def storage_place(options: HostOptions, settings: HostSettings) -> StorePlace:
    """Where the hub is."""
    durable = settings.extensions.durable_task
    return StorePlace(
        hub=durable.hub_name, folder=_data_dir(options), provider=durable.storage_provider
    )


def storage_kind(options: HostOptions, settings: HostSettings) -> str:
    """What the command line says, else the `type` of host.json's storageProvider, else sqlite.

    Raises `ConfigurationError` if there is no such kind.
    """
    configured = settings.extensions.durable_task.storage_provider.get("type")
    kind = options.storage or str(configured or DEFAULT_STORAGE).lower()
    if not STORES.knows(kind):
        raise ConfigurationError(
            f"host.json: extensions.durableTask.storageProvider.type: there is no '{configured}' "
            f"here; choose one of {', '.join(STORES.names())}, or give --storage."
        )
    return kind


def check_settings(options: HostOptions, settings: HostSettings) -> None:
    """Raise `ConfigurationError` for settings that each by itself may be, and no host starts with.

    Nothing is opened but files of keys that they name.
    """
    kind = STORES.find(storage_kind(options, settings))
    engine_options(kind, options, settings)
    shared_keys(settings.values)


async def _open_store(
    kind: StoreKind,
    prepared: PreparedHost,
    clock: Clock,
    stack: AsyncExitStack,
    stopped: asyncio.Event | None,
) -> tuple[HubStore, HubQueues]:
    options, settings = prepared.options, prepared.settings
    opened = partial(kind.opened, storage_place(options, settings), clock)
    if kind.keeps_files:  # they are this machine's: what is wrong with them, no waiting mends
        _keep_out_of_git(options)
        return await stack.enter_async_context(opened())
    patience_s = settings.funchost.start_patience_seconds
    opener = StoreOpener(opened, clock, patience_s=patience_s)
    async with waiting_room(prepared.listener, settings.funchost, clock):
        return await unless(stopped, opener.open(stack))


def engine_options(kind: StoreKind, options: HostOptions, settings: HostSettings) -> EngineOptions:
    """What the settings say of the engine, and what suits one on such a store."""
    durable = settings.extensions.durable_task
    defaults, by_kind = EngineOptions(), kind.engine_defaults(durable.storage_provider)
    watchdog = NO_WATCHDOG if options.is_debugging else settings.funchost.watchdog
    return replace(
        defaults,
        max_concurrent_activities=durable.max_concurrent_activity_functions
        or defaults.max_concurrent_activities,
        max_concurrent_orchestrators=durable.max_concurrent_orchestrator_functions
        or defaults.max_concurrent_orchestrators,
        hold_s=by_kind.hold_s or defaults.hold_s,
        max_hold_s=by_kind.max_hold_s or defaults.max_hold_s,
        sweep_s=by_kind.sweep_s or defaults.sweep_s,
        full_sweep_s=by_kind.full_sweep_s or defaults.full_sweep_s,
        max_gather_s=by_kind.max_gather_s or defaults.max_gather_s,
        max_backlog_s=by_kind.max_backlog_s or defaults.max_backlog_s,
        max_actions=durable.max_orchestration_actions,
        max_waits=settings.funchost.http.max_waits,
        max_inbox_bytes=durable.max_inbox_bytes,
        max_page_bytes=settings.funchost.http.max_page_bytes,
        stuck_turn_s=watchdog.report_after_seconds,
        break_off_turn_s=watchdog.break_off_after_seconds,
        end_host_s=watchdog.end_host_after_seconds,
        quarantine_pause_s=durable.quarantine_pause_seconds or None,
        versioning=versioning_of(durable),
        replaces_active=durable.overridable_existing_instance_states is OverridableStates.ANY,
    )


def blob_rules_of(settings: HostSettings) -> BlobRules:
    """What the settings say of blobs."""
    blobs = settings.extensions.blobs
    return BlobRules(
        max_value_bytes=blobs.max_value_bytes,
        max_blob_bytes=blobs.max_blob_bytes,
        max_parallel=blobs.max_degree_of_parallelism
        or BLOBS_FOR_EACH_PROCESSOR * (os.cpu_count() or 1),
        max_tries=blobs.poison_blob_threshold,
    )


def versioning_of(durable: DurableTaskSettings) -> Versioning:
    """Instances of which versions a host takes."""
    default, match = durable.default_version, durable.version_match_strategy
    usual = VersionMatch.NONE if default is None else VersionMatch.CURRENT_OR_OLDER
    failure = durable.version_failure_strategy
    return Versioning(default=default, match=match or usual, failure=failure)


def _function_timeout(options: HostOptions, settings: HostSettings) -> timedelta | None:
    return None if options.is_debugging else settings.function_timeout


def _missing(app: App, required: Required) -> list[str]:
    """What does not load and keeps the host from being ready."""
    if required is Required.NOTHING:
        return []
    needs_all = required is Required.FUNCTIONS
    broken = [each for each in app.broken if (needs_all or each.is_module) and not each.goes_on]
    return [str(each) for each in broken]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """What works besides the requests: the engine, and whoever waits for what triggers functions.

    Listeners start after the engine, because what they trigger may need it, and all stop together.
    """

    engine: Engine
    invoker: Invoker
    listeners: Listeners

    @asynccontextmanager
    async def running(self, grace_s: float) -> AsyncIterator[None]:
        await self.engine.start()
        self.listeners.start()
        try:
            yield
        finally:
            self.begin_stop(grace_s)
            await self.listeners.stop()
            self.invoker.stop()
            await self.engine.stop(grace_s)

    def begin_stop(self, grace_s: float) -> None:
        self.listeners.begin_stop()
        self.engine.begin_stop(grace_s)

    def problems(self) -> list[str]:
        store = self.engine.parts.store
        found = [*self.engine.problems(), *store.problems(), *self.listeners.problems()]
        return [*found, "the host stops"] if self.engine.is_stopping else found


def _url(address: str, port: int) -> str:
    return f"http://[{address}]:{port}" if ":" in address else f"http://{address}:{port}"
