"""A kind of store that another, installed package adds: chosen by setting or option, on a host."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.kit.store_package import install

if TYPE_CHECKING:
    from tests.integration.conftest import StartHost

pytestmark = pytest.mark.process

APP = """
from funchost import FunctionApp

app = FunctionApp()

@app.orchestration_trigger()
async def greet(context, name: str) -> str:
    return f"Hello {name}!"
"""
START = "/runtime/webhooks/durabletask/orchestrators/greet"


def make_app(folder: Path, **provider: str) -> Path:
    folder.mkdir()
    (folder / "function_app.py").write_text(APP)
    settings = {"extensions": {"durableTask": {"hubName": "Toys", "storageProvider": provider}}}
    (folder / "host.json").write_text(json.dumps({"version": "2.0", **settings}))
    return folder


@pytest.mark.parametrize(
    ("provider", "options", "label"),
    [
        ({"type": "Shelf", "label": "top.txt"}, (), "top.txt"),
        ({}, ("--storage", "shelf"), "Toys.txt"),
    ],
    ids=["host.json", "--storage"],
)
def test_a_host_leads_orchestrations_on_a_store_of_another_package(
    tmp_path: Path,
    start_host: StartHost,
    provider: dict[str, str],
    options: tuple[str, ...],
    label: str,
) -> None:
    app = make_app(tmp_path / "app", **provider)
    host = start_host(app, *options, PYTHONPATH=str(install(tmp_path / "installed")))
    started = host.request("POST", START, "Ada").json

    def output() -> object:
        shown = host.request("GET", f"/runtime/webhooks/durabletask/instances/{started['id']}")
        return shown.json["output"]

    while output() is None:
        pass
    assert output() == "Hello Ada!"
    assert (app / ".funchost" / label).read_text() == "greet\n"
    assert (app / ".funchost" / ".gitignore").read_text() == "*\n"


def test_a_kind_that_no_package_adds_is_refused(
    tmp_path: Path, run_cli: Callable[..., object]
) -> None:
    app = make_app(tmp_path / "app", type="shelf")
    done = run_cli("start", str(app), "--port", "0")
    assert getattr(done, "returncode", None) == 2
    assert (
        "host.json: extensions.durableTask.storageProvider.type: there is no 'shelf' here; "
        "choose one of sqlite, memory, aws, or give --storage." in getattr(done, "stderr", "")
    )
    done = run_cli("start", str(app), "--port", "0", "--storage", "shelf")
    assert "'shelf' is not one of 'sqlite', 'memory', 'aws'." in getattr(done, "stderr", "")
