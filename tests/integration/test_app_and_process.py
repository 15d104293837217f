"""An app's signal handlers, exit hooks, files and logging, and the host's: both work."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.conftest import REPOSITORY, WEBHOOKS, HostProcess, StartHost, end

pytestmark = pytest.mark.process

HEAD = """
import atexit, logging, logging.config, os, signal, sys, threading
from funchost import FunctionApp

app = FunctionApp()
notes = open(os.environ["NOTES"], "w")

@app.activity_trigger()
def fail() -> None:
    raise ValueError("on purpose")

@app.orchestration_trigger()
async def led(context):
    await context.call_activity(fail)
"""


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    return tmp_path / "notes"


def write_app(folder: Path, code: str) -> Path:
    app = folder / "app"
    app.mkdir()
    (app / "function_app.py").write_text(HEAD + code)
    return app


@pytest.mark.parametrize("ending", ["notes.write('handled ')", "sys.exit(7)", "raise OSError"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_found_b4_the_hosts_handlers_come_after_the_apps_and_call_them(
    tmp_path: Path, notes: Path, start_host: StartHost, number: signal.Signals, ending: str
) -> None:
    code = f"""
def on_signal(number, frame):
    notes.write(f"signal {{number}} ")
    {ending}

for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(each, on_signal)
"""
    host = start_host(write_app(tmp_path, code), "--storage", "memory", NOTES=str(notes))
    assert host.stop(number) == 0
    assert notes.read_text().startswith(f"signal {number.value} ")


@pytest.mark.parametrize("handler", ["signal.SIG_IGN", "signal.SIG_DFL", "on_signal"])
def test_found_b4_a_handler_set_while_the_host_runs_keeps_no_signal_from_it(
    tmp_path: Path, notes: Path, start_host: StartHost, handler: str
) -> None:
    code = f"""
def on_signal(number, frame):
    before(number, frame)

@app.activity_trigger()
async def set_handlers() -> None:
    global before
    for each in (signal.SIGINT, signal.SIGTERM):
        before = signal.signal(each, {handler})

@app.orchestration_trigger()
async def sets(context):
    await context.call_activity(set_handlers)
"""
    host = start_host(write_app(tmp_path, code), "--storage", "memory", NOTES=str(notes))
    host.request("POST", f"{WEBHOOKS}/orchestrators/sets/one")
    assert host.finished("one")["runtimeStatus"] == "Completed"
    host.wait_until_logged("took the place of the host's")
    assert host.stop() == 0


def test_found_b4_an_app_that_cancels_all_tasks_and_stops_the_loop_ends_nothing(
    tmp_path: Path, notes: Path, start_host: StartHost
) -> None:
    code = """
import asyncio

@app.activity_trigger()
async def clean_up() -> None:
    for task in asyncio.all_tasks():
        task.cancel()
    asyncio.get_running_loop().stop()

@app.orchestration_trigger()
async def cleans(context):
    await context.call_activity(clean_up)
"""
    host = start_host(write_app(tmp_path, code), "--storage", "memory", NOTES=str(notes))
    for each in ("one", "two"):
        host.request("POST", f"{WEBHOOKS}/orchestrators/cleans/{each}")
        assert host.finished(each)["runtimeStatus"] == "Completed"
    host.wait_until_logged("stopped the event loop")
    assert host.stop() == 0


def test_found_b4_a_clean_stop_runs_exit_hooks_and_loses_no_buffered_file(
    tmp_path: Path, notes: Path, start_host: StartHost
) -> None:
    code = """
notes.write("loaded ")
atexit.register(lambda: notes.write("hook "))
atexit.register(lambda: 1 / 0)
"""
    host = start_host(write_app(tmp_path, code), "--storage", "memory", NOTES=str(notes))
    assert notes.read_text() == ""
    assert host.stop() == 0
    assert notes.read_text() == "loaded hook "


def test_found_b4_an_exit_hook_that_hangs_ends_nobodys_stop(
    tmp_path: Path, notes: Path, start_host: StartHost
) -> None:
    code = "atexit.register(threading.Event().wait)\n"
    host = start_host(write_app(tmp_path, code), "--storage", "memory", NOTES=str(notes))
    assert host.stop() == 0


@pytest.mark.parametrize(
    "configuration",
    [
        '{"version": 1}',
        '{"version": 1, "disable_existing_loggers": True, "root": {"level": "INFO"}}',
    ],
)
def test_found_b4_the_host_logs_whatever_the_app_configures(
    tmp_path: Path, notes: Path, start_host: StartHost, configuration: str
) -> None:
    app = write_app(tmp_path, f"logging.config.dictConfig({configuration})\n")
    host = start_host(app, "--storage", "memory", NOTES=str(notes))
    host.request("POST", f"{WEBHOOKS}/orchestrators/led/one")
    assert host.finished("one")["runtimeStatus"] == "Failed"
    host.wait_until_logged("on purpose")


def started_with(app: Path, tmp_path: Path, output: int, notes: Path) -> HostProcess:
    """A host whose standard output is this descriptor, at a port that it is told."""
    with (tmp_path / "errors").open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "host", "start", str(app), "--storage", "memory", "--port", "0"],
            cwd=REPOSITORY,
            stdout=output,
            stderr=errors,
            text=True,
            env={**os.environ, "NOTES": str(notes), "PYTHONUNBUFFERED": "1"},
        )
    return HostProcess(process, tmp_path / "errors")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that Linux has")
def test_found_g11_a_full_standard_output_stops_nobody(tmp_path: Path, notes: Path) -> None:
    with Path("/dev/full").open("w") as full:
        host = started_with(write_app(tmp_path, ""), tmp_path, full.fileno(), notes)
    try:
        host.wait_until_logged("Standard output cannot be written to")
        assert host.stop() == 0
        assert "Traceback" not in host.errors()
    finally:
        end(host)


def test_found_g11_a_reader_that_goes_stops_nobody(tmp_path: Path, notes: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    host = started_with(write_app(tmp_path, ""), tmp_path, write, notes)
    os.close(write)
    try:
        host.wait_until_logged("Standard output cannot be written to")
        assert host.stop() == 0
        assert "Traceback" not in host.errors()
    finally:
        end(host)


def test_found_g11_a_closed_standard_output_stops_nobody(tmp_path: Path, notes: Path) -> None:
    app = write_app(tmp_path, "")
    command = f"exec {sys.executable} -m host start {app} --storage memory --port 0 >&-"
    with (tmp_path / "errors").open("w") as errors:
        process = subprocess.Popen(
            ["/bin/sh", "-c", command],
            cwd=REPOSITORY,
            stderr=errors,
            text=True,
            env={**os.environ, "NOTES": str(notes)},
        )
    host = HostProcess(process, tmp_path / "errors")
    try:
        while not notes.exists():
            assert process.poll() is None, host.errors()
        assert host.stop() in {0, 128 + signal.SIGTERM}
        assert "Traceback" not in host.errors()
    finally:
        end(host)
