"""What befalls the files of a host while it runs: second names, loss, locks, readers, backups."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.faults.hosted import APP, Hosted, hosted
from tests.faults.small_disks import mounted_disk
from tests.integration.crash.surviving_client import WEBHOOKS
from tests.integration.crash.workload import chain, fan_out
from tests.kit.host_process import REPOSITORY, HostNotListeningError

pytestmark = pytest.mark.process

READY, NOT_READY = 200, 503


async def until_ready(hub: Hosted, status: int) -> None:
    """Wait until readiness is so; the test's timeout is the limit."""
    while (await hub.client.ask("/readyz")).status != status:  # noqa: ASYNC110 - a process
        await asyncio.sleep(0)


async def funchost(*arguments: str) -> tuple[int, str]:
    """The exit code of a command, and all that it said."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "host",
        *arguments,
        cwd=REPOSITORY,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    return process.returncode or 0, output.decode()


async def test_found_g1_a_second_host_that_knows_the_file_by_another_name_is_refused(
    tmp_path: Path,
) -> None:
    (tmp_path / "other").mkdir()
    async with hosted(tmp_path / "data") as hub, hosted(tmp_path / "other") as second:
        await hub.start()
        await hub.begin([chain(0)])
        hub.file.with_name("Fault.db.lock").unlink()
        second.file.symlink_to(hub.file)
        with pytest.raises(HostNotListeningError) as refused:
            await second.start()
        assert refused.value.exit_code == 2
        await hub.go([chain(0)])
        await hub.assert_right([chain(0)])


async def test_found_g2_a_host_whose_data_are_deleted_accepts_nothing_more_and_says_so(
    tmp_path: Path,
) -> None:
    async with hosted(tmp_path / "data") as hub:
        await hub.start()
        await hub.begin([chain(0)])
        shutil.rmtree(hub.data)
        await until_ready(hub, NOT_READY)
        assert (await hub.post_start(chain(0), "late")).status == 503
        assert (await hub.client.ask("/healthz")).status == 200
        await hub.host.logged("is gone while the host had it open")
        told = [line for line in hub.host.errors.splitlines() if "ERROR    funchost.st" in line]
        assert len(told) == 1, told
        assert "is gone while the host had it open" in told[0]
        await hub.stop()
        await hub.start()
        await hub.host.logged(f"A new store was made: {hub.file}")


async def test_found_g4_a_host_whose_file_is_held_refuses_in_time_stops_in_time_and_goes_on(
    tmp_path: Path,
) -> None:
    jobs = [chain(n) for n in range(10)]
    async with hosted(tmp_path / "data") as hub:
        await hub.start()
        await hub.begin(jobs)
        with closing(sqlite3.connect(hub.file, isolation_level=None)) as browser:
            browser.execute("BEGIN IMMEDIATE")
            late = [hub.post_start(chain(0), f"late-{n}") for n in range(20)]
            answers = await asyncio.gather(*late)
            assert {answer.status for answer in answers} == {503}
            await hub.host.logged("another program has locked it")
            assert (await hub.client.ask("/readyz")).status == NOT_READY
            browser.execute("ROLLBACK")
            await until_ready(hub, READY)
            await hub.go(jobs[:5])
            await hub.assert_right(jobs[:5])
            browser.execute("BEGIN IMMEDIATE")
            await until_ready(hub, NOT_READY)
            await hub.stop()
        await hub.start()
        await hub.go(jobs[5:])
        await hub.assert_right(jobs)


async def test_found_g8_a_backup_of_a_running_host_goes_on_elsewhere_where_it_was(
    tmp_path: Path,
) -> None:
    jobs = [*(chain(n) for n in range(5)), fan_out(0)]
    backup = tmp_path / "backup.db"
    options = ("backup", str(backup), "--app", str(APP), "--hub", "Fault")
    async with hosted(tmp_path / "data") as hub, hosted(tmp_path / "restored") as restored:
        await hub.start()
        await hub.begin(jobs)
        code, said = await funchost(*options, "--data", str(hub.data))
        assert code == 0, said
        assert f"Backed up {hub.file} to {backup}: " in said
        await hub.go(jobs)
        await hub.assert_right(jobs)
        code, said = await funchost(*options, "--data", str(hub.data))
        assert code == 2
        assert "--overwrite" in said
        restored.data.mkdir()
        shutil.copy(backup, restored.file)
        await restored.start()
        await restored.go(jobs)
        await restored.assert_right(jobs)


async def test_found_g6_a_disk_that_a_reader_filled_has_room_when_he_has_gone_or_the_host_has(
    tmp_path: Path,
) -> None:
    """All that was accepted is purged again: what fills the disk is the log."""
    (folder := tmp_path / "data").mkdir()
    with mounted_disk(folder):
        async with hosted(folder) as hub:
            await hub.start()
            await fill_by_reading(hub)
            await until_ready(hub, READY)
            await hub.begin([chain(0)])
            await fill_by_reading(hub)
            await hub.kill9()
            await hub.start()
            await hub.go([chain(0)])
            await hub.assert_right([chain(0)])


async def fill_by_reading(hub: Hosted) -> None:
    with closing(sqlite3.connect(hub.file, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM instances").fetchone()
        while (await hub.client.ask("/readyz")).status == READY:
            await hub.post_start(chain(0), "big", {"x": "y" * 300_000})  # fails, and takes room
            await hub.client.call("DELETE", f"{WEBHOOKS}/instances/big")


async def test_found_g12_starts_that_fail_on_a_full_disk_leave_nothing(tmp_path: Path) -> None:
    (folder := tmp_path / "data").mkdir()
    with mounted_disk(folder) as disk:
        async with hosted(folder) as hub:
            disk.fill(hub)
            for address in ("127.0.0.1", "0.0.0.0"):
                arguments = ("--data", str(folder), "--hub", "Fault", "--address", address)
                code, said = await funchost("start", str(APP), "--port", "0", *arguments)
                assert code == 2, said
                assert "the disk is full" in said
                assert [file.name for file in folder.iterdir()] == ["ballast"]
