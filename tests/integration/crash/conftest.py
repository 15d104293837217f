"""A hub whose hosts the test starts, kills and starts again."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.integration.crash.activity_log import Run, read_log
from tests.integration.crash.surviving_client import SurvivingClient, surviving_client
from tests.kit.host_process import HostProcess, HostProcesses, host_processes

APP = Path(__file__).parent / "app"


class CrashHub:
    """One store, one client, and one host after the other."""

    def __init__(self, folder: Path, hosts: HostProcesses, client: SurvivingClient) -> None:
        self.client = client
        self._hosts = hosts
        self._data = folder / "data"
        self._log = folder / "activities.log"

    @property
    def host(self) -> HostProcess:
        """The host that was started last."""
        return self._hosts.all[-1]

    async def start(self) -> HostProcess:
        """Start another host on the same store, and let the client talk to it."""
        environment = {
            "ACTIVITY_LOG": str(self._log),
            "HOST_NUMBER": str(len(self._hosts.all) + 1),
        }
        host = await self._hosts.start(
            APP, "--data", str(self._data), "--hub", "Crash", environment=environment
        )
        self.client.connect(host.url)
        return host

    async def kill9(self) -> None:
        """Kill the host under whatever it does."""
        self.client.disconnect()
        await self.host.kill9()

    async def progress(self, half: str, count: int) -> None:
        """Wait until the host has run so many steps of a half."""
        answer = await self.client.call("GET", f"/api/done/{half}/{count}")
        assert answer.status == 200, answer

    def log(self) -> dict[str, list[Run]]:
        """What the activities wrote so far."""
        return read_log(self._log)

    def assert_no_tracebacks(self) -> None:
        """No host met anything that it did not expect."""
        for host in self._hosts.all:
            assert "Traceback" not in host.errors, host.errors

    def assert_integrity(self) -> None:
        """The store's file is whole. The host must have stopped."""
        (file,) = self._data.glob("*.db")
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[CrashHub]:
    """A hub without a host yet."""
    async with host_processes() as hosts, surviving_client() as client:
        yield CrashHub(tmp_path, hosts, client)
