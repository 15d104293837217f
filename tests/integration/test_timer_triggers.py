"""Timers on real hosts, by decorators and by function.json: what is declared, shown and said."""

from __future__ import annotations

import json
import logging
import subprocess
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from host.cli.main import main
from host.functions.loader import load_app
from host.functions.model import App
from host.functions.oddities import odd_triggers
from host.settings import load_settings
from tests.kit.app_folders import make_app
from tests.kit.cli_runner import cli_runner
from tests.kit.served_app import served

if TYPE_CHECKING:
    from tests.integration.conftest import StartHost

__all__ = ["make_app"]

RunCli = Callable[..., subprocess.CompletedProcess[str]]
MakeApp = Callable[[Mapping[str, str]], Path]
STYLES = ("decorators", "function.json")
OFTEN, YEARLY = "* * * * * *", "0 0 3 1 1 *"

BODY = """
from funchost import DurableClient, TimerRequest

async def main(timer: TimerRequest, client: DurableClient) -> None:
    due = f"{timer.due_at:%Y-%m-%dT%H:%M:%SZ}"
    await client.schedule_new_orchestration("report", input=due, instance_id=f"report-{due}")
"""
REPORT = """
from funchost import FunctionApp, OrchestrationContext

app = FunctionApp()

@app.orchestration_trigger()
async def report(context: OrchestrationContext, due: str) -> str:
    return due
"""
PYTHON = {"schedule": "schedule", "runOnStartup": "run_on_startup", "useMonitor": "use_monitor"}
PYTHON |= {"timeZone": "time_zone"}


def app_files(style: str, properties: Mapping[str, Any], body: str = BODY) -> dict[str, str]:
    """An app whose function `nightly` has such a timer."""
    files = {"host.json": '{"version": "2.0", "funchost": {"stopGraceSeconds": 1}}'}
    if style == "decorators":
        given = "".join(f", {PYTHON[name]}={value!r}" for name, value in properties.items())
        code = f"""
import bodies
timed = app.timer_trigger("timer"{given})(bodies.main)
app.function_name("nightly")(app.orchestration_client("client")(timed))
"""
        return {**files, "bodies.py": body, "function_app.py": REPORT + code}
    bindings = [
        {"type": "timerTrigger", "name": "timer", "direction": "in", **properties},
        {"type": "orchestrationClient", "name": "client", "direction": "in"},
    ]
    declared = json.dumps({"bindings": bindings})
    return {
        **files,
        "function_app.py": REPORT,
        "nightly/function.json": declared,
        "nightly/run.py": body,
    }


async def answer_of(session: aiohttp.ClientSession, path: str) -> Any:
    async with session.get(path) as answer:
        return await answer.json()


async def listener_of(session: aiohttp.ClientSession) -> dict[str, str]:
    while True:
        shown = await answer_of(session, "/admin/functions/nightly")
        if "listener" in shown:
            found: dict[str, str] = shown["listener"]
            return found


async def reports(session: aiohttp.ClientSession) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = await answer_of(
        session, "/runtime/webhooks/durabletask/instances"
    )
    return [each for each in found if each["runtimeStatus"] == "Completed"]


def loaded(app: Path, **environment: str) -> App:
    return load_app(app, load_settings(app, environment))


@pytest.mark.parametrize("style", STYLES)
async def test_a_timer_starts_an_orchestration_named_after_its_due_time(
    make_app: MakeApp, style: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEBSITE_HOSTNAME", "")
    async with served(make_app(app_files(style, {"schedule": OFTEN}))) as (_, session):
        while len(found := await reports(session)) < 2:
            pass
        ids = {each["instanceId"] for each in found}
        assert ids == {f"report-{each['output']}" for each in found}
        listener = await listener_of(session)
        assert listener["schedule"] == f"{OFTEN} UTC"
        assert listener["lastDue"] < listener["nextDue"]


@pytest.mark.parametrize("style", STYLES)
async def test_a_timer_that_is_due_in_years_is_shown_and_runs_by_hand(
    make_app: MakeApp,
    style: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("WEBSITE_HOSTNAME", "")
    caplog.set_level(logging.INFO)
    properties = {"schedule": "%WHEN%", "timeZone": "Asia/Tokyo", "useMonitor": False}
    app = make_app(app_files(style, properties))
    monkeypatch.setenv("WHEN", YEARLY)
    async with served(app) as (_, session):
        listener = await listener_of(session)
        assert listener["schedule"] == f"{YEARLY} Asia/Tokyo"
        assert listener["nextDue"].endswith("-12-31T18:00:00Z")
        config = (await answer_of(session, "/admin/functions/nightly"))["config"]
        assert config["bindings"][0]["schedule"] == "%WHEN%"
        due = "2026-01-31T08:00:00Z"
        for text, status in ((due, 202), (None, 202), ("soon", 400)):
            async with session.post("/admin/functions/nightly", json={"input": text}) as answer:
                assert answer.status == status, await answer.text()
        while len(found := await reports(session)) < 2:
            pass
        outputs = sorted(each["output"] for each in found)
        assert outputs[0] == due
        assert datetime.fromisoformat(outputs[1]) > datetime.fromisoformat(due)
    assert caplog.text.count("The timer 'nightly' (0 0 3 1 1 * Asia/Tokyo) is due next at") == 1


@pytest.mark.parametrize("style", STYLES)
async def test_a_failing_function_is_logged_and_runs_again(
    make_app: MakeApp,
    style: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("WEBSITE_HOSTNAME", "")
    body = "def main(timer, client):\n    raise ValueError('no milk')\n"
    async with served(make_app(app_files(style, {"schedule": OFTEN}, body))) as (_, session):
        while caplog.text.count("The timer function 'nightly', due at") < 2:
            assert await answer_of(session, "/admin/host/status")
        assert caplog.text.count("ValueError: no milk") >= 2
        assert "errors" not in await answer_of(session, "/admin/host/status")


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(
    ("properties", "error"),
    [
        ({}, "The timer has no schedule: write one as a text, such as '0 */5 * * * *'"),
        ({"schedule": 5}, "such as '0 */5 * * * *' for every five minutes, not 5."),
        (
            {"schedule": "0 60 * * * *"},
            "The timer does not run: the minute '60' is not between 0 and 59.",
        ),
        ({"schedule": "often"}, "The timer does not run: 'often' has 1 field: write six"),
        ({"schedule": "%WHEN%"}, "The app setting 'WHEN' is missing"),
        ({"schedule": "%BAD%"}, "The timer does not run: the hour '25' is not between 0 and 23."),
        (
            {"schedule": YEARLY, "timeZone": "Mars"},
            "The timer does not run: There is no time zone 'Mars': write a name such as",
        ),
        ({"schedule": YEARLY, "timeZone": 1}, "'timeZone' must be a text, not 1."),
        ({"schedule": YEARLY, "useMonitor": 1}, "'useMonitor' must be true or false, not 1."),
        ({"schedule": YEARLY, "runOnStartup": "yes"}, "'runOnStartup' must be true or false"),
    ],
)
def test_what_cannot_be_disables_that_function_and_says_what_would_be_right(
    make_app: MakeApp, style: str, properties: Mapping[str, Any], error: str
) -> None:
    app = loaded(make_app(app_files(style, properties)), BAD="0 0 25 * * *")
    assert [each.name for each in app.functions] == ["report"]
    (broken,) = app.broken
    assert broken.name == "nightly"
    assert error in broken.error


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(
    ("given", "setting", "zone"),
    [(None, None, None), (None, "Asia/Tokyo", "Asia/Tokyo"), ("UTC", "Asia/Tokyo", "UTC")],
)
def test_the_time_zone_is_the_functions_own_or_that_of_the_app(
    make_app: MakeApp, style: str, given: str | None, setting: str | None, zone: str | None
) -> None:
    properties = {"schedule": YEARLY} | ({"timeZone": given} if given else {})
    environment = {"WEBSITE_TIME_ZONE": setting} if setting else {}
    app = loaded(make_app(app_files(style, properties)), **environment)
    (nightly,) = (each for each in app.functions if each.name == "nightly")
    assert nightly.declaration.trigger.properties.get("timeZone") == zone


def test_a_wrong_time_zone_of_the_app_breaks_its_timers_only(make_app: MakeApp) -> None:
    files = app_files("decorators", {"schedule": YEARLY})
    app = loaded(make_app(files), WEBSITE_TIME_ZONE="W. Europe Standard Time")
    assert [each.name for each in app.functions] == ["report"]
    assert "(Windows' names are not known here)" in app.broken[0].error


@pytest.mark.parametrize("style", STYLES)
def test_the_list_of_a_folders_functions_says_the_schedule(make_app: MakeApp, style: str) -> None:
    app = make_app(app_files(style, {"schedule": "00:05:00"}))
    shown = cli_runner().invoke(main, ["functions", "list", str(app)])
    (line,) = (each for each in shown.stdout.splitlines() if "nightly" in each)
    assert line.split() == ["nightly", "timer", "00:05:00"]


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(
    ("properties", "odd"),
    [
        ({"schedule": OFTEN}, "is due more than once a minute, and each run is written"),
        ({"schedule": YEARLY, "runOnStartup": True}, "it runs at every start of each of them"),
    ],
)
def test_what_is_odd_where_hosts_share_a_hub_is_found(
    make_app: MakeApp, style: str, properties: Mapping[str, Any], odd: str
) -> None:
    functions = loaded(make_app(app_files(style, properties))).functions
    (found,) = odd_triggers(functions, is_shared=True)
    assert found.where == "nightly"
    assert odd in found.text
    assert list(odd_triggers(functions, is_shared=False)) == []


@pytest.mark.process
@pytest.mark.parametrize("storage", ["aws", "sqlite"])
def test_the_check_says_it(make_app: MakeApp, run_cli: RunCli, storage: str) -> None:
    provider = {"extensions": {"durableTask": {"storageProvider": {"type": storage}}}}
    files = app_files("decorators", {"schedule": OFTEN})
    files["host.json"] = json.dumps({"version": "2.0", **provider})
    done = run_cli("check", str(make_app(files)))
    assert done.returncode == 0, done.stdout + done.stderr
    assert ("Odd: nightly: its schedule" in done.stdout) == (storage == "aws")


KILLED = """
import os, time
from pathlib import Path
from funchost import FunctionApp, TimerRequest

app = FunctionApp()

@app.timer_trigger(schedule="0 0 3 1 1 *", run_on_startup=True)
def nightly(timer: TimerRequest) -> None:
    with Path(os.environ["RUNS"]).open("a") as runs:
        runs.write(f"{timer.due_at} {timer.past_due}\\n")
    while not timer.past_due:
        time.sleep(0.1)
"""


@pytest.mark.process
def test_a_run_that_was_killed_with_its_host_is_repeated_at_the_next_start(
    make_app: MakeApp, start_host: StartHost, tmp_path: Path
) -> None:
    app, runs = make_app({"function_app.py": KILLED}), tmp_path / "runs"
    host = start_host(app, RUNS=str(runs))
    while not runs.exists() or not runs.read_text():
        assert host.process.poll() is None
    host.process.kill()
    host.process.wait()
    start_host(app, RUNS=str(runs))
    while len(lines := runs.read_text().splitlines()) < 2:
        pass
    first, second = lines
    assert first.endswith(" False")
    assert second == first.replace(" False", " True")


async def test_the_parameter_may_be_what_azure_gives_to_other_languages(
    make_app: MakeApp, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("WEBSITE_HOSTNAME", "")
    caplog.set_level(logging.INFO)
    app = make_app(
        {
            "function_app.py": f"""
import json, logging
from funchost import FunctionApp
app = FunctionApp()

@app.schedule(schedule="{OFTEN}")
def as_text(timer: str) -> None:
    logging.info("text %s", json.loads(timer)["IsPastDue"])

@app.timer_trigger(arg_name="timer", schedule="{OFTEN}")
def as_dict(timer: dict) -> None:
    logging.info("dict %s", timer["Schedule"])
"""
        }
    )
    async with served(app) as (_, session):
        while "text False" not in caplog.text or "dict {'AdjustForDST': True}" not in caplog.text:
            await answer_of(session, "/admin/functions")
