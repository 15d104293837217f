"""Twenty thousand orchestrations whose hosts are killed two hundred times, now and then frozen.

The long form of tests/integration/crash/test_kill9.py: kills come at random moments, so they also
hit hosts that have only just begun to recover. Runs with FUNCHOST_TORTURE=1 alone.
"""

from __future__ import annotations

import asyncio
import random
import sqlite3
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.faults.effort import FIRST_SEED, IS_TORTURE
from tests.integration.aws.drive import Drive, Statuses
from tests.integration.crash.activity_log import Run, assert_no_host_repeats_a_step, read_log
from tests.integration.crash.surviving_client import SurvivingClient, surviving_client
from tests.integration.crash.workload import CHILDREN_OF_PARENT, Job, Mix, mixed_jobs
from tests.kit.host_process import HostProcess, HostProcesses, host_processes

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(not IS_TORTURE, reason="takes ten minutes: FUNCHOST_TORTURE=1"),
    pytest.mark.timeout(2 * 3600),
]

APP = Path(__file__).parents[1] / "crash" / "app"
MIX = Mix(
    chains=6000,
    fan_outs=3000,
    wide_fan_outs=40,
    alarms=3000,
    fed_by_notifiers=1000,
    fed_by_clients=2000,
    parents=2000,
    countdowns=2000,
)
KILLS = 200
FREEZE_EVERY = 10
FREEZE_S = 2.0
UNDER_WAY = 1000
"""How many orchestrations are driven at a time."""
POLL_S = 1.0
SILENCE_S = 120.0
"""When no orchestration completed for so long, the test fails: a bound for broken runs."""


class Torture:
    """The hosts, one after the other on one file, and what is known of the orchestrations."""

    def __init__(self, folder: Path, hosts: HostProcesses, client: SurvivingClient) -> None:
        self.client = client
        self.kills = self.freezes = 0
        self.statuses: Statuses = {}
        self._folder = folder
        self._hosts = hosts
        self._grew = asyncio.Condition()

    @property
    def host(self) -> HostProcess:
        """The host that was started last."""
        return self._hosts.all[-1]

    async def start(self) -> None:
        """Start another host, and let the client talk to it."""
        environment = {
            "ACTIVITY_LOG": str(self._folder / "activities.log"),
            "HOST_NUMBER": str(len(self._hosts.all) + 1),
        }
        data = ("--data", str(self._folder / "data"), "--hub", "Torture")
        host = await self._hosts.start(APP, *data, environment=environment)
        self.client.connect(host.url)

    async def kill_and_start(self) -> None:
        """Kill the host under whatever it does; the next one comes at once."""
        self.client.disconnect()
        await self.host.kill9()
        self.kills += 1
        await self.start()

    async def freeze(self) -> None:
        """Stop the host for a while and let it go on."""
        self.host.freeze()
        # Real time: what is tested is a process that does not see it pass.
        await asyncio.sleep(FREEZE_S)
        self.host.thaw()
        self.freezes += 1

    async def complete(self, status: dict[str, Any]) -> None:
        """Note how an orchestration ended."""
        async with self._grew:
            self.statuses[status["instanceId"]] = status
            self._grew.notify_all()

    async def completed(self, count: int) -> None:
        """Wait until so many have ended; fails when none does any more."""
        async with self._grew:
            while (before := len(self.statuses)) < count:
                try:
                    async with asyncio.timeout(SILENCE_S):
                        await self._grew.wait_for(lambda: len(self.statuses) > before)
                except TimeoutError:
                    pytest.fail(f"Nothing ends any more after {before}: {await self._stuck()}")

    async def _stuck(self) -> list[Any]:
        listed = await self.client.list_instances("&runtimeStatus=Pending,Running,Suspended")
        return [(each["instanceId"], each.get("blockedReason")) for each in listed[:50]]

    def log(self) -> dict[str, list[Run]]:
        """What the activities wrote."""
        return read_log(self._folder / "activities.log")

    def assert_whole(self) -> None:
        """The file is whole, and no host met anything that it did not expect."""
        with closing(sqlite3.connect(self._folder / "data" / "Torture.db")) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        for host in self._hosts.all:
            assert "Traceback" not in host.errors, host.errors


@asynccontextmanager
async def torture(folder: Path) -> AsyncIterator[Torture]:
    """A hub with its first host."""
    async with host_processes() as hosts, surviving_client(POLL_S) as client:
        tortured = Torture(folder, hosts, client)
        await tortured.start()
        yield tortured


async def test_no_kill_loses_anything_or_makes_anything_wrong(tmp_path: Path) -> None:
    jobs, began = mixed_jobs(MIX), time.monotonic()
    async with torture(tmp_path) as hub:
        drive = Drive(hub.client, jobs)
        async with asyncio.TaskGroup() as group:
            killer = group.create_task(kill_at_random(hub, len(jobs), began))
            await lead_all(hub, drive, jobs)
            await killer
        await assert_all_listed(hub, jobs)
        assert (await hub.client.ask("/readyz")).status == 200
        hub.client.disconnect()
        assert await hub.host.terminate() == 0, hub.host.errors

        log = hub.log()
        drive.assert_right(hub.statuses, log, most_runs=KILLS + 1)
        assert_no_host_repeats_a_step(log)
        hub.assert_whole()
        took_s = time.monotonic() - began
        say(f"{summary(hub, jobs, log)} in {took_s:.0f} s (seed {FIRST_SEED})")
        assert hub.kills == KILLS


async def kill_at_random(hub: Torture, total: int, began: float) -> None:
    dice = random.Random(FIRST_SEED)
    moments = sorted(dice.randrange(total - UNDER_WAY) for _ in range(KILLS))
    for number, moment in enumerate(moments, 1):
        await hub.completed(moment)
        if number % FREEZE_EVERY == 0:
            await hub.freeze()
            took_s = time.monotonic() - began
            say(f"{took_s:5.0f} s: {number} kills, {len(hub.statuses)} of {total} completed")
        await hub.kill_and_start()
    await hub.completed(total)


async def lead_all(hub: Torture, drive: Drive, jobs: list[Job]) -> None:
    """Start all, send them what they wait for, and see how they end."""
    room = asyncio.Semaphore(UNDER_WAY)

    async def lead(job: Job) -> None:
        async with room:
            await drive.start(job)
            await drive.lead_on(job)
            await hub.complete(await hub.client.finished(job.instance_id))

    async with asyncio.TaskGroup() as group:
        for job in jobs:
            group.create_task(lead(job))


async def assert_all_listed(hub: Torture, jobs: list[Job]) -> None:
    """The listing has every orchestration and child, completed, and nothing else."""
    listed = Counter(each["runtimeStatus"] for each in await hub.client.list_instances())
    assert listed == {"Completed": len(jobs) + MIX.parents * CHILDREN_OF_PARENT}


@dataclass(frozen=True, slots=True)
class Tally:
    """Activities: how many different ones there were, and how often one ran again."""

    steps: int
    again: int
    most: int


def tally(log: dict[str, list[Run]]) -> Tally:
    counts = [Counter(run.step for run in runs) for runs in log.values()]
    steps = sum(map(len, counts))
    runs = sum(count.total() for count in counts)
    return Tally(steps, runs - steps, max(max(count.values()) for count in counts))


def say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - a person waits for it


def summary(hub: Torture, jobs: list[Job], log: dict[str, list[Run]]) -> str:
    done = tally(log)
    return (
        f"{len(jobs)} orchestrations ({MIX.parents * CHILDREN_OF_PARENT} children besides), "
        f"{hub.kills} SIGKILLs, {hub.freezes} freezes of {FREEZE_S:.0f} s: 0 lost, 0 wrong; "
        f"{done.steps} activities, {done.again} runs again, none more than {done.most} times"
    )
