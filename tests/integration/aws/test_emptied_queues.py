"""All queues are emptied in the middle of the work: hints are lost, and nothing else."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.integration.aws.drive import Drive
from tests.integration.crash.workload import Mix, mixed_jobs

if TYPE_CHECKING:
    from tests.integration.aws.fleet import Fleet

pytestmark = [pytest.mark.aws, pytest.mark.process]

PATIENCE_S = 60.0
FEW = Mix(
    chains=10,
    fan_outs=3,
    alarms=3,
    fed_by_notifiers=3,
    fed_by_clients=3,
    parents=3,
    countdowns=3,
)


@pytest.mark.timeout(300)
async def test_the_repair_command_brings_back_hints_that_were_lost(fleet: Fleet) -> None:
    drive = await emptied_in_the_middle(fleet, sweep_s=300)
    assert await fleet.repair() > 0
    await assert_all_is_right(fleet, drive)


@pytest.mark.timeout(300)
async def test_the_sweep_brings_back_hints_that_were_lost(fleet: Fleet) -> None:
    drive = await emptied_in_the_middle(fleet, sweep_s=2)
    await assert_all_is_right(fleet, drive)


async def emptied_in_the_middle(fleet: Fleet, *, sweep_s: int) -> Drive:
    """Two hosts with little room, so that hints pile up; most of them are lost."""
    fleet.set(sweep_s=sweep_s, sessions=1)
    await asyncio.gather(fleet.start(), fleet.start())
    drive = Drive(fleet.client, mixed_jobs(FEW))
    await drive.start_all()
    await drive.lead_on_all()
    assert await fleet.purge_queues() > 0
    return drive


async def assert_all_is_right(fleet: Fleet, drive: Drive) -> None:
    statuses = await drive.all_finished(PATIENCE_S)
    drive.assert_right(statuses, fleet.log(), most_runs=1)
    await fleet.terminate_all()
