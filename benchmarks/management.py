"""How fast is what is asked of a hub: lists, counts, overviews, exports and purges.

There are 100,000 finished instances and 25 old other ones.

All goes through the manager, on SQLite. Rare is what only the 25 have: they are the oldest. While
instances are purged others read and start some; how long the slowest of these took is told, too.

`python -m benchmarks.management 20000` does the same among fewer.
"""

from __future__ import annotations

import asyncio
import resource
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import msgspec

from benchmarks.functions import CITIES, hello5
from benchmarks.hub import run, running_engine
from bindings.client import ListOrder, OrchestrationQuery, ReusePolicy, RuntimeStatus
from bindings.errors import FailureDetails
from host.clock import SystemClock
from host.core.history import (
    Batch,
    ExecutionCompleted,
    ExecutionStarted,
    HistoryEvent,
    OrchestratorStarted,
    TaskCompleted,
    TaskScheduled,
)
from host.core.records import Commit, Effects, Instance
from host.engine.engine import Engine
from host.engine.management import InstanceManager
from host.engine.overview.overview import HubOverview
from host.engine.starting import NewInstance
from host.storage.kinds import StorePlace
from host.storage.protocol import HubStore
from host.storage.sqlite.kind import SQLITE

FINISHED = int(sys.argv[1]) if sys.argv[1:2] and sys.argv[1].isdecimal() else 100_000
OLD = 25
TOGETHER = 1000
ROUNDS = 20
PAGE = 100
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
PURGED = FINISHED // 2

_OLD_STATUSES = (
    RuntimeStatus.FAILED,
    RuntimeStatus.RUNNING,
    RuntimeStatus.SUSPENDED,
    RuntimeStatus.TERMINATED,
    RuntimeStatus.PENDING,
)


def at(number: int) -> datetime:
    return BEGAN + timedelta(seconds=number)


LISTS: dict[str, OrchestrationQuery] = {
    "all": OrchestrationQuery(),
    "status_common": OrchestrationQuery(runtime_status=(RuntimeStatus.COMPLETED,)),
    "status_rare": OrchestrationQuery(runtime_status=(RuntimeStatus.FAILED,)),
    "status_unfinished": OrchestrationQuery(
        runtime_status=(RuntimeStatus.RUNNING, RuntimeStatus.PENDING, RuntimeStatus.SUSPENDED)
    ),
    "name_common": OrchestrationQuery(name="hello5"),
    "name_rare": OrchestrationQuery(name="old"),
    "name_rare_status_common": OrchestrationQuery(
        name="old", runtime_status=(RuntimeStatus.COMPLETED,)
    ),
    "prefix_rare": OrchestrationQuery(instance_id_prefix="old-"),
    "prefix_common": OrchestrationQuery(instance_id_prefix="a"),
    "tag_rare": OrchestrationQuery(tags={"customer": "old"}),
    "tag_common": OrchestrationQuery(tags={"region": "north"}),
    "created": OrchestrationQuery(
        created_time_from=at(FINISHED // 2), created_time_to=at(FINISHED // 2 + 999)
    ),
    "updated": OrchestrationQuery(
        last_updated_time_from=at(OLD + 10), last_updated_time_to=at(OLD + 60)
    ),
    "order_updated": OrchestrationQuery(order=ListOrder.UPDATED),
    "order_updated_rare": OrchestrationQuery(
        order=ListOrder.UPDATED, runtime_status=(RuntimeStatus.FAILED,)
    ),
}
COUNTS = tuple(name for name in LISTS if not name.startswith("order"))


@asynccontextmanager
async def open_engine() -> AsyncIterator[Engine]:
    """A running engine on a hub that is full."""
    with tempfile.TemporaryDirectory() as folder:
        place = StorePlace(hub="hub", folder=Path(folder))
        clock = SystemClock()
        async with SQLITE.opened(place, clock) as (store, queues):
            await fill(store)
            async with running_engine(store, queues, clock) as engine:
                yield engine


async def fill(store: HubStore) -> None:
    random = Random("management")
    for first in range(0, FINISHED, TOGETHER):
        if first == 0:
            await asyncio.gather(*(_store(store, _old_row(number)) for number in range(OLD)))
        rows = [_finished_row(random, number) for number in range(first, first + TOGETHER)]
        await asyncio.gather(*(_store(store, row) for row in rows))


def _old_row(number: int) -> Instance:
    status = _OLD_STATUSES[number % len(_OLD_STATUSES)]
    failure = FailureDetails(error_type="OutOfStock", message="nothing left")
    return Instance(
        instance_id=f"old-{number:02}",
        execution_id=f"e{number}",
        name="old",
        status=status,
        created_at=at(number),
        updated_at=at(number),
        scheduled_start_at=datetime(2100, 1, 1, tzinfo=UTC),  # none of them has anything to do
        failure=failure if status is RuntimeStatus.FAILED else None,
        tags={"customer": "old"},
    )


def _finished_row(random: Random, number: int) -> Instance:
    id_ = f"{random.getrandbits(128):032x}"
    return Instance(
        instance_id=id_,
        execution_id=id_[::-1],
        name="hello5",
        status=RuntimeStatus.COMPLETED,
        created_at=at(OLD + number),
        updated_at=at(OLD + number + random.randrange(60)),
        input='{"order": "0123456789"}',
        output='["Hello Tokyo!", "Hello Seattle!", "Hello London!"]',
        tags={"region": "north"} if number % 10 == 0 else {},
    )


async def _store(store: HubStore, row: Instance) -> None:
    pending = msgspec.structs.replace(
        row, status=RuntimeStatus.PENDING, output=None, updated_at=row.created_at
    )
    await store.create(pending, ReusePolicy.NEVER)
    if row.status is RuntimeStatus.PENDING:
        return
    await store.commit(
        Commit(
            instance_id=row.instance_id,
            execution_id=row.execution_id,
            number=0,
            batch=Batch(events=_history(row)),
            effects=Effects(instance_id=row.instance_id, row=row),
            row_execution_id=row.execution_id,
        )
    )


def _history(row: Instance) -> tuple[HistoryEvent, ...]:
    when = row.created_at
    began = ExecutionStarted(
        timestamp=when, name=row.name, execution_id=row.execution_id, input=row.input
    )
    tasks: list[HistoryEvent] = []
    for task_id, city in enumerate(CITIES):
        tasks.append(
            TaskScheduled(timestamp=when, task_id=task_id, name="say_hello", input=f'["{city}"]')
        )
        tasks.append(TaskCompleted(timestamp=when, task_id=task_id, result=f'"Hello {city}!"'))
    ended = ExecutionCompleted(timestamp=when, status=row.status, result=row.output)
    return (OrchestratorStarted(timestamp=when), began, *tasks, ended)


async def timed(work: Callable[[], Awaitable[Any]]) -> float:
    """How many milliseconds it takes."""
    began = time.perf_counter()
    await work()
    return (time.perf_counter() - began) * 1000


async def p95(work: Callable[[], Awaitable[Any]], rounds: int = ROUNDS) -> float:
    taken = sorted([await timed(work) for _ in range(rounds)])
    return round(taken[int(rounds * 0.95)], 1)


async def lists(manager: InstanceManager) -> dict[str, Any]:
    return {
        name: await p95(partial(manager.query, replace(query, page_size=PAGE)))
        for name, query in LISTS.items()
    }


async def counts(manager: InstanceManager) -> dict[str, Any]:
    return {name: await p95(partial(manager.count, LISTS[name])) for name in COUNTS}


async def overviews(engine: Engine) -> dict[str, Any]:
    """What a dashboard asks for, read anew each time as after a while."""

    async def overview() -> None:
        await HubOverview(engine.parts.store, engine.parts.clock, engine.hosts).view()

    found = {"overview": await p95(overview)}
    for name in ("all", "name_common", "tag_common"):
        filter_ = engine.instances.filter_of(LISTS[name])
        found[f"histogram_{name}"] = await p95(partial(engine.overview.histogram, filter_, 60))
    return found


async def export(manager: InstanceManager) -> dict[str, Any]:
    """Export the finished ones, and throw the lines away."""
    rss, lines, longest = _peak_mib(), 0, 0

    async def read() -> None:
        nonlocal lines, longest
        query = OrchestrationQuery(runtime_status=(RuntimeStatus.COMPLETED,))
        async for some in manager.export_all(query):
            lines += some.count(b"\n")
            longest = max(longest, len(some))

    took_ms = await timed(read)
    return {
        "exported_per_second": round(lines / took_ms * 1000),
        "longest_piece_bytes": longest,
        "more_rss_mib": _peak_mib() - rss,
    }


async def purge(manager: InstanceManager) -> dict[str, Any]:
    """Purge half of the finished ones, while others ask and start something."""
    query = OrchestrationQuery(
        runtime_status=(RuntimeStatus.COMPLETED,), created_time_to=at(OLD + PURGED - 1)
    )
    stalls: list[float] = []

    async def disturb() -> None:
        while True:
            stalls.append(await timed(partial(manager.find, "old-00")))
            stalls.append(await timed(partial(manager.start, NewInstance(name=hello5.__name__))))
            await asyncio.sleep(0.002)

    others = asyncio.create_task(disturb())
    await asyncio.sleep(0.1)
    stalls.clear()
    rss = _peak_mib()
    took_ms = await timed(partial(manager.purge_all, query))
    others.cancel()
    return {
        "purged_per_second": round(PURGED / took_ms * 1000),
        "slowest_other_ms": round(max(stalls)),
        "more_rss_mib": _peak_mib() - rss,
    }


def _peak_mib() -> int:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


_PARTS: dict[str, Callable[[InstanceManager], Awaitable[dict[str, Any]]]] = {
    "page of 100, p95 ms": lists,
    "count, p95 ms": counts,
    "export": export,
    "purge by filter": purge,
}
"""What is measured, one after the other on the same hub; a purge comes last."""


async def measure() -> dict[str, Any]:
    async with open_engine() as engine:
        found = {"of all at once, p95 ms": await overviews(engine)}
        return found | {name: await part(engine.instances) for name, part in _PARTS.items()}


def main() -> None:
    run(f"management: {FINISHED:,} finished instances", measure)


if __name__ == "__main__":
    main()
