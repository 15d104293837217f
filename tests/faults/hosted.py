"""Hosts, one after the other, that run the crash tests' app on one SQLite file."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.integration.crash.surviving_client import (
    WEBHOOKS,
    Answer,
    SurvivingClient,
    surviving_client,
)
from tests.integration.crash.workload import BONUS, Job
from tests.kit.host_process import HostProcess, HostProcesses, host_processes

APP = Path(__file__).parents[1] / "integration" / "crash" / "app"


class Hosted:
    """One folder for the data, one client, and the hosts that were started on it."""

    def __init__(self, data: Path, hosts: HostProcesses, client: SurvivingClient) -> None:
        self.client = client
        self.data = data
        self._hosts = hosts
        self.log = data.with_name(f"{data.name}.activities.log")

    @property
    def host(self) -> HostProcess:
        """The host that was started last."""
        return self._hosts.all[-1]

    @property
    def file(self) -> Path:
        """The store."""
        return self.data / "Fault.db"

    async def start(self) -> HostProcess:
        """Start a host and let the client talk to it. Raises `HostNotListeningError`."""
        environment = {"ACTIVITY_LOG": str(self.log), "HOST_NUMBER": str(len(self._hosts.all) + 1)}
        arguments = ("--data", str(self.data), "--hub", "Fault")
        host = await self._hosts.start(APP, *arguments, environment=environment)
        self.client.connect(host.url)
        return host

    async def kill9(self) -> None:
        """Kill the host."""
        self.client.disconnect()
        await self.host.kill9()

    async def stop(self) -> None:
        """Let the host end in order."""
        self.client.disconnect()
        assert await self.host.terminate() == 0, self.host.errors

    async def begin(self, jobs: Iterable[Job]) -> None:
        """Start these; all but collectors stop half way."""
        async with asyncio.TaskGroup() as group:
            for job in jobs:
                group.create_task(self._begin(job))

    async def go(self, jobs: Iterable[Job]) -> None:
        """Let them do their second half."""
        async with asyncio.TaskGroup() as group:
            for job in jobs:
                group.create_task(self.client.signal(job.instance_id, "go"))

    async def assert_right(self, jobs: Iterable[Job]) -> None:
        """All end with the right result."""
        for job in jobs:
            status = await self.client.finished(job.instance_id)
            assert status["runtimeStatus"] == "Completed", status
            assert status["output"] == job.expected, (job, status)

    async def progress(self, half: str, count: int) -> None:
        """Wait until the host has run so many steps of a half."""
        answer = await self.client.call("GET", f"/api/done/{half}/{count}")
        assert answer.status == 200, answer

    async def post_start(self, job: Job, instance_id: str, value: Any = None) -> Answer:
        """Start an instance; whatever the host answers."""
        path = f"{WEBHOOKS}/orchestrators/{job.function}/{instance_id}"
        return await self.client.call("POST", path, job.input if value is None else value)

    async def _begin(self, job: Job) -> None:
        await self.client.start(job.function, job.instance_id, job.input)
        if job.function == "countdown":
            await self.client.signal(job.instance_id, "bonus", BONUS)


@asynccontextmanager
async def hosted(data: Path) -> AsyncIterator[Hosted]:
    """Starts hosts on this folder, and ends all that are left."""
    async with host_processes() as hosts, surviving_client() as client:
        yield Hosted(data, hosts, client)
