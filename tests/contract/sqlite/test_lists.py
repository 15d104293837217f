"""What a list of few costs does not grow with the many that it is not about."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bindings.client import ReusePolicy
from host.storage.protocol import InstanceFilter
from host.storage.sqlite.store import SqliteStore
from tests.contract.builders import COMPLETED, ManualClock, at, commit, finished, instance
from tests.kit.sqlite_connection import steps_of_reads

RARE = ("rare0", "rare1", "rare2")
"""The oldest: a list has them last."""


async def add(store: SqliteStore, first: int, last: int) -> None:
    rows = (instance(f"i{n}", created_at=at(n)) for n in range(first, last))
    await asyncio.gather(*(store.create(row, ReusePolicy.WHEN_FINISHED) for row in rows))


@pytest.mark.parametrize(
    "filter_",
    [
        InstanceFilter(statuses=frozenset({COMPLETED})),
        InstanceFilter(names=frozenset({"rare"})),
        InstanceFilter(tags={"is": "rare"}),
        InstanceFilter(id_prefix="rare"),
        InstanceFilter(created_to=at(5)),
    ],
    ids=["status", "name", "tag", "prefix", "time"],
)
async def test_found_e6_a_page_of_few_costs_the_same_among_many(
    tmp_path: Path, filter_: InstanceFilter
) -> None:
    store = SqliteStore(tmp_path / "hub.db", ManualClock().now)
    await store.open()
    try:
        for n, instance_id in enumerate(RARE):
            row = instance(instance_id, created_at=at(n), name="rare", tags={"is": "rare"})
            await store.create(row, ReusePolicy.WHEN_FINISHED)
            done = finished(instance_id, created_at=at(n), name="rare", tags={"is": "rare"})
            await store.commit(commit(instance_id=instance_id, row=done))
        costs = []
        for first, last in ((10, 310), (310, 3310)):
            await add(store, first, last)
            with steps_of_reads(store) as steps:
                page = await store.query(filter_, limit=100)
            costs.append(steps[0])
            assert {row.instance_id for row in page.instances} <= set(RARE)
            assert page.instances
        assert costs[1] <= 2 * costs[0] + 10, costs
    finally:
        await store.close()
