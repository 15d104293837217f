"""One host has the file, whatever name it came by."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bindings.client import ReusePolicy
from host.errors import StorageUnavailableError
from host.storage.protocol import Created
from host.storage.sqlite.ownership import is_taken
from host.storage.sqlite.store import SqliteStore
from tests.contract.builders import ManualClock, instance

REUSE = ReusePolicy.WHEN_FINISHED
OPEN_IN_ANOTHER_PROCESS = """
import asyncio, sys
from pathlib import Path
from host.errors import StorageError
from host.storage.sqlite.store import SqliteStore

async def main():
    store = SqliteStore(Path(sys.argv[1]), None)
    try:
        await store.open()
        print("opened")
    except StorageError as error:
        print(error)
    await store.close()

asyncio.run(main())
"""


def symbolic_link(path: Path, other: Path) -> Path:
    other.mkdir()
    (other / path.name).symlink_to(path)
    return other / path.name


def linked_folder(path: Path, other: Path) -> Path:
    other.symlink_to(path.parent)
    return other / path.name


def hard_link(path: Path, other: Path) -> Path:
    other.mkdir()
    (other / path.name).hardlink_to(path)
    return other / path.name


def same_name_without_the_file_beside(path: Path, other: Path) -> Path:
    path.with_name("hub.db.lock").unlink()
    return path


def same_name(path: Path, other: Path) -> Path:
    return path


WAYS = [
    same_name,
    same_name_without_the_file_beside,
    symbolic_link,
    linked_folder,
    hard_link,
]


async def open_in_another_process(path: Path) -> str:
    def run() -> str:
        command = [sys.executable, "-c", OPEN_IN_ANOTHER_PROCESS, str(path)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        return str(done.stdout).strip()

    return await asyncio.to_thread(run)


@pytest.mark.parametrize("way", WAYS)
async def test_found_g1_a_second_process_is_refused_whatever_name_it_has_of_the_file(
    store: SqliteStore, path: Path, tmp_path: Path, way: Callable[[Path, Path], Path]
) -> None:
    name = way(path, tmp_path / "other")
    for _ in range(2):
        answer = await open_in_another_process(name)
        assert "open. Stop it" in answer or "has another name" in answer
    assert await store.create(instance(), REUSE) is Created.NEW


@pytest.mark.parametrize("way", WAYS)
async def test_found_g1_a_second_store_of_this_process_is_refused_and_takes_no_lock_away(
    store: SqliteStore, path: Path, tmp_path: Path, way: Callable[[Path, Path], Path]
) -> None:
    second = SqliteStore(way(path, tmp_path / "other"), ManualClock().now)
    with pytest.raises(StorageUnavailableError, match=f"process {os.getpid()}"):
        await second.open()
    assert "open. Stop it" in await open_in_another_process(path)


async def test_found_g1_the_file_can_be_opened_by_its_name_although_it_has_another(
    store: SqliteStore, path: Path, tmp_path: Path
) -> None:
    """But not by the other: the log that a crash leaves is only found by the one."""
    other = hard_link(path, tmp_path / "other")
    await store.create(instance(), REUSE)
    await store.close()
    await store.open()
    assert await store.get("i") is not None
    await store.close()
    assert "has another name" in await open_in_another_process(other)
    assert not other.with_name("hub.db.lock").exists()
    await asyncio.to_thread(path.unlink)
    assert await open_in_another_process(other) == "opened"


async def test_a_second_process_has_the_file_when_the_first_one_has_closed_it(
    store: SqliteStore, path: Path
) -> None:
    await store.close()
    assert await open_in_another_process(path) == "opened"
    assert is_taken(path) is False


async def test_found_g1_a_child_that_the_app_forked_does_not_keep_the_file(
    store: SqliteStore, path: Path
) -> None:
    go_on, wait = multiprocessing.Pipe()
    child = multiprocessing.get_context("fork").Process(target=wait.recv)
    child.start()
    await store.close()
    assert await open_in_another_process(path) == "opened"
    go_on.send("end")
    await asyncio.to_thread(child.join)


async def test_a_crash_is_known_although_the_file_beside_was_removed(
    store: SqliteStore, path: Path, tmp_path: Path
) -> None:
    await store.create(instance(), REUSE)
    crashed = tmp_path / "crashed"
    shutil.copytree(path.parent, crashed)
    (crashed / "hub.db.lock").unlink()
    second = SqliteStore(crashed / "hub.db", ManualClock().now)
    await second.open()
    assert second.was_interrupted
    await second.close()


def paths_in(folder: Path) -> list[Path]:
    return sorted(folder.glob("*"))


async def test_an_opening_that_is_cancelled_leaves_nothing_behind(tmp_path: Path) -> None:
    """Its thread cannot be broken off: who removed the folder at once would find it there again."""
    for number in range(20):
        folder = tmp_path / str(number)
        folder.mkdir()
        opening = asyncio.create_task(SqliteStore(folder / "Hub.db", ManualClock().now).open())
        await asyncio.sleep(0)
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        shutil.rmtree(folder)
    await asyncio.get_running_loop().shutdown_default_executor()
    assert not paths_in(tmp_path)


async def test_after_an_opening_that_is_cancelled_another_one_gets_the_file(tmp_path: Path) -> None:
    opening = asyncio.create_task(SqliteStore(tmp_path / "Hub.db", ManualClock().now).open())
    await asyncio.sleep(0)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    store = SqliteStore(tmp_path / "Hub.db", ManualClock().now)
    await store.open()
    await store.close()
