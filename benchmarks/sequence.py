"""Does a step cost the same after 20,000 steps as after ten? One orchestration does them all."""

from __future__ import annotations

import time
from datetime import timedelta
from functools import partial
from typing import Any

from benchmarks.functions import sequence
from benchmarks.hub import open_hub, run


async def measure(steps: int) -> dict[str, Any]:
    async with open_hub() as client:
        began = time.perf_counter()
        instance_id = await client.schedule_new_orchestration(sequence, input=steps)
        limit = timedelta(minutes=10)
        state = await client.wait_for_instance_completion(instance_id, timeout=limit)
        seconds = time.perf_counter() - began
    if state.output != steps:
        raise RuntimeError(f"A wrong result: {state}")
    return {
        "steps": steps,
        "seconds": round(seconds, 2),
        "ms_per_step": round(seconds / steps * 1000, 3),
    }


def main() -> None:
    run("sequence", partial(measure, 2_000))
    run("sequence", partial(measure, 20_000))


if __name__ == "__main__":
    main()
