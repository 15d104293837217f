"""How many operations a second do entities do: one that all ask, and ten thousand together?
And how long does a critical section of two entities take?

Signals come from clients, calls from orchestrations, durable on SQLite. The time counts until the
last operation is stored, and CPU is that of the whole process. `--operations 1000000` says how many
signals one entity gets while memory is looked at. One JSON line for each part.
"""

from __future__ import annotations

import asyncio
import resource
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.functions import call_many, section
from benchmarks.hub import open_hub, run
from bindings import EntityId, EntityQuery
from host.engine.client import HubClient

SIGNALS = 30_000
SENDERS = 200
CALLERS = 50
CALLS_EACH = 100
ALONE = 300
SECTIONS = 300
ENTITIES = 10_000
OPERATIONS_EACH = 3
OPERATIONS = 100_000
LOOKS = 5
TOGETHER = 10_000
LOOK_S = 0.02
LIMIT = timedelta(minutes=5)


async def _send(client: HubClient, targets: Iterable[EntityId], senders: int = SENDERS) -> None:
    """One signal to each, some at a time."""
    left = iter(targets)

    async def send() -> None:
        for target in left:
            await client.signal_entity(target, "add", 1)

    await asyncio.gather(*(send() for _ in range(senders)))


async def _until(is_done: Callable[[], Awaitable[bool]]) -> None:
    while not await is_done():  # noqa: ASYNC110 - what is stored tells nobody
        await asyncio.sleep(LOOK_S)


async def _has_counted(client: HubClient, target: EntityId, count: int) -> bool:
    found = await client.get_entity(target)
    return found is not None and found.state == count


async def _timed(work: Awaitable[None], count: int) -> dict[str, Any]:
    began, cpu = time.perf_counter(), time.process_time()
    await work
    wall, cpu = time.perf_counter() - began, time.process_time() - cpu
    return {"per_second": round(count / wall), "cpu_ms_each": round(cpu / count * 1000, 3)}


async def signals_to_one(name: str) -> dict[str, Any]:
    """Many clients signal one entity."""

    async def signal(key: str, count: int) -> None:
        one = EntityId(name, key)
        await _send(client, (one for _ in range(count)))
        await _until(lambda: _has_counted(client, one, count))

    async with open_hub() as client:
        await signal("warm", SIGNALS // 10)
        return await _timed(signal("one", SIGNALS), SIGNALS)


async def calls_to_one(name: str) -> dict[str, Any]:
    """Orchestrations that each call one entity again and again; then one alone."""

    async def call(callers: int, calls: int) -> None:
        given = {"name": name, "calls": calls}
        ids = [
            await client.schedule_new_orchestration(call_many, input=given) for _ in range(callers)
        ]
        for each in ids:
            state = await client.wait_for_instance_completion(each, timeout=LIMIT)
            if state.output is None:
                raise RuntimeError(f"A wrong result: {state}")

    async with open_hub() as client:
        await call(CALLERS, CALLS_EACH // 10)
        together = await _timed(call(CALLERS, CALLS_EACH), CALLERS * CALLS_EACH)
        times = []
        for _ in range(LOOKS):
            began = time.perf_counter()
            await call(1, ALONE)
            times.append((time.perf_counter() - began) * 1000 / ALONE)
    return {**together, "alone_ms": round(statistics.median(times), 2)}


async def sections() -> dict[str, Any]:
    """One orchestration after the other locks two entities and calls one of them."""
    times = []
    async with open_hub() as client:
        cpu = time.process_time()
        for _ in range(SECTIONS):
            began = time.perf_counter()
            instance_id = await client.schedule_new_orchestration(section)
            await client.wait_for_instance_completion(instance_id, timeout=LIMIT)
            times.append((time.perf_counter() - began) * 1000)
        cpu = time.process_time() - cpu
    times.sort()
    return {
        "alone_p50_ms": round(statistics.median(times), 2),
        "alone_p95_ms": round(times[int(SECTIONS * 0.95)], 2),
        "cpu_ms_each": round(cpu / SECTIONS * 1000, 3),
    }


async def many_entities(senders: int) -> dict[str, Any]:
    """Clients signal ten thousand entities, each some times, by turns: so many signals at a time.

    With few at a time each operation is a batch of its own; with as many as there are entities, who
    is signaled again has often not begun.
    """

    async def signal() -> None:
        await _send(client, targets * OPERATIONS_EACH, senders)
        await _until(are_done)

    async def are_done() -> bool:
        query = EntityQuery(name="counter", key_prefix="e", page_size=1000)
        while True:
            page = await client.query_entities(query)
            if any(each.state != OPERATIONS_EACH for each in page.items):
                return False
            if page.continuation_token is None:
                return True
            query = EntityQuery(
                name="counter",
                key_prefix="e",
                page_size=1000,
                continuation_token=page.continuation_token,
            )

    targets = [EntityId("counter", f"e{number}") for number in range(ENTITIES)]
    async with open_hub() as client:
        await _send(client, (EntityId("counter", f"warm{number}") for number in range(1000)))
        count = ENTITIES * OPERATIONS_EACH
        return {"entities": ENTITIES, "senders": senders, **await _timed(signal(), count)}


async def memory(operations: int) -> dict[str, Any]:
    """One entity gets very many signals: what the process has then, beside what it had at first."""
    one, part = EntityId("counter", "old"), operations // LOOKS // TOGETHER * TOGETHER
    sizes: list[float] = []
    async with open_hub() as client:
        began = time.perf_counter()
        for done in range(
            TOGETHER, part * LOOKS + 1, TOGETHER
        ):  # more at once would fill its inbox
            await _send(client, (one for _ in range(TOGETHER)))
            await _until(partial(_has_counted, client, one, done))
            if done % part == 0:
                sizes.append(_resident_mib())
        wall = time.perf_counter() - began
    return {
        "operations": part * LOOKS,
        "per_second": round(part * LOOKS / wall),
        "resident_mib_by_fifths": sizes,
    }


def _resident_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return round(pages * resource.getpagesize() / 2**20, 1)


PARTS: dict[str, Callable[[], Coroutine[Any, Any, dict[str, Any]]]] = {
    "signals to one entity": partial(signals_to_one, "counter"),
    "signals to one entity with coroutines": partial(signals_to_one, "async_counter"),
    "calls to one entity": partial(calls_to_one, "counter"),
    "calls to one entity with coroutines": partial(calls_to_one, "async_counter"),
    "sections that lock two": sections,
    "many entities, 200 signals at a time": partial(many_entities, SENDERS),
    "many entities, a signal to each at a time": partial(many_entities, ENTITIES),
}


def main() -> None:
    operations = OPERATIONS
    if sys.argv[1:2] == ["--operations"]:
        operations = int(sys.argv[2])
    for name, part in PARTS.items():
        run(f"entities: {name}", part)
    run("entities: memory", partial(memory, operations))


if __name__ == "__main__":
    main()
