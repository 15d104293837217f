"""The schedules of timers over HTTP, and `funchost schedules`."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from click.testing import Result

from bindings import FunctionApp, TimerRequest
from tests.http.hosting import Host, running_host
from tests.http.test_instance_commands import invoke

NIGHTLY = "0 30 2 * * *"


def timers() -> FunctionApp:
    app = FunctionApp()

    @app.timer_trigger("timer", NIGHTLY, time_zone="Europe/Oslo")
    def nightly(timer: TimerRequest) -> None: ...

    @app.timer_trigger("timer", "01:00:00")
    def hourly(timer: TimerRequest) -> None: ...

    return app


@pytest.fixture
async def host() -> AsyncIterator[Host]:
    async with running_host(app=timers()) as host:
        yield host


async def test_timers_are_listed_by_name(host: Host) -> None:
    response = await host.call("GET", "/admin/schedules")
    assert response.status == 200
    hourly, nightly = await response.json()
    assert nightly.pop("next").endswith(":30:00Z")
    assert nightly == {
        "name": "nightly",
        "schedule": NIGHTLY,
        "timeZone": "Europe/Oslo",
        "last": None,
        "isPaused": False,
        "isDisabled": False,
        "isRunning": False,
    }
    assert (hourly["name"], hourly["schedule"]) == ("hourly", "01:00:00")


async def test_a_timer_is_paused_resumed_and_run(host: Host) -> None:
    paused = await host.call("POST", "/admin/schedules/nightly/pause")
    assert paused.status == 200
    shown = await paused.json()
    assert (shown["isPaused"], shown["next"]) == (True, None)
    assert shown["pausedTime"].endswith("Z")
    _, listed = await (await host.call("GET", "/admin/schedules")).json()
    assert listed == shown
    resumed = await (await host.call("POST", "/admin/schedules/nightly/resume")).json()
    assert (resumed["isPaused"], "pausedTime" in resumed) == (False, False)
    response = await host.call("POST", "/admin/schedules/nightly/run")
    assert (response.status, await response.read()) == (202, b"")


@pytest.mark.parametrize("verb", ["run", "pause", "resume"])
async def test_an_unknown_timer_is_404(host: Host, verb: str) -> None:
    response = await host.call("POST", f"/admin/schedules/nobody/{verb}")
    assert response.status == 404
    assert "no timer 'nobody'" in await response.text()


async def test_a_disabled_timer_is_not_run() -> None:
    async with running_host(app=timers(), disabled=["nightly"]) as host:
        response = await host.call("POST", "/admin/schedules/nightly/run")
        assert response.status == 409
        assert "disabled" in await response.text()


async def test_an_app_without_timers_has_an_empty_list() -> None:
    async with running_host() as host:
        assert await (await host.call("GET", "/admin/schedules")).json() == []


# ---- the command -----------------------------------------------------------------------------


async def schedules(host: Host, *arguments: str, code: int = 0) -> Result:
    result = await invoke("schedules", *arguments, url=host.origin)
    assert result.exit_code == code, result.stderr
    return result


async def test_the_command_lists_pauses_resumes_and_runs(host: Host) -> None:
    listed = await schedules(host, "list")
    assert "nightly" in listed.stdout
    assert "Europe/Oslo" in listed.stdout
    assert "is paused" in (await schedules(host, "pause", "nightly")).stdout
    first, second = (await schedules(host, "list", "--json")).stdout.splitlines()
    assert [json.loads(each)["isPaused"] for each in (first, second)] == [False, True]
    assert "paused" in (await schedules(host, "list")).stdout
    assert "runs again" in (await schedules(host, "resume", "nightly")).stdout
    assert "is to run now" in (await schedules(host, "run", "nightly")).stdout


@pytest.mark.parametrize("verb", ["run", "pause", "resume"])
async def test_the_command_says_what_is_no_timer(host: Host, verb: str) -> None:
    result = await schedules(host, verb, "nobody", code=1)
    assert "no timer 'nobody'" in result.stderr


async def test_a_key_that_only_looks_cannot_steer(tmp_path: Path) -> None:
    async with running_host(tmp_path / "keys.json", app=timers()) as host:
        assert (await host.call("POST", "/admin/schedules/nightly/pause")).status == 401
