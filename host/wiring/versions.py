"""Versions of an app: all that a host makes of what is in the app's folder."""

from __future__ import annotations

from dataclasses import replace

from host.functions.bound_activities import InvokerSlot
from host.functions.catalog import Catalog
from host.functions.loader import load_app
from host.functions.model import App
from host.functions.registry import AppVersion, plan_calls
from host.http.functions.odd_routes import odd_routes
from host.http.functions.routes import FunctionRoutes, route_functions
from host.settings import HostSettings
from host.wiring.options import HostOptions
from host.wiring.part_options import converter_of, timeout_of


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
    timeout = timeout_of(options, settings)
    catalog = Catalog(app, converter_of(settings), timeout, slot)
    return AppVersion(app=app, catalog=catalog, routes=routes, plans=plans)
