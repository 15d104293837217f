"""Files that real hosts wrote, made once for all tests that damage copies of them."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.written import WrittenFiles, write_files

_MEMORY = Path("/dev/shm")


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> WrittenFiles:
    return asyncio.run(write_files(tmp_path_factory.mktemp("written")))


@pytest.fixture
def room() -> Iterator[Path]:
    """A folder for copies that need no disk: syncs cost nothing there, where there is such."""
    with tempfile.TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else None) as folder:
        yield Path(folder)
