"""`funchost keys new`: make a file of keys for hosts that share no data folder.

Rules of this file: a terminal gets the new keys, which nobody can ever show again, else a file that
only its owner may read; and the file that hosts read, only what they need to know of them.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

import click

from host.cli.given import GivenPath
from host.errors import ConfigurationError
from host.http.keys import KEYS_FILE_SETTING, KEYS_SETTING, NewKey, open_keys, write_private
from host.os_words import error_in_words, path_in_words

NEW_KEYS_FILE = "new-keys.txt"

_EXIT_CONFIGURATION = 2


@click.command()
@click.argument("file", type=GivenPath(dir_okay=False, path_type=Path))
def new(file: Path) -> None:
    """Make a file of new keys for hosts that share no data folder, and print the keys.

    FILE gets what hosts must know of them: hashes, and the secret that signs links. If the output
    is no terminal, the keys are written to new-keys.txt beside FILE. No host is asked.
    """
    try:
        if file.exists():
            _fail(f"{file} exists; remove it if its keys are to be valid no more.")
        path = file.resolve()
        _, made = open_keys(path)
    except ConfigurationError as error:
        _fail(str(error))
    except OSError as error:
        _fail(f"{path_in_words(file)} cannot be made: {error_in_words(error)}.")
    except RuntimeError as error:  # resolve: a ring of links
        _fail(f"{path_in_words(file)} cannot be made: {error}.")
    show_new_keys(made, path.parent)
    click.echo(
        f"Hosts take what is in {file} from the setting {KEYS_SETTING}, "
        f"or from the file that {KEYS_FILE_SETTING} names."
    )


def show_new_keys(new: Sequence[NewKey], folder: Path) -> None:
    """Print the keys, the only time that anybody can; or write them where only we may read.

    What is no terminal is mostly a log, which many may read, and for long.
    """
    if _is_terminal():
        click.echo("These keys are shown only once; callers send one as header x-functions-key:")
        for line in _lines(new):
            click.echo(f"\t{line}")
        return
    path = folder / NEW_KEYS_FILE
    try:
        write_private(path, "".join(f"{line}\n" for line in _lines(new)))
    except OSError as error:
        click.secho(
            f"The new keys cannot be written to {path_in_words(path)} ({error_in_words(error)}): "
            "remove keys.json and start again.",
            fg="red",
            err=True,
        )
        return
    click.echo(
        f"New keys are in {path_in_words(path)}: take them from there, then remove the file. "
        "Callers send one as header x-functions-key."
    )


def _is_terminal() -> bool:
    with suppress(ValueError, AttributeError):  # closed, or never there
        return sys.stdout.isatty()
    return False


def _lines(new: Sequence[NewKey]) -> list[str]:
    return [f"{key.kind} ({key.name}): {key.value}" for key in new]


def _fail(problem: str) -> NoReturn:
    click.secho(problem, fg="red", err=True)
    raise SystemExit(_EXIT_CONFIGURATION)
