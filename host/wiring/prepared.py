"""What there is of a host before any event loop runs: its app, and the socket it will serve on."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from host.clock import Clock, SystemClock
from host.core.converter import Converter
from host.engine.installed_observers import installed_observers
from host.engine.observer import Observer
from host.forks import close_sockets_at, let_go_in_children
from host.functions.bound_activities import InvokerSlot
from host.functions.registry import FunctionRegistry
from host.http.functions.routes import FunctionRoutes
from host.http.listening import listening_on
from host.logs import HostLog
from host.metrics.host_metrics import HostMetrics
from host.settings import HostSettings
from host.watching.files import Seen, Watched, look, watched_of
from host.wiring.data_folder import data_folder
from host.wiring.options import HostOptions, address_of, port_of
from host.wiring.part_options import converter_of, timeout_of
from host.wiring.versions import load_version

_logger = HostLog("funchost.host")


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedHost:
    """An app that is loaded, the socket on which it will be served, and what all parts share."""

    options: HostOptions
    settings: HostSettings
    """Those of the start."""
    listener: socket.socket
    address: str
    registry: FunctionRegistry[FunctionRoutes]
    observers: tuple[Observer, ...]
    """Those of other packages."""
    slot: InvokerSlot
    """Where the app's activities find the host's invoker."""
    seen: Seen | None
    """The files that the app was loaded from; None if nobody watches them."""
    converter: Converter
    clock: Clock
    metrics: HostMetrics | None
    """What the host measures of itself; None if it does not."""

    @property
    def port(self) -> int:
        """The port of the socket."""
        return int(self.listener.getsockname()[1])

    @property
    def hub_name(self) -> str:
        """The hub that the host serves."""
        return self.settings.extensions.durable_task.hub_name

    @property
    def timeout(self) -> timedelta | None:
        """How long a function may run; None for any time."""
        return timeout_of(self.options, self.settings)


@contextmanager
def prepared_host(options: HostOptions, settings: HostSettings) -> Iterator[PreparedHost]:
    """Listen, and load the app. Raises `ConfigurationError`.

    Call it on the main thread and before any event loop runs: an app may run a loop of its own
    while it is imported, or set signal handlers, and neither works elsewhere.
    """
    address = address_of(options, settings)
    with ExitStack() as held:
        listener = held.enter_context(listening_on(address, port_of(options, settings)))
        port = listener.getsockname()[1]
        held.enter_context(let_go_in_children(partial(close_sockets_at, port)))
        os.environ.update(settings.exports, WEBSITE_HOSTNAME=f"localhost:{port}")
        slot = InvokerSlot()
        seen = look(watched_files(options, settings)) if options.watches else None
        clock = SystemClock()
        yield PreparedHost(
            seen=seen,
            options=options,
            settings=settings,
            listener=listener,
            address=address,
            registry=FunctionRegistry(load_version(options, settings, slot)),
            observers=_observers(),
            slot=slot,
            converter=converter_of(settings),
            clock=clock,
            metrics=HostMetrics(clock) if settings.funchost.metrics else None,
        )


def watched_files(options: HostOptions, settings: HostSettings) -> Watched:
    """Which files make the app anew when they change."""
    return watched_of(options.app_dir, settings, data_folder(options))


def _observers() -> tuple[Observer, ...]:
    """The installed ones that load."""
    working, broken = installed_observers()
    for each in broken:
        _logger.error("The observer of %s does not load: %s", each.source, each.error)
    return tuple(working)
