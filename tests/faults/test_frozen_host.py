"""A host that stood still, as a machine that sleeps or a container that is paused, goes on."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.faults.effort import effort
from tests.faults.hosted import hosted
from tests.integration.crash.activity_log import assert_no_host_repeats_a_step, read_log
from tests.integration.crash.workload import chain, countdown, fan_out, parent

pytestmark = [pytest.mark.process, pytest.mark.timeout(effort(60, 600))]

FROZEN_S = effort(1, 45)
"""Long, it is more than any lease or hold of the host."""
JOBS = [job(number) for number in range(20) for job in (chain, fan_out, parent, countdown)]


async def test_a_frozen_host_goes_on_and_does_nothing_twice(tmp_path: Path) -> None:
    async with hosted(tmp_path / "data") as hub:
        host = await hub.start()
        await hub.begin(JOBS)
        rings_at = datetime.now(UTC) + timedelta(seconds=FROZEN_S / 2)
        await hub.client.start("alarm", "alarm-0", None)
        await hub.client.signal("alarm-0", "go", rings_at.isoformat())
        await hub.progress("armed", 1)
        async with asyncio.TaskGroup() as group:
            group.create_task(hub.go(JOBS))
            await hub.progress("after", 10)
            host.freeze()
            # Real time: what is tested is a process that does not see it pass.
            await asyncio.sleep(FROZEN_S)
            host.thaw()
        await hub.assert_right(JOBS)
        rang_at = (await hub.client.finished("alarm-0"))["output"]
        assert datetime.fromisoformat(rang_at) >= rings_at
        assert (await hub.client.ask("/readyz")).status == 200
        await hub.stop()
        assert_no_host_repeats_a_step(read_log(hub.log))
        assert "Traceback" not in host.errors, host.errors
