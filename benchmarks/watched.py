"""What metrics cost: five-activity sequences on a host that measures itself, and on another.

Both hosts are in this process, each on a store of its own, and work by turns, so that a machine
that becomes slower meanwhile does so for both. CPU counts the whole process. The figure is the
median of what each pair of rounds says.
"""

from __future__ import annotations

import statistics
import time
from typing import Any

from benchmarks.functions import hello5
from benchmarks.hello5 import WARM_UP, many
from benchmarks.hub import open_hub, run
from host.clock import SystemClock
from host.engine.client import HubClient
from host.metrics.host_metrics import HostMetrics

ROUNDS = 15
COUNT = 400


async def measure() -> dict[str, Any]:
    async with open_hub() as plain, open_hub(metrics=HostMetrics(SystemClock())) as measured:
        for each in (plain, measured):
            await many(each, hello5, WARM_UP)
        pairs = []
        for number in range(ROUNDS):
            first, second = (plain, measured) if number % 2 else (measured, plain)
            cpu = {first: await _cpu_ms(first), second: await _cpu_ms(second)}
            pairs.append((cpu[plain], cpu[measured]))
    return {
        "cpu_ms_each_off": round(statistics.median(off for off, _ in pairs), 3),
        "cpu_ms_each_on": round(statistics.median(on for _, on in pairs), 3),
        "dearer_percent": round(statistics.median((on / off - 1) * 100 for off, on in pairs), 1),
    }


async def _cpu_ms(client: HubClient) -> float:
    before = time.process_time()
    await many(client, hello5, COUNT)
    return (time.process_time() - before) / COUNT * 1000


def main() -> None:
    run("hello5, metrics on and off by turns", measure)


if __name__ == "__main__":
    main()
