"""How many five-activity sequences a second does one host do on AWS, near and far?

All of the host is there, both drivers included; only AWS is a stub, in a process of its own, over
plain HTTP. It answers at once, then each time 20 ms later, by turns: a host that waits for its
answers one after the other would show here. CPU counts the host's process. At least 500 a second
is the aim, and nine tenths of that with the delay.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from functools import partial
from secrets import token_hex
from typing import Any

from benchmarks.aws_stub import stub
from benchmarks.functions import CITIES, hello5
from benchmarks.hub import NoLinks, run, running_engine
from host.clock import SystemClock
from host.core.records import Instance
from host.engine.client import HubClient
from host.engine.engine import Engine
from host.storage.aws.opening import opened_hub

EXPECTED = json.dumps([f"Hello {city}!" for city in CITIES], separators=(",", ":"))

OUTSTANDING = 400
"""How many are under way: 1,000 a second that take a third of a second each are so many."""
COUNT = 3000
WARM_UP = 400
DELAYS_MS = (0, 20)
TURNS = 2
ENVIRONMENT = {
    "AWS_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
}


async def one(engine: Engine, client: HubClient) -> None:
    """Start one, and wait for what its session reports: that reads nothing."""
    instance_id = token_hex(16)

    async def read() -> Instance:
        row = await engine.parts.store.get(instance_id)
        if row is None:  # the stub forgets what has ended: the session reports it in a moment
            await asyncio.get_running_loop().create_future()
            raise AssertionError
        return row

    wait = engine.parts.waiters.begin(instance_id, lambda row: row.is_finished, read)
    try:
        await client.schedule_new_orchestration(hello5, instance_id=instance_id)
        row = await wait.end()
    finally:
        engine.parts.waiters.end(wait)
    if row.output != EXPECTED:
        raise RuntimeError(f"A wrong result: {row}")


async def many(engine: Engine, count: int) -> None:
    client = HubClient(engine, NoLinks())
    left = iter(range(count))

    async def work() -> None:
        for _ in left:
            await one(engine, client)

    await asyncio.gather(*(work() for _ in range(OUTSTANDING)))


async def measure(url: str) -> dict[str, Any]:
    os.environ.update(ENVIRONMENT, AWS_ENDPOINT_URL=url)
    async with (
        opened_hub({}, "Benchmark", SystemClock()) as (store, queues),
        running_engine(store, queues) as engine,
    ):
        await many(engine, WARM_UP)
        began, cpu = time.perf_counter(), time.process_time()
        await many(engine, COUNT)
        wall, cpu = time.perf_counter() - began, time.process_time() - cpu
    return {"per_second": round(COUNT / wall), "cpu_ms_each": round(cpu / COUNT * 1000, 3)}


def main() -> None:
    for delay_ms in DELAYS_MS * TURNS:
        with stub(delay_ms / 1000) as url:
            run(f"hello5 on AWS, a stub that takes {delay_ms} ms", partial(measure, url))


if __name__ == "__main__":
    main()
