"""The log stays short, says when it cannot, and the disk gets back what was purged."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from bindings.client import ReusePolicy
from host.errors import StorageUnavailableError
from host.storage.protocol import Created
from host.storage.sqlite import care, database, log_check, opening
from host.storage.sqlite.room import RESERVED_BYTES, Room
from host.storage.sqlite.store import SqliteStore
from tests.contract.builders import ManualClock, commit, finished, instance
from tests.kit.hub import until
from tests.kit.sqlite_connection import writing_connection

REUSE = ReusePolicy.WHEN_FINISHED
PAGE = 4096
LONG = 40 * PAGE


@pytest.fixture(autouse=True)
def _small_and_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "CHECKPOINT_PAGES", 20)
    monkeypatch.setattr(care, "LOOK_S", 0.01)
    monkeypatch.setattr(care, "LONG_LOG_BYTES", LONG)
    monkeypatch.setattr(care, "SPARE_PAGES", 16)


def log_bytes(path: Path) -> int:
    return path.with_name("hub.db-wal").stat().st_size


async def write_much(store: SqliteStore, prefix: str = "i", count: int = 40) -> list[str]:
    ids = [f"{prefix}{n}" for n in range(count)]
    for instance_id in ids:
        await store.create(instance(instance_id, input=f'"{"x" * 20_000}"'), REUSE)
    return ids


async def purge(store: SqliteStore, ids: list[str]) -> None:
    for instance_id in ids:
        await store.commit(commit(instance_id=instance_id, row=finished(instance_id)))
        assert await store.purge(instance_id)


async def test_the_log_stays_short(store: SqliteStore, path: Path) -> None:
    await write_much(store)
    await until(lambda: log_bytes(path) <= LONG)


async def test_found_g6_a_log_that_a_reader_keeps_long_is_told_once_and_cut_off_when_he_has_gone(
    store: SqliteStore, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM instances").fetchone()
        await write_much(store)
        await until(lambda: "has grown to" in caplog.text)
        await write_much(store, "more")
        assert log_bytes(path) > LONG
    await until(lambda: log_bytes(path) <= LONG)
    await until(lambda: "is short again" in caplog.text)
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 2
    assert "another program has been reading" in told[0]
    assert store.problems() == []


async def test_found_g6_a_log_that_is_read_to_its_end_is_told_too(
    store: SqliteStore, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as early:
        early.execute("BEGIN")
        early.execute("SELECT count(*) FROM instances").fetchone()
        await write_much(store)
        with closing(sqlite3.connect(path, isolation_level=None)) as late:
            late.execute("BEGIN")
            late.execute("SELECT count(*) FROM instances").fetchone()
            early.execute("COMMIT")
            await until(lambda: "has grown to" in caplog.text)
            assert await store.create(instance("served"), REUSE) is Created.NEW
    await until(lambda: log_bytes(path) <= LONG)


async def test_found_g6_on_a_full_disk_the_log_gives_its_room_back(
    store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writing = writing_connection(store)
    writing.execute("PRAGMA wal_autocheckpoint = 0")
    monkeypatch.setattr(care, "LONG_LOG_BYTES", 2**40)
    await write_much(store)
    (pages,) = writing.execute("PRAGMA page_count").fetchone()
    writing.execute(f"PRAGMA max_page_count = {pages}")
    before = log_bytes(path)
    with pytest.raises(StorageUnavailableError, match="disk is full"):
        await store.create(instance("big", input=f'"{"x" * 200_000}"'), REUSE)
    assert log_bytes(path) < before


async def test_found_g6_what_a_start_after_a_crash_does_is_told_if_it_takes_long(
    store: SqliteStore,
    path: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(opening, "TOLD_BYTES", 100)
    await write_much(store, count=3)
    shutil.copytree(path.parent, tmp_path / "crashed")
    crashed = SqliteStore(tmp_path / "crashed" / path.name, ManualClock().now)
    with caplog.at_level("INFO"):
        await crashed.open()
    told = [record.getMessage() for record in caplog.records]
    assert told[0].startswith("Checking the store")
    assert "of a log that was left" in told[0]
    assert told[1].endswith("is whole.")
    await crashed.close()


# ---- free pages ------------------------------------------------------------------------------


async def test_found_g8_what_was_purged_is_given_back_to_the_disk(
    store: SqliteStore, path: Path
) -> None:
    kept = await write_much(store, "kept", 3)
    await purge(store, await write_much(store, "gone"))
    await until(lambda: os.stat(path).st_size < 80 * PAGE)  # noqa: PTH116
    for instance_id in kept:
        assert await store.get(instance_id) is not None


async def test_found_g8_some_free_pages_are_kept_for_what_comes_next(
    store: SqliteStore, path: Path
) -> None:
    await purge(store, await write_much(store, "gone"))
    await until(lambda: free_pages(path) <= 16)
    assert free_pages(path) > 0


def free_pages(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        (free,) = connection.execute("PRAGMA freelist_count").fetchone()
    return int(free)


async def test_found_g8_a_crash_after_pages_were_given_back_loses_nothing(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log then says that the file is shorter than it is: that is no damage."""
    monkeypatch.setattr(care, "SPARE_PAGES", 10_000)
    store = SqliteStore(path, ManualClock().now)
    await store.open()
    kept = await write_much(store, "kept", 3)
    await purge(store, await write_much(store, "gone", 20))
    with closing(database.connect(path)) as vacuum:
        vacuum.execute("PRAGMA wal_autocheckpoint = 0")
        vacuum.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        vacuum.executescript("PRAGMA incremental_vacuum(50)")
        crashed = tmp_path / "crashed" / path.name
        shutil.copytree(path.parent, crashed.parent)
        (pages,) = vacuum.execute("PRAGMA page_count").fetchone()
    await store.close()
    assert os.stat(crashed).st_size > pages * PAGE  # noqa: PTH116
    again = SqliteStore(crashed, ManualClock().now)
    await again.open()
    assert [await again.get(each) is not None for each in kept] == [True] * 3
    await again.close()


async def test_a_log_that_was_cut_off_is_still_found(
    store: SqliteStore, path: Path, tmp_path: Path
) -> None:
    writing = writing_connection(store)
    writing.execute("PRAGMA wal_autocheckpoint = 0")
    await store.create(instance(), REUSE)
    early = path.with_name("hub.db-wal").read_bytes()
    await write_much(store, count=3)
    writing.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    copy = tmp_path / "cut" / path.name
    copy.parent.mkdir()
    shutil.copy(path, copy)
    copy.with_name("hub.db-wal").write_bytes(early)
    assert log_check.find_damage(copy) == "its write-ahead log was cut off"


async def test_a_file_of_an_older_version_works_as_before(path: Path) -> None:
    """It gives nothing back; a backup of it does."""
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE t (x)")
        connection.execute("DROP TABLE t")
    store = SqliteStore(path, ManualClock().now)
    await store.open()
    await purge(store, await write_much(store, "gone", 10))
    await store.close()
    await store.open()
    assert await store.create(instance(), REUSE) is Created.NEW
    await store.close()


# ---- room for the log ------------------------------------------------------------------------


async def test_found_g6_room_is_kept_for_moving_the_log_and_given_back_at_the_end(
    store: SqliteStore, path: Path
) -> None:
    room = path.with_name("hub.db.room")
    await until(lambda: room.exists() and os.stat(room).st_size == RESERVED_BYTES)  # noqa: PTH116
    await store.close()
    assert sorted(os.listdir(path.parent)) == ["hub.db", "hub.db.lock"]  # noqa: PTH208


async def test_found_g6_more_room_is_kept_while_a_reader_keeps_the_log_long(
    store: SqliteStore, path: Path
) -> None:
    room = path.with_name("hub.db.room")
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM instances").fetchone()
        await write_much(store)
        await until(lambda: room.stat().st_size > RESERVED_BYTES)
    await until(lambda: room.stat().st_size == RESERVED_BYTES)


def test_room_that_there_is_not_is_not_kept_and_nothing_is_lost(tmp_path: Path) -> None:
    room = Room(tmp_path / "hub.db")
    room.keep(100_000)
    room.keep(2**62)
    file = tmp_path / "hub.db.room"
    assert file.stat().st_size == 100_000
    room.keep(50_000)
    assert file.stat().st_size == 50_000
    assert room.is_beside_more()
    room.give_up()
    assert list(tmp_path.iterdir()) == []
    room.keep(2**62)
    room.give_up()
    Room(tmp_path / "nowhere" / "hub.db").keep()
