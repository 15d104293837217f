"""What a host owes on SIGTERM, and what a store owes to one host against a second one."""

from __future__ import annotations

import asyncio
import fcntl
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.integration.crash.activity_log import steps_run_twice
from tests.integration.crash.workload import Job, chain, fan_out
from tests.kit.host_process import HostNotListeningError

if TYPE_CHECKING:
    from tests.integration.crash.conftest import CrashHub

pytestmark = pytest.mark.process


async def test_sigterm_lets_running_activities_end_and_none_of_them_runs_again(
    hub: CrashHub, tmp_path: Path
) -> None:
    jobs = [chain(number) for number in range(60)] + [fan_out(number) for number in range(40)]
    path = tmp_path / "held"
    path.write_text("read at last")
    await hub.start()
    async with asyncio.TaskGroup() as group:
        with path.open() as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            await hub.client.start("reader", "reader", str(path))
            await start_all(hub, jobs)
            await hub.progress("held", 1)
            for job in jobs:
                group.create_task(hub.client.signal(job.instance_id, "go"))
            await hub.progress("after", 50)
            hub.client.disconnect()
            hub.host.ask_to_stop()
            await hub.host.logged("Stopping")
        assert await hub.host.ended() == 0
        await hub.start()

    assert (await hub.client.finished("reader"))["output"] == [2, "read at last", 3]
    for job in jobs:
        assert (await hub.client.finished(job.instance_id))["output"] == job.expected
    log = hub.log()
    assert {job.instance_id: {run.step for run in log[job.instance_id]} for job in jobs} == {
        job.instance_id: set(job.steps) for job in jobs
    }
    assert [runs for runs in log.values() if steps_run_twice(runs)] == []
    assert await hub.host.terminate() == 0
    hub.assert_no_tracebacks()
    hub.assert_integrity()


async def test_a_store_serves_one_host_until_that_one_is_dead(hub: CrashHub) -> None:
    jobs = [chain(number) for number in range(10)]
    first = await hub.start()
    await start_all(hub, jobs)

    with pytest.raises(HostNotListeningError) as refused:
        await hub.start()
    assert refused.value.exit_code == 2
    assert str(first.pid) in refused.value.errors
    assert "Stop it, or give this host another file" in refused.value.errors
    assert "Traceback" not in refused.value.errors

    for job in jobs[:5]:
        await hub.client.signal(job.instance_id, "go")
        assert (await hub.client.finished(job.instance_id))["output"] == job.expected
    assert (await hub.client.ask("/readyz")).status == 200

    hub.client.disconnect()
    await first.kill9()
    await hub.start()
    for job in jobs[5:]:
        await hub.client.signal(job.instance_id, "go")
        assert (await hub.client.finished(job.instance_id))["output"] == job.expected


async def start_all(hub: CrashHub, jobs: list[Job]) -> None:
    await asyncio.gather(
        *(hub.client.start(job.function, job.instance_id, job.input) for job in jobs)
    )
