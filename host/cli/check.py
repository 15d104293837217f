"""`funchost check`: loads an app as the host would, and says what is wrong with it.

Exit codes: 0 if everything loads, 1 if anything is broken (or, with `--strict`, odd).
"""

from __future__ import annotations

import sys
from itertools import chain
from pathlib import Path

import click

from host.cli.given import GivenPath
from host.cli.listing import broken_lines, odd_lines
from host.cli.logs import configure_logging
from host.errors import ConfigurationError
from host.functions.blueprints import unread_blueprints
from host.functions.code_reading import odd_code
from host.functions.model import Oddity
from host.functions.oddities import odd_kinds, odd_names, odd_observers, odd_triggers
from host.notifications import webhook_problems
from host.os_words import error_in_words, path_in_words
from host.settings import HostSettings
from host.settings.loading import FILE_NAME
from host.settings.log_levels import LogLevel
from host.storage.opening import STORES
from host.wiring.checks import check_settings
from host.wiring.options import HostOptions, read_settings
from host.wiring.part_options import engine_options
from host.wiring.store import storage_kind
from host.wiring.versions import load_version

_FOUND = 1


@click.command()
@click.argument("app", type=GivenPath(exists=True, file_okay=False, path_type=Path), default=Path())
@click.option("--strict", is_flag=True, help="Fail for what is odd, too.")
def check(*, app: Path, strict: bool) -> None:
    """Load the functions in the folder APP (default: the current one) and list what is wrong.

    Functions are imported, as by a start, and none is run. Broken ones would not run; odd is what
    runs and is probably not meant: keys of host.json that mean nothing, names that hide modules,
    annotations that cannot be resolved, durable clients in plain functions, the clock and chance in
    orchestrators, calls that nobody awaits, names that no function has, calls that block the host,
    timers that cost much or run often where several hosts have the hub.
    """
    app_dir = app.resolve()
    configure_logging(LogLevel.WARNING)
    try:
        options = HostOptions(app_dir=app_dir)
        settings = read_settings(options)
        check_settings(options, settings)
        loaded = load_version(options, settings).app
    except ConfigurationError as error:
        for problem in str(error).splitlines():
            click.secho(problem, fg="red")
        sys.exit(_FOUND)
    except OSError as error:
        where = path_in_words(Path(error.filename or app_dir))
        click.secho(f"{where} cannot be read: {error_in_words(error)}.", fg="red")
        sys.exit(_FOUND)
    oddities = tuple(
        dict.fromkeys(
            chain(
                (Oddity(where=FILE_NAME, text=text) for text in settings.unknown),
                (Oddity(where=FILE_NAME, text=text) for text in webhook_problems(settings)),
                loaded.oddities,
                odd_names(app_dir, installed=True),
                odd_kinds(),
                odd_observers(),
                odd_triggers(loaded.functions, is_shared=_is_shared(options, settings)),
                odd_code(loaded, app_dir),
                unread_blueprints(app_dir),
            )
        )
    )
    for line in chain(broken_lines(loaded.broken), odd_lines(oddities)):
        click.echo(line)
    click.echo(
        f"{len(loaded.functions)} functions load, {len(loaded.broken)} broken, {len(oddities)} odd."
    )
    sys.exit(_FOUND if loaded.broken or (strict and oddities) else 0)


def _is_shared(options: HostOptions, settings: HostSettings) -> bool:
    """Whether several hosts can have the hub: then they look for each other's lost hints."""
    kind = STORES.find(storage_kind(options, settings))
    return engine_options(kind, options, settings).sweep_s is not None
