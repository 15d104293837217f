"""The fixtures of tests that run engines: import them in a conftest.py."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.kit.hub import Hub, open_hub


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    """A hub in memory."""
    async with open_hub("memory", tmp_path) as opened:
        yield opened


@pytest.fixture(params=["memory", "sqlite"])
async def each_hub(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Hub]:
    """A hub on each kind of store, one after the other."""
    async with open_hub(request.param, tmp_path) as opened:
        yield opened
