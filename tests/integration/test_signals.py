"""Signals end a host in every state it can be in.

Its functions spin, or sleep for longer than any test takes: no test waits for their end.
"""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from textwrap import dedent

import aiohttp
import pytest

from tests.kit.host_process import host_processes
from tests.kit.hub import until

APP = """
    from bindings import FunctionApp, OrchestrationContext

    app = FunctionApp()

    @app.orchestration_trigger()
    async def spins(context: OrchestrationContext):
        print("spinning", flush=True)
        import sys
        sys.stderr.write("it spins\\n")
        sys.stderr.flush()
        while True:
            pass

    @app.activity_trigger()
    async def goes_on():
        import asyncio, sys
        sys.stderr.write("it runs\\n")
        sys.stderr.flush()
        await asyncio.sleep(600)

    @app.orchestration_trigger()
    async def runs(context: OrchestrationContext):
        await context.call_activity(goes_on)

    @app.orchestration_trigger()
    async def listens(context: OrchestrationContext):
        await context.wait_for_external_event("never")
"""
WEBHOOKS = "/runtime/webhooks/durabletask"


@pytest.fixture
def app_dir(tmp_path: Path) -> Path:
    (tmp_path / "function_app.py").write_text(dedent(APP), encoding="utf-8")
    return tmp_path


@pytest.mark.process
async def test_a_second_signal_ends_a_host_that_an_orchestrator_keeps_busy(app_dir: Path) -> None:
    async with host_processes() as hosts:
        host = await hosts.start(app_dir, "--storage", "memory")
        async with aiohttp.ClientSession(host.url) as session:
            await session.post(f"{WEBHOOKS}/orchestrators/spins")
            await host.logged("it spins")
            host.ask_to_stop()
            host.ask_to_stop()
            # Two signals that come at once may be one: the next one is another.
            while True:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(1):
                        assert await asyncio.shield(host.ended()) == 130
                        return
                host.ask_to_stop()


@pytest.mark.process
async def test_a_client_that_waits_does_not_hold_up_the_stop(app_dir: Path) -> None:
    async with host_processes() as hosts:
        host = await hosts.start(app_dir, "--storage", "memory")
        async with aiohttp.ClientSession(host.url) as session:
            url = f"{WEBHOOKS}/orchestrators/listens/l?timeout=60&pollingInterval=1"
            waiting = asyncio.create_task(session.post(url))
            status = 404
            while status == 404:
                async with session.get(f"{WEBHOOKS}/instances/l") as answer:
                    status = answer.status
            host.ask_to_stop()

            async with await waiting as answer:
                assert answer.status == 202
            assert await host.ended() == 0


@pytest.mark.process
async def test_found_g7_a_closed_terminal_is_a_clean_stop(app_dir: Path, tmp_path: Path) -> None:
    async with host_processes() as hosts:
        host = await hosts.start(app_dir, "--data", str(tmp_path / "data"))
        host.hang_up()
        assert await host.ended() == 0
        assert (tmp_path / "data" / "TestHubName.db.lock").read_text().strip() == ""


@pytest.mark.process
async def test_found_g7_a_host_that_is_killed_while_it_stops_was_not_interrupted(
    app_dir: Path, tmp_path: Path
) -> None:
    async with host_processes() as hosts:
        host = await hosts.start(app_dir, "--data", str(tmp_path / "data"))
        async with aiohttp.ClientSession(host.url) as session:
            await session.post(f"{WEBHOOKS}/orchestrators/runs/r")
            await host.logged("it runs")
            host.ask_to_stop()
            await host.logged("Stopping")
            lock = tmp_path / "data" / "TestHubName.db.lock"
            await until(lambda: "stopping" in lock.read_text())
            await host.kill9()
        following = await hosts.start(app_dir, "--data", str(tmp_path / "data"))
        await following.logged("it runs")  # again
        url = f"{following.url}{WEBHOOKS}/instances/r"
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            assert (await answer.json())["runtimeStatus"] == "Running"
        assert "quarantine" not in following.errors
