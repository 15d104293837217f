"""What a real host has begun for an orchestration that did not wait for it, through its ends."""

from __future__ import annotations

import asyncio
from pathlib import Path
from textwrap import dedent

import aiohttp
import pytest

from tests.kit.host_process import host_processes

APP = """
    import asyncio
    from pathlib import Path

    from bindings import FunctionApp, OrchestrationContext

    app = FunctionApp()
    folder = Path(__file__).parent

    def note(line):
        with open(folder / "log", "a") as log:
            log.write(line + "\\n")

    @app.activity_trigger()
    async def works(name: str) -> None:
        note(f"{name} begins")
        while not (folder / "gate").exists():
            await asyncio.sleep(0.01)
        note(f"{name} ends")

    @app.orchestration_trigger()
    async def leaves(context: OrchestrationContext, rounds: int) -> str:
        context.call_activity(works, f"work {rounds}")
        if rounds:
            context.continue_as_new(rounds - 1)
        return "left"
"""
WEBHOOKS = "/runtime/webhooks/durabletask"
ROUNDS = 1


@pytest.fixture
def app_dir(tmp_path: Path) -> Path:
    (tmp_path / "function_app.py").write_text(dedent(APP), encoding="utf-8")
    (tmp_path / "log").touch()
    return tmp_path


async def noted(app_dir: Path, *lines: str) -> list[str]:
    """Wait until the log has these lines; all that it has."""
    async with asyncio.timeout(30):
        while True:
            log = (app_dir / "log").read_text().splitlines()
            if set(lines) <= set(log):
                return log
            await asyncio.sleep(0)  # another process writes it, and tells nobody


async def leave(url: str, app_dir: Path) -> None:
    """Start the orchestration and see it end, with its activities still at work."""
    async with aiohttp.ClientSession(url) as session:
        path = f"{WEBHOOKS}/orchestrators/leaves/i?timeout=30&pollingInterval=0.05"
        async with session.post(path, json=ROUNDS) as answer:
            assert (answer.status, await answer.json()) == (200, "left")
    await noted(app_dir, "work 1 begins", "work 0 begins")


@pytest.mark.process
async def test_found_a1_a_host_that_stops_waits_for_it(app_dir: Path) -> None:
    async with host_processes() as hosts:
        host = await hosts.start(app_dir)
        await leave(host.url, app_dir)
        host.ask_to_stop()
        await host.logged("Stopping")
        (app_dir / "gate").touch()
        assert await host.ended() == 0
    log = (app_dir / "log").read_text().splitlines()
    assert sorted(log) == ["work 0 begins", "work 0 ends", "work 1 begins", "work 1 ends"]


@pytest.mark.process
async def test_found_a1_the_next_host_runs_what_a_killed_one_did_not_end(app_dir: Path) -> None:
    async with host_processes() as hosts:
        host = await hosts.start(app_dir)
        await leave(host.url, app_dir)
        await host.kill9()
        (app_dir / "gate").touch()
        await hosts.start(app_dir)
        log = await noted(app_dir, "work 1 ends", "work 0 ends")
    assert log.count("work 1 begins") == log.count("work 0 begins") == 2
