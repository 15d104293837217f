"""Whoever takes a store's files away under an open host, or before its next start, is noticed."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bindings.client import ReusePolicy
from host.errors import StorageUnavailableError
from host.storage.protocol import Created
from host.storage.sqlite import care
from host.storage.sqlite.store import SqliteStore
from tests.contract.builders import ManualClock, commit, instance
from tests.kit.hub import until

REUSE = ReusePolicy.WHEN_FINISHED


def unlink(path: Path) -> None:
    path.unlink()


def remove_folder(path: Path) -> None:
    shutil.rmtree(path.parent)


def replace(path: Path) -> None:
    copy = path.with_name("copy")
    shutil.copy(path, copy)
    copy.replace(path)


def move(path: Path) -> None:
    path.rename(path.with_name("moved"))


def move_folder(path: Path) -> None:
    path.parent.rename(path.parent.with_name("moved"))


def unlink_log(path: Path) -> None:
    path.with_name("hub.db-wal").unlink()


def unlink_index_of_log(path: Path) -> None:
    path.with_name("hub.db-shm").unlink()


LOSSES = [unlink, remove_folder, replace, move, move_folder, unlink_log, unlink_index_of_log]


async def until_noticed(store: SqliteStore) -> str:
    await until(lambda: bool(store.problems()))
    return store.problems()[0]


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """The files are looked after without a pause worth mentioning."""
    monkeypatch.setattr(care, "LOOK_S", 0.01)


@pytest.mark.usefixtures("often")
@pytest.mark.parametrize("lose", LOSSES)
async def test_found_g2_a_file_that_is_gone_is_noticed_and_nothing_more_is_accepted(
    path: Path, caplog: pytest.LogCaptureFixture, lose: Callable[[Path], None]
) -> None:
    store = SqliteStore(path, ManualClock().now)
    await store.open()
    await store.create(instance(), REUSE)
    lose(path)
    problem = await until_noticed(store)
    assert "while the host had it open" in problem
    with pytest.raises(StorageUnavailableError, match="while the host had it open"):
        await store.create(instance("new"), REUSE)
    for read in (store.get("i"), store.load("i"), store.next_alarm(ManualClock().now())):
        with pytest.raises(StorageUnavailableError):
            await read
    await store.close()
    errors = [record for record in caplog.records if record.levelname == "ERROR"]
    assert len(errors) == 1


def empty_log(path: Path) -> None:
    os.truncate(path.with_name("hub.db-wal"), 0)


def cut_log(path: Path) -> None:
    os.truncate(path.with_name("hub.db-wal"), 4096)


@pytest.mark.parametrize("cut", [empty_log, cut_log])
async def test_found_g2_nothing_is_accepted_after_a_log_that_was_cut_off(
    path: Path, caplog: pytest.LogCaptureFixture, cut: Callable[[Path], None]
) -> None:
    store = SqliteStore(path, ManualClock().now)
    await store.open()
    await store.create(instance(), REUSE)
    cut(path)
    before = await asyncio.to_thread(path.read_bytes)
    with pytest.raises(StorageUnavailableError, match="emptied or cut off"):
        await store.create(instance("new"), REUSE)
    assert store.problems()
    await store.close()
    assert "hub.db-wal was emptied or cut off" in caplog.text
    assert await asyncio.to_thread(path.read_bytes) == before


@pytest.mark.usefixtures("often")
async def test_found_g2_a_log_that_was_emptied_is_noticed_without_a_write(path: Path) -> None:
    store = SqliteStore(path, ManualClock().now)
    await store.open()
    await store.create(instance(), REUSE)
    empty_log(path)
    assert "emptied or cut off" in await until_noticed(store)
    with pytest.raises(StorageUnavailableError, match="emptied or cut off"):
        await store.create(instance("new"), REUSE)
    assert store.problems()
    await store.close()


async def test_found_g2_a_log_that_another_program_moved_is_whole(path: Path) -> None:
    store = SqliteStore(path, ManualClock().now)
    await store.open()
    await store.create(instance(), REUSE)
    code = (
        "import sqlite3, sys; "
        "print(sqlite3.connect(sys.argv[1]).execute('PRAGMA wal_checkpoint(TRUNCATE)').fetchone())"
    )
    for mode in ("before", "after"):
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, str(path))
        assert await process.wait() == 0
        assert await store.create(instance(mode), REUSE) is Created.NEW
    assert not store.problems()
    await store.close()


@pytest.mark.usefixtures("often")
async def test_found_g2_a_file_that_is_put_back_is_used_again(path: Path) -> None:
    store = SqliteStore(path, ManualClock().now)
    await store.open()
    move_folder(path)
    await until_noticed(store)
    path.parent.with_name("moved").rename(path.parent)
    await until(lambda: not store.problems())
    assert await store.create(instance(), REUSE) is Created.NEW
    await store.commit(commit())
    await store.close()


@pytest.mark.usefixtures("often")
async def test_found_g2_a_store_whose_file_was_replaced_does_not_harm_the_one_that_took_its_place(
    path: Path, tmp_path: Path
) -> None:
    lost, new = SqliteStore(path, ManualClock().now), SqliteStore(path, ManualClock().now)
    await lost.open()
    path.parent.rename(tmp_path / "old")
    await new.open()
    await new.create(instance(), REUSE)
    await until_noticed(lost)
    await lost.close()
    assert path.with_name("hub.db-wal").exists()
    assert await new.create(instance("more"), REUSE) is Created.NEW
    await new.close()
    await new.open()
    assert await new.get("more") is not None
    await new.close()


@pytest.mark.parametrize(
    ("lose", "words"),
    [
        (lambda path: path.unlink(), "There was a store {path}, and it is gone"),
        (lambda path: path.rename(path.with_name("Old.db")), "There was a store {path}"),
        (lambda path: shutil.rmtree(path.parent), "A new store was made: {path}"),
    ],
)
async def test_found_g2_a_start_that_makes_a_new_store_says_so(
    store: SqliteStore,
    path: Path,
    caplog: pytest.LogCaptureFixture,
    lose: Callable[[Path], None],
    words: str,
) -> None:
    await store.close()
    lose(path)
    with caplog.at_level("INFO"):
        await store.open()
    assert words.format(path=path) in caplog.text


async def test_found_g13_a_new_store_beside_another_names_the_other(
    store: SqliteStore, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    other = SqliteStore(path.with_name("Other.db"), ManualClock().now)
    await other.open()
    await other.close()
    assert "Its folder also has hub.db" in caplog.text
    assert "WARNING" in caplog.text


async def test_a_store_that_is_opened_again_says_nothing(
    store: SqliteStore, caplog: pytest.LogCaptureFixture
) -> None:
    await store.close()
    caplog.clear()
    with caplog.at_level("INFO"):
        await store.open()
    assert caplog.text == ""
