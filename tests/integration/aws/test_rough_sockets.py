"""One host on an AWS that throttles, fails, cuts connections and goes away, over real sockets.

`tests/rough` has all kinds of trouble, in time that is not real. This is for what it leaves out:
the host's own connections, its process, and what it says of itself over HTTP.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.integration.aws.conftest import POLL_S
from tests.integration.aws.drive import Drive
from tests.integration.aws.fleet import Fleet
from tests.integration.aws.rough_proxy import RoughProxy, Weather, rough_proxy
from tests.integration.crash.surviving_client import surviving_client
from tests.integration.crash.workload import Mix, mixed_jobs
from tests.kit.host_process import host_processes

pytestmark = [pytest.mark.aws, pytest.mark.process]

SEED = 7
ROUGH_S = 15.0
PATIENCE_S = 60.0
MOST_RUNS = 4
"""A hold is over after seconds here: what was not told in time is done again."""
MAX_LINES = 20
"""It says that the store fails, that it works, and what it met otherwise: not each request."""
FEW = Mix(
    chains=20,
    fan_outs=5,
    alarms=3,
    fed_by_notifiers=3,
    fed_by_clients=6,
    parents=4,
    countdowns=4,
)


@pytest.fixture
async def proxy(ministack: str) -> AsyncIterator[RoughProxy]:
    async with rough_proxy(ministack, SEED) as proxy:
        yield proxy


@pytest.fixture
async def fleet(proxy: RoughProxy, tmp_path: Path) -> AsyncIterator[Fleet]:
    """A hub behind the proxy."""
    async with surviving_client(POLL_S) as client, host_processes() as hosts:
        fleet = Fleet(
            url=proxy.url,
            hub=f"Fleet{uuid4().hex[:8]}",
            log=tmp_path / "activities.log",
            hosts=hosts,
            client=client,
        )
        await fleet.create_hub()
        yield fleet


@pytest.mark.timeout(300)
async def test_a_host_gets_over_what_aws_does_to_its_connections(
    fleet: Fleet, proxy: RoughProxy
) -> None:
    host = await fleet.start()
    before = len(host.errors.splitlines())
    drive = Drive(fleet.client, mixed_jobs(FEW))
    await says_of_its_store(fleet, "working")

    proxy.weather = Weather.ROUGH
    work = asyncio.create_task(start_and_lead_on(drive))
    # Real time: so long is the weather rough.
    await asyncio.sleep(ROUGH_S)
    proxy.weather = Weather.AWAY
    await says_of_its_store(fleet, "failing")
    proxy.weather = Weather.CALM
    await work

    statuses = await drive.all_finished(PATIENCE_S)
    drive.assert_right(statuses, fleet.log(), most_runs=MOST_RUNS)
    await says_of_its_store(fleet, "working")
    said = host.errors.splitlines()[before:]
    sys.stdout.write(f"\nseed {SEED}: {proxy.told()}, {len(said)} lines of log\n")
    assert len(proxy.struck) == 5
    assert len(said) <= MAX_LINES, said
    await fleet.terminate_all()


async def start_and_lead_on(drive: Drive) -> None:
    await drive.start_all()
    await drive.lead_on_all()


async def says_of_its_store(fleet: Fleet, word: str) -> None:
    """The host says so in the end, and that it is ready, whatever AWS does."""
    while await readiness(fleet) != {"status": "ready", "store": word}:  # noqa: ASYNC110 - a process
        await asyncio.sleep(POLL_S)


async def readiness(fleet: Fleet) -> Any:
    answer = await fleet.client.call("GET", "/readyz")
    assert answer.status == 200, answer
    return answer.json
