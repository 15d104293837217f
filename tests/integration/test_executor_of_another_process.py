"""Orchestrators that a worker process runs for a real host, which was only told who runs them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bindings import OrchestrationContext
from host.app import running_host
from host.core.executors import AwaitedCode, OrchestratorCode, OrchestratorExecutor
from host.core.functions import FunctionCatalog
from host.core.history import ExecutionStarted
from host.wiring.options import HostOptions, read_settings
from tests.kit.app_folders import make_app
from tests.kit.far_executor import FarExecutor
from tests.kit.piped_line import PipedLine
from tests.kit.plain_catalog import PlainCatalog

__all__ = ["make_app"]
pytestmark = pytest.mark.process

WEBHOOKS = "/runtime/webhooks/durabletask"
PATIENCE_S = 30
APP = """
    import os
    from funchost import FunctionApp, OrchestrationContext

    app = FunctionApp()

    @app.activity_trigger()
    def whose() -> int:
        return os.getpid()

    @app.orchestration_trigger()
    async def home(context: OrchestrationContext) -> list:
        return [os.getpid(), await context.call_sub_orchestrator("abroad")]
"""


async def abroad(context: OrchestrationContext) -> list[Any]:
    """Where it runs, where its activity does, and what comes in."""
    here = os.getpid()
    return [here, await context.call_activity("whose"), await waits(context)]


async def waits(context: OrchestrationContext) -> Any:
    return await context.wait_for_external_event("go")


def catalog() -> FunctionCatalog:
    """The code of the worker."""
    return PlainCatalog([abroad])


class Abroad(OrchestratorExecutor):
    """What the worker does not have is run by the host itself."""

    def __init__(self, line: PipedLine, own: OrchestratorExecutor) -> None:
        self._far = FarExecutor(line, [abroad.__name__])
        self._own = own

    def knows(self, name: str, version: str | None, /) -> bool:
        return self._far.knows(name, version) or self._own.knows(name, version)

    def begin(
        self, instance_id: str, started: ExecutionStarted
    ) -> OrchestratorCode | AwaitedCode | None:
        code = self._far.begin(instance_id, started)
        return self._own.begin(instance_id, started) if code is None else code


async def test_a_host_leads_what_a_worker_runs_and_loses_nothing_with_it(
    make_app: Callable[..., Path],
) -> None:
    options = HostOptions(app_dir=make_app({"function_app.py": APP}), port=0)
    line = PipedLine(f"{__name__}:catalog")
    settings = read_settings(options)
    async with (
        running_host(options, settings, lambda own: Abroad(line, own)) as host,
        aiohttp.ClientSession(host.url + "/") as session,
        asyncio.timeout(PATIENCE_S),
    ):
        home = await _start(session, "home")
        child = await _child(session)
        await _event(session, child)
        here, [there, works, said] = await _output(session, home)
        assert (here, works, said) == (os.getpid(), os.getpid(), 1)
        assert there != here

        alone = await _start(session, "abroad")
        line.kill()  # at whatever moment of it
        await _event(session, alone)
        after, works, said = await _output(session, alone)
        assert (works, said) == (os.getpid(), 1)
        assert after not in {here, there}
        assert line.starts == 2
    await line.close()


async def _start(session: aiohttp.ClientSession, name: str) -> str:
    async with session.post(f"{WEBHOOKS}/orchestrators/{name}") as answer:
        assert answer.status == 202, await answer.text()
        started: str = (await answer.json())["id"]
        return started


async def _child(session: aiohttp.ClientSession) -> str:
    """The instance of `abroad`, when it is there."""
    while True:
        async with session.get(f"{WEBHOOKS}/instances") as answer:
            found = [x["instanceId"] for x in await answer.json() if x["name"] == "abroad"]
        if found:
            return str(found[0])


async def _event(session: aiohttp.ClientSession, instance_id: str) -> None:
    where = f"{WEBHOOKS}/instances/{instance_id}/raiseEvent/go"
    async with session.post(where, json=1) as answer:
        assert answer.status == 202, await answer.text()


async def _status(session: aiohttp.ClientSession, instance_id: str) -> dict[str, Any]:
    async with session.get(f"{WEBHOOKS}/instances/{instance_id}") as answer:
        found: dict[str, Any] = await answer.json()
        return found


async def _output(session: aiohttp.ClientSession, instance_id: str) -> Any:
    while (status := await _status(session, instance_id))["runtimeStatus"] != "Completed":
        assert status["runtimeStatus"] in {"Pending", "Running"}, status
    return status["output"]
