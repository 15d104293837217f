"""500 orchestrations that run are not disturbed by folders that come, change, break and go."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent
from typing import Any

import aiohttp
import pytest

from tests.kit.host_process import host_processes
from tests.kit.hub import until

pytestmark = pytest.mark.process

WEBHOOKS = "/runtime/webhooks/durabletask"
OF_EACH = 100
AT_ONCE = 50

APP = """
    from funchost import AuthLevel, FunctionApp, OrchestrationContext

    app = FunctionApp(http_auth_level=AuthLevel.ANONYMOUS)

    @app.activity_trigger()
    def work(what: str) -> str:
        return what

    @app.orchestration_trigger()
    async def Steady(context: OrchestrationContext) -> str:
        first = await context.call_activity(work, "steady")
        context.set_custom_status("waits")
        await context.wait_for_external_event("go")
        return f"{first} {await context.call_activity(work, 'VERSION')}"
"""
ORCHESTRATOR = '{"bindings": [{"type": "orchestrationTrigger", "name": "context"}]}'
SCRIPT = """
    async def main(context):
        await context.call_activity("work", "begin")
        context.set_custom_status("waits")
        await context.wait_for_external_event("go")
        return await context.call_activity("work", "before")
"""
FITS = SCRIPT.replace("before", "after")
OTHER = """
    from datetime import timedelta

    async def main(context):
        await context.create_timer(timedelta(0))
        return await context.call_activity("work", "after")
"""
HTTP = json.dumps(
    {
        "bindings": [
            {"type": "httpTrigger", "name": "req", "authLevel": "anonymous"},
            {"type": "http", "direction": "out", "name": "$return"},
        ]
    }
)
ENDS = {
    "Steady": "steady 2",
    "Fits": "after",
    "DoesNotFit": "before",
    "Breaks": "before",
    "Goes": "before",
}
"""By orchestrator: what its instances give that began before the changes."""


def write(folder: Path, files: Mapping[str, str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_text(dedent(content), encoding="utf-8")


class Hub:
    """What a client sees of the host."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session
        self._free = asyncio.Semaphore(AT_ONCE)

    async def post(self, path: str, body: Any = None) -> None:
        async with self._free, self._session.post(f"{WEBHOOKS}/{path}", json=body) as answer:
            assert answer.status == 202, await answer.text()

    async def start(self, name: str, numbers: range) -> None:
        ids = (f"{name}-{number}" for number in numbers)
        await asyncio.gather(*(self.post(f"orchestrators/{name}/{each}") for each in ids))

    async def go_on(self, name: str, numbers: range) -> None:
        ids = (f"{name}-{number}" for number in numbers)
        await asyncio.gather(*(self.post(f"instances/{each}/raiseEvent/go") for each in ids))

    async def seen(self, prefix: str = "") -> list[dict[str, Any]]:
        query = f"top=1000&instanceIdPrefix={prefix}&showInput=true"
        async with self._session.get(f"{WEBHOOKS}/instances?{query}") as answer:
            found: list[dict[str, Any]] = await answer.json()
        return found

    async def count_waiting(self) -> int:
        return sum(each["customStatus"] == "waits" for each in await self.seen())

    async def outputs(self, prefix: str) -> Counter[tuple[str, str]]:
        return Counter((x["runtimeStatus"], str(x["output"])) for x in await self.seen(prefix))

    async def get(self, path: str) -> tuple[int, str]:
        async with self._session.get(path) as answer:
            return answer.status, await answer.text()


@pytest.mark.timeout(120)
async def test_500_orchestrations_are_not_disturbed(tmp_path: Path) -> None:
    app, aside = tmp_path / "app", tmp_path / "aside"
    write(app, {"function_app.py": APP.replace("VERSION", "1")})
    for name in ("Fits", "DoesNotFit", "Breaks", "Goes"):
        write(app / name, {"function.json": ORCHESTRATOR, "run.py": SCRIPT})
    write(aside / "Added", {"function.json": HTTP, "run.py": "def main(req): return 'added'"})
    write(aside / "Breaks", {"function.json": ORCHESTRATOR, "run.py": "async def main("})
    write(aside / "Fits", {"function.json": ORCHESTRATOR, "run.py": FITS})
    write(aside / "DoesNotFit", {"function.json": ORCHESTRATOR, "run.py": OTHER})
    first, second = range(OF_EACH // 2), range(OF_EACH // 2, OF_EACH)

    async with host_processes() as hosts:
        host = await hosts.start(app, "--watch")
        async with aiohttp.ClientSession(host.url) as session:
            hub = Hub(session)
            for name in ENDS:
                await hub.start(name, range(OF_EACH))
            await until(lambda: is_equal(hub.count_waiting(), len(ENDS) * OF_EACH), patience_s=60)

            begun = asyncio.create_task(hub.go_on("Steady", first))
            shutil.copytree(aside, app, dirs_exist_ok=True)
            (app / "Goes").rename(tmp_path / "Goes")
            (app / "function_app.py").write_text(dedent(APP.replace("VERSION", "2")))
            await host.logged("Breaks does not load: SyntaxError")
            await until(lambda: is_equal(hub.get("/api/Added"), (200, "added")))
            await host.logged(
                f"{OF_EACH} instances of 'DoesNotFit' go on with the former version until the end"
            )
            await begun

            await hub.go_on("Steady", second)
            for name in ("Fits", "DoesNotFit", "Breaks", "Goes"):
                await hub.go_on(name, range(OF_EACH))
            for name in ("Fits", "DoesNotFit", "Breaks"):
                assert await ended(hub, f"{name}-") == {("Completed", ENDS[name]): OF_EACH}
            await host.logged("Nothing goes on with a former version of the app any more.")

            steady = await ended(hub, "Steady-")
            assert set(steady) <= {("Completed", "steady 1"), ("Completed", "steady 2")}
            assert steady["Completed", "steady 2"] >= len(second)

            _, why = await hub.get(f"{WEBHOOKS}/instances/Goes-0/why")
            assert "'Goes'" in why
            (tmp_path / "Goes").rename(app / "Goes")
            assert await ended(hub, "Goes-") == {("Completed", "before"): OF_EACH}

            await hub.start("DoesNotFit", range(OF_EACH, OF_EACH + 1))
            assert ("Completed", "after") in await ended(hub, "DoesNotFit-")
        assert await host.terminate() == 0


async def ended(hub: Hub, prefix: str) -> Counter[tuple[str, str]]:
    """Wait until all have ended; how they did."""

    async def are_over() -> bool:
        return {status for status, _ in await hub.outputs(prefix)} <= {"Completed", "Failed"}

    await until(are_over, patience_s=60)
    return await hub.outputs(prefix)


async def is_equal(found: Any, wanted: Any) -> bool:
    return bool(await found == wanted)
