"""Hosts for the tests of this folder."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.http.hosting import Host, running_host
from tests.kit.app_folders import make_app
from tests.kit.aws_fixtures import ministack_url, moto_url

__all__ = ["make_app", "ministack_url", "moto_url"]


@pytest.fixture
async def host() -> AsyncIterator[Host]:
    """A host on loopback, without keys."""
    async with running_host() as host:
        yield host


@pytest.fixture
async def locked(tmp_path: Path) -> AsyncIterator[Host]:
    """A host with keys."""
    async with running_host(tmp_path / "keys.json") as host:
        yield host
