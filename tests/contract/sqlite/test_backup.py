"""A copy at one moment, whole or not at all, of a store that is open elsewhere or not."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from bindings.client import ReusePolicy
from host.errors import StorageError, StorageUnavailableError
from host.storage.protocol import Created
from host.storage.sqlite.backup import _check_target, back_up
from host.storage.sqlite.store import SqliteStore
from tests.contract.builders import ManualClock, commit, instance

REUSE = ReusePolicy.WHEN_FINISHED


@pytest.fixture
def target(tmp_path: Path) -> Path:
    (tmp_path / "backups").mkdir()
    return tmp_path / "backups" / "hub.db"


@pytest.fixture
def store(path: Path) -> Path:
    """A closed store with an instance that has a history."""
    asyncio.run(_make(path))
    return path


async def _make(path: Path) -> None:
    store = SqliteStore(path, ManualClock().now)
    await store.open()
    await store.create(instance(), REUSE)
    await store.commit(commit())
    await store.close()


def assert_is_whole(target: Path) -> None:
    asyncio.run(_assert_is_whole(target))


async def _assert_is_whole(target: Path) -> None:
    copy = SqliteStore(target, ManualClock().now)
    await copy.open()
    snapshot = await copy.load("i")
    assert snapshot is not None
    assert len(snapshot.batches) == 1
    assert await copy.create(instance("new"), REUSE) is Created.NEW
    await copy.close()


@pytest.mark.usefixtures("store")
def test_found_g8_a_backup_is_one_whole_file_for_its_owner_only(path: Path, target: Path) -> None:
    done = back_up(path, target, overwrites=False)
    assert done == (1, target.stat().st_size)
    assert list(target.parent.iterdir()) == [target]
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert_is_whole(target)


@pytest.mark.usefixtures("store")
def test_found_g8_an_existing_file_is_replaced_only_if_that_was_asked_for(
    path: Path, target: Path
) -> None:
    target.write_bytes(b"dear to somebody")
    with pytest.raises(StorageError, match="--overwrite"):
        back_up(path, target, overwrites=False)
    assert target.read_bytes() == b"dear to somebody"
    back_up(path, target, overwrites=True)
    assert_is_whole(target)


@pytest.mark.parametrize("way", ["itself", "by a link", "by a hard link"])
@pytest.mark.usefixtures("store")
def test_found_g8_a_store_is_never_replaced_by_its_own_backup(
    path: Path, target: Path, way: str
) -> None:
    if way == "by a link":
        target.symlink_to(path)
    elif way == "by a hard link":
        target.hardlink_to(path)
    before = path.read_bytes()
    with pytest.raises(StorageError, match="the store itself"):
        back_up(path, path if way == "itself" else target, overwrites=True)
    assert path.read_bytes() == before


@pytest.mark.parametrize("suffix", ["-wal", "-shm", "-journal", ".lock", ".room", ".new"])
async def test_found_g8_a_backup_replaces_no_file_of_the_store(path: Path, suffix: str) -> None:
    store = SqliteStore(path, ManualClock().now)
    await store.open()
    await store.create(instance(), REUSE)
    target = path.with_name(path.name + suffix)
    before = target.read_bytes() if target.exists() else None
    with pytest.raises(StorageError, match="belongs to a store"):
        _check_target(path, target, overwrites=True)
    assert (target.read_bytes() if target.exists() else None) == before
    await store.close()
    with pytest.raises(StorageError, match="belongs to a store"):
        back_up(path, target, overwrites=True)


@pytest.mark.usefixtures("store")
def test_found_g8_a_backup_may_have_any_other_name_beside_the_store(path: Path) -> None:
    back_up(path, path.with_name("hub.db.monday"), overwrites=False)
    back_up(path, path.with_name("hub.db.monday.new"), overwrites=False)
    assert_is_whole(path.with_name("hub.db.monday.new"))


@pytest.mark.usefixtures("store")
def test_a_backup_does_not_replace_a_file_that_has_a_log(path: Path, target: Path) -> None:
    target.write_bytes(b"x")
    target.with_name("hub.db-wal").write_bytes(b"x")
    with pytest.raises(StorageError, match="no backup that nobody uses"):
        back_up(path, target, overwrites=True)


def test_a_store_that_is_not_there_is_told(path: Path, target: Path) -> None:
    with pytest.raises(StorageUnavailableError, match="There is no store"):
        back_up(path, target, overwrites=False)
    assert not target.exists()


@pytest.mark.usefixtures("store")
def test_what_is_no_store_of_ours_is_not_backed_up(tmp_path: Path, target: Path) -> None:
    other = tmp_path / "other.db"
    with closing(sqlite3.connect(other)) as connection:
        connection.execute("CREATE TABLE t (x)")
    with pytest.raises(StorageUnavailableError, match="another program"):
        back_up(other, target, overwrites=False)
    assert not target.exists()


@pytest.mark.usefixtures("store")
def test_a_damaged_store_is_told_and_leaves_no_backup(path: Path, target: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:4096] + bytes(4096) + content[8192:])
    with pytest.raises(StorageUnavailableError, match="damaged"):
        back_up(path, target, overwrites=False)
    assert list(target.parent.iterdir()) == []


@pytest.mark.usefixtures("store")
def test_a_backup_that_fails_half_way_leaves_the_last_one(
    path: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    back_up(path, target, overwrites=False)
    before = target.read_bytes()

    def fail(path: Path, *, was_interrupted: bool) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr("host.storage.sqlite.integrity.check", fail)
    with pytest.raises(StorageError):
        back_up(path, target, overwrites=True)
    assert target.read_bytes() == before
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.usefixtures("store")
def test_the_folder_of_the_backup_must_exist(path: Path, tmp_path: Path) -> None:
    with pytest.raises(StorageUnavailableError, match=r"The backup .* No such file"):
        back_up(path, tmp_path / "nowhere" / "hub.db", overwrites=False)


@pytest.mark.usefixtures("store")
def test_found_g9_a_backup_goes_to_a_name_that_is_not_utf_8(path: Path, target: Path) -> None:
    odd = target.with_name(os.fsdecode(b"\xff\xe9.db"))
    back_up(path, odd, overwrites=False)
    assert_is_whole(odd)


@pytest.mark.usefixtures("store")
def test_found_g8_a_backup_of_an_older_file_is_compact_and_gives_pages_back(
    path: Path, target: Path
) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA auto_vacuum = NONE")
        connection.execute("VACUUM")
        assert connection.execute("PRAGMA auto_vacuum").fetchone() == (0,)
    back_up(path, target, overwrites=False)
    with closing(sqlite3.connect(target)) as connection:
        assert connection.execute("PRAGMA auto_vacuum").fetchone() == (2,)
    assert_is_whole(target)
