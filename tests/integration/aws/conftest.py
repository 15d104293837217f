"""Hubs on one ministack, a process of its own like the hosts that the tests start."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.integration.aws.fleet import Fleet
from tests.integration.crash.surviving_client import surviving_client
from tests.kit.host_process import host_processes
from tests.kit.ministack_process import ministack_process

POLL_S = 0.02


@pytest.fixture(scope="session")
def ministack() -> Iterator[str]:
    """The URL of the ministack that all tests share."""
    with ministack_process() as url:
        yield url


@pytest.fixture
async def fleet(ministack: str, tmp_path: Path) -> AsyncIterator[Fleet]:
    """A hub of its own, without a host yet."""
    async with surviving_client(POLL_S) as client, host_processes() as hosts:
        fleet = Fleet(
            url=ministack,
            hub=f"Fleet{uuid4().hex[:8]}",
            log=tmp_path / "activities.log",
            hosts=hosts,
            client=client,
        )
        await fleet.create_hub()
        yield fleet
