"""A loop of `when_any` over many tasks: how long it takes, and how long others wait meanwhile.

Then the same again from the history, as after a restart: the instance is dropped from memory first.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from benchmarks.functions import one_by_one
from benchmarks.hub import open_hub, run

WIDTH = 8000
LIMIT = timedelta(seconds=120)
LOOK_EVERY_S = 0.005


@asynccontextmanager
async def _longest_stall() -> AsyncIterator[list[float]]:
    """How long the event loop let somebody wait at most, in seconds."""
    longest = [0.0]

    async def look() -> None:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(LOOK_EVERY_S)
            longest[0] = max(longest[0], time.perf_counter() - before - LOOK_EVERY_S)

    looking = asyncio.create_task(look())
    try:
        yield longest
    finally:
        looking.cancel()


async def measure() -> dict[str, Any]:
    figures: dict[str, Any] = {}
    async with open_hub() as client:
        async with _longest_stall() as stall:
            began = time.perf_counter()
            instance_id = await client.schedule_new_orchestration(one_by_one, input=WIDTH)
            while True:
                state = await client.get_instance(instance_id)
                if state is not None and state.custom_status == "waiting":
                    break
                await asyncio.sleep(0.02)
            figures["s"] = round(time.perf_counter() - began, 2)
        figures["longest_stall_ms"] = round(stall[0] * 1000)
        client._parts.cache.clear()  # noqa: SLF001 - as a restart does
        async with _longest_stall() as stall:
            began = time.perf_counter()
            await client.raise_event(instance_id, "end")
            state = await client.wait_for_instance_completion(instance_id, timeout=LIMIT)
            figures["replay_s"] = round(time.perf_counter() - began, 2)
        figures["replay_longest_stall_ms"] = round(stall[0] * 1000)
        if state.output != WIDTH:
            raise RuntimeError(f"A wrong result: {state}")
    return figures


def main() -> None:
    run(f"when_any in a loop over {WIDTH:,} activities", measure)


if __name__ == "__main__":
    main()
