"""Binding kinds that another, installed package adds: from both styles, on a real host."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import jsonschema
import pytest

from tests.integration.conftest import REPOSITORY
from tests.kit.other_package import install

if TYPE_CHECKING:
    from tests.integration.conftest import StartHost

pytestmark = pytest.mark.process

DECORATED = """
from funchost import FunctionApp, Out

app = FunctionApp()

@app.pigeon_trigger(loft_name="Delft")
@app.grain_input("grain")
@app.letter_output("$return")
def decorated(message: str, grain: tuple[int, int]):
    return [message, grain]

@app.pigeon_trigger(loft_name="crash")
def crashed(message): ...

@app.pigeon_trigger()
def homeless(message): ...

@app.generic_trigger("data", "crow")
def crowed(data): ...
"""
FOLDER = {
    "bindings": [
        {"type": "PigeonTrigger", "name": "message", "LOFTNAME": "Gouda"},
        {"type": "grain", "name": "grain"},
        {"type": "Letter", "name": "letter", "direction": "out"},
    ]
}
SCRIPT = """
def main(message, grain, letter):
    letter.set([message, grain])
"""


@pytest.fixture
def app(tmp_path: Path) -> Path:
    folder = tmp_path / "app"
    (folder / "DropIn").mkdir(parents=True)
    (folder / "function_app.py").write_text(DECORATED)
    (folder / "DropIn" / "function.json").write_text(json.dumps(FOLDER))
    (folder / "DropIn" / "run.py").write_text(SCRIPT)
    return folder


def written(path: Path) -> str:
    """What is in a file, as soon as there is something."""
    while not path.exists() or not path.read_text():
        pass
    return path.read_text()


def test_a_kind_of_another_package_works_from_both_styles(
    tmp_path: Path, app: Path, start_host: StartHost
) -> None:
    letters = tmp_path / "letters"
    letters.mkdir()
    installed = install(tmp_path / "installed")
    host = start_host(app, "--storage", "memory", PYTHONPATH=str(installed), LETTERS=str(letters))

    listed = "\n".join(host.output)
    assert "pigeonTrigger:\n  decorated, DropIn" in listed
    for name, reason in [
        ("crashed", "'pigeonTrigger' failed: ZeroDivisionError: no pigeons"),
        ("homeless", "A pigeon needs a 'loftName' to come home to."),
        ("crowed", "'crow' of pigeon-post (no_such_module:CROW) does not load: ModuleNotFound"),
    ]:
        line = next(each for each in host.output if f"Function {name} does not load" in each)
        assert reason in line

    for name, expected in [
        ("decorated", "['<Hi> by Delft', (1, 2)]"),
        ("DropIn", "['<Hi> by Gouda', [1, 2]]"),
    ]:
        assert host.request("POST", f"/admin/functions/{name}", {"input": "Hi"}).status == 202
        assert written(letters / name) == expected
    shown = host.request("GET", "/admin/functions/DropIn").json["config"]["bindings"]
    assert shown[0] == {
        "type": "pigeonTrigger",
        "direction": "in",
        "name": "message",
        "loftName": "Gouda",
    }


def test_check_names_every_kind_that_does_not_load(tmp_path: Path, app: Path) -> None:
    installed = install(tmp_path / "installed")
    done = subprocess.run(
        [sys.executable, "-m", "host", "check", str(app)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(installed)},
    )
    assert "pigeon-post (pigeon_post:NOT_A_KIND): its binding type 'raven' does not" in done.stdout
    assert "pigeon-post (no_such_module:CROW): its binding type 'crow' does not load" in done.stdout


def test_a_slip_of_the_pen_is_no_decorator(run_cli: Callable[..., object], tmp_path: Path) -> None:
    (tmp_path / "function_app.py").write_text(
        "from funchost import FunctionApp\napp = FunctionApp()\napp.rout('x')\n"
    )
    done = run_cli("check", str(tmp_path))
    assert isinstance(done, subprocess.CompletedProcess)
    assert "'FunctionApp' object has no attribute 'rout'" in done.stdout


def test_a_kind_of_another_package_is_in_the_schema(tmp_path: Path) -> None:
    installed = install(tmp_path / "installed")
    shown = subprocess.run(
        [sys.executable, "-m", "host", "schema", "function.json"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(installed)},
    )
    validator = jsonschema.Draft7Validator(json.loads(shown.stdout))
    assert validator.is_valid({"bindings": [{**FOLDER["bindings"][0], "type": "pigeonTrigger"}]})
    assert not validator.is_valid(
        {"bindings": [{"type": "pigeonTrigger", "name": "message", "loftName": 1}]}
    )
    assert "'crow' of pigeon-post (no_such_module:CROW) is not in it" in shown.stderr
