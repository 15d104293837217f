"""How long does a fan-out of 1,000 activities and their sum take?"""

from __future__ import annotations

import statistics
import time
from datetime import timedelta
from typing import Any

from benchmarks.functions import fan_out
from benchmarks.hub import open_hub, run

WIDTH = 1000
ROUNDS = 7


async def measure() -> dict[str, Any]:
    seconds = []
    async with open_hub() as client:
        for _ in range(ROUNDS):
            began = time.perf_counter()
            instance_id = await client.schedule_new_orchestration(fan_out, input=WIDTH)
            limit = timedelta(seconds=60)
            state = await client.wait_for_instance_completion(instance_id, timeout=limit)
            seconds.append(time.perf_counter() - began)
            if state.output != WIDTH:
                raise RuntimeError(f"A wrong result: {state}")
    return {"width": WIDTH, "median_s": round(statistics.median(seconds), 3)}


def main() -> None:
    run("fan-out", measure)


if __name__ == "__main__":
    main()
