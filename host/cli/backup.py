"""`funchost backup`: a copy of a store in one file, while its host runs or not.

Rules of this file: it says on standard output what was done, and on standard error why it was not.
"""

from __future__ import annotations

from pathlib import Path

import click

from host.cli.given import GivenPath
from host.cli.hub_name import check_hub_name
from host.errors import ConfigurationError, StorageError
from host.os_words import path_in_words
from host.wiring.options import HostOptions, read_settings
from host.wiring.store import storage_kind, storage_place

_EXIT_CONFIGURATION = 2

_EXAMPLES = """\b
Examples:
  funchost backup /backup/monday.db                     the store of the app in this folder
  funchost backup /backup/latest.db --overwrite         in place of the last one
  funchost backup /backup/orders.db --data /var/lib/funchost --hub Orders

To restore one, stop the host, put the backup in the place of the store, remove the store's -wal
file if there is one, and start the host.
"""


@click.command(epilog=_EXAMPLES)
@click.argument("file", type=GivenPath(dir_okay=False, path_type=Path))
@click.option(
    "--app",
    type=GivenPath(exists=True, file_okay=False, path_type=Path),
    default=Path(),
    help="Folder of the app.  [default: this one]",
)
@click.option(
    "--hub", callback=check_hub_name, help="Name of the hub.  [default: host.json's hubName]"
)
@click.option(
    "--data",
    type=GivenPath(file_okay=False, path_type=Path),
    help="Folder of the store.  [default: APP/.funchost]",
)
@click.option("--overwrite", is_flag=True, help="Replace FILE if it exists.")
def backup(*, file: Path, app: Path, hub: str | None, data: Path | None, overwrite: bool) -> None:
    """Copy the store of a hub to FILE, as it is at one moment. The host may run meanwhile."""
    options = HostOptions(app_dir=app.resolve(), hub=hub, data_dir=data and data.resolve())
    try:
        settings = read_settings(options)
        from host.storage.sqlite.backup import back_up  # noqa: PLC0415 - only if asked for
        from host.storage.sqlite.kind import SQLITE, file_of  # noqa: PLC0415

        kind, store = storage_kind(options, settings), file_of(storage_place(options, settings))
        if kind != SQLITE.name and not store.exists():
            raise ConfigurationError(
                f"This hub's storage is '{kind}', and this command is for '{SQLITE.name}': there "
                f"is no {path_in_words(store)}."
            )

        done = back_up(store, file, overwrites=overwrite)
    except (ConfigurationError, StorageError) as error:
        for problem in str(error).splitlines():
            click.secho(problem, fg="red", err=True)
        raise SystemExit(_EXIT_CONFIGURATION) from error
    click.echo(
        f"Backed up {path_in_words(store)} to {path_in_words(file)}: {done.instances} instances, "
        f"{done.size_bytes / 1_000_000:.1f} MB."
    )
