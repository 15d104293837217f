"""What a check before a deploy reads of a hub, on every kind of store."""

from __future__ import annotations

from host.cli.rehearsing import Case
from host.cli.unfinished import unfinished_in
from host.core.records import Snapshot
from host.storage.protocol import HubStore
from tests.kit.history_builder import HistoryBuilder, pending


async def test_unfinished_instances_are_read_whole_and_finished_ones_are_not(
    store: HubStore,
) -> None:
    planted: dict[str, Snapshot] = {}
    for number in range(5):
        recorded = HistoryBuilder(pending("order", instance_id=f"order-{number}"))
        snapshot = recorded.scheduled("reserve").snapshot()
        planted[f"order-{number}"] = snapshot
        await store.plant(snapshot, leaves_work=True)
    found: list[Case] = [case async for case in unfinished_in(store)]
    snapshots = [case for case in found if isinstance(case, Snapshot)]
    assert len(found) == len(snapshots) == len(planted)
    for each in snapshots:
        assert each.batches == planted[each.instance.instance_id].batches
