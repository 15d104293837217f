"""Any operations, in any order, together or one by one: SQLite and memory cannot be told apart."""

import asyncio
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from host.storage.memory import MemoryStore
from host.storage.sqlite import heads
from host.storage.sqlite.store import SqliteStore
from tests.contract.builders import ManualClock
from tests.kit.store_operations import OPERATIONS, Operation, leaves_gap, observe, outcome


async def play(groups: Sequence[Sequence[Operation]], path: Path) -> None:
    now = ManualClock().now
    oracle, store = MemoryStore(now), SqliteStore(path, now)
    await store.open()
    try:
        for group in groups:
            played, expected = list[Operation](), list[object]()
            for operation in group:
                if not await leaves_gap(operation, oracle):
                    played.append(operation)
                    expected.append(await outcome(operation(oracle)))
            answers = await asyncio.gather(*(outcome(operation(store)) for operation in played))
            assert answers == expected
            assert await observe(store) == await observe(oracle)
    finally:
        await store.close()


@pytest.mark.parametrize("max_heads", [10_000, 1])
def test_sqlite_does_what_memory_does(max_heads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heads, "MAX_HEADS", max_heads)

    @settings(
        max_examples=60,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
        derandomize=True,
    )
    @given(st.lists(st.lists(OPERATIONS, min_size=1, max_size=6), min_size=1, max_size=6))
    def check(groups: list[list[Operation]]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            asyncio.run(play(groups, Path(folder) / "hub.db"))

    check()
