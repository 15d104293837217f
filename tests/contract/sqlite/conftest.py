"""A store in a file of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from host.storage.sqlite.store import SqliteStore
from tests.contract.builders import ManualClock


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Of the file; neither it nor its folder is there yet."""
    return tmp_path / "data" / "hub.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SqliteStore]:
    """Open, and empty."""
    store = SqliteStore(path, ManualClock().now)
    await store.open()
    yield store
    await store.close()
