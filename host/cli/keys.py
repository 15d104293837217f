"""`funchost keys`: make keys for hosts that share no data folder.

Rules of this file: standard output gets the new keys, which nobody can ever show again, and the
file only what a host needs to know of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import click

from host.errors import ConfigurationError
from host.http.keys import KEYS_FILE_SETTING, KEYS_SETTING, NewKey, open_keys

_EXIT_CONFIGURATION = 2


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def keys(file: Path) -> None:
    """Make new keys, print them, and write what hosts must know of them into FILE.

    Hosts take it from there, or from a secret store: see the reference of settings.
    """
    if file.exists():
        _fail(f"{file} exists; remove it if its keys are to be valid no more.")
    try:
        _, new = open_keys(file.resolve())
    except ConfigurationError as error:
        _fail(str(error))
    show_new_keys(new)
    click.echo(
        f"Hosts take what is in {file} from the setting {KEYS_SETTING}, "
        f"or from the file that {KEYS_FILE_SETTING} names."
    )


def show_new_keys(new: Sequence[NewKey]) -> None:
    """Print the keys: the only time that anybody can."""
    click.echo("These keys are shown only once; callers send one as header x-functions-key:")
    for key in new:
        click.echo(f"\t{key.kind} ({key.name}): {key.value}")


def _fail(problem: str) -> NoReturn:
    click.secho(problem, fg="red", err=True)
    raise SystemExit(_EXIT_CONFIGURATION)
