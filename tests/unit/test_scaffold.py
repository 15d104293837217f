"""`funchost init` and `funchost new`: what they write loads, runs and is left alone afterwards."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import Result

from bindings import Blueprint, FunctionApp
from host.cli.main import main
from host.cli.scaffold.adding import CannotAddError, with_function
from host.cli.scaffold.app_files import app_files, hub_name
from host.cli.scaffold.functions import TEMPLATES, function_json
from tests.kit.cli_runner import cli_runner
from tests.kit.kit_plugin import user_environment


def run(*arguments: str, code: int = 0) -> Result:
    result = cli_runner().invoke(main, arguments)
    assert result.exit_code == code, result.stderr
    return result


@pytest.fixture
def app(tmp_path: Path) -> Path:
    folder = tmp_path / "my shop"
    run("init", str(folder))
    return folder


def checked(folder: Path) -> str:
    """What a strict check says of the app."""
    command = [sys.executable, "-m", "host", "check", "--strict", str(folder)]
    shown = subprocess.run(command, capture_output=True, text=True, check=False)
    assert shown.returncode == 0, shown.stdout + shown.stderr
    return shown.stdout


def test_a_new_app_has_all_files_and_says_what_next(tmp_path: Path) -> None:
    shown = run("init", str(tmp_path / "shop"))
    folder = tmp_path / "shop"
    made = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert made == set(app_files("shop"))
    assert f"funchost start {folder}" in shown.stdout
    host = json.loads((folder / "host.json").read_text())
    assert host["extensions"]["durableTask"]["hubName"] == "Shop"


def test_nothing_is_overwritten(app: Path) -> None:
    (app / "function_app.py").write_text("mine")
    (app / "host.json").unlink()
    shown = run("init", str(app))
    assert (app / "function_app.py").read_text() == "mine"
    assert "is there  function_app.py" in shown.stdout
    assert "made  host.json" in shown.stdout


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    shown = run("init", str(tmp_path / "file" / "app"), code=2)
    assert "cannot be written" in shown.stderr


@pytest.mark.parametrize(
    ("folder", "hub"),
    [
        ("my shop", "MyShop"),
        ("2fast", "MyHub"),
        ("a", "MyHub"),
        ("größe-x", "GrEX"),
        ("x" * 99, "X" + "x" * 44),
    ],
)
def test_the_hub_is_named_after_the_folder(folder: str, hub: str) -> None:
    assert hub_name(folder) == hub


def test_all_templates_load_in_one_app_and_are_not_odd(app: Path) -> None:
    for trigger in TEMPLATES:
        shown = run("new", trigger, f"by_{trigger}", "--app", str(app))
        assert f"by_{trigger}" in shown.stdout
        run("new", trigger, f"in_{trigger}", "--app", str(app), "--folder")
    assert f"{3 + 2 * len(TEMPLATES)} functions load, 0 broken, 0 odd." in checked(app)


def test_the_tests_of_a_new_app_pass(app: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    env = user_environment(tmp_path / "packages")
    shown = subprocess.run(command, cwd=app, capture_output=True, text=True, check=False, env=env)
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert "2 passed" in shown.stdout


SOURCES = {
    "no imports": "import funchost\napp = funchost.FunctionApp()\n",
    "another name": "from funchost import Blueprint\n\nparts: Blueprint = Blueprint()\n",
    "with a future": (
        "from __future__ import annotations\n\nfrom funchost import FunctionApp\n\n"
        "app = FunctionApp()"
    ),
    "imports in brackets": (
        "from funchost import (\n    FunctionApp,\n    HttpRequest,\n)\napp = FunctionApp()\n\n\n"
    ),
}


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
@pytest.mark.parametrize("trigger", TEMPLATES)
def test_a_function_is_added_to_what_is_there(source: str, trigger: str) -> None:
    made = with_function(source, TEMPLATES[trigger], "chosen")
    for line in source.splitlines():
        assert line in made.splitlines()
    names: dict[str, object] = {}
    exec(compile(made, "made", "exec"), names)
    (app,) = (each for each in names.values() if isinstance(each, Blueprint | FunctionApp))
    if isinstance(app, Blueprint):
        parts, app = app, FunctionApp()
        app.register_functions(parts)
    (declared,) = app.get_functions()
    assert declared.name == "chosen"


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("def", "not Python"),
        ("x = 1", "no FunctionApp"),
        ("from funchost import FunctionApp\napp = FunctionApp()\ndef chosen(): pass", "already"),
        ("from funchost import FunctionApp\nfrom x import chosen\napp = FunctionApp()", "already"),
    ],
)
def test_what_nothing_can_be_added_to_is_left_alone(tmp_path: Path, source: str, why: str) -> None:
    with pytest.raises(CannotAddError, match=why):
        with_function(source, TEMPLATES["http"], "chosen")
    (tmp_path / "function_app.py").write_text(source)
    shown = run("new", "http", "chosen", "--app", str(tmp_path), code=1)
    assert why in shown.stderr
    assert (tmp_path / "function_app.py").read_text() == source


@pytest.mark.parametrize(
    "name", ["", "two words", "class", "../x", "1st", "größe", "_private", "Host", "a" * 129]
)
def test_a_name_that_no_function_can_have_is_refused(app: Path, name: str) -> None:
    before = (app / "function_app.py").read_text()
    run("new", "activity", name, "--app", str(app), code=2)
    assert (app / "function_app.py").read_text() == before


def test_a_name_that_no_queue_can_have_makes_no_queue_function(app: Path) -> None:
    shown = run("new", "queue", "a" * 81, "--app", str(app), code=2)
    assert "cannot be a queue's name" in shown.stderr
    run("new", "http", "a" * 128, "--app", str(app))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ((), ("--folder",)),
        (("--folder",), ()),
        ((), ("--file", "more.py")),
        (("--file", "more.py"), ()),
    ],
)
def test_a_name_that_is_taken_in_either_style_is_refused(
    app: Path, first: tuple[str, ...], second: tuple[str, ...]
) -> None:
    (app / "more.py").write_text("from funchost import Blueprint\n\nmore = Blueprint()\n")
    run("new", "activity", "Ship", "--app", str(app), *first)
    before = {path: path.read_bytes() for path in app.rglob("*") if path.is_file()}
    shown = run("new", "http", "ship", "--app", str(app), *second, code=1)
    assert "has a 'ship' already" in shown.stderr
    assert {path: path.read_bytes() for path in app.rglob("*") if path.is_file()} == before


def test_a_name_that_a_decorator_gives_is_taken_and_that_of_its_function_is_not(app: Path) -> None:
    with (app / "function_app.py").open("a") as file:
        file.write(
            '\n\n@app.function_name("ship")\n@app.activity_trigger()\n'
            "def inner(text: str) -> str:\n    return text\n"
        )
    run("new", "activity", "ship", "--app", str(app), "--folder", code=1)
    run("new", "activity", "inner", "--app", str(app), "--folder")
    checked(app)


def test_a_folder_that_is_there_is_left_alone(app: Path) -> None:
    run("new", "activity", "one", "--app", str(app), "--folder")
    (app / "one" / "run.py").write_text("mine")
    run("new", "activity", "one", "--app", str(app), "--folder", code=1)
    assert (app / "one" / "run.py").read_text() == "mine"


def test_new_without_an_app_says_how_to_make_one(tmp_path: Path) -> None:
    shown = run("new", "activity", "one", "--app", str(tmp_path), code=2)
    assert "`funchost init` makes an app" in shown.stderr


def test_every_function_json_is_json() -> None:
    for template in TEMPLATES.values():
        assert json.loads(function_json(template, "one"))["bindings"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_gets_what_makes_it_complete(shell: str) -> None:
    assert "_FUNCHOST_COMPLETE" in run("completion", shell).stdout


def test_words_are_completed() -> None:
    env = {
        **os.environ,
        "_FUNCHOST_COMPLETE": "zsh_complete",
        "COMP_WORDS": "funchost instances te",
        "COMP_CWORD": "2",
    }
    command = [sys.executable, "-m", "host", "instances", "te"]
    shown = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert "terminate" in shown.stdout
