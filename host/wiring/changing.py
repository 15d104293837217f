"""How the app of a running host changes: what loads it anew, when, and who follows."""

from __future__ import annotations

from functools import partial

from host.engine.engine import Engine
from host.http.functions.routes import FunctionRoutes
from host.resources.host_resources import HostResources
from host.watching.apart import in_thread
from host.watching.files import look
from host.watching.news import SystemNews
from host.watching.reloading import Reloader
from host.watching.source import AppSource, Loaded
from host.watching.watch import Watch
from host.wiring.options import read_settings
from host.wiring.prepared import PreparedHost, watched_files
from host.wiring.versions import version_of
from host.workers.wiring import WorkerProcesses


def reloader_of(
    prepared: PreparedHost, engine: Engine, resources: HostResources, workers: WorkerProcesses
) -> Reloader[FunctionRoutes]:
    """What loads the app anew, and lets it count for all parts at once."""
    registry = prepared.registry

    def swap(loaded: Loaded[FunctionRoutes]) -> None:
        former, now = registry.current(), loaded.settings
        resources.use(now.values)  # before who follows the registry asks for them
        workers.use(now)
        registry.swap(loaded.version)
        engine.app_changed(former)

    source = _source(prepared)
    return Reloader(source, registry, prepared.clock, swap=swap, fitted=engine.fitted)


def watch_of(prepared: PreparedHost, reloader: Reloader[FunctionRoutes]) -> Watch:
    """Who loads the app anew when its files change."""
    options = prepared.options
    return Watch(
        options.app_dir,
        watched=lambda: watched_files(options, reloader.settings),
        look=lambda watched: in_thread(partial(look, watched), "funchost-looking"),
        news=SystemNews(prepared.clock),
        reload=reloader.reload,
        clock=prepared.clock,
    )


def _source(prepared: PreparedHost) -> AppSource[FunctionRoutes]:
    """Where the versions of the app come from that follow the first one."""
    options = prepared.options
    return AppSource(
        options.app_dir,
        prepared.settings,
        read=partial(read_settings, options),
        make=lambda app, now: version_of(app, options, now, prepared.slot),
    )
