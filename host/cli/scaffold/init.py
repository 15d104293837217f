"""`funchost init`: an app that runs at once."""

from __future__ import annotations

from pathlib import Path
from shlex import quote

import click

from host.cli.asking import EXIT_NOT_ASKED, fail
from host.cli.given import GivenPath
from host.cli.scaffold.app_files import app_files
from host.cli.showing import out
from host.os_words import error_in_words, path_in_words

_EPILOG = """\b
Exit codes:
  0  all files are there
  2  wrong usage, or a file cannot be written
"""


@click.command(epilog=_EPILOG)
@click.argument("folder", type=GivenPath(file_okay=False, path_type=Path), default=Path())
def init(*, folder: Path) -> None:
    """Make an app that runs at once in FOLDER (default: the current one).

    A file that is there already stays as it is.
    """
    target = folder.resolve()
    for path, text in app_files(target.name).items():
        made = _written(target / path, text)
        out(f"{'made' if made else 'is there'}  {path}")
    _say_what_next(folder)


def _written(path: Path, text: str) -> bool:
    """Write the file unless it is there. Ends the command if that cannot be."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        return False
    except OSError as error:
        fail(f"{path_in_words(path)} cannot be written: {error_in_words(error)}.", EXIT_NOT_ASKED)
    return True


def _say_what_next(folder: Path) -> None:
    where = "" if folder == Path() else f" {quote(str(folder))}"
    app = "" if folder == Path() else f" --app {quote(str(folder))}"
    for line in (
        f"\nRun it:             funchost start{where}",
        "In a second shell:  funchost instances start greet_all --input '[\"Oslo\"]' --wait",
        "                    funchost instances list",
        f"A new function:     funchost new activity send_mail{app}",
        "Test it:            pip install -r requirements-dev.txt && python -m pytest",
    ):
        out(line)
