"""A start that is interrupted ends at once and in silence, wherever it is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.conftest import StartHost, end, launch

pytestmark = [pytest.mark.process, pytest.mark.skipif(os.name == "nt", reason="POSIX signals")]

BLOCKING = """
import os, sys
with open(os.environ["REACHED"], "w") as pipe:
    pipe.write("loading")
with open(os.environ["NEVER"]) as pipe:
    pipe.read()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_found_g11_a_signal_while_the_app_is_loaded_ends_the_start_in_silence(
    tmp_path: Path, number: signal.Signals
) -> None:
    app = tmp_path / "app"
    app.mkdir()
    (app / "function_app.py").write_text(BLOCKING)
    reached, never = tmp_path / "reached", tmp_path / "never"
    os.mkfifo(reached)
    os.mkfifo(never)
    environment = {"REACHED": str(reached), "NEVER": str(never)}
    host = launch(app, tmp_path / "errors", "--storage", "memory", "--port", "0", **environment)
    try:
        assert reached.read_text() == "loading"
        assert host.stop(number) == 128 + number
        assert host.errors() == ""
    finally:
        end(host)


def test_found_g10_a_signal_that_comes_first_of_all_ends_the_start(tmp_path: Path) -> None:
    """Whatever of the start it meets: nothing is printed, and the process is gone."""
    for _ in range(5):
        host = launch(tmp_path, tmp_path / "errors", "--storage", "memory", "--port", "0")
        try:
            status = Path(f"/proc/{host.process.pid}/status")
            if status.exists():  # wait until the process is past Python's own beginning
                while not _has_handler(status.read_text()):
                    assert host.process.poll() is None
            code = host.stop(signal.SIGTERM)
            assert code in {0, 128 + signal.SIGTERM}
            assert "Traceback" not in host.errors()
        finally:
            end(host)


_NOTES_HANDLERS = """
import runpy, signal, sys
set_handler = signal.signal

def noted(number, handler):
    if number == signal.SIGTERM:
        slow = {"aiohttp", "click", "pydantic", "host.app"} & set(sys.modules)
        print(sorted(slow), flush=True)
        raise SystemExit
    return set_handler(number, handler)

signal.signal = noted
runpy.run_module("host", run_name="__main__")
"""


def test_found_g10_handlers_are_there_before_anything_slow_is_imported() -> None:
    """As process 1 of a container a signal without a handler is lost."""
    command = [sys.executable, "-c", _NOTES_HANDLERS]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def _has_handler(status: str) -> bool:
    """Whether the process has a handler for SIGTERM."""
    line = next(line for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(line.split()[1], 16) & 1 << (signal.SIGTERM - 1))


def test_a_host_in_the_background_of_a_shell_stops_by_ctrl_c_that_is_sent_to_it(
    tmp_path: Path, start_host: StartHost
) -> None:
    """Shells have programs in the background ignore SIGINT."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        host = start_host(tmp_path, "--storage", "memory")
    finally:
        signal.signal(signal.SIGINT, before)
    assert host.stop(signal.SIGINT) == 0
