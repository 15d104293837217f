"""How many instances a second does a host start that come one by one, on SQLite?

They begin tomorrow, so that only starting them is measured. `cpu_us_each` is what one costs, of all
threads; it hardly depends on what else the machine does.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

from benchmarks.hub import open_hub, run
from bindings.many import NewOrchestration

COUNT = 20_000


async def items() -> AsyncIterator[NewOrchestration]:
    for number in range(COUNT):
        yield NewOrchestration(input={"order": number})


async def measure() -> dict[str, Any]:
    async with open_hub() as client:
        begun, cpu = time.perf_counter(), time.process_time()
        started = client.schedule_many("hello5", items(), start_at=timedelta(days=1))
        refused = [each.error async for each in started if each.error is not None]
        took_s, cpu_s = time.perf_counter() - begun, time.process_time() - cpu
        assert not refused
        return {"starts_per_s": round(COUNT / took_s), "cpu_us_each": round(cpu_s / COUNT * 1e6)}


if __name__ == "__main__":
    run("start many", measure)
