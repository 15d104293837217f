"""Hosts die, hang and come at random under five hundred orchestrations; nothing shows of it."""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import Awaitable, Callable

import pytest

from tests.integration.aws.drive import Drive, Statuses
from tests.integration.aws.fleet import VISIBILITY_S, Fleet
from tests.integration.crash.workload import Mix, mixed_jobs

pytestmark = [pytest.mark.aws, pytest.mark.process]

SEED = 3
HOSTS = 3
ROUNDS = 3
"""In each, one host is killed and one hangs. A bound, since both make work: a machine that is slow
anyway would never see the end of it."""
PATIENCE_S = 120.0
LIMIT_S = 900
"""For hosts that hang. A machine that is ten times slower makes this ten times slower."""
FIVE_HUNDRED = Mix(
    chains=230,
    fan_outs=40,
    wide_fan_outs=5,
    alarms=75,
    fed_by_notifiers=20,
    fed_by_clients=40,
    parents=40,
    countdowns=30,
)


@pytest.mark.timeout(LIMIT_S)
async def test_five_hundred_orchestrations_survive_hosts_that_die_and_hang(fleet: Fleet) -> None:
    jobs = mixed_jobs(FIVE_HUNDRED)
    assert len(jobs) == 500
    fleet.set(sweep_s=10)
    await asyncio.gather(*(fleet.start() for _ in range(HOSTS)))

    drive = Drive(fleet.client, jobs)
    work = asyncio.create_task(from_start_to_end(drive))
    await disturb(fleet, random.Random(SEED), work.done)
    statuses = await work

    met = await fleet.all_met()
    log = fleet.log()
    runs = sum(map(len, log.values()))
    sys.stdout.write(
        f"\nseed {SEED}: {fleet.kills} kills, {fleet.freezes} freezes, "
        f"{met['conflicts']} conflicts, {met['redeliveries']} redeliveries, {runs} activities\n"
    )
    drive.assert_right(statuses, log, most_runs=1 + fleet.kills + fleet.freezes)
    assert min(fleet.kills, fleet.freezes, met["conflicts"], met["redeliveries"]) > 0
    await fleet.terminate_all()


async def from_start_to_end(drive: Drive) -> Statuses:
    await drive.start_all()
    await drive.lead_on_all()
    return await drive.all_finished(PATIENCE_S)


async def disturb(fleet: Fleet, dice: random.Random, is_over: Callable[[], bool]) -> None:
    """One after the other, in an order that the dice give; each kind at least once."""
    kinds: list[Callable[[Fleet, random.Random], Awaitable[None]]] = [lose_one, hang_one]
    for _ in range(ROUNDS):
        for disturbance in dice.sample(kinds, len(kinds)):
            # Real time: chaos comes when it likes.
            await asyncio.sleep(dice.uniform(0.2, 1.5))
            if is_over() and fleet.kills and fleet.freezes:
                return
            await disturbance(fleet, dice)


async def lose_one(fleet: Fleet, dice: random.Random) -> None:
    """Kill one; another one comes."""
    await fleet.kill9(dice.choice(fleet.alive))
    await fleet.start()


async def hang_one(fleet: Fleet, dice: random.Random) -> None:
    """Stop one until others have its work, then let it go on as if nothing had been."""
    host = dice.choice(fleet.alive)
    fleet.freeze(host)
    # Real time: the queue counts it, and nobody turns its clock.
    await asyncio.sleep(VISIBILITY_S * dice.uniform(1.2, 1.8))
    fleet.thaw(host)
