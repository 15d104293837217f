"""What the command line says of a host, and what counts where the settings say it, too."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from host.errors import ConfigurationError
from host.logs import HostLog
from host.settings import HostSettings, load_settings
from host.settings.cors import NO_WISH, CorsWish

_logger = HostLog("funchost.host")

DEFAULT_ADDRESS = "127.0.0.1"
DEFAULT_PORT = 7071
_HUB_VARIABLE = "AzureFunctionsJobHost__extensions__durableTask__hubName"


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


def read_settings(options: HostOptions, environ: Mapping[str, str] | None = None) -> HostSettings:
    """The app's settings, with the hub of the command line. Raises `ConfigurationError`.

    `environ` is the environment that they are read over; None for that of the process.
    """
    overrides = {_HUB_VARIABLE: options.hub} if options.hub else {}
    values = os.environ if environ is None else environ
    settings = load_settings(options.app_dir, {**values, **overrides})
    settings = replace(settings, cors_wish=options.cors.or_else(settings.cors_wish))
    try:
        _ = settings.cors
    except ValueError as error:
        raise ConfigurationError(f"--cors, --cors-credentials: {error}.") from error
    return settings


def address_of(options: HostOptions, settings: HostSettings) -> str:
    """Where the host listens."""
    return options.address or settings.local.http_address or DEFAULT_ADDRESS


def port_of(options: HostOptions, settings: HostSettings) -> int:
    """At which port it listens; 0 for any that is free."""
    given = (options.port, settings.local.http_port, DEFAULT_PORT)
    return next(port for port in given if port is not None)


def processes_of(options: HostOptions, settings: HostSettings) -> int:
    """How many worker processes there are to be. Nobody could debug what runs in them."""
    given = settings.funchost.processes if options.processes is None else options.processes
    if given and options.is_debugging:
        _logger.info("Functions run in threads, not in worker processes: you debug them")
        return 0
    return given
