"""Every store and every queue of the contract, opened on a clock that stands still."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from host.storage.factory import open_storage
from host.storage.protocol import HubQueues, HubStore
from tests.contract.builders import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    """The time, for the store too."""
    return ManualClock()


@pytest.fixture(params=["memory", "sqlite"])
async def store(
    request: pytest.FixtureRequest, tmp_path: Path, clock: ManualClock
) -> AsyncIterator[HubStore]:
    """A store of each kind, empty."""
    store, _ = open_storage(request.param, path=tmp_path / "hub.db", clock=clock)
    await store.open()
    yield store
    await store.close()


@pytest.fixture(params=["local"])
async def queues(tmp_path: Path, clock: ManualClock) -> AsyncIterator[HubQueues]:
    """Queues of each kind, empty."""
    _, queues = open_storage("memory", path=tmp_path, clock=clock)
    yield queues
    await queues.close()
