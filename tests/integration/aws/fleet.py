"""Several real hosts on one hub, and what a test may do to them.

Rules of this file: the test sees nothing that a person could not see. What hosts met they say
themselves (`/admin/host/status`); what a killed one met after it was asked last is not counted.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import aiohttp
import boto3

from tests.integration.crash.activity_log import Run, read_log
from tests.integration.crash.surviving_client import SurvivingClient
from tests.kit.aws_servers import ACCESS_KEY, REGION, SECRET_KEY, aws_environment
from tests.kit.host_process import REPOSITORY, HostProcess, HostProcesses

APP = Path(__file__).parents[1] / "crash" / "app"
VISIBILITY_S = 3
"""Short, so that the tests are; not shorter, or hosts that live seem dead on a busy machine."""
_WOKEN = re.compile(r"Woke (\d+) unfinished orchestrations")
_WAITING = "ApproximateNumberOfMessages"
_PROVIDER = "AzureFunctionsJobHost__extensions__durableTask__storageProvider__"
_DURABLE_TASK = "AzureFunctionsJobHost__extensions__durableTask__"


class Fleet:
    """The hosts of one hub. `alive` are those that run, frozen ones not among them."""

    def __init__(
        self, *, url: str, hub: str, log: Path, hosts: HostProcesses, client: SurvivingClient
    ) -> None:
        self.client = client
        self.hub = hub
        self.url = url
        self.alive: list[HostProcess] = []
        self.kills = 0
        self.freezes = 0
        self._hosts = hosts
        self._log = log
        self._settings: dict[str, str] = {}
        self._met: dict[int, Counter[str]] = {}

    async def create_hub(self) -> None:
        """Make the table and the queues with the command that is there for it."""
        assert " is ready in " in await self._command("create")

    async def repair(self) -> int:
        """`funchost hub repair`; how many it woke."""
        found = _WOKEN.search(await self._command("repair"))
        assert found is not None
        return int(found[1])

    async def purge_queues(self) -> int:
        """Empty all queues of the hub; how many wake-ups were waiting."""
        return await asyncio.to_thread(self._purge_queues)

    def set(self, *, sweep_s: int = 300, sessions: int = 1000) -> None:
        """What hosts are started with from now on."""
        self._settings = {
            f"{_PROVIDER}sweepIntervalSeconds": str(sweep_s),
            f"{_PROVIDER}fullSweepIntervalSeconds": str(sweep_s),
            f"{_DURABLE_TASK}maxConcurrentOrchestratorFunctions": str(sessions),
        }

    async def start(self) -> HostProcess:
        """Start another host, and let the client talk to it."""
        environment = self._environment() | {
            "ACTIVITY_LOG": str(self._log),
            "HOST_NUMBER": str(len(self._hosts.all) + 1),
        }
        host = await self._hosts.start(
            APP, "--storage", "aws", "--hub", self.hub, environment=environment
        )
        self.alive.append(host)
        self.client.connect(host.url)
        return host

    async def kill9(self, host: HostProcess) -> None:
        """Kill a host under whatever it does."""
        await self.met(host)
        self._leave(host)
        await host.kill9()
        self.kills += 1

    def freeze(self, host: HostProcess) -> None:
        """Stop a host in the middle of whatever it does."""
        self._leave(host)
        host.freeze()
        self.freezes += 1

    def thaw(self, host: HostProcess) -> None:
        """Let a frozen host go on."""
        host.thaw()
        self.alive.append(host)
        self.client.connect(host.url)

    async def terminate(self, host: HostProcess) -> None:
        """Ask a host to stop; it must do so in order."""
        self._leave(host)
        assert await host.terminate() == 0, host.errors

    async def terminate_all(self) -> None:
        """Ask all hosts to stop; all of them must do so in order, having met nothing unforeseen."""
        self.client.disconnect()
        assert await asyncio.gather(*(host.terminate() for host in self.alive)) == [
            0 for _ in self.alive
        ]
        for host in self._hosts.all:
            assert "Traceback" not in host.errors, host.errors

    async def met(self, host: HostProcess) -> Counter[str]:
        """The counters of one host."""
        async with aiohttp.request("GET", f"{host.url}/admin/host/status") as response:
            status: dict[str, Any] = await response.json()
        self._met[host.pid] = Counter(status["counters"])
        return self._met[host.pid]

    async def all_met(self) -> Counter[str]:
        """The counters of all hosts together, dead ones as they were last seen."""
        for host in self.alive:
            await self.met(host)
        return sum(self._met.values(), Counter())

    def log(self) -> dict[str, list[Run]]:
        """What the activities wrote so far."""
        return read_log(self._log)

    def _leave(self, host: HostProcess) -> None:
        self.alive.remove(host)
        self.client.disconnect(host.url)

    def _environment(self) -> dict[str, str]:
        visibility = {f"{_PROVIDER}visibilityTimeoutSeconds": str(VISIBILITY_S)}
        return {**aws_environment(self.url), **visibility, **self._settings}

    def _purge_queues(self) -> int:
        sqs = boto3.client(
            "sqs",
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET_KEY,
        )
        waiting = 0
        for url in sqs.list_queues(QueueNamePrefix=f"funchost-{self.hub}")["QueueUrls"]:
            answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[_WAITING])
            waiting += int(answer["Attributes"][_WAITING])
            sqs.purge_queue(QueueUrl=url)
        return waiting

    async def _command(self, name: str) -> str:
        """Run `funchost hub NAME`; what it printed."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "host", "hub", name, "--hub", self.hub),
            cwd=REPOSITORY,
            env={**os.environ, **self._environment()},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        assert process.returncode == 0, output.decode()
        return output.decode()
