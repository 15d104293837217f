"""`funchost check`, and what a host with broken functions says of its readiness."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.integration.conftest import StartHost

    RunCli = Callable[..., subprocess.CompletedProcess[str]]

pytestmark = pytest.mark.process

GOOD = """
from datetime import datetime
from funchost import FunctionApp

app = FunctionApp()

@app.orchestration_trigger()
async def led(context):
    return str(datetime.now())
"""
BAD_ROUTE = """
@app.route("admin/x")
def reserved(req): ...
"""
BROKEN = "def x(:\n"


def write_app(folder: Path, source: str, ready_requires: str | None = None) -> Path:
    (folder / "function_app.py").write_text(source)
    if ready_requires is not None:
        document = {"version": "2.0", "funchost": {"readyRequires": ready_requires}}
        (folder / "host.json").write_text(json.dumps(document))
    return folder


def test_found_e2_check_lists_what_is_odd_and_passes(tmp_path: Path, run_cli: RunCli) -> None:
    app = write_app(tmp_path, GOOD)

    done, strict = run_cli("check", str(app)), run_cli("check", "--strict", str(app))

    assert "datetime.now at" in done.stdout
    assert "1 functions load, 0 broken, 1 odd." in done.stdout
    assert (done.returncode, strict.returncode) == (0, 1)


def test_check_lists_keys_of_host_json_that_mean_nothing(tmp_path: Path, run_cli: RunCli) -> None:
    app = write_app(tmp_path, "from funchost import FunctionApp\napp = FunctionApp()")
    (app / "host.json").write_text('{"version": "2.0", "funchost": {"stopGraceSecond": 9}}')
    done = run_cli("check", str(app))
    assert "Odd: host.json: 'funchost.stopGraceSecond' means nothing here" in done.stdout


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (BROKEN, "function_app.py does not load: SyntaxError"),
        ("import no_such_module", "No module named 'no_such_module'"),
        (GOOD + BAD_ROUTE, "Function reserved does not load"),
    ],
)
def test_found_e2_check_fails_for_what_is_broken(
    tmp_path: Path, run_cli: RunCli, source: str, said: str
) -> None:
    done = run_cli("check", str(write_app(tmp_path, source)))
    assert said in done.stdout
    assert done.returncode == 1
    assert "1 broken" in done.stdout


def test_found_e2_check_fails_for_a_wrong_host_json(tmp_path: Path, run_cli: RunCli) -> None:
    done = run_cli("check", str(write_app(tmp_path, GOOD, "everything")))
    assert "readyRequires" in done.stdout
    assert done.returncode == 1


@pytest.mark.parametrize(
    ("source", "ready_requires", "status"),
    [
        (BROKEN, None, 503),
        (BROKEN, "nothing", 200),
        (GOOD + BAD_ROUTE, None, 200),
        (GOOD + BAD_ROUTE, "functions", 503),
        (GOOD, "functions", 200),
    ],
)
def test_found_e2_a_host_is_ready_if_what_it_requires_loads(
    tmp_path: Path,
    start_host: StartHost,
    source: str,
    ready_requires: str | None,
    status: int,
) -> None:
    host = start_host(write_app(tmp_path, source, ready_requires), "--storage", "memory")
    assert host.request("GET", "/readyz").status == status
    assert host.request("GET", "/healthz").status == 200


def test_found_h11_an_app_may_run_a_loop_and_set_handlers_while_it_is_imported(
    tmp_path: Path, start_host: StartHost
) -> None:
    head = """
import asyncio, signal
async def read(): return 1
asyncio.run(read())
signal.signal(signal.SIGUSR1, lambda *_: None)
"""
    host = start_host(write_app(tmp_path, head + GOOD), "--storage", "memory")
    assert host.request("GET", "/readyz").status == 200
