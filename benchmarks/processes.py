"""How much sooner are eight activities that only reckon done in two worker processes?

Two hosts serve the same app side by side and are asked by turns: one runs plain activities in
threads, one in two worker processes. Wall times need two processors with nothing else to do; on a
busy machine the seconds of the process that computes the longest say more: an interpreter does one
thing at a time, so nothing is done sooner than that. What a call of an activity that does nothing
takes more is told, too.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import aiohttp

from benchmarks.hub import run
from host.app import running_host
from host.wiring.options import HostOptions, read_settings

APP = """
import os
import time

from funchost import FunctionApp, OrchestrationContext, when_all

app = FunctionApp()

@app.activity_trigger()
def reckon(count: int) -> tuple[int, float]:
    began = time.thread_time()
    total = 0
    for number in range(count):
        total += number * number
    return os.getpid(), time.thread_time() - began

@app.orchestration_trigger()
async def many(context: OrchestrationContext, count: int) -> float:
    seconds: dict[int, float] = {}
    for pid, took in await when_all([context.call_activity(reckon, count) for _ in range(8)]):
        seconds[pid] = seconds.get(pid, 0.0) + took
    return max(seconds.values())

@app.orchestration_trigger()
async def in_a_row(context: OrchestrationContext, steps: int) -> int:
    for _ in range(steps):
        await context.call_activity(reckon, 0)
    return steps
"""
PROCESSES = 2
COUNT = 3_000_000
STEPS = 200
ROUNDS = 3
WEBHOOKS = "/runtime/webhooks/durabletask"


async def took(session: aiohttp.ClientSession, name: str, value: int) -> tuple[float, Any]:
    """How long the orchestration took, in seconds, and what it gave."""
    began = time.perf_counter()
    async with session.post(f"{WEBHOOKS}/orchestrators/{name}", json=value) as answer:
        instance = (await answer.json())["id"]
    while True:
        async with session.get(f"{WEBHOOKS}/instances/{instance}") as answer:
            status = await answer.json()
        if status["runtimeStatus"] == "Completed":
            return time.perf_counter() - began, status["output"]
        if status["runtimeStatus"] == "Failed":
            raise RuntimeError("The orchestration failed")
        await asyncio.sleep(0.005)


async def measure() -> dict[str, Any]:
    wide: dict[int, list[float]] = {0: [], PROCESSES: []}
    busiest: dict[int, list[float]] = {0: [], PROCESSES: []}
    row: dict[int, list[float]] = {0: [], PROCESSES: []}
    async with AsyncExitStack() as running:
        folder = Path(running.enter_context(TemporaryDirectory()))
        (folder / "function_app.py").write_text(APP)
        sessions = {each: await serve(running, folder, each) for each in wide}
        for _ in range(ROUNDS):
            for processes, session in sessions.items():
                seconds, cpu_s = await took(session, "many", COUNT)
                wide[processes].append(seconds)
                busiest[processes].append(cpu_s)
                seconds, _ = await took(session, "in_a_row", STEPS)
                row[processes].append(seconds / STEPS * 1000)
    return {
        "processes": [0, PROCESSES],
        "wall_s": medians(wide),
        "cpu_s_of_the_busiest": medians(busiest),
        "ms_per_step": medians(row),
    }


def medians(found: dict[int, list[float]]) -> list[float]:
    return [round(statistics.median(each), 2) for each in found.values()]


async def serve(running: AsyncExitStack, folder: Path, processes: int) -> aiohttp.ClientSession:
    options = HostOptions(app_dir=folder, port=0, storage="memory", processes=processes)
    host = await running.enter_async_context(running_host(options, read_settings(options)))
    session = await running.enter_async_context(aiohttp.ClientSession(host.url))
    while True:
        async with session.get("/readyz") as answer:
            if answer.status == 200:
                return session
        await asyncio.sleep(0.05)


def main() -> None:
    run("processes", measure)


if __name__ == "__main__":
    main()
