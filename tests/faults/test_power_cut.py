"""Power cuts: what an answer promised is on the disk at every moment, and the work goes on from it.

A cut is modelled by copies of the files, taken while a host works: it is frozen for the moment of
the copy, so the copy is what the system had of all files at one time. Of the log's end, what was
not yet synced may be missing after a cut, so copies lose a random part of what came behind all that
was acknowledged. Now and then the log is moved into the database first, so that it begins anew.
The model leaves out disks that say they have synced and have not, and sectors that are half
written: for such, see the tests with damaged files.
"""

from __future__ import annotations

import asyncio
import random
import shutil
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.faults.effort import effort, seeds
from tests.faults.hosted import Hosted, hosted
from tests.integration.crash.surviving_client import WEBHOOKS
from tests.integration.crash.workload import BONUS, Job, chain, countdown, fan_out, parent

pytestmark = [pytest.mark.process, pytest.mark.timeout(effort(60, 36_000))]

JOBS = [job(number) for number in range(12) for job in (chain, fan_out, parent, countdown)]


@dataclass(frozen=True, slots=True)
class Cut:
    """A copy of the files; what the host had acknowledged before it was taken."""

    data: Path
    started: frozenset[str]
    told: frozenset[str]


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The instances whose start, and whose `go`, were answered."""

    started: set[str]
    told: set[str]

    def __len__(self) -> int:
        return len(self.started) + len(self.told)


async def test_work_goes_on_from_whatever_a_power_cut_left(tmp_path: Path) -> None:
    for seed in seeds(1, 20):
        (room := tmp_path / str(seed)).mkdir()
        for cut in await work_and_cut(room, random.Random(seed), count=effort(2, 8)):
            await assert_goes_on(cut)
        shutil.rmtree(room)


async def work_and_cut(room: Path, dice: random.Random, count: int) -> list[Cut]:
    """A host works; copies of its files are taken at random moments."""
    acknowledged = Acknowledged(set(), set())
    cuts: list[Cut] = []
    async with hosted(room / "data") as hub:
        await hub.start()
        async with asyncio.TaskGroup() as group:
            for job in JOBS:
                group.create_task(start_and_go(hub, job, acknowledged))
            for moment in sorted(dice.sample(range(1, 2 * len(JOBS)), count)):
                while len(acknowledged) < moment:  # noqa: ASYNC110 - it is a moment at random
                    await asyncio.sleep(0)
                cuts.append(take_cut(hub, room / f"cut{moment}", acknowledged, dice))
                if dice.random() < 0.3:
                    move_log(hub.file)
        await hub.assert_right(JOBS)
    return cuts


async def start_and_go(hub: Hosted, job: Job, acknowledged: Acknowledged) -> None:
    await hub.begin([job])
    acknowledged.started.add(job.instance_id)
    await hub.go([job])
    acknowledged.told.add(job.instance_id)


def take_cut(hub: Hosted, copy: Path, acknowledged: Acknowledged, dice: random.Random) -> Cut:
    promised_bytes = log_of(hub.file).stat().st_size
    cut = Cut(copy, frozenset(acknowledged.started), frozenset(acknowledged.told))
    hub.host.freeze()
    shutil.copytree(hub.data, copy)
    hub.host.thaw()
    log = log_of(copy / hub.file.name)
    with log.open("r+b") as opened:
        opened.truncate(dice.randint(promised_bytes, max(promised_bytes, log.stat().st_size)))
    return cut


def move_log(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)")


def log_of(file: Path) -> Path:
    return file.with_name(file.name + "-wal")


async def assert_goes_on(cut: Cut) -> None:
    """What was started is there, what was told is known; with the rest told, all end right."""
    async with hosted(cut.data) as hub:
        await hub.start()
        missing = [job for job in JOBS if (await hub.client.status(job.instance_id)).status == 404]
        assert cut.started.isdisjoint(job.instance_id for job in missing)
        await hub.assert_right(job for job in JOBS if job.instance_id in cut.told)
        await hub.begin(missing)
        await tell(hub, (job for job in JOBS if job.instance_id not in cut.told))
        await hub.assert_right(JOBS)


async def tell(hub: Hosted, jobs: Iterable[Job]) -> None:
    """Tell these to go on; they may have heard of it, without anybody having been answered."""
    for job in jobs:
        path = f"{WEBHOOKS}/instances/{job.instance_id}/raiseEvent"
        if job.function == "countdown":
            await hub.client.call("POST", f"{path}/bonus", BONUS)
        assert (await hub.client.call("POST", f"{path}/go")).status in {202, 410}
