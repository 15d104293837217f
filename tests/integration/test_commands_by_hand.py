"""The commands as a new user meets them: processes, a terminal, Ctrl-C, pipes that close."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.integration.conftest import HostProcess, StartHost

    RunCli = Callable[..., subprocess.CompletedProcess[str]]

pytestmark = pytest.mark.process

FUNCHOST = [sys.executable, "-m", "host"]
LONG_ID = "an-id-" + "x" * 90


@pytest.fixture
def app(tmp_path: Path, run_cli: RunCli) -> Path:
    """A new app, as `funchost init` makes it."""
    folder = tmp_path / "shop"
    assert run_cli("init", str(folder)).returncode == 0
    assert run_cli("new", "orchestration", "asks", "--app", str(folder)).returncode == 0
    return folder


def test_a_new_user_comes_from_an_empty_folder_to_a_purged_instance(
    app: Path, start_host: StartHost, run_cli: RunCli, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = start_host(app)
    monkeypatch.setenv("FUNCHOST_URL", host.url)
    started = run_cli("instances", "start", "greet_all", "--input", '["Oslo"]', "--wait")
    assert 'output   ["Hello Oslo!"]' in started.stdout, started.stderr
    asks = run_cli("instances", "start", "asks", "--input", '"a boat"').stdout.strip()
    listed = run_cli("instances", "list", "--status", "Running,Pending")
    assert asks in listed.stdout
    assert run_cli("instances", "terminate", asks, "--reason", "enough").returncode == 0
    ended = run_cli("instances", "wait", asks, "--json")
    assert (ended.returncode, json.loads(ended.stdout)["output"]) == (1, "enough")
    assert "Terminated: " in run_cli("logs", asks).stdout
    forked = run_cli("instances", "fork", asks, "--after-event", "0").stdout.strip()
    raised = run_cli("instances", "raise-event", forked, "Approval", "--data", '"yes"')
    assert raised.returncode == 0, raised.stderr
    assert 'output   "a boat: yes"' in run_cli("instances", "wait", forked).stdout
    assert run_cli("instances", "purge", asks).returncode == 0
    gone = run_cli("instances", "get", asks)
    assert (gone.returncode, gone.stdout) == (1, "")


def test_found_the_host_of_the_folder_is_found_at_any_port(
    app: Path, start_host: StartHost, run_cli: RunCli, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("FUNCHOST_URL", "FUNCHOST_KEY"):
        monkeypatch.delenv(name, raising=False)
    host = start_host(app)  # at a port that is free
    listed = run_cli("hosts", "--app", str(app), "--json")
    assert json.loads(listed.stdout)["id"], listed.stderr
    said = app / ".funchost" / "listening.json"
    known = json.loads(said.read_text())
    assert (known["url"], sorted(known)) == (host.url, ["hub", "pid", "url"])
    done = run_cli("instances", "purge", "--all", "--yes", "--app", str(app))
    assert done.returncode == 0, done.stderr
    host.stop()
    assert not said.exists()
    (app / "local.settings.json").write_text('{"Host": {"LocalHttpPort": 1}}')
    said.write_text(json.dumps(known))  # as one that was killed leaves it
    gone = run_cli("hosts", "--app", str(app))
    assert (gone.returncode, "http://localhost:1" in gone.stderr) == (2, True)


def on_terminal(*arguments: str, **environment: str) -> str:
    """What a command shows on a terminal of 80 columns."""
    process, terminal = pty.fork()
    if process == 0:
        size = {"COLUMNS": "80", "LINES": "24", "TERM": "xterm"}
        os.execve(FUNCHOST[0], [*FUNCHOST, *arguments], {**os.environ, **size, **environment})
    shown = bytearray()
    while True:
        try:
            part = os.read(terminal, 65536)
        except OSError:  # so Linux tells the end
            break
        if not part:
            break
        shown += part
    os.close(terminal)
    os.waitpid(process, 0)
    return shown.decode()


def test_a_terminal_gets_colours_and_whole_ids(
    app: Path, start_host: StartHost, run_cli: RunCli
) -> None:
    host = start_host(app)
    run = ("instances", "start", "greet_all", "--input", "[]", "--url", host.url, "--wait", "--id")
    assert run_cli(*run, LONG_ID).returncode == 0
    shown = on_terminal("instances", "list", "--url", host.url, NO_COLOR="")
    assert LONG_ID in shown
    assert "\x1b[32mCompleted" in shown
    assert "\x1b[?25l" not in shown, "a cursor that is hidden stays so after Ctrl-C"
    plain = on_terminal("instances", "list", "--url", host.url, NO_COLOR="1")
    assert "\x1b" not in plain
    refused = on_terminal("instances", "get", "nobody", "--url", host.url, NO_COLOR="1")
    assert "\x1b" not in refused


def waiting_for(host: HostProcess, *command: str) -> subprocess.Popen[str]:
    """A command that has asked the host, and waits."""
    return subprocess.Popen(
        [*FUNCHOST, *command, "--url", host.url],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_ctrl_c_ends_a_command_in_silence(
    app: Path, start_host: StartHost, run_cli: RunCli
) -> None:
    host = start_host(app)
    start = ("instances", "start", "asks", "--id", "one", "--url", host.url)
    assert run_cli(*start, "--input", '"a boat"').returncode == 0
    follows = waiting_for(host, "logs", "one", "--follow")
    assert follows.stdout is not None
    assert "Started asks" in follows.stdout.readline()
    follows.send_signal(signal.SIGINT)
    assert (follows.wait(), follows.communicate()[1]) == (130, "")


def test_a_pipe_that_is_closed_ends_a_command_in_silence(
    app: Path, start_host: StartHost, run_cli: RunCli
) -> None:
    host = start_host(app)
    reading, writing = os.pipe()
    os.close(reading)
    for command in (["list"], ["list", "--json"], ["count", "--json"]):
        ended = subprocess.run(
            [*FUNCHOST, "instances", *command, "--url", host.url],
            stdout=writing,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        expected = 0 if command == ["list", "--json"] else 141  # nothing is printed there
        assert (ended.returncode, ended.stderr) == (expected, ""), command
    os.close(writing)


def test_a_wait_outlives_a_restart_of_the_host(
    app: Path, start_host: StartHost, run_cli: RunCli
) -> None:
    host = start_host(app)
    start = ("instances", "start", "asks", "--id", "one", "--url", host.url)
    assert run_cli(*start, "--input", '"a boat"').returncode == 0
    follows = waiting_for(host, "logs", "one", "--follow")
    assert follows.stdout is not None
    assert "Started asks" in follows.stdout.readline()
    assert host.stop() == 0
    again = start_host(app, port=host.url.rpartition(":")[2])
    raised = ("raise-event", "one", "Approval", "--data", '"yes"', "--url", again.url)
    assert run_cli("instances", *raised).returncode == 0
    rest, errors = follows.communicate()
    assert (follows.returncode, errors) == (0, "")
    assert rest.splitlines()[-1].endswith('Completed: "a boat: yes"')
