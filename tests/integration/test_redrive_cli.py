"""`funchost redrive` with real hosts: what it does, what it says, and its exit codes."""

from __future__ import annotations

import sqlite3
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from tests.integration.conftest import new_keys
from tests.kit.closed_ports import closed_port

if TYPE_CHECKING:
    from tests.integration.conftest import HostProcess, StartHost

    RunCli = Callable[..., subprocess.CompletedProcess[str]]

pytestmark = pytest.mark.process

Reply = tuple[int, Mapping[str, str], bytes]

WEBHOOKS = "/runtime/webhooks/durabletask"
ODD_ID = "50%25 größer & co.;v=1"
FUNCTIONS = """
from bindings import FunctionApp

app = FunctionApp()

@app.orchestration_trigger()
async def listens(context):
    return await context.wait_for_external_event("word")
"""


@pytest.fixture
def app(tmp_path: Path) -> Path:
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "function_app.py").write_text(FUNCTIONS)
    return folder


def begin(host: HostProcess, instance_id: str) -> None:
    """Start an instance that waits, and has taken its first turn."""
    path = f"{WEBHOOKS}/orchestrators/listens/{quote(instance_id, safe='')}"
    assert host.request("POST", path).status == 202
    host.wait_for(
        quote(instance_id, safe=""), lambda status: bool(status["runtimeStatus"] == "Running")
    )


def replace_history(app: Path, data: bytes) -> bytes:
    """Put other bytes in place of the only batch there is; gives those that were there."""
    file = app / ".funchost" / "TestHubName.db"
    with closing(sqlite3.connect(file, timeout=30)) as connection, connection:
        ((before,),) = connection.execute("SELECT data FROM batches").fetchall()
        connection.execute("UPDATE batches SET data = ?", (data,))
    assert isinstance(before, bytes)
    return before


def test_a_quarantined_instance_runs_again_for_those_who_have_the_key(
    app: Path, start_host: StartHost, run_cli: RunCli, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = start_host(app)
    begin(first, ODD_ID)
    assert first.stop() == 0
    history = replace_history(app, b"what nobody can read is quarantined")

    host = start_host(app, "--address", "0.0.0.0")
    url = host.url.replace("0.0.0.0", "127.0.0.1")
    keys = {name.split()[0]: key for name, key in new_keys(app / ".funchost").items()}
    master = {"x-functions-key": keys["master"]}
    instance = f"{url}{WEBHOOKS}/instances/{quote(ODD_ID, safe='')}"
    host.request("POST", f"{instance}/raiseEvent/word", "hello", headers=master)
    while "blockedReason" not in host.request("GET", instance, headers=master).json:
        pass
    replace_history(app, history)

    for key, reason in (
        ((), "wants a valid key"),
        (("--key", "guessed"), "wants a valid key"),
        (("--key", keys["function"]), "This needs the role operate"),
    ):
        refused = run_cli("redrive", ODD_ID, "--url", url, *key)
        assert refused.returncode == 2
        assert reason in refused.stderr

    monkeypatch.setenv("FUNCHOST_KEY", keys["master"])
    accepted = run_cli("redrive", ODD_ID, "--url", f"{url}/")
    assert (accepted.returncode, accepted.stdout) == (0, f"'{ODD_ID}' runs again.\n")
    while (status := host.request("GET", instance, headers=master)).status == 202:
        pass
    assert status.json["output"] == "hello"


def test_what_cannot_be_redriven_is_said_in_one_line(
    app: Path, start_host: StartHost, run_cli: RunCli
) -> None:
    host = start_host(app)
    for instance_id in ("waiting", "finished"):
        begin(host, instance_id)
    host.request("POST", f"{WEBHOOKS}/instances/finished/raiseEvent/word", "hello")
    host.finished("finished")

    reasons = {
        "waiting": "'waiting' is not quarantined.",
        "finished": "'finished' is finished, and so not quarantined.",
        "nobody": "There is no instance 'nobody'",
    }
    for instance_id, reason in reasons.items():
        ended = run_cli("redrive", instance_id, "--url", host.url)
        assert (ended.returncode, ended.stdout) == (1, "")
        (line,) = ended.stderr.splitlines()
        assert line.startswith(reason)


@contextmanager
def server(reply: Callable[[str, str], Reply]) -> Iterator[str]:
    """The URL of a server that replies so to a verb and a path, and is no host."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            status, headers, body = reply(self.command, self.path)
            self.send_response_only(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST  # noqa: N815 - so the library wants it

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        thread = threading.Thread(target=listening.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.server_port}"
        finally:
            listening.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("name", "body"),
    [("nginx", b"<html>404 Not Found</html>"), ("funchost", b"")],
    ids=["a proxy", "a host without redrive"],
)
def test_a_404_of_somebody_else_says_nothing_of_the_instance(
    run_cli: RunCli, name: str, body: bytes
) -> None:
    with server(lambda _verb, _path: (404, {"Server": name}, body)) as url:
        ended = run_cli("redrive", "some", "--url", url)
    assert (ended.returncode, ended.stdout) == (2, "")
    (line,) = ended.stderr.splitlines()
    assert line.startswith(f"There is no redrive at {url}, ")
    assert "Check the path in --url" in line


def test_a_path_that_no_host_has_says_nothing_of_the_instance(
    app: Path, start_host: StartHost, run_cli: RunCli
) -> None:
    host = start_host(app)
    begin(host, "some")
    ended = run_cli("redrive", "some", "--url", f"{host.url}/api")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith(f"There is no redrive at {host.url}/api, ")


def test_a_missing_instance_is_said_to_be_missing_behind_a_proxy_too(
    app: Path, start_host: StartHost, run_cli: RunCli
) -> None:
    host = start_host(app)

    def passed_on(verb: str, path: str) -> Reply:
        answer = host.request(verb, path.removeprefix("/orders"))
        return answer.status, {**answer.headers, "Server": "proxy"}, answer.body

    with server(passed_on) as url:
        ended = run_cli("redrive", "nobody", "--url", f"{url}/orders/")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith("There is no instance 'nobody'")


def test_a_host_that_does_not_answer_is_named(run_cli: RunCli) -> None:
    with closed_port() as url:
        ended = run_cli("redrive", "some", "--url", url)
    assert ended.returncode == 2
    (line,) = ended.stderr.splitlines()
    assert line.startswith(f"No host answers at {url}: ")


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["some", "--url", "localhost:7071"],
        ["some", "--url", "http://"],
        ["some", "--url", "http://localhost:7071/?code=x"],
        ["some", "--url", "http://localhost:seven"],
        ["some", "--url", "http://[localhost"],
        ["some", "--key", "two\nlines"],
        [".."],
        [""],
    ],
)
def test_wrong_usage_exits_with_2(run_cli: RunCli, arguments: list[str]) -> None:
    ended = run_cli("redrive", *arguments)
    assert ended.returncode == 2
    assert ended.stderr
    assert "Traceback" not in ended.stderr


def test_help_says_what_it_is_for(run_cli: RunCli) -> None:
    shown = run_cli("redrive", "--help")
    assert shown.returncode == 0
    for word in ("--url", "--key", "FUNCHOST_KEY", "quarantined", "Exit codes", "Examples"):
        assert word in shown.stdout
