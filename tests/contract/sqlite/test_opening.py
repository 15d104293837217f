"""The first start, those that were killed in the middle, and what cannot be opened and why."""

from __future__ import annotations

import asyncio
import errno
import os
import resource
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from bindings.client import ReusePolicy
from host.errors import StorageUnavailableError
from host.os_words import error_in_words
from host.storage.protocol import Created
from host.storage.sqlite import causes, database
from host.storage.sqlite.store import SqliteStore
from tests.contract.builders import ManualClock, instance

REUSE = ReusePolicy.WHEN_FINISHED
KILLED_IN_MID_WRITE = """
import os, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA cache_size = 1")
connection.executescript(sys.argv[2])
connection.executescript("PRAGMA cache_spill = 1; BEGIN IMMEDIATE;" + sys.argv[3])
os.kill(os.getpid(), 9)
"""
FILLING = """
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300)
INSERT INTO {table} SELECT {columns} FROM n
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "hub.db"


async def assert_opens(path: Path) -> None:
    store = SqliteStore(path, ManualClock().now)
    await store.open()
    assert await store.create(instance("works"), REUSE) is not Created.KEPT
    await store.close()
    assert not path.with_name("hub.db-journal").exists()
    assert not path.with_name("hub.db.new").exists()


async def refusal_of(path: Path) -> str:
    with pytest.raises(StorageUnavailableError) as refused:
        await SqliteStore(path, ManualClock().now).open()
    return str(refused.value)


def kill_in_mid_write(path: Path, before: str, written: str) -> None:
    """End a process that has written pages and not committed: a hot journal is left."""
    command = [sys.executable, "-c", KILLED_IN_MID_WRITE, str(path), before, written]
    assert subprocess.run(command, check=False).returncode == -9
    assert path.with_name(f"{path.name}-journal").stat().st_size > 0


async def test_found_g5_a_first_start_that_was_killed_with_a_hot_journal_is_begun_anew(
    path: Path,
) -> None:
    """What older versions left, which made the file under its own name."""
    fill = "CREATE TABLE t (data); " + FILLING.format(table="t", columns="randomblob(3000)")
    kill_in_mid_write(path, "", fill)
    await assert_opens(path)


async def test_found_g5_what_another_tool_was_killed_in_the_middle_of_is_rolled_back(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = SqliteStore(path, ManualClock().now)
    await store.open()
    await store.create(instance(), REUSE)
    await store.close()
    written = FILLING.format(
        table="inbox (run, message_id, data)", columns="999, i, randomblob(3000)"
    )
    kill_in_mid_write(path, "PRAGMA journal_mode = DELETE", written)
    await assert_opens(path)
    await store.open()
    assert await store.get("i") is not None
    await store.close()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM inbox").fetchone() == (0,)
    assert "was rolled back" in caplog.text


@pytest.mark.parametrize("step", range(1, 60, 4))
async def test_found_g5_a_first_start_can_be_killed_at_any_step(
    tmp_path: Path, step: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever a process had done when it ended, the next one starts, and misses nothing."""
    path = tmp_path / "data" / "hub.db"
    code = """
import os, sys
from pathlib import Path
from host.storage.sqlite import opening
from host.storage.sqlite.ownership import OwnedFile
left = int(sys.argv[2])
def count(frame, event, function):
    global left
    if event in {"c_call", "c_return"} and function.__name__ in NAMES:
        left -= 1
        if not left:
            os.kill(os.getpid(), 9)
NAMES = {"mkdir", "open", "close", "fcntl", "connect", "execute", "executescript", "rename"}
path = Path(sys.argv[1])
owned = OwnedFile(path)
sys.setprofile(count)
opening.open_file(path, owned)
"""
    command = [sys.executable, "-c", code, str(path), str(step)]
    done = await asyncio.to_thread(subprocess.run, command, check=False, capture_output=True)
    assert done.returncode in {-9, 0}, done.stderr
    await assert_opens(path)
    assert "is gone" not in caplog.text


@pytest.mark.parametrize("left", ["nothing", "an empty file", "a page", "a page and a journal"])
async def test_found_g5_an_unfinished_file_of_a_start_that_was_killed_is_in_nobodys_way(
    path: Path, left: str
) -> None:
    unfinished = path.with_name("hub.db.new")
    if left != "nothing":
        unfinished.write_bytes(b"" if left == "an empty file" else b"\0" * 4096)
    if left == "a page and a journal":
        unfinished.with_name("hub.db.new-journal").write_bytes(b"\xd9\xd5\x05\xf9 \xa1c\xd7" * 99)
    await assert_opens(path)
    assert sorted(file.name for file in path.parent.iterdir()) == ["hub.db", "hub.db.lock"]


async def test_an_empty_file_is_a_new_store_and_is_told(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await asyncio.to_thread(path.touch)
    await assert_opens(path)
    await assert_opens(path)
    told = f"A new store was made: {path}. An empty file had that name."
    assert [each.message for each in caplog.records].count(told) == 1


# ---- what cannot be opened -------------------------------------------------------------------


async def test_found_g13_a_path_that_sqlite_cannot_take_is_told_with_its_length(
    tmp_path: Path,
) -> None:
    folder = tmp_path
    while len(str(folder)) < 500:
        folder /= "a-long-name-" * 5
    message = await refusal_of(folder / "hub.db")
    assert "bytes long" in message
    assert "shorter folder" in message
    assert os.listdir(tmp_path) == []  # noqa: PTH208


async def test_found_g13_a_name_that_the_system_cannot_take_is_told(tmp_path: Path) -> None:
    assert "the path is too long" in await refusal_of(tmp_path / ("x" * 300) / "hub.db")


async def test_found_g13_a_folder_in_the_place_of_the_store_is_told(path: Path) -> None:
    os.mkdir(path)  # noqa: PTH102
    assert "it is a folder and not a file" in await refusal_of(path)
    assert [file.name for file in path.parent.iterdir()] == ["hub.db"]


async def test_found_g13_a_file_in_the_place_of_a_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    assert "is a file and not a folder" in await refusal_of(tmp_path / "data" / "more" / "hub.db")


async def test_found_g13_links_in_a_circle_are_told(tmp_path: Path) -> None:
    (tmp_path / "one").symlink_to(tmp_path / "two")
    (tmp_path / "two").symlink_to(tmp_path / "one")
    assert "lead in a circle" in await refusal_of(tmp_path / "one" / "hub.db")


async def test_found_g13_too_many_open_files_are_told(path: Path) -> None:
    store = SqliteStore(path, ManualClock().now)
    await store.open()
    await store.close()
    _, hard = limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(int(name) for name in os.listdir("/proc/self/fd"))  # noqa: PTH208
    fillers: list[int] = []
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 40, hard))
        while True:
            try:
                fillers.append(os.dup(0))
            except OSError:
                break
        for room in (0, 2, 3):
            while fillers and room > 0:
                os.close(fillers.pop())
                room -= 1  # noqa: PLW2901
            assert "too many open files" in await refusal_of(path)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        for descriptor in fillers:
            os.close(descriptor)


async def test_found_g13_a_python_with_too_old_a_sqlite_is_told(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "LOWEST_SQLITE", (99, 1, 0))
    message = await refusal_of(path)
    assert sqlite3.sqlite_version in message
    assert "99.1.0" in message
    assert os.listdir(path.parent) == []  # noqa: PTH208


def test_found_g13_a_file_system_without_shared_memory_is_told(path: Path) -> None:
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = sqlite3.SQLITE_IOERR_SHMMAP
    assert causes.NO_LOG in str(causes.translate(error, path))


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "disk is full"),
        (errno.EDQUOT, "quota"),
        (errno.EROFS, "read-only"),
        (errno.EACCES, "permissions"),
        (errno.ENOTDIR, "a file and not a folder"),
        (errno.EISDIR, "a folder and not a file"),
        (errno.ENAMETOOLONG, "too long"),
        (errno.EMFILE, "too many open files"),
        (errno.ENFILE, "too many open files"),
        (errno.EIO, "the disk reported an error"),
    ],
)
def test_found_g13_what_the_system_says_is_told_with_what_to_do(number: int, words: str) -> None:
    error = OSError(number, os.strerror(number))
    assert words in error_in_words(error)
    assert os.strerror(number) in error_in_words(error)


async def test_found_g9_a_folder_whose_name_is_not_utf_8_works_at_every_start(
    tmp_path: Path,
) -> None:
    folder = tmp_path / os.fsdecode(b"caf\xe9 \xff?#%41")
    for n in range(3):
        store = SqliteStore(folder / "hub.db", ManualClock().now)
        await store.open()
        assert await store.create(instance(f"i{n}"), REUSE) is Created.NEW
        await store.close()
    crashed = tmp_path / os.fsdecode(b"\xfe")
    await store.open()
    await store.create(instance("last"), REUSE)
    shutil.copytree(folder, crashed)
    await store.close()
    again = SqliteStore(crashed / "hub.db", ManualClock().now)
    await again.open()
    assert await again.get("last") is not None
    await again.close()


async def test_found_g9_what_is_said_of_a_folder_whose_name_is_not_utf_8_can_be_printed(
    tmp_path: Path,
) -> None:
    folder = tmp_path / os.fsdecode(b"\xff")
    folder.mkdir()
    (folder / "hub.db").write_bytes(b"no database" * 999)
    message = await refusal_of(folder / "hub.db")
    assert "\\xff" in message
    message.encode()
