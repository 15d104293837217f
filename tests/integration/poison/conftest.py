"""A hub whose hosts die of what they run, a supervisor that starts them anew, and bystanders."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.integration.crash.surviving_client import (
    WEBHOOKS,
    Answer,
    SurvivingClient,
    surviving_client,
)
from tests.kit.host_process import REPOSITORY, HostProcess, HostProcesses, host_processes

APP = Path(__file__).parent / "app"
MANY_RESTARTS = 30
"""A supervisor that has to do more than this has a host that never comes to rest."""


class PoisonHub:
    """One store, one client that outlives the hosts, and one host after the other."""

    def __init__(self, folder: Path, hosts: HostProcesses, client: SurvivingClient) -> None:
        self.client = client
        self.folder = folder
        self._hosts = hosts

    @property
    def host(self) -> HostProcess:
        """The host that was started last."""
        return self._hosts.all[-1]

    @property
    def restarts(self) -> int:
        """How many hosts came after the first one."""
        return len(self._hosts.all) - 1

    @property
    def file(self) -> Path:
        """The store."""
        return self.folder / "data" / "Poison.db"

    async def start(
        self, app: Path = APP, environment: Mapping[str, str] | None = None
    ) -> HostProcess:
        """Start a host and let the client talk to it."""
        data = ("--data", str(self.file.parent), "--hub", self.file.stem)
        given = {"POISON_FOLDER": str(self.folder), **(environment or {})}
        host = await self._hosts.start(app, *data, environment=given)
        self.client.connect(host.url)
        return host

    async def stop(self) -> None:
        """Let the host end in order."""
        self.client.disconnect()
        assert await self.host.terminate() == 0, self.host.errors

    async def kill9(self) -> None:
        """Kill the host."""
        self.client.disconnect()
        await self.host.kill9()

    @asynccontextmanager
    async def supervised(self) -> AsyncIterator[None]:
        """Within, a host runs, and whenever it dies the next one is started, as systemd does."""
        await self.start()
        supervisor = asyncio.create_task(self._supervise())
        try:
            yield
        finally:
            supervisor.cancel()
            with suppress(asyncio.CancelledError):
                await supervisor

    async def _supervise(self) -> None:
        while self.restarts < MANY_RESTARTS:
            await self.host.ended()
            self.client.disconnect()
            await self.start()

    def mend(self) -> None:
        """The functions do what they should from now on."""
        (self.folder / "mended").touch()

    def runs(self, what: str) -> int:
        """How often this ran, in whatever host."""
        return (self.folder / "runs").read_text().splitlines().count(what)

    async def begin(self, function: str, instance_id: str, value: Any = None) -> None:
        """Start an instance exactly once."""
        await self.client.start(function, instance_id, value)

    async def run(self, function: str, value: Any = None) -> dict[str, Any]:
        """Start an instance, named after its function, and wait for its end."""
        instance_id = f"{function}-{abs(hash(str(value)))}"
        await self.begin(function, instance_id, value)
        return await self.client.finished(instance_id)

    async def blocked(self, instance_id: str) -> str:
        """Why the instance does not go on, once there is a reason."""
        while True:
            answer = await self.client.status(instance_id)
            assert answer.status == 202, answer
            if reason := answer.json.get("blockedReason"):
                return str(reason)
            await asyncio.sleep(0)

    async def half_way(self, instance_id: str) -> None:
        """Wait until the instance shows that it is half way."""
        while (  # noqa: ASYNC110 - the other side is a process
            await self.client.status(instance_id)
        ).json["customStatus"] != "half way":
            await asyncio.sleep(0)

    async def post(self, instance_id: str, operation: str) -> Answer:
        """One management operation."""
        return await self.client.call("POST", f"{WEBHOOKS}/instances/{instance_id}/{operation}")

    async def redrive(self, instance_id: str) -> str:
        """`funchost redrive`, which must do it; what it said."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "host", "redrive", instance_id, "--url", self.host.url),
            cwd=REPOSITORY,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        assert process.returncode == 0, output.decode()
        return output.decode()

    @asynccontextmanager
    async def bystanders(self) -> AsyncIterator[Bystanders]:
        """Within, other orchestrations begin and complete all the time; none of them is hurt."""
        bystanders = Bystanders(self.client)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(bystanders.go_by())
            yield bystanders
            bystanders.stop()
            await task


class Bystanders:
    """Orchestrations that nothing is wrong with, one after the other."""

    def __init__(self, client: SurvivingClient) -> None:
        self._client = client
        self._is_stopped = False
        self._grew = asyncio.Condition()
        self.completed = 0

    async def go_by(self) -> None:
        """Start one after the other. Fails for a wrong result, and for any answer from 500 on."""
        while not self._is_stopped:
            number = self.completed
            instance_id = f"innocent-{number:05}"
            await self._client.start("innocent", instance_id, number)
            status = await self._client.finished(instance_id)
            assert (status["runtimeStatus"], status["output"]) == ("Completed", number + 3)
            await self._assert_well()
            async with self._grew:
                self.completed += 1
                self._grew.notify_all()

    async def more(self, count: int) -> None:
        """Wait until so many more have completed."""
        wanted = self.completed + count
        async with self._grew:
            await self._grew.wait_for(lambda: self.completed >= wanted)

    def stop(self) -> None:
        """Begin no more."""
        self._is_stopped = True

    async def _assert_well(self) -> None:
        """The host answers whoever asks how it is, and lists its instances."""
        for path in ("/healthz", "/admin/host/status", f"{WEBHOOKS}/instances?top=1000"):
            assert (await self._client.ask(path)).status < 500, path


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[PoisonHub]:
    """A hub without a host yet."""
    async with host_processes() as hosts, surviving_client() as client:
        yield PoisonHub(tmp_path, hosts, client)
