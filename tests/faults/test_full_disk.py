"""A disk fills up under a working host: it says so, loses nothing, and goes on with new room."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.hosted import Hosted, hosted
from tests.faults.small_disks import LimitedFiles, SmallDisk, mounted_disk
from tests.integration.crash.surviving_client import WEBHOOKS
from tests.integration.crash.workload import Job, chain, fan_out, parent

pytestmark = pytest.mark.process

ACCEPTED = 202
REFUSALS = 5


@pytest.fixture(params=["limited files", "mounted disk"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SmallDisk]:
    folder = tmp_path / "data"
    folder.mkdir()
    if request.param == "limited files":
        yield LimitedFiles(folder)
    else:
        with mounted_disk(folder) as mounted:
            yield mounted


async def test_a_full_disk_costs_no_acknowledged_work_and_the_host_goes_on_by_itself(
    disk: SmallDisk,
) -> None:
    jobs = [*(chain(n) for n in range(10)), *(fan_out(n) for n in range(10)), parent(0)]
    async with hosted(disk.folder) as hub:
        await hub.start()
        await hub.begin(jobs)
        await hub.go(jobs[::2])
        disk.fill(hub)
        accepted, refused = await start_until_refused(hub)
        await assert_says_so(hub)
        tried, *others = jobs[1::2]
        # A row as short as this one may still find a place.
        go = f"{WEBHOOKS}/instances/{tried.instance_id}/raiseEvent/go"
        is_sent = (await hub.client.call("POST", go)).status == ACCEPTED

        disk.make_room(hub)
        await until_ready(hub)
        await hub.go(others if is_sent else [tried, *others])
        await hub.assert_right(jobs)
        for instance_id in refused:
            assert (await hub.client.status(instance_id)).status == 404
        await hub.host.logged("works again")
        assert "Traceback" not in hub.host.errors, hub.host.errors

        await hub.kill9()
        await hub.start()
        await hub.assert_right(jobs)
        for instance_id in accepted:
            await hub.client.signal(instance_id, "go")
            status = await hub.client.finished(instance_id)
            assert status["output"] == chain(0).expected


async def test_a_host_that_is_killed_on_a_full_disk_starts_when_there_is_room(
    tmp_path: Path,
) -> None:
    jobs = [chain(n) for n in range(6)]
    (folder := tmp_path / "data").mkdir()
    with mounted_disk(folder) as disk:
        async with hosted(folder) as hub:
            await hub.start()
            await hub.begin(jobs)
            disk.fill(hub)
            accepted, _ = await start_until_refused(hub)
            await hub.kill9()
            disk.make_room(hub)
            await goes_on(hub, jobs, accepted)


async def goes_on(hub: Hosted, jobs: list[Job], accepted: list[str]) -> None:
    await hub.start()
    await hub.go(jobs)
    await hub.assert_right(jobs)
    for instance_id in accepted:
        assert (await hub.client.status(instance_id)).status in {200, 202}


async def start_until_refused(hub: Hosted) -> tuple[list[str], list[str]]:
    """Start instances until some were refused; those that were accepted, and those that not."""
    accepted: list[str] = []
    refused: list[str] = []
    while len(refused) < REFUSALS:
        instance_id = f"late-{len(accepted) + len(refused)}"
        answer = await hub.post_start(chain(0), instance_id)
        assert answer.status in {202, 503}, answer
        (accepted if answer.status == 202 else refused).append(instance_id)
    return accepted, refused


async def assert_says_so(hub: Hosted) -> None:
    """Whoever asks learns that the host does not work, and those who may, why.

    That a purge finds nothing to purge proves nothing about the disk.
    """
    assert (await hub.client.call("DELETE", f"{WEBHOOKS}/instances/nobody")).status == 404
    assert (await hub.client.ask("/readyz")).status == 503
    assert (await hub.client.ask("/healthz")).status == 200
    status = (await hub.client.ask("/admin/host/status")).json
    assert status["state"] == "Error"
    assert any(f"The store {hub.file}" in error for error in status["errors"]), status
    await hub.host.logged("the disk ")
    assert "the disk is full" in hub.host.errors or "the disk reported an error" in hub.host.errors


async def until_ready(hub: Hosted) -> None:
    """Wait until the host says that it works; the test's timeout is the limit."""
    while (  # noqa: ASYNC110 - the other side is a process
        await hub.client.ask("/readyz")
    ).status != 200:
        await asyncio.sleep(0)
