"""A host in this process that serves a folder, and a session to ask it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from host.app import RunningHost, running_host
from host.wiring.options import HostOptions, read_settings


@asynccontextmanager
async def served(app: Path) -> AsyncIterator[tuple[RunningHost, aiohttp.ClientSession]]:
    """The host, whose hub is in memory, and a session whose paths begin at its address."""
    options = HostOptions(app_dir=app, port=0, storage="memory")
    async with (
        running_host(options, read_settings(options)) as host,
        aiohttp.ClientSession(host.url) as session,
    ):
        yield host, session
