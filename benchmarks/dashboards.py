"""What do three open dashboards cost a host with 100,000 instances that works as fast as it can?

Two such hosts run five-activity sequences by turns, some at a time. During the turns of one of them
three dashboards show its list of instances: each follows the host's events, and reads the list anew
each second that something happened in, as the page does, and the histogram each ten.
`loses_percent` is what a sequence costs more CPU with them, the median of pairs of turns: on one
core that is the throughput that is lost. The dashboards are a process of their own, which also
tells how long lists took while the host was busy; `changes_per_second` is by how many events the
histories grew meanwhile.

`python -m benchmarks.dashboards 20000` does the same among fewer instances.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import aiohttp

from benchmarks.hub import run
from benchmarks.management import FINISHED, fill
from host.app import running_host
from host.clock import SystemClock
from host.storage.sqlite.kind import SQLITE
from host.wiring.options import HostOptions, read_settings
from host.wiring.store import storage_place

DASHBOARDS = 3
TURNS = 12
COUNT = 2500
WARM_UP = 500
OUTSTANDING = 20
EVENTS_EACH = 12
"""Of one sequence in its history: its start, five activities asked for and done, its end."""
WEBHOOKS = "/runtime/webhooks/durabletask"
LIST = f"{WEBHOOKS}/instances?top=50&showInput=false&showOutput=false"
EVENTS = f"{WEBHOOKS}/events?kind=started,turn,ended,quarantined,activityFailed"
HISTOGRAM = f"{WEBHOOKS}/histogram?buckets=60"

_APP = f"""
from benchmarks.functions import app, hello5
from benchmarks.hello5 import many
from funchost import HttpRequest

@app.route("work/{{count:int}}", auth_level="anonymous")
@app.orchestration_client("client")
async def work(req: HttpRequest, client):
    await many(client, hello5, int(req.route_params["count"]), {OUTSTANDING})
"""


async def measure() -> dict[str, Any]:
    with TemporaryDirectory() as folder:
        async with (
            full_host(Path(folder) / "alone") as quiet,
            full_host(Path(folder) / "shown") as shown,
            aiohttp.ClientSession() as session,
        ):
            for url in (quiet, shown):
                await _work(session, url, WARM_UP)
            turns = []
            for _ in range(TURNS):
                alone = await _work(session, quiet, COUNT)
                async with _dashboards(shown) as lists:
                    beside = await _work(session, shown, COUNT)
                turns.append((alone, beside, lists))
    lists = sorted(took for *_, found in turns for took in found)
    return {
        "instances": FINISHED,
        "cpu_ms_each_alone": round(statistics.median(a["cpu_ms"] for a, *_ in turns), 3),
        "cpu_ms_each_beside": round(statistics.median(b["cpu_ms"] for _, b, _ in turns), 3),
        "loses_percent": round(
            statistics.median((1 - a["cpu_ms"] / b["cpu_ms"]) * 100 for a, b, _ in turns), 1
        ),
        "changes_per_second": round(
            statistics.median(b["per_second"] for _, b, _ in turns) * EVENTS_EACH
        ),
        "lists": len(lists),
        "list_p50_ms": round(statistics.median(lists), 1),
        "list_p95_ms": round(lists[int(len(lists) * 0.95)], 1),
    }


@asynccontextmanager
async def full_host(folder: Path) -> AsyncIterator[str]:
    """A whole host on a hub that is full; its URL."""
    folder.mkdir()  # noqa: ASYNC240 - before anything runs
    (folder / "function_app.py").write_text(_APP, encoding="utf-8")
    options = HostOptions(app_dir=folder, port=0)
    settings = read_settings(options)
    async with SQLITE.opened(storage_place(options, settings), SystemClock()) as (store, _):
        await fill(store)
    async with running_host(options, settings) as host:
        yield host.url


async def _work(session: aiohttp.ClientSession, url: str, count: int) -> dict[str, float]:
    """Have the host run so many sequences."""
    wall, cpu = time.perf_counter(), time.process_time()
    patience = aiohttp.ClientTimeout(total=600)
    async with session.get(f"{url}/api/work/{count}", timeout=patience) as done:
        if done.status >= 300:
            raise RuntimeError(await done.text())
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {"cpu_ms": cpu / count * 1000, "per_second": count / wall}


@asynccontextmanager
async def _dashboards(url: str) -> AsyncIterator[list[float]]:
    """Three of them are open; when they are closed, how many ms their lists took is there."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.dashboards", "--show", url),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    await process.stdout.readline()  # all are open
    found: list[float] = []
    yield found
    out, _ = await process.communicate(b"\n")
    found += json.loads(out)


async def _show(url: str) -> None:
    """Be the dashboards until a line comes."""
    took: list[float] = []
    async with aiohttp.ClientSession(url, timeout=aiohttp.ClientTimeout(total=None)) as session:
        shown = [asyncio.create_task(_dashboard(session, took)) for _ in range(DASHBOARDS)]
        await asyncio.sleep(1)
        print(flush=True)
        took.clear()
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
        for each in shown:
            each.cancel()
        await asyncio.gather(*shown, return_exceptions=True)
    print(json.dumps(took), flush=True)


async def _dashboard(session: aiohttp.ClientSession, took: list[float]) -> None:
    news = asyncio.Event()

    async def listen() -> None:
        async with session.get(EVENTS) as answer:
            async for line in answer.content:
                if line.startswith(b"data:"):
                    news.set()

    async def read() -> None:
        while True:
            began = time.perf_counter()
            async with session.get(LIST) as answer:
                await answer.read()
            took.append((time.perf_counter() - began) * 1000)
            news.clear()
            await news.wait()
            await asyncio.sleep(1)

    async def count() -> None:
        while True:
            async with session.get(HISTOGRAM) as answer:
                await answer.read()
            await asyncio.sleep(10)

    async with asyncio.TaskGroup() as parts:
        for part in (listen, read, count):
            parts.create_task(part())


def main() -> None:
    if sys.argv[1:2] == ["--show"]:
        asyncio.run(_show(sys.argv[2]))
    else:
        run("dashboards: three open ones beside hello5", measure)


if __name__ == "__main__":
    main()
