"""The command line with real processes: starting, stopping, refusing, and what it prints."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
import pytest

from host.app import running_host
from host.wiring.options import HostOptions, read_settings
from tests.integration.conftest import new_keys

if TYPE_CHECKING:
    from tests.integration.conftest import StartHost

    RunCli = Callable[..., subprocess.CompletedProcess[str]]

pytestmark = pytest.mark.process

WEBHOOKS = "/runtime/webhooks/durabletask"

FUNCTIONS = """
import os
import threading

from bindings import AuthLevel, FunctionApp

app = FunctionApp()

@app.orchestration_trigger()
async def greet(context, name: str):
    return await context.call_activity(hello, name)

@app.activity_trigger()
def hello(name: str) -> str:
    return f"Hello {name}!"

@app.orchestration_trigger()
async def hang(context):
    await context.call_activity(never_ends)

@app.activity_trigger()
def never_ends() -> None:
    print("hanging", flush=True)
    threading.Event().wait()

@app.route("setting/{name}", methods=["GET", "POST"])
def setting(req):
    return os.environ.get(req.route_params["name"], "")

@app.route("anyone", auth_level=AuthLevel.ANONYMOUS)
def anyone(req):
    return "come in"
"""


@pytest.fixture
def app(tmp_path: Path) -> Path:
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "function_app.py").write_text(FUNCTIONS)
    return folder


def write_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content))


# ---- starting and stopping -----------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_the_host_cleanly(
    app: Path, start_host: StartHost, number: signal.Signals
) -> None:
    host = start_host(app)
    assert host.stop(number) == 0
    assert "Traceback" not in host.errors()


def test_port_0_gives_every_host_a_port_of_its_own(app: Path, start_host: StartHost) -> None:
    hosts = [start_host(app, "--storage", "memory") for _ in range(2)]
    assert len({host.url for host in hosts}) == 2
    for host in hosts:
        assert host.url.startswith("http://127.0.0.1:")
        assert host.request("GET", "/healthz").status == 200


def test_instances_are_there_again_after_a_restart(app: Path, start_host: StartHost) -> None:
    first = start_host(app)
    start = f"{WEBHOOKS}/orchestrators/greet/one"
    assert first.request("POST", start, "Ada").status == 202
    assert first.finished("one")["output"] == "Hello Ada!"
    assert first.stop() == 0

    second = start_host(app)
    assert second.status("one")["output"] == "Hello Ada!"
    assert (app / ".funchost" / "TestHubName.db").is_file()


def test_hub_and_data_name_the_store(app: Path, start_host: StartHost, tmp_path: Path) -> None:
    data = tmp_path / "elsewhere"
    host = start_host(app, "--hub", "MyHub", "--data", str(data))
    assert (data / "MyHub.db").is_file()
    assert not (app / ".funchost").exists()
    answer = host.request("POST", f"{WEBHOOKS}/orchestrators/greet", "Ada")
    assert "taskHub=MyHub" in answer.json["statusQueryGetUri"]


async def test_a_host_also_runs_inside_another_program(
    app: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEBSITE_HOSTNAME", "")
    options = HostOptions(app_dir=app, port=0, storage="memory")
    async with (
        running_host(options, read_settings(options)) as host,
        aiohttp.ClientSession(host.url) as session,
    ):
        async with session.get("/api/anyone") as answer:
            assert await answer.text() == "come in"
        assert "greet" in [function.name for function in host.app.functions]


def test_found_e5_the_data_folder_ignores_itself(
    app: Path, start_host: StartHost, tmp_path: Path
) -> None:
    start_host(app).stop()
    assert (app / ".funchost" / ".gitignore").read_text() == "*\n"
    (app / ".funchost" / ".gitignore").write_text("of my own\n")
    start_host(app).stop()
    assert (app / ".funchost" / ".gitignore").read_text() == "of my own\n"
    start_host(app, "--data", str(tmp_path / "elsewhere")).stop()
    assert not (tmp_path / "elsewhere" / ".gitignore").exists()


def test_memory_storage_writes_nothing(app: Path, start_host: StartHost) -> None:
    host = start_host(app, "--storage", "memory")
    host.request("POST", f"{WEBHOOKS}/orchestrators/greet/one", "Ada")
    assert host.finished("one")["output"] == "Hello Ada!"
    assert not (app / ".funchost").exists()


def test_a_second_ctrl_c_stops_at_once(app: Path, start_host: StartHost) -> None:
    host = start_host(app)
    host.request("POST", f"{WEBHOOKS}/orchestrators/hang/one")
    host.wait_until_logged("[never_ends one]: hanging")
    host.process.send_signal(signal.SIGINT)
    host.wait_until_logged("Stopping")
    assert host.stop(signal.SIGINT) == 130


# ---- what it prints -----------------------------------------------------------


def test_found_e3_the_functions_are_listed_by_trigger_and_the_address_last(
    app: Path, start_host: StartHost
) -> None:
    host = start_host(app, AzureWebJobs_hello_Disabled="true")
    port = host.url.rsplit(":", 1)[1]
    lines = [line for line in host.output if line]
    assert lines == [
        "httpTrigger:",
        f"  anyone   [any verb] http://localhost:{port}/api/anyone",
        f"  setting  [GET,POST] http://localhost:{port}/api/setting/{{name}}",
        "activityTrigger:",
        "  never_ends",
        "orchestrationTrigger:",
        "  greet, hang",
        "Function hello is disabled.",
        f"Listening on {host.url}",
    ]


def test_a_broken_function_is_reported_and_the_others_serve(
    app: Path, start_host: StartHost
) -> None:
    folder = app / "Broken"
    folder.mkdir()
    (folder / "run.py").write_text("raise RuntimeError('no luck')\n")
    trigger = {"type": "activityTrigger", "direction": "in", "name": "x"}
    write_json(folder / "function.json", {"scriptFile": "run.py", "bindings": [trigger]})

    host = start_host(app)
    output = "\n".join(host.output)
    assert "Function Broken does not load:" in output
    assert "RuntimeError: no luck" in output
    assert "Traceback" in output
    assert host.request("GET", "/api/anyone").body == b"come in"


def test_an_app_without_functions_says_so_and_serves(tmp_path: Path, start_host: StartHost) -> None:
    host = start_host(tmp_path)
    assert any("No functions found" in line for line in host.output)
    assert host.request("GET", "/healthz").status == 200


def test_verbose_logs_requests_without_their_codes(app: Path, start_host: StartHost) -> None:
    host = start_host(app, "--verbose")
    host.request("GET", "/api/anyone?code=secret")
    host.wait_until_logged("GET /api/anyone?code=... -> 200")
    assert "secret" not in host.errors()


def test_version_and_help_are_there(run_cli: RunCli) -> None:
    assert run_cli("--version").stdout.startswith("funchost ")
    shown = run_cli("start", "--help")
    assert shown.returncode == 0
    for option in ("--port", "--address", "--storage", "--hub", "--data", "--verbose", "Examples"):
        assert option in shown.stdout


# ---- settings and keys -----------------------------------------------------------


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no disk that is always full")
@pytest.mark.parametrize("words", [["--help"], ["instances", "--help"], ["completion", "bash"]])
def test_found_output_that_has_no_room_is_one_line_and_no_traceback(words: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "host", *words],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr.startswith("Error: Not all could be written: the disk is full")
    assert len(done.stderr.splitlines()) == 1


def test_local_settings_reach_functions_unless_the_environment_has_them(
    app: Path, start_host: StartHost
) -> None:
    values = {"FROM_FILE": "file", "FROM_BOTH": "file"}
    write_json(app / "local.settings.json", {"IsEncrypted": False, "Values": values})
    host = start_host(app, FROM_BOTH="environment")
    port = host.url.rsplit(":", 1)[1]
    expected = {
        "FROM_FILE": "file",
        "FROM_BOTH": "environment",
        "WEBSITE_HOSTNAME": f"localhost:{port}",
    }
    for name, value in expected.items():
        assert host.request("GET", f"/api/setting/{name}").body.decode() == value


def test_local_settings_name_the_port_where_the_command_line_does_not(
    app: Path, run_cli: RunCli
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        write_json(app / "local.settings.json", {"Host": {"LocalHttpPort": port}})
        ended = run_cli("start", str(app))
    assert ended.returncode == 2
    assert str(port) in ended.stderr


def test_found_d14_new_keys_are_printed_to_a_terminal_only(
    app: Path, start_host: StartHost
) -> None:
    host = start_host(app, "--keys")
    keys = new_keys(app / ".funchost")
    assert len(keys) == 3
    assert [key for key in keys.values() if key in "\n".join(host.output) + host.errors()] == []
    assert any(str(app / ".funchost" / "new-keys.txt") in line for line in host.output)


@pytest.mark.skipif(os.name != "posix", reason="terminals are opened the POSIX way")
def test_found_d14_a_terminal_gets_the_new_keys(tmp_path: Path) -> None:
    ours, theirs = os.openpty()
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        process = subprocess.run(
            [sys.executable, "-m", "host", "keys", "new", str(tmp_path / "keys.json")],
            stdout=theirs,
            stderr=theirs,
            check=False,
        )
        os.close(theirs)
        shown = terminal.read(10_000).decode()
    assert process.returncode == 0
    assert "shown only once" in shown
    assert "master (_master): " in shown
    assert not (tmp_path / "new-keys.txt").exists()


def test_found_d14_the_administration_shows_settings_as_they_are_written(
    app: Path, start_host: StartHost
) -> None:
    write_json(app / "local.settings.json", {"Values": {"PLACE": "h1dden/{id}", "WHO": "h1dden"}})
    folder = app / "Get"
    folder.mkdir()
    (folder / "run.py").write_text("def main(req):\n    return 'here'\n")
    trigger = {"type": "httpTrigger", "direction": "in", "name": "req", "authLevel": "anonymous"}
    more = {"route": "%PLACE%", "topicName": "%WHO%"}
    output = {"type": "http", "direction": "out", "name": "$return"}
    write_json(
        folder / "function.json", {"scriptFile": "run.py", "bindings": [trigger | more, output]}
    )

    host = start_host(app)
    assert host.request("GET", "/api/h1dden/1").body == b"here"
    for path in ("/admin/functions", "/admin/functions/Get"):
        shown = host.request("GET", path).body.decode()
        assert "h1dden" not in shown
        assert '"%PLACE%"' in shown
        assert '"%WHO%"' in shown
        assert "/api/%PLACE%" in shown


def test_found_d14_keys_in_odd_spellings_are_not_logged(app: Path, start_host: StartHost) -> None:
    host = start_host(app, "--verbose")
    for query in ("c%6Fde=s3cret", "CODE=s3cret", "a=1;code=s3cret", "x=%26code%3Ds3cret"):
        host.request("GET", f"/api/anyone?{query}")
    host.request("GET", f"/api/anyone?key={'aB3_' * 10}xyz")
    host.request("GET", "/api/anyone?the=last")
    host.wait_until_logged("the=last")
    assert "s3cret" not in host.errors()
    assert "aB3_" not in host.errors()


def test_beyond_this_machine_keys_are_made_once_and_required(
    app: Path, start_host: StartHost
) -> None:
    first = start_host(app, "--address", "0.0.0.0")
    keys = new_keys(app / ".funchost")
    assert len(keys) == 3
    address = first.url.replace("0.0.0.0", "127.0.0.1")
    key = keys["function (default)"]
    setting = f"{address}/api/setting/HOME"
    assert first.request("GET", setting).status == 401
    assert first.request("GET", setting, headers={"x-functions-key": key}).status == 200
    assert first.request("GET", f"{address}/api/anyone").status == 200
    assert first.stop() == 0

    stored = app / ".funchost" / "keys.json"
    assert stored.stat().st_mode & 0o077 == 0
    assert all(value not in stored.read_text() for value in keys.values())
    second = start_host(app, "--address", "0.0.0.0")
    assert "new-keys.txt" in "\n".join(first.output)
    assert "new-keys.txt" not in "\n".join(second.output)
    url = f"{second.url.replace('0.0.0.0', '127.0.0.1')}/api/setting/HOME"
    assert second.request("GET", url, headers={"x-functions-key": key}).status == 200


# ---- refusing to start -----------------------------------------------------------


def test_all_wrong_settings_are_reported_at_once(app: Path, run_cli: RunCli) -> None:
    durable = {"maxConcurrentActivityFunctions": 0, "hubName": "no good"}
    write_json(app / "host.json", {"version": "1.0", "extensions": {"durableTask": durable}})
    write_json(app / "local.settings.json", {"IsEncrypted": True})
    ended = run_cli("start", str(app), "--port", "0")
    assert ended.returncode == 2
    lines = ended.stderr.splitlines()
    assert len(lines) == 4
    for place in ("version", "maxConcurrentActivityFunctions", "hubName", "IsEncrypted"):
        assert any(place in line for line in lines), place
    assert "Traceback" not in ended.stderr
    assert ended.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--port", "seven"], "--port"),
        (["--port", "65536"], "--port"),
        (["--storage", "paper"], "--storage"),
        (["--hub", "no good"], "--hub"),
        (["--hub", ""], "--hub"),
        (["--address", "256.1.1.1"], "256.1.1.1"),
        (["--no-such-option"], "--no-such-option"),
    ],
)
def test_wrong_usage_exits_with_2_and_a_reason(
    app: Path, run_cli: RunCli, arguments: list[str], reason: str
) -> None:
    ended = run_cli("start", str(app), "--port", "0", *arguments)
    assert ended.returncode == 2
    assert reason in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_missing_app_folder_is_wrong_usage(tmp_path: Path, run_cli: RunCli) -> None:
    ended = run_cli("start", str(tmp_path / "missing"))
    assert ended.returncode == 2
    assert "missing" in ended.stderr


def test_a_busy_port_names_the_option(app: Path, start_host: StartHost, run_cli: RunCli) -> None:
    port = start_host(app).url.rsplit(":", 1)[1]
    ended = run_cli("start", str(app), "--port", port, "--storage", "memory")
    assert ended.returncode == 2
    assert ended.stderr.splitlines() == [
        f"Port {port} is in use. Choose another one with --port, or 0 for any free one."
    ]


def test_a_second_host_on_the_same_store_is_refused(
    app: Path, start_host: StartHost, run_cli: RunCli
) -> None:
    host = start_host(app)
    ended = run_cli("start", str(app), "--port", "0")
    assert ended.returncode == 2
    assert str(host.process.pid) in ended.stderr
    assert "Traceback" not in ended.stderr
    assert host.request("GET", "/readyz").status == 200


def test_a_data_folder_that_cannot_be_made_is_refused(app: Path, run_cli: RunCli) -> None:
    (app / "file").touch()
    ended = run_cli("start", str(app), "--port", "0", "--data", str(app / "file" / "data"))
    assert ended.returncode == 2
    assert str(app / "file") in ended.stderr
    assert "Traceback" not in ended.stderr


def test_found_g9_an_app_and_its_data_may_be_in_a_folder_whose_name_is_not_utf_8(
    app: Path, tmp_path: Path, start_host: StartHost, run_cli: RunCli
) -> None:
    odd = app.rename(tmp_path / os.fsdecode(b"caf\xe9"))
    (odd / "broken").mkdir()
    write_json(odd / "broken" / "function.json", {"bindings": []})
    for instance_id in ("first", "second"):
        host = start_host(odd)
        assert "caf\\udce9" in "".join(host.output)
        host.request("POST", f"{WEBHOOKS}/orchestrators/greet/{instance_id}", "you")
        host.wait_for(instance_id, lambda status: status["runtimeStatus"] == "Completed")
        host.stop()
    ended = run_cli("backup", str(odd / "backup.db"), "--app", str(odd))
    assert "2 instances" in ended.stdout, ended.stderr


def test_found_g13_an_address_that_has_no_descriptor_left_is_not_said_to_be_unknown(
    app: Path,
) -> None:
    code = (
        "import resource, sys; from host.cli.main import main;"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv.pop(1)),) * 2); main()"
    )
    for limit in ("8", "10", "12", "14"):
        command = [sys.executable, "-c", code, limit, "start", str(app), "--port", "0"]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        assert ended.returncode == 2, ended.stderr
        assert "too many open files" in ended.stderr
        assert "Traceback" not in ended.stderr


def test_the_current_folder_is_the_default_app(app: Path) -> None:
    (app / "host.json").write_text("{")
    repository = Path(__file__).resolve().parents[2]
    ended = subprocess.run(
        [sys.executable, "-m", "host", "start"],
        cwd=app,
        env={**os.environ, "PYTHONPATH": str(repository)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 2
    assert "host.json" in ended.stderr
