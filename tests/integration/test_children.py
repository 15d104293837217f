"""What an app does with processes works, and harms neither its host nor the next one."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.conftest import WEBHOOKS, StartHost

pytestmark = [pytest.mark.process, pytest.mark.skipif(os.name == "nt", reason="nothing forks")]

APP = """
import multiprocessing, os, subprocess, sys
from concurrent.futures import ProcessPoolExecutor
from funchost import FunctionApp

app = FunctionApp()
left = []

def square(n):
    return n * n

@app.orchestration_trigger()
async def led(context, what: str):
    return await context.call_activity(what)

@app.activity_trigger()
def pool_of_forks() -> list[int]:
    with multiprocessing.get_context("fork").Pool(2) as pool:  # ended by SIGTERM
        return pool.map(square, [1, 2, 3])

@app.activity_trigger()
def pool_of_new_ones() -> list[int]:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return list(pool.map(square, [1, 2, 3]))

@app.activity_trigger()
def a_program() -> str:
    done = subprocess.run([sys.executable, "-c", "print('done')"], capture_output=True, check=True)
    return done.stdout.decode().strip()

@app.activity_trigger()
def one_that_stays() -> int:
    child = multiprocessing.get_context("fork").Process(target=wait, args=(os.environ["NEVER"],))
    child.start()
    left.append(child)
    return child.pid

def wait(path):
    with open(path) as pipe:
        pipe.read()
"""


FORKING = """
import os, sys
from funchost import AuthLevel, FunctionApp

app = FunctionApp(http_auth_level=AuthLevel.ANONYMOUS)

def fork(end):
    child = os.fork()
    if child == 0:
        return end()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

def fail():
    raise ValueError("in the child")

@app.orchestration_trigger()
async def led(context, what: str):
    return await context.call_activity(what)

@app.activity_trigger()
def returns():
    return fork(lambda: "from the child")

@app.activity_trigger()
def raises():
    return fork(fail)

@app.activity_trigger()
def exits():
    return fork(lambda: sys.exit(7))

@app.route("returns")
def answers(req) -> str:
    return str(fork(lambda: "from the child"))
"""


@pytest.mark.parametrize(("activity", "code"), [("returns", 0), ("raises", 1), ("exits", 7)])
def test_found_b3_a_forked_child_ends_where_the_function_ends_in_it(
    tmp_path: Path, start_host: StartHost, activity: str, code: int
) -> None:
    (tmp_path / "function_app.py").write_text(FORKING)
    host = start_host(tmp_path, "--storage", "memory")
    host.request("POST", f"{WEBHOOKS}/orchestrators/led/one", activity)
    assert host.finished("one")["output"] == code
    assert host.request("GET", "/api/returns").body == b"0"
    assert host.stop() == 0


@pytest.fixture
def app(tmp_path: Path) -> Path:
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "function_app.py").write_text(APP)
    return folder


@pytest.fixture
def never(tmp_path: Path) -> Path:
    """A pipe that nobody writes to."""
    path = tmp_path / "never"
    os.mkfifo(path)
    return path


@pytest.mark.parametrize(
    ("activity", "result"),
    [
        ("pool_of_forks", [1, 4, 9]),
        ("pool_of_new_ones", [1, 4, 9]),
        ("a_program", "done"),
    ],
)
def test_found_b3_processes_of_an_app_work(
    app: Path, start_host: StartHost, activity: str, result: object
) -> None:
    host = start_host(app, "--storage", "memory")
    host.request("POST", f"{WEBHOOKS}/orchestrators/led/one", activity)
    assert host.finished("one")["output"] == result
    assert host.stop() == 0


@pytest.fixture
def kill_later() -> Iterator[Callable[[int], None]]:
    pids: list[int] = []
    yield pids.append
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_found_b3_a_child_that_stays_keeps_neither_port_nor_store(
    app: Path,
    never: Path,
    start_host: StartHost,
    kill_later: Callable[[int], None],
    number: signal.Signals,
) -> None:
    first = start_host(app, NEVER=str(never))
    first.request("POST", f"{WEBHOOKS}/orchestrators/led/one", "one_that_stays")
    pid = first.finished("one")["output"]
    kill_later(pid)
    first.stop(number)
    os.kill(pid, 0)  # it lives

    second = start_host(app, port=first.url.rpartition(":")[2], NEVER=str(never))

    assert second.status("one")["output"] == pid


def test_found_b3_a_signal_ends_a_forked_child(
    app: Path, never: Path, start_host: StartHost
) -> None:
    host = start_host(app, "--storage", "memory", NEVER=str(never))
    host.request("POST", f"{WEBHOOKS}/orchestrators/led/one", "one_that_stays")
    pid = host.finished("one")["output"]
    os.kill(pid, signal.SIGTERM)
    while Path(f"/proc/{pid}").exists() and "Z" not in _state(pid):
        assert host.request("GET", "/healthz").status == 200
    assert host.stop() == 0


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
