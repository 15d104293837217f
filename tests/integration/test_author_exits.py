"""Code of an app that ends processes ends neither its host nor what others run there."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import aiohttp
import pytest

from tests.kit.host_process import host_processes

WEBHOOKS = "/runtime/webhooks/durabletask"
APP = """
    import asyncio
    import sys

    from bindings import AuthLevel, FunctionApp, HttpRequest, OrchestrationContext, TaskFailedError

    app = FunctionApp(http_auth_level=AuthLevel.ANONYMOUS)

    async def tool():
        sys.exit(3)

    def call_back():
        raise KeyboardInterrupt

    @app.route("gathers")
    async def gathers(req: HttpRequest) -> str:
        await asyncio.gather(tool())

    @app.route("groups")
    async def groups(req: HttpRequest) -> str:
        async with asyncio.TaskGroup() as group:
            group.create_task(tool())

    @app.route("forgets")
    async def forgets(req: HttpRequest) -> str:
        asyncio.create_task(tool())
        asyncio.get_running_loop().call_soon(call_back)
        await asyncio.sleep(0)  # both run now
        return "well"

    @app.activity_trigger()
    async def act() -> None:
        await asyncio.gather(tool())

    @app.orchestration_trigger()
    async def tries(context: OrchestrationContext) -> str:
        try:
            await context.call_activity(act)
        except TaskFailedError as error:
            return error.details.error_type
"""


@pytest.mark.process
async def test_found_h9_an_exit_in_a_task_of_a_function_fails_the_function_alone(
    tmp_path: Path,
) -> None:
    (tmp_path / "function_app.py").write_text(dedent(APP), encoding="utf-8")
    async with host_processes() as hosts:
        host = await hosts.start(tmp_path, "--storage", "memory")
        async with aiohttp.ClientSession(host.url) as session:
            for path, status in (("gathers", 500), ("groups", 500), ("forgets", 200)):
                async with session.get(f"/api/{path}") as answer:
                    assert answer.status == status
            async with session.post(
                f"{WEBHOOKS}/orchestrators/tries/t?timeout=30&pollingInterval=1"
            ) as answer:
                assert (answer.status, await answer.json()) == (200, "SystemExit")
        await host.logged("raised SystemExit: 3")
        assert await host.terminate() == 0
