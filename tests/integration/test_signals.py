"""Signals end a host in every state it can be in."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from textwrap import dedent

import aiohttp
import pytest

from tests.kit.host_process import host_processes

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
