"""`funchost instances` and `funchost logs` against a host: what they do, print, and end with."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from math import inf
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import Result

from bindings import AuthLevel, FunctionApp, HttpRequest, HttpResponse, OrchestrationContext
from host.cli.main import main
from host.http.keys import KeyKind
from tests.http.hosting import Host, running_host
from tests.http.test_remote_client import scripted
from tests.kit.cli_runner import cli_runner
from tests.kit.closed_ports import closed_port
from tests.kit.hub import until

Run = Callable[..., Awaitable[Result]]


@pytest.fixture
def run(host: Host) -> Run:
    """Runs a command that asks the host."""

    async def command(*arguments: str, code: int = 0, **more: Any) -> Result:
        result = await invoke(*arguments, url=host.origin, **more)
        assert result.exit_code == code, result.stderr
        return result

    return command


async def invoke(*arguments: str, url: str, **more: Any) -> Result:
    env = {"FUNCHOST_URL": url, "FUNCHOST_KEY": more.pop("key", "")}
    runner = cli_runner()
    return await asyncio.to_thread(runner.invoke, main, arguments, env=env, **more)


async def instances(run: Run, *arguments: str, **more: Any) -> Result:
    return await run("instances", *arguments, **more)


async def test_a_start_prints_the_id_alone(run: Run) -> None:
    started = await instances(run, "start", "echo", "--input", '{"a": [1]}', "--tag", "town:Rome:1")
    instance_id = started.stdout.strip()
    shown = await instances(run, "get", instance_id)
    assert f"id       {instance_id}\nname     echo" in shown.stdout
    assert 'input    {"a": [1]}' in shown.stdout
    assert "tags     town:Rome:1" in shown.stdout
    as_json = json.loads((await instances(run, "start", "echo", "--json")).stdout)
    assert list(as_json) == ["id"]


async def test_a_start_that_is_repeated_says_so(run: Run) -> None:
    keyed = ("start", "echo", "--idempotency-key", "may")
    first = await instances(run, *keyed)
    again = await instances(run, *keyed)
    assert (again.stdout, first.stderr) == (first.stdout, "")
    assert "was started before with this key, so nothing is started now" in again.stderr
    as_json = json.loads((await instances(run, *keyed, "--json")).stdout)
    assert as_json == {"id": first.stdout.strip(), "replayed": True}
    ended = await instances(run, *keyed, "--wait")
    assert "was started before with this key" in ended.stderr
    assert "Completed" in ended.stdout


async def test_a_start_says_what_it_does_to_an_instance_that_is_there(run: Run) -> None:
    late = ("start", "echo", "--id", "one", "--debounce", "1h")
    assert (await instances(run, *late, "--input", "1")).stderr == ""
    moved = await instances(run, *late, "--input", "2", "--json")
    assert "one waits for its start already: it begins later now" in moved.stderr
    assert json.loads(moved.stdout) == {"id": "one", "existing": "moved"}
    kept = await instances(run, "start", "echo", "--id", "one", "--reuse", "keepActive")
    assert "one is there already, so nothing is started now." in kept.stderr
    assert kept.stdout.strip() == "one"
    assert "input      2" in (await instances(run, "get", "one")).stdout
    wrong = await instances(run, *late[:-1], "soon", code=2)
    assert "'soon' is not how long, such as 90s" in wrong.stderr


@pytest.mark.parametrize(
    ("given", "tags"),
    [
        ("town:Rome", {"town": "Rome"}),
        ("town=Rome", {"town": "Rome"}),
        ("town=Rome:1", {"town": "Rome:1"}),
        ("town:a=b", {"town": "a=b"}),
        ("town:", {"town": ""}),
    ],
)
async def test_a_tag_is_given_as_everywhere(
    run: Run, host: Host, given: str, tags: dict[str, str]
) -> None:
    started = await instances(run, "start", "echo", "--tag", given)
    state = await host.hub.get_instance(started.stdout.strip())
    assert state is not None
    assert state.tags == tags
    listed = await instances(run, "list", "--tag", given, "--json")
    assert json.loads(listed.stdout)["instanceId"] == state.instance_id


async def test_a_start_waits_for_the_end_if_asked(run: Run, host: Host) -> None:
    done = await instances(run, "start", "echo", "--input", '"hey"', "--id", "one", "--wait")
    assert "status   Completed" in done.stdout
    assert 'output   "hey"' in done.stdout
    failed = await instances(run, "start", "failing", "--wait", "--json", code=1)
    assert json.loads(failed.stdout)["failureDetails"]["ErrorMessage"] == "no luck"
    again = await instances(run, "restart", "one", "--same-id", "--wait")
    assert "Completed" in again.stdout
    renewed = await instances(run, "restart", "one")
    assert renewed.stdout.strip() != "one"
    assert await host.hub.get_instance(renewed.stdout.strip()) is not None


async def test_what_failed_is_said_once_however_often_it_was_passed_on() -> None:
    app = FunctionApp()

    @app.activity_trigger()
    def works(word: str) -> str:
        try:
            raise KeyError("lost")
        except KeyError as error:
            raise ValueError("no luck") from error

    @app.orchestration_trigger()
    async def child(context: OrchestrationContext) -> Any:
        return await context.call_activity(works, "x")

    @app.orchestration_trigger()
    async def parent(context: OrchestrationContext) -> Any:
        return await context.call_sub_orchestrator(child, instance_id="below")

    @app.orchestration_trigger()
    async def misfit(context: OrchestrationContext) -> Any:
        return await context.wait_for_external_event("go", int)

    async with running_host(app=app) as host:
        await host.start("parent", instance_id="top")
        await host.until("top", "Failed")
        shown = (await invoke("instances", "get", "top", url=host.origin)).stdout
        assert "output" not in shown
        assert shown.split("failure  ")[1].splitlines() == [
            "TaskFailedError: Sub-orchestrator function 'child' ('below') failed: "
            "Activity function 'works' failed: no luck",
            "         caused by ValueError",
            "         caused by KeyError: 'lost'",
        ]
        await host.start("misfit", instance_id="misfit")
        await host.hub.raise_event("misfit", "go", "x")
        await host.until("misfit", "Failed")
        body = await (await host.call("GET", "instances/misfit")).json()
        assert body["failureDetails"]["ErrorType"] == "DataMismatchError"
        assert body["failureDetails"]["InnerFailure"] is None
        shown = (await invoke("instances", "get", "misfit", url=host.origin)).stdout
        assert shown.count("does not fit") == 1


async def test_input_comes_from_a_file_too(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "order.json"
    file.write_text('{"from": "a file"}')
    by_file = await instances(run, "start", "echo", "--input", f"@{file}", "--wait")
    assert "a file" in by_file.stdout
    by_pipe = await instances(run, "start", "echo", "--input", "-", "--wait", input="[7]")
    assert "output   [7]" in by_pipe.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["start", "echo", "--input", "hello"], "A text has quotes of its own: '\"hello\"'"),
        (["start", "echo", "--input", "@nowhere.json"], "nowhere.json cannot be read"),
        (["start", "echo", "--start-at", "soon"], "is no time such as"),
        (["start", "echo", "--start-at", "1w"], "not how long from now, such as 90s, 30m, 2h"),
        (["wait", "x", "--timeout", "-1"], "is not how long, such as 90s, 30m, 2h or 7d"),
        (["set-status", "x", ""], "It is empty; null is JSON for nothing."),
        (["list", "--all", "--top", "5"], "Say --top or --all, not both."),
        (["purge", "one", "--dry-run"], "--dry-run is for many: give filters, not an id."),
        (["rewind"], "Give an id, filters, or --all"),
        (["start", "echo", "--tag", "town"], "is not like region:north"),
        (["list", "--status", "Ended"], "'Ended' is none of Running, Completed"),
        (["list", "--created-from", "yesterday"], "how long ago"),
        (["purge"], "Give an id, filters, or --all"),
        (["purge", "one", "--all"], "not both"),
        (["purge", "--status", "Running"], "Only finished instances"),
        (["purge", "--all"], "only with --yes"),
        (["export", "--move"], "only with --yes"),
        (["terminate", "one", "--reason", "a", "--output", "1"], "not both"),
        (["get", ".."], "cannot be '..'"),
        (["get", "x", "--url", "localhost:7071"], "is not like http://localhost:7071"),
        (["get", "x", "--key", "two\nlines"], "cannot be a key"),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else "",
)
async def test_wrong_usage_is_2(run: Run, arguments: list[str], said: str) -> None:
    result = await instances(run, *arguments, code=2)
    assert said in " ".join(result.stderr.split())
    assert not result.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["start", "echo", "--id", "a/b"], "'a/b'"),
        (["list", "--hub", "Another"], "This host serves the hub 'TestHub', not 'Another'"),
        (["fork", "runs"], "afterEvent"),
        (["start", "echo", "--start-at", "999999999d"], "start"),
        (["get", "nobody"], "has the id 'nobody'"),
        (["history", "nobody"], "has the id 'nobody'"),
        (["wait", "nobody"], "has the id 'nobody'"),
        (["purge", "nobody"], "has the id 'nobody'"),
        (["redrive", "nobody"], "There is no instance 'nobody' in the hub of http"),
        (["start", "nothing"], "The function 'nothing' doesn't exist"),
        (["terminate", "done"], "its status is Completed"),
        (["raise-event", "done", "go"], "its status is Completed"),
        (["redrive", "done"], "'done' is finished, and so not quarantined."),
        (["start", "waiting", "--id", "runs"], "already exists"),
        (["purge", "runs"], "its status is Running"),
        (["redrive", "runs"], "'runs' is not quarantined."),
        (["wait", "runs", "--timeout", "0"], "'runs' has not finished in time."),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
async def test_what_the_hub_refuses_is_1(
    run: Run, host: Host, arguments: list[str], said: str
) -> None:
    await host.start("echo", None, "done")
    await host.until("done", "Completed")
    await host.start("waiting", None, "runs")
    await host.until("runs", "Running")
    result = await instances(run, *arguments, code=1)
    assert said in result.stderr
    assert "Usage" not in result.stderr
    assert not result.stdout


async def test_lists_are_tables_for_people_and_lines_for_programs(run: Run, host: Host) -> None:
    long_id = "x" * 90
    await host.start("echo", None, long_id)
    await host.until(long_id, "Completed")
    await host.start("failing", None, "bad")
    await host.until("bad", "Failed")
    listed = await instances(run, "list")
    head, first, second = listed.stdout.splitlines()
    assert head.split() == ["ID", "NAME", "STATUS", "CREATED", "WHY"]
    assert {first.split()[0], second.split()[0]} == {"bad", long_id}
    assert "ValueError: no luck" in listed.stdout
    assert "\x1b" not in listed.stdout
    failed = await instances(run, "list", "--status", "failed,RUNNING", "--json")
    (line,) = failed.stdout.splitlines()
    assert json.loads(line)["instanceId"] == "bad"
    assert (await instances(run, "list", "--created-from", "2h", "--text", "LUCK")).stdout
    none = await instances(run, "list", "--created-to", "1d", "--json")
    assert none.stdout == ""
    one = await instances(run, "list", "--top", "1", "--json")
    assert len(one.stdout.splitlines()) == 1
    assert "There are more" in one.stderr
    every = await instances(run, "list", "--all", "--json")
    assert len(every.stdout.splitlines()) == 2


async def test_found_a_list_of_many_pages_has_one_heading(
    run: Run, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("host.cli.instances.looking._PAGE", 2)
    names = ["a", "b" * 40, "c", "d", "e"]
    for name in names:
        await host.start("echo", None, name)
        await host.until(name, "Completed")
    listed = (await instances(run, "list", "--all")).stdout.splitlines()
    assert [line.split()[0] for line in listed] == ["ID", *reversed(names)]
    columns = [line.index("echo") for line in listed[1:]]
    assert columns == [4, 4, 42, 42, 42]


@pytest.mark.parametrize("given", ["1h", "60m", "3600s", "0.5d"])
async def test_found_a_start_takes_the_times_of_all_options(
    run: Run, host: Host, given: str
) -> None:
    await instances(run, "start", "echo", "--id", "one", "--start-at", given)
    state = await host.hub.get_instance("one")
    assert state is not None
    assert state.scheduled_start_at is not None
    waited = state.scheduled_start_at - state.created_at
    assert round(waited.total_seconds() / 3600, 2) == (12 if given == "0.5d" else 1)


async def test_counts(run: Run, host: Host) -> None:
    await host.ended("echo")
    await host.ended("failing")
    counts = json.loads((await instances(run, "count", "--json")).stdout)
    assert counts == {"total": 2, "Completed": 1, "Failed": 1}
    lines = (await instances(run, "count", "--name", "echo")).stdout.split()
    assert lines == ["STATUS", "INSTANCES", "Completed", "1", "total", "1"]


async def test_orders(run: Run, host: Host) -> None:
    await host.start("waiting", None, "one")
    held = await instances(run, "suspend", "one", "--reason", "a break")
    assert held.stdout == "'one' is held.\n"
    await host.until("one", "Suspended")
    await instances(run, "resume", "one")
    await host.until("one", "Running")
    await instances(run, "raise-event", "one", "go", "--data", '{"x": 1}')
    ended = await instances(run, "wait", "one", "--json")
    assert json.loads(ended.stdout)["output"] == {"x": 1}
    await host.start("waiting", None, "two")
    begun = await instances(run, "wait", "two", "--for", "start")
    assert "Running" in begun.stdout
    await instances(run, "terminate", "two", "--output", "[1]")
    stopped = await instances(run, "wait", "two", code=1)
    assert "output         [1]" in stopped.stdout


async def test_what_failed_is_rewound(run: Run, host: Host) -> None:
    await host.start("failing", None, "one")
    await host.until("one", "Failed")
    rewound = await instances(run, "rewind", "one", "--reason", "mended")
    assert rewound.stdout == "'one' goes on.\n"
    await instances(run, "wait", "one", code=1)
    assert "Rewound: mended" in (await instances(run, "history", "one")).stdout
    await host.start("echo", None, "two")
    await host.until("two", "Completed")
    refused = await instances(run, "rewind", "two", code=1)
    assert "its status is Completed" in refused.stderr


async def test_purges(run: Run, host: Host) -> None:
    await host.start("echo", None, "a-1")
    await host.until("a-1", "Completed")
    await host.ended("echo")
    await host.waiting()
    purged = await instances(run, "purge", "--prefix", "a-", "--yes")
    assert purged.stdout == "1 instance is deleted.\n"
    assert "funchost jobs" in purged.stderr
    assert "1 instance is deleted" in (await instances(run, "purge", "--all", "--yes")).stdout
    one = await host.ended("echo")
    assert (await instances(run, "purge", one)).stdout == f"'{one}' is deleted.\n"
    one, two = await host.ended("parent"), await host.ended("parent")
    alone = await instances(run, "purge", one, "--not-recursive")
    assert alone.stdout == f"'{one}' is deleted.\n"
    both = await instances(run, "purge", two)
    assert both.stdout == f"'{two}' is deleted, with 1 sub-orchestrations.\n"
    await instances(run, "purge", "--all", "--yes")
    before = sum((await host.hub.count_instances()).values())
    for more, left in (((), 1), (("--recursive",), 0)):  # both children have the same id
        await host.ended("parent")
        of_name = await instances(run, "purge", "--name", "parent", "--yes", *more)
        assert of_name.stdout == "1 instance is deleted.\n"
        assert sum((await host.hub.count_instances()).values()) == before + left


@pytest.mark.parametrize("odd", ["--name=", "--status=,", "--prefix=", "--text="])
async def test_found_a_filter_that_is_empty_does_not_mean_all(
    run: Run, host: Host, odd: str
) -> None:
    await host.ended("echo")
    purge = ("instances", "purge", "--created-from", "2000-01-01", odd, "--yes")
    done = await invoke(*purge, url=host.origin)
    assert done.exit_code == 2
    assert "It is empty: leave it out if all are meant." in done.stderr
    assert "1" in (await instances(run, "count")).stdout


async def test_an_export_that_broke_off_is_no_whole_one(
    run: Run, host: Host, tmp_path: Path
) -> None:
    await host.ended("echo")
    await host.waiting()
    exported = (await instances(run, "export")).stdout
    _, last = exported.splitlines()
    assert last.endswith(',"exported":2}')
    file = tmp_path / "all.ndjson"
    async with running_host() as other:

        async def imported(text: str, *options: str) -> Result:
            file.write_text(text)
            return await invoke("instances", "import", str(file), *options, url=other.origin)

        cut = exported.replace(',"exported":2', "")
        done = await imported(cut)
        assert (done.exit_code, done.stdout) == (1, "2 imported\n")
        assert "The end of the export is missing" in done.stderr
        done = await imported(cut, "--partial")
        assert "exists" in done.stdout
        assert "The end of the export" not in done.stderr
        assert (await imported("")).exit_code == 1
        assert (await imported("", "--partial")).exit_code == 0
        done = await imported(exported)
        assert "The end of the export" not in done.stderr


async def test_orders_to_many(run: Run, host: Host) -> None:
    ids = [await host.waiting() for _ in range(3)]
    held = await instances(run, "suspend", "--name", "waiting", "--reason", "a break", "--yes")
    assert held.stdout == "3 instances are suspended.\n"
    for each in ids:
        await host.until(each, "Suspended")
    resumed = await instances(run, "resume", "--status", "Suspended", "--yes")
    assert resumed.stdout == "3 instances are resumed.\n"
    none = await instances(run, "terminate", "--text", "nowhere", "--yes")
    assert none.stdout == "0 instances are terminated.\n"
    ended = await instances(run, "terminate", "--all", "--output", '{"x": 1}', "--yes")
    assert ended.stdout == "3 instances are terminated.\n"
    for each in ids:
        await host.until(each, "Terminated")
        state = await host.hub.get_instance(each)
        assert state is not None
        assert state.output == {"x": 1}


async def test_found_a_dry_run_of_many_counts_and_does_nothing(run: Run, host: Host) -> None:
    one, failed = await host.waiting(), await host.ended("failing")
    words = {
        "terminate": "terminated",
        "suspend": "suspended",
        "rewind": "rewound",
        "purge": "deleted",
    }
    for command, done in words.items():
        dry = await instances(run, command, "--all", "--dry-run")
        assert dry.stdout == f"1 instance would be {done}.\n"
    dry = await instances(run, "resume", "--name", "waiting", "--dry-run")
    assert dry.stdout == "0 instances would be resumed.\n"
    assert not (await run("jobs", "list", "--json")).stdout
    for each, status in {one: "Running", failed: "Failed"}.items():
        state = await host.hub.get_instance(each)
        assert state is not None
        assert state.runtime_status.value == status


async def test_found_many_are_rewound(run: Run, host: Host) -> None:
    ids = [await host.ended("failing") for _ in range(2)]
    await host.ended("echo")
    asked = await instances(run, "rewind", "--status", "Failed", code=2)
    assert "only with --yes" in asked.stderr
    rewound = await instances(run, "rewind", "--name", "failing", "--reason", "mended", "--yes")
    assert rewound.stdout == "2 instances are rewound.\n"
    for each in ids:
        await instances(run, "wait", each, code=1)
        assert "Rewound: mended" in (await instances(run, "history", each)).stdout


async def test_jobs_are_listed_shown_and_cancelled(run: Run, host: Host) -> None:
    await host.ended("echo")
    await instances(run, "purge", "--all", "--yes")
    (job,) = [
        json.loads(line) for line in (await run("jobs", "list", "--json")).stdout.splitlines()
    ]
    row = (await run("jobs", "list")).stdout.splitlines()[1].split()
    assert row[:3] == [job["jobId"], "purge", "completed"]
    assert json.loads((await run("jobs", "get", job["jobId"], "--json")).stdout) == job
    shown = (await run("jobs", "get", job["jobId"])).stdout
    assert "done     1" in shown
    over = await run("jobs", "cancel", job["jobId"], code=1)
    assert "nothing left to cancel" in over.stderr
    for command in ("get", "cancel"):
        assert "There is no job 'x'" in (await run("jobs", command, "x", code=1)).stderr


async def test_a_history_and_what_it_tells(run: Run, host: Host) -> None:
    await host.start("shouting", "hey", "one")
    await host.until("one", "Completed")
    shown = await instances(run, "history", "one")
    assert "TaskCompleted" in shown.stdout
    events = [
        json.loads(line)
        for line in (await instances(run, "history", "one", "--json")).stdout.splitlines()
    ]
    assert events == await host.hub.get_instance_history("one")
    lines = (await run("logs", "one")).stdout.splitlines()
    words = [line.partition("  ")[2] for line in lines]
    assert words == [
        'Started shouting: "hey"',
        'Activity shout #1: "hey"',
        'Activity shout #1 completed: "HEY"',
        'Completed: "HEY"',
    ]


async def test_following_ends_with_the_instance(run: Run, host: Host) -> None:
    one = await host.waiting()
    followed = asyncio.ensure_future(run("logs", one, "--follow"))
    await host.call("POST", f"instances/{one}/raiseEvent/go", json=5)
    words = [line.partition("  ")[2] for line in (await followed).stdout.splitlines()]
    assert words == ["Started waiting", "Event go: 5", "Completed: 5"]


async def test_what_instances_hold_does_not_steer_the_terminal(run: Run, host: Host) -> None:
    evil = "\x1b]0;title\x07\u202e[bold]x[/bold]"
    await host.start("echo", evil, "one")
    await host.until("one", "Completed")
    for command in (["get", "one"], ["list", "--json"], ["history", "one"]):
        shown = await instances(run, *command)
        assert not {"\x1b", "\x07", "\u202e"} & set(shown.stdout)
    assert "[bold]x[/bold]" in (await run("logs", "one")).stdout


async def test_keys(locked: Host) -> None:
    refused = await invoke("instances", "list", url=locked.origin)
    assert refused.exit_code == 2
    assert "wants a valid key. Give one with --key." in refused.stderr
    listed = await invoke("instances", "list", url=locked.origin, key=locked.keys[KeyKind.MASTER])
    assert listed.exit_code == 0


async def test_the_port_is_that_of_the_app(tmp_path: Path, host: Host) -> None:
    port = host.http.port
    (tmp_path / "local.settings.json").write_text(json.dumps({"Host": {"LocalHttpPort": port}}))
    result = await invoke("instances", "count", "--app", str(tmp_path), url="")
    assert result.exit_code == 0, result.stderr


PURGE_ALL = ("instances", "purge", "--all", "--yes")


def says(app: Path, url: str, *, pid: int, hub: str = "TestHub") -> None:
    """The host of this app says that it listens there."""
    (app / ".funchost").mkdir(exist_ok=True)
    said = {"url": url, "hub": hub, "pid": pid}
    (app / ".funchost" / "listening.json").write_text(json.dumps(said))


def gone() -> int:
    """The id of a process that is no more."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


async def test_an_order_is_for_the_host_of_the_folder_or_of_the_url(
    tmp_path: Path, host: Host
) -> None:
    """Who listens at the port otherwise is another app's host: nothing of it is purged."""
    await host.ended("echo")
    settings = json.dumps({"Host": {"LocalHttpPort": host.http.port}})
    (tmp_path / "local.settings.json").write_text(settings)
    of_app = ("--app", str(tmp_path))
    for said in (False, True):  # and then by one that was killed, so the port was free
        if said:
            says(tmp_path, host.origin, pid=gone())
        refused = await invoke(*PURGE_ALL, *of_app, url="")
        assert refused.exit_code == 2
        assert f"--url http://localhost:{host.http.port}" in refused.stderr
        assert (await invoke("instances", "count", *of_app, url="")).exit_code == 0
        moved = await invoke("instances", "export", "--move", "--yes", *of_app, url="")
        assert (moved.exit_code, moved.stdout) == (2, "")
        assert (await invoke("instances", "export", *of_app, url="")).exit_code == 0
    assert sum((await host.hub.count_instances()).values()) == 1
    says(tmp_path, host.origin, pid=os.getpid())
    purged = await invoke(*PURGE_ALL, *of_app, url="")
    assert purged.stdout == "1 instance is deleted.\n"


async def test_the_hub_of_the_folder_goes_along(tmp_path: Path, host: Host) -> None:
    of_app = ("--app", str(tmp_path))
    says(tmp_path, host.origin, pid=os.getpid(), hub="Another")
    refused = await invoke(*PURGE_ALL, *of_app, url="")
    assert refused.exit_code == 1
    assert "This host serves the hub 'TestHub', not 'Another'" in refused.stderr
    assert (await invoke(*PURGE_ALL, *of_app, "--hub", "TestHub", url="")).exit_code == 0
    (tmp_path / ".funchost" / "listening.json").unlink()
    (tmp_path / "local.settings.json").write_text(
        json.dumps({"Host": {"LocalHttpPort": host.http.port}})
    )
    durable = {"extensions": {"durableTask": {"hubName": "Third"}}}
    (tmp_path / "host.json").write_text(json.dumps({"version": "2.0"} | durable))
    refused = await invoke("instances", "count", *of_app, url="")
    assert refused.exit_code == 1
    assert "This host serves the hub 'TestHub', not 'Third'" in refused.stderr


def test_every_command_has_an_example_of_its_exit_codes() -> None:
    group = main.get_command(click.Context(main), "instances")
    assert isinstance(group, click.Group)
    for name, command in group.commands.items():
        assert command.help, name
        assert "Exit codes:" in (command.epilog or ""), name


async def test_functions_are_listed_and_run(run: Run, host: Host) -> None:
    listed = await run("functions", "list")
    rows = {line.split()[0]: line for line in listed.stdout.splitlines()}
    assert "orchestration" in rows["echo"]
    assert f"{host.origin}/api/start/{{name}}/{{id?}}" in rows["start"]
    lines = (await run("functions", "list", "--json")).stdout.splitlines()
    as_json = [json.loads(line) for line in lines]
    assert {each["name"] for each in as_json} == rows.keys() - {"NAME"}
    done = await run("functions", "run", "echo", "--input", "[1]")
    assert "output   [1]" in done.stdout
    await run("functions", "run", "failing", code=1)
    for name, why in {
        "shout": "'shout' is an activity: it runs when an orchestration calls it.",
        "start": "has parts to fill in",
        "nobody": "There are: echo, failing, parent, shout, shouting, start, waiting.",
    }.items():
        assert why in (await run("functions", "run", name, code=1)).stderr


async def test_http_and_manual_functions_are_run() -> None:
    ran: list[str | None] = []
    app = FunctionApp(http_auth_level=AuthLevel.ANONYMOUS)

    @app.route("hello", methods=["POST"])
    def hello(req: HttpRequest) -> str:
        return f"Hello {req.json()}!"

    @app.route("broken", methods=["GET"])
    def broken(req: HttpRequest) -> HttpResponse:
        return HttpResponse("no", status_code=418)

    @app.generic_trigger(arg_name="text", type="manualTrigger")
    def by_hand(text: str | None) -> None:
        ran.append(text)

    async with running_host(app=app) as host:
        said = await invoke("functions", "run", "hello", "--input", '"you"', url=host.origin)
        assert (said.exit_code, said.stdout) == (0, "Hello you!\n")
        refused = await invoke("functions", "run", "broken", url=host.origin)
        assert (refused.exit_code, refused.stdout) == (1, "no\n")
        for arguments in ((), ("--input", '"a"'), ("--input", "[1]")):
            accepted = await invoke("functions", "run", "by_hand", *arguments, url=host.origin)
            assert accepted.exit_code == 0, accepted.stderr
        await until(lambda: len(ran) == 3)
    assert set(ran) == {None, "[1]", "a"}


async def test_functions_of_a_folder_need_no_host(tmp_path: Path) -> None:
    (tmp_path / "function_app.py").write_text(
        "from funchost import FunctionApp\napp = FunctionApp()\n"
        "@app.activity_trigger()\ndef one(x: str) -> str:\n    return x\n"
    )
    with closed_port() as url:
        listed = await invoke("functions", "list", str(tmp_path), url=url)
    assert listed.exit_code == 0, listed.stderr
    assert [line.split() for line in listed.stdout.splitlines()][1] == ["one", "activity"]


async def test_the_hosts_of_the_hub(run: Run, host: Host) -> None:
    (one,) = [json.loads(line) for line in (await run("hosts", "--json")).stdout.splitlines()]
    assert "echo" in one["functions"]
    head, row = (await run("hosts")).stdout.splitlines()
    assert head.split()[0] == "ID"
    assert head.index("ACTIVITIES") < head.index("AS OF")
    assert one["lastSeenTime"][:16] in row
    assert row.split()[0] == one["id"]


async def test_a_file_starts_an_instance_a_line(run: Run, host: Host, tmp_path: Path) -> None:
    file = tmp_path / "orders.ndjson"
    good = [{"instanceId": f"o{number}", "input": number} for number in range(150)]
    bad = ["not JSON", "[1]", '{"id": "x"}', '{"tags": {"a": 1}}', '{"instanceId": "a/b"}']
    lines = [*map(json.dumps, good), "", *bad, '{"tags": {"town": "Rome"}}']
    file.write_text("\n".join(lines))
    more = ("--tag", "of=may", "--idempotency-key", "may")
    started = await instances(run, "start", "echo", "--from", str(file), *more, code=1)
    answers = [json.loads(line) for line in started.stdout.splitlines()]
    assert answers[:150] == [{"instanceId": each["instanceId"]} for each in good]
    assert [each["line"] for each in answers[150:-1]] == [152, 153, 154, 155, 156]
    assert "151 are started (now, or before with this key), 5 are refused." in started.stderr
    state = await host.hub.get_instance(answers[-1]["instanceId"])
    assert state is not None
    assert state.tags == {"of": "may", "town": "Rome"}
    again = await instances(run, "start", "echo", "--from", str(file), *more, code=1)
    repeated = [json.loads(line) for line in again.stdout.splitlines()]
    assert repeated == [
        each | {"replayed": True} if "instanceId" in each else each for each in answers
    ]
    counted = await host.hub.count_instances()
    assert sum(counted.values()) == 151


@asynccontextmanager
async def cutting(host: Host, after: int) -> AsyncIterator[str]:
    """The URL of something between that cuts the first connection after so many bytes."""
    limits = [after]

    async def passed_on(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, left: float
    ) -> None:
        while left > 0 and (data := await reader.read(1024)):
            writer.write(data)
            left -= len(data)
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        to_host = await asyncio.open_connection(host.http.host, host.http.port)
        left = limits.pop() if limits else inf
        there = asyncio.create_task(passed_on(reader, to_host[1], inf))
        await passed_on(to_host[0], writer, left)
        to_host[1].close()
        with suppress(ConnectionError):
            await there

    server = await asyncio.start_server(serve, "localhost", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        yield f"http://localhost:{port}"


async def test_found_a_file_goes_on_where_its_answers_were_cut_off(
    host: Host, tmp_path: Path
) -> None:
    file = tmp_path / "orders.ndjson"
    lines = [json.dumps({"input": number}) for number in range(300)]
    lines[7:7] = ["", " "]
    file.write_text("\n".join(lines))
    async with cutting(host, 4000) as url:
        started = await invoke("instances", "start", "echo", "--from", str(file), url=url)
    assert started.exit_code == 0, started.stderr
    assert "300 are started, 0 are refused." in started.stderr
    ids = [json.loads(line)["instanceId"] for line in started.stdout.splitlines()]
    assert len(set(ids)) == 300
    counted = await host.hub.count_instances()
    assert sum(counted.values()) == 300


async def test_a_file_that_is_not_there_and_options_that_do_not_go_with_it(run: Run) -> None:
    missing = await instances(run, "start", "echo", "--from", "nowhere.ndjson", code=1)
    assert "nowhere.ndjson" in missing.stderr
    await instances(run, "start", "echo", "--from", "-", "--wait", code=2)


async def test_why_says_a_sentence_for_each(run: Run, host: Host) -> None:
    instance_id = await host.waiting()
    said = await instances(run, "why", instance_id)
    assert said.stdout.startswith("It waits for the event 'go' since 20")
    as_json = json.loads((await instances(run, "why", instance_id, "--json")).stdout)
    assert (as_json["kind"], as_json["name"]) == ("event", "go")
    await instances(run, "why", "nobody", code=1)


async def test_a_custom_status_is_set(run: Run, host: Host) -> None:
    instance_id = await host.waiting()
    await instances(run, "set-status", instance_id, '{"by": "hand"}')
    await host.hub.raise_event(instance_id, "go")
    state = await host.hub.wait_for_instance_completion(instance_id)
    assert state.custom_status == {"by": "hand"}
    assert "Custom status set" in (await instances(run, "history", instance_id)).stdout
    await instances(run, "set-status", instance_id, "hand", code=2)


@pytest.mark.parametrize(
    "command",
    [
        "hosts",
        "jobs list",
        "functions list",
        "instances list",
        "instances get x",
        "instances count",
    ],
)
@pytest.mark.parametrize("body", [5, [5], {"a": 1}, [{"a": 1}], "x"], ids=str)
async def test_what_no_host_would_answer_is_no_traceback(command: str, body: Any) -> None:
    async with scripted((200, body)) as (url, _):
        ended = await invoke(*command.split(), url=url)
    assert ended.exit_code == 2, (ended.output, ended.exception)
    assert "answered 200" in ended.stderr
