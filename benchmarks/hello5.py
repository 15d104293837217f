"""How many five-activity sequences a second, 200 outstanding; and how fast is one alone?

Started and awaited through the client, durable on SQLite. CPU counts the whole process.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

from benchmarks.functions import CITIES, hello5, hello5_in_threads
from benchmarks.hub import open_hub, run
from host.engine.client import HubClient

OUTSTANDING = 200
COUNT = 4000
WARM_UP = 400
ALONE = 200
LIMIT = timedelta(seconds=60)


async def one(client: HubClient, orchestrator: Callable[..., Any]) -> None:
    instance_id = await client.schedule_new_orchestration(orchestrator)
    state = await client.wait_for_instance_completion(instance_id, timeout=LIMIT)
    if state.output != [f"Hello {city}!" for city in CITIES]:
        raise RuntimeError(f"A wrong result: {state}")


async def many(
    client: HubClient,
    orchestrator: Callable[..., Any],
    count: int,
    outstanding: int = OUTSTANDING,
) -> None:
    left = iter(range(count))

    async def work() -> None:
        for _ in left:
            await one(client, orchestrator)

    await asyncio.gather(*(work() for _ in range(outstanding)))


async def measure(orchestrator: Callable[..., Any]) -> dict[str, Any]:
    async with open_hub() as client:
        await many(client, orchestrator, WARM_UP)
        began, cpu = time.perf_counter(), time.process_time()
        await many(client, orchestrator, COUNT)
        wall, cpu = time.perf_counter() - began, time.process_time() - cpu
        latencies = sorted([await _alone(client, orchestrator) for _ in range(ALONE)])
    return {
        "per_second": round(COUNT / wall),
        "cpu_ms_each": round(cpu / COUNT * 1000, 3),
        "alone_p50_ms": round(statistics.median(latencies), 2),
        "alone_p95_ms": round(latencies[int(ALONE * 0.95)], 2),
    }


async def _alone(client: HubClient, orchestrator: Callable[..., Any]) -> float:
    began = time.perf_counter()
    await one(client, orchestrator)
    return (time.perf_counter() - began) * 1000


def main() -> None:
    run("hello5, coroutine activities", partial(measure, hello5))
    run("hello5, activities in threads", partial(measure, hello5_in_threads))


if __name__ == "__main__":
    main()
