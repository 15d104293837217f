"""`funchost check-deploy`: what new code would break, found before it is there."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

import pytest

from bindings.exports import ended
from host.clock import SystemClock
from host.core.exported import to_line, unreadable_line
from host.core.records import Snapshot
from host.storage.sqlite.store import SqliteStore
from tests.kit.history_builder import HistoryBuilder, pending

if TYPE_CHECKING:
    from tests.integration.conftest import StartHost

    RunCli = Callable[..., subprocess.CompletedProcess[str]]

pytestmark = pytest.mark.process

COUNT = 1000
PATIENCE_S = 60.0
APP = """
import sys
from funchost import FunctionApp

app = FunctionApp()
print("loaded")

@app.activity_trigger()
def reserve(item):
    sys.exit("an activity ran")

@app.activity_trigger()
def ship(item):
    sys.exit("an activity ran")

@app.orchestration_trigger()
async def order(context, item):
    print("noise", file=sys.stderr)
    await context.call_activity("reserve", item)
    await context.call_activity("ship", item)

@app.orchestration_trigger()
async def watch(context):
    await context.wait_for_external_event("seen")
"""
RENAMED = APP.replace('call_activity("ship"', 'call_activity("send"').replace("ship(", "send(")
RESERVE = '    await context.call_activity("reserve", item)\n'
SHIP = '    await context.call_activity("ship", item)\n'
SWAPPED = APP.replace(RESERVE + SHIP, SHIP + RESERVE)
ADDED = APP.replace(SHIP, SHIP + '    await context.call_activity("bill", item)\n')
ENDLESS = APP.replace("    print(", "    while True:\n        pass\n    print(")


def instances(count: int) -> Iterable[Snapshot]:
    """Orders at two places, and one watch."""
    for number in range(count - 1):
        recorded = HistoryBuilder(pending("order", instance_id=f"order-{number}"))
        recorded.scheduled("reserve")
        if number % 2:
            recorded.turn().completed(1).scheduled("ship")
        yield recorded.snapshot()
    yield HistoryBuilder(pending("watch", instance_id="watch")).snapshot()


async def store(file: Path, found: Iterable[Snapshot]) -> None:
    opened = SqliteStore(file, SystemClock().now)
    await opened.open()
    for each in found:
        await opened.plant(each, leaves_work=True)
    await opened.close()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of a hub with `COUNT` unfinished instances, whose host does not run."""
    folder = tmp_path_factory.mktemp("data")
    asyncio.run(store(folder / "Orders.db", instances(COUNT)))
    return folder


def app_of(folder: Path, source: str) -> str:
    (folder / "function_app.py").write_text(source)
    return str(folder)


def checked(run_cli: RunCli, app: str, data: Path, *more: str) -> tuple[int, dict[str, Any]]:
    done = run_cli("check-deploy", app, "--data", str(data), "--hub", "Orders", "--json", *more)
    assert done.stderr == ""
    return done.returncode, json.loads(done.stdout)


def test_an_additive_change_passes(tmp_path: Path, run_cli: RunCli, data: Path) -> None:
    before = (data / "Orders.db").read_bytes()
    code, found = checked(run_cli, app_of(tmp_path, ADDED), data)
    assert (code, found["fits"], found["breaks"]) == (0, COUNT, [])
    assert found["orchestrators"] == [
        {
            "name": "order",
            "version": None,
            "fits": 999,
            "breaks": 0,
            "left": 0,
            "unreadable": 0,
            "unknown": 0,
        },
        {
            "name": "watch",
            "version": None,
            "fits": 1,
            "breaks": 0,
            "left": 0,
            "unreadable": 0,
            "unknown": 0,
        },
    ]
    assert (data / "Orders.db").read_bytes() == before


@pytest.mark.parametrize(
    ("source", "count", "instance_id", "sequence", "recorded", "done", "line"),
    [
        (RENAMED, 499, "order-1", 6, "#2 a call of activity 'ship'", "'send'", '"send"'),
        (SWAPPED, 999, "order-0", 3, "#1 a call of activity 'reserve'", "'ship'", '"ship"'),
    ],
)
def test_what_breaks_is_found_with_instance_step_and_line(
    tmp_path: Path,
    run_cli: RunCli,
    data: Path,
    source: str,
    count: int,
    instance_id: str,
    sequence: int,
    recorded: str,
    done: str,
    line: str,
) -> None:
    began = monotonic()
    code, found = checked(run_cli, app_of(tmp_path, source), data)
    took_s = monotonic() - began
    assert (code, len(found["breaks"])) == (1, count)
    first = found["breaks"][0]
    assert (first["instanceId"], first["sequence"]) == (instance_id, sequence)
    assert first["recorded"] == recorded
    assert done in first["done"]
    assert first["path"] == str(tmp_path / "function_app.py")
    assert line in source.splitlines()[first["line"] - 1]
    print(f"{COUNT} instances in {took_s:.1f} s")  # noqa: T201 - for whoever measures


def test_people_are_told_once_what_breaks_alike(
    tmp_path: Path, run_cli: RunCli, data: Path
) -> None:
    app = app_of(tmp_path, RENAMED)
    done = run_cli("check-deploy", app, "--data", str(data), "--hub", "Orders")
    assert done.returncode == 1
    line = next(n for n, text in enumerate(RENAMED.splitlines(), start=1) if '"send"' in text)
    assert done.stdout.splitlines() == [
        "order: 500 go on, 499 break",
        "watch: 1 go on",
        "",
        "'order-1', 'order-101', 'order-103' and 496 more break at event 6 (TaskScheduled):",
        "  Its history records #2 a call of activity 'ship' here, and the code does now "
        "#2 a call of activity 'send'.",
        f"  {app}/function_app.py:{line} in order",
        "",
        "1,000 unfinished instances: 501 go on, 499 break.",
    ]


def test_an_exported_file_will_do(tmp_path: Path, run_cli: RunCli) -> None:
    lines = [to_line(each) for each in instances(4)]
    torn = unreadable_line("torn", "its rows are damaged")
    lines += [b"{}\n", b"\n", ended(torn, 6)]
    file = tmp_path / "all.ndjson"
    file.write_bytes(b"".join(lines))
    source = APP.replace("async def watch", "async def looks")
    done = run_cli("check-deploy", app_of(tmp_path, source), str(file), "--json")
    found = json.loads(done.stdout)
    assert (done.returncode, found["fits"]) == (1, 3)
    (broken,) = found["breaks"]
    assert broken["instanceId"] == "watch"
    assert "The orchestrator function 'watch' is missing" in broken["reason"]
    torn, other = found["others"]
    assert (torn["instanceId"], torn["fate"]) == ("line 5", "unknown")
    assert (other["instanceId"], "its rows are damaged" in other["reason"]) == ("torn", True)


@pytest.mark.parametrize("line", [b'{"format": 1, "inst', b"{}\n", b'{"format": 99}\n'])
def test_found_what_nobody_has_looked_at_does_not_pass(
    tmp_path: Path, run_cli: RunCli, line: bytes
) -> None:
    file = tmp_path / "cut.ndjson"
    file.write_bytes(b"".join([*(to_line(each) for each in instances(2)), line]))
    done = run_cli("check-deploy", app_of(tmp_path, APP), str(file), "--partial")
    assert done.returncode == 2
    assert "not found out" in done.stdout


@pytest.mark.parametrize("count", [0, 2])
def test_found_a_file_without_its_end_does_not_pass_unless_it_may(
    tmp_path: Path, run_cli: RunCli, count: int
) -> None:
    file = tmp_path / "cut.ndjson"
    lines = [to_line(each) for each in instances(count)] if count else [b"\n  \n"]
    file.write_bytes(b"".join(lines))
    app = app_of(tmp_path, APP)
    done = run_cli("check-deploy", app, str(file))
    assert done.returncode == 2
    assert "The end of the export is missing" in done.stdout
    assert run_cli("check-deploy", app, str(file), "--partial").returncode == 0


def test_found_an_end_tells_how_many_lines_are_missing(tmp_path: Path, run_cli: RunCli) -> None:
    app, file = app_of(tmp_path, APP), tmp_path / "all.ndjson"
    first, last = [to_line(each) for each in instances(2)]
    file.write_bytes(first + ended(last, 2) + first + ended(last, 2))
    assert run_cli("check-deploy", app, str(file)).returncode == 0
    file.write_bytes(first + ended(last, 3))
    done = run_cli("check-deploy", app, str(file), "--partial")
    assert done.returncode == 2
    assert "Here an export of 3 lines ends, and 2 came" in done.stdout


@pytest.mark.parametrize("limit", ["0", "2h", "soon"])
def test_a_time_limit_that_is_none_is_refused(tmp_path: Path, run_cli: RunCli, limit: str) -> None:
    done = run_cli("check-deploy", app_of(tmp_path, APP), "--time-limit", limit)
    assert (done.returncode, "'--time-limit'" in done.stderr) == (2, True)


def test_a_running_host_is_asked_or_its_store_read_beside_it(
    tmp_path: Path, run_cli: RunCli, start_host: StartHost
) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    new.mkdir()
    app_of(old, APP)
    host = start_host(old)
    webhooks = "/runtime/webhooks/durabletask"
    for number in range(3):
        path = f"{webhooks}/orchestrators/watch/watch-{number}"
        assert host.request("POST", path).status == 202
        host.wait_for(f"watch-{number}", lambda status: status["runtimeStatus"] == "Running")
    waits = 'wait_for_external_event("seen")'
    changed = app_of(new, APP.replace(waits, 'call_activity("ship", 1)'))
    for where in (["--url", host.url], ["--data", str(old / ".funchost")]):
        done = run_cli("check-deploy", changed, *where, "--json")
        found = json.loads(done.stdout)
        assert (done.returncode, found["breaks"][2]["instanceId"]) == (1, "watch-2")
        assert {each["sequence"] for each in found["breaks"]} == {3}
        assert run_cli("check-deploy", str(old), *where).returncode == 0


def test_functions_that_do_not_load_are_named(tmp_path: Path, run_cli: RunCli, data: Path) -> None:
    code, found = checked(run_cli, app_of(tmp_path, "import nowhere"), data)
    assert (code, len(found["breaks"])) == (1, COUNT)
    assert "No module named 'nowhere'" in found["breaks"][0]["reason"]


def test_code_without_end_is_broken_off(tmp_path: Path, run_cli: RunCli) -> None:
    file = tmp_path / "all.ndjson"
    file.write_bytes(b"".join(to_line(each) for each in instances(2)))
    app = app_of(tmp_path, ENDLESS)
    done = run_cli("check-deploy", app, str(file), "--json", "--time-limit", "0.5s")
    (broken,) = json.loads(done.stdout)["breaks"]
    assert "The code does not come to an end" in broken["reason"]


def test_what_is_broken_off_leaves_no_copy_of_the_store(tmp_path: Path, data: Path) -> None:
    app, temporary = app_of(tmp_path, ENDLESS), tmp_path / "temporary"
    temporary.mkdir()
    command = [sys.executable, "-m", "host", "check-deploy", app, "--data", str(data)]
    running = subprocess.Popen(
        [*command, "--hub", "Orders", "--time-limit", "0.1"],
        env={**os.environ, "TMPDIR": str(temporary)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        until = monotonic() + PATIENCE_S
        while not list(temporary.glob("*/Orders.db")) and monotonic() < until:
            sleep(0.05)
        running.send_signal(signal.SIGTERM)
        assert running.wait(PATIENCE_S) == 130
    finally:
        running.kill()
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["--hub", "Orders"], "There is no "),
        (["--storage", "memory"], "A hub in memory is known to its host alone"),
        (["no-such.ndjson"], "no-such.ndjson"),
        (["--url", "http://localhost:1"], "http://localhost:1"),
    ],
)
def test_what_cannot_be_found_out_ends_with_2(
    tmp_path: Path, run_cli: RunCli, arguments: list[str], error: str
) -> None:
    done = run_cli("check-deploy", app_of(tmp_path, APP), *arguments)
    assert done.returncode == 2
    assert error in done.stderr
