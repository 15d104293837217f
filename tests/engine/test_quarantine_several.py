"""Several instances that end their hosts, and one that works on for long beside them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.engine.test_quarantine_innocents import LEASE, Suspects, quarantined
from tests.kit.hub import Hub, until
from tests.kit.seams import RedeliveringQueues

SECOND = timedelta(seconds=1)
MOST_CRASHES = 40
"""A bound for broken runs."""


async def blamed_in_the_end(hub: Hub, late_after: int) -> set[str]:
    """Hosts die of four, the last of which comes after so many crashes; who is quarantined then."""
    suspects = Suspects()
    culprits = [f"deadly-{number}" for number in range(4)]
    ids = ["innocent", *culprits]
    host = await hub.start(suspects.app)
    await host.begin(suspects.innocent, instance_id="innocent")
    for culprit in culprits[:-1]:
        await host.begin(suspects.deadly, instance_id=culprit)
    await until(lambda: suspects.deadly_runs == len(culprits) - 1)
    crashes = 0
    while not (blamed := await quarantined(hub, ids)).issuperset(culprits):
        assert crashes < MOST_CRASHES
        if crashes == late_after:
            await host.begin(suspects.deadly, instance_id=culprits[-1])
        await host.crash()
        crashes += 1
        await hub.clock.advance(LEASE)
        queues = RedeliveringQueues()
        await queues.send_wakeups(ids)
        await queues.release(await queues.receive_wakeups(len(ids)))
        runs = suspects.deadly_runs
        host = await hub.start(suspects.app, queues=queues)
        for _ in range(30):
            await hub.clock.until_quiet()
            if suspects.deadly_runs > runs:
                break
            await hub.clock.advance(SECOND)
    return blamed - set(culprits)


@pytest.mark.parametrize("late_after", range(6))
async def test_who_works_on_beside_several_is_not_blamed(hub: Hub, late_after: int) -> None:
    assert await blamed_in_the_end(hub, late_after) == set()
