"""Observers that another, installed package adds: on a real host, nothing of it changed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.integration.conftest import REPOSITORY, WEBHOOKS
from tests.kit.observer_package import install

if TYPE_CHECKING:
    from tests.integration.conftest import StartHost

pytestmark = pytest.mark.process

APP = """
from funchost import FunctionApp

app = FunctionApp()

@app.activity_trigger()
def say_hello(name: str) -> str:
    return f"Hello {name}!"

@app.orchestration_trigger()
async def greet(context, name: str) -> str:
    return await context.call_activity(say_hello, name)
"""
BROKEN = {
    "no_such_module:GONE": "ModuleNotFoundError: No module named 'no_such_module'",
    "toy_diary:NOBODY": "TypeError: It is no Observer but str.",
    "toy_diary:SLOW": "must be a plain function; it is called, not awaited.",
}


@pytest.fixture
def app(tmp_path: Path) -> Path:
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "function_app.py").write_text(APP)
    return folder


def test_an_observer_of_another_package_is_told_what_happens(
    tmp_path: Path, app: Path, start_host: StartHost
) -> None:
    diary, installed = tmp_path / "diary", str(install(tmp_path / "installed"))
    host = start_host(app, "--storage", "memory", PYTHONPATH=installed, DIARY=str(diary))
    for name in ("Ada", "Grace"):
        started = host.request("POST", f"{WEBHOOKS}/orchestrators/greet", name).json
        assert host.finished(started["id"])["output"] == f"Hello {name}!"
    once = ["greet started", "say_hello completed", "greet Completed"]
    assert diary.read_text().splitlines() == once * 2

    host.wait_until_logged("The observer 'clumsy' failed with")
    errors = host.errors()
    assert errors.count("The observer 'clumsy' failed with") == 1
    assert "'clumsy' failed with InstanceStarted: LookupError: no ink" in errors
    for source, reason in BROKEN.items():
        line = next(each for each in errors.splitlines() if source in each)
        assert "toy-diary" in line
        assert reason in line


def test_check_names_every_observer_that_does_not_load(tmp_path: Path, app: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "host", "check", str(app)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(install(tmp_path / "installed"))},
    )
    assert done.returncode == 0
    for source, reason in BROKEN.items():
        line = next(each for each in done.stdout.splitlines() if source in each)
        assert reason in line
