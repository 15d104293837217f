"""Files that a host cannot have: it ends at once, says why in one line, and harms nothing."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.faults.hosted import Hosted, hosted
from tests.faults.small_disks import unwritable
from tests.integration.crash.workload import chain
from tests.kit.host_process import HostNotListeningError

pytestmark = pytest.mark.process

REFUSED = 2


async def refusal_of(hub: Hosted) -> str:
    """The one line that a host on this store ends with."""
    with pytest.raises(HostNotListeningError) as refused:
        await hub.start()
    assert refused.value.exit_code == REFUSED, refused.value.errors
    (line,) = refused.value.errors.splitlines()
    assert str(hub.file) in line
    return line


async def write_some(hub: Hosted) -> None:
    await hub.start()
    await hub.begin([chain(0)])
    await hub.stop()


async def test_a_file_or_folder_that_cannot_be_written_is_refused_at_the_start(
    tmp_path: Path,
) -> None:
    async with hosted(tmp_path / "data") as hub:
        await write_some(hub)
        with unwritable(hub.file):
            assert "cannot be opened" in await refusal_of(hub)
        with unwritable(hub.data):
            line = await refusal_of(hub)
            assert "Read-only file system" in line or "Permission denied" in line
        await hub.start()
        await hub.go([chain(0)])
        await hub.assert_right([chain(0)])


async def test_a_second_host_is_refused_until_the_first_one_is_dead(tmp_path: Path) -> None:
    async with hosted(tmp_path / "data") as hub:
        first = await hub.start()
        await hub.begin([chain(0)])
        line = await refusal_of(hub)
        assert f"process {first.pid}" in line
        assert (await hub.client.ask("/readyz")).status == 200
        hub.client.disconnect()
        await first.kill9()
        await hub.start()
        await hub.go([chain(0)])
        await hub.assert_right([chain(0)])


async def test_a_damaged_file_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    async with hosted(tmp_path / "data") as hub:
        await write_some(hub)
        content = bytearray(hub.file.read_bytes())
        content[4096 : 4096 + 2048] = bytes(2048)
        hub.file.write_bytes(content)
        line = await refusal_of(hub)
        assert "is damaged" in line
        assert "from a backup" in line
        assert hub.file.read_bytes() == content


async def test_a_log_that_is_damaged_in_the_middle_is_refused_and_left_until_a_backup_is_restored(
    tmp_path: Path,
) -> None:
    async with hosted(tmp_path / "data") as hub:
        await hub.start()
        await hub.begin([chain(0)])
        back_up(hub.file, tmp_path / "backup.db")
        await hub.go([chain(0)])
        await hub.assert_right([chain(0)])
        await hub.kill9()
        log = hub.file.with_name(hub.file.name + "-wal")
        content = bytearray(log.read_bytes())
        content[5000] ^= 1
        log.write_bytes(content)
        line = await refusal_of(hub)
        assert "write-ahead log is damaged in the middle" in line
        assert "from a backup, with the backup's -wal file or with none" in line
        assert log.read_bytes() == content
        shutil.copy(tmp_path / "backup.db", hub.file)
        log.unlink()
        await hub.start()
        await hub.go([chain(0)])
        await hub.assert_right([chain(0)])


def back_up(file: Path, target: Path) -> None:
    with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(target)) as copy:
        source.backup(copy)
