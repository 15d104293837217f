"""`funchost new`: a function more, in code with decorators or in a folder with a function.json."""

from __future__ import annotations

import keyword
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile

import click

from bindings.declaring import declared_name
from bindings.errors import FunchostError
from bindings.kinds.queue_rules import check_name
from host.cli.asking import EXIT_NOT_ASKED, EXIT_REFUSED, fail
from host.cli.given import GivenPath
from host.cli.scaffold.adding import CannotAddError, with_function
from host.cli.scaffold.functions import TEMPLATES, Template, function_json
from host.cli.scaffold.schemas import write_missing
from host.cli.scaffold.taken import place_of
from host.cli.showing import out
from host.functions.decorated import SCRIPT_NAME
from host.os_words import error_in_words, path_in_words

_EPILOG = """\b
Triggers:
  orchestration  an orchestrator that waits for an event
  activity       what orchestrators call
  http           answers HTTP requests
  starter        starts orchestrations by HTTP
  timer          runs at the times of a schedule
  queue          runs for each message of a queue
  manual         runs when a person asks for it

\b
Exit codes:
  0  the function is there
  1  there is one of that name, or nothing can be added to the file
  2  wrong usage, or a file cannot be read or written
"""


@click.command(epilog=_EPILOG)
@click.argument("trigger", type=click.Choice(list(TEMPLATES), case_sensitive=False))
@click.argument("name")
@click.option(
    "--app",
    type=GivenPath(exists=True, file_okay=False, path_type=Path),
    default=Path(),
    help="The app's folder.  [default: this one]",
)
@click.option(
    "--file",
    default=SCRIPT_NAME,
    show_default=True,
    help="The module of the app to add it to.",
)
@click.option("--folder", is_flag=True, help="Make a folder with a function.json instead.")
def new(*, trigger: str, name: str, app: Path, file: str, folder: bool) -> None:
    """Add a function called NAME with this TRIGGER, and say what to do next."""
    template = TEMPLATES[trigger]
    _check(name, template)
    try:
        taken = place_of(app, name)
        if taken is not None:
            fail(f"{path_in_words(taken)} has a '{name}' already.", EXIT_REFUSED)
        places = (
            _in_folder(app, template, name) if folder else [_in_code(app / file, template, name)]
        )
    except FileExistsError as error:
        fail(f"{path_in_words(Path(error.filename))} is there already.", EXIT_REFUSED)
    except OSError as error:
        where = path_in_words(Path(error.filename or app))
        fail(f"{where}: {error_in_words(error)}.", EXIT_NOT_ASKED)
    for place in places:
        out(f"'{name}' is in {place}.")
    out(f"Start the host anew, then:\n  {template.next.replace('NAME', name)}")


def _check(name: str, template: Template) -> None:
    """Raise what is wrong with a name: in code it is that of a Python function, too."""
    if not (name.isascii() and name.isidentifier()) or keyword.iskeyword(name):
        problem = f"'{name:.100}' cannot be a function's name in Python."
        raise click.BadParameter(problem, param_hint="NAME")
    try:
        declared_name(name, None)
        if template is TEMPLATES["queue"]:
            check_name(name)
    except FunchostError as error:
        raise click.BadParameter(str(error), param_hint="NAME") from error


def _in_code(path: Path, template: Template, name: str) -> Path:
    """Add it to a module, which is replaced as a whole or not at all."""
    try:
        source = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        fail(f"There is no {path_in_words(path)}: `funchost init` makes an app.", EXIT_NOT_ASKED)
    except UnicodeDecodeError:
        fail(f"{path_in_words(path)} is not UTF-8.", EXIT_NOT_ASKED)
    try:
        changed = with_function(source, template, name)
    except CannotAddError as error:
        fail(f"Nothing was added to {path_in_words(path)}: {error}.", EXIT_REFUSED)
    _replace(path, changed)
    return path


def _in_folder(app: Path, template: Template, name: str) -> list[Path]:
    folder = app / name
    folder.mkdir()
    script, declaration = folder / "run.py", folder / "function.json"
    script.write_text(template.script, encoding="utf-8")
    declaration.write_text(function_json(template, name), encoding="utf-8")
    write_missing(app, declaration.name)
    return [script, declaration]


def _replace(path: Path, text: str) -> None:
    mode = path.stat().st_mode & 0o777
    target = path.resolve()  # a link stays one
    with NamedTemporaryFile(
        "w", encoding="utf-8", dir=target.parent, prefix=f".{target.name}.", delete=False
    ) as file:
        made = Path(file.name)
        try:
            file.write(text)
            file.flush()
            made.chmod(mode)
            made.replace(target)
        except BaseException:
            with suppress(OSError):
                made.unlink()
            raise
