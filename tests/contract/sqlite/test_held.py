"""Another program has locked the file: each caller hears of it soon, and so does readiness."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from bindings.client import ReusePolicy
from host.errors import StorageUnavailableError
from host.storage.protocol import Created
from host.storage.sqlite import care, database, writer
from host.storage.sqlite.store import SqliteStore
from tests.contract.builders import ManualClock, instance
from tests.kit.hub import until
from tests.kit.sqlite_connection import writing_connection

REUSE = ReusePolicy.WHEN_FINISHED


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "PATIENCE_MS", 50)
    monkeypatch.setattr(writer, "PATIENCE_MS", 50)
    monkeypatch.setattr(care, "LOOK_S", 0.01)


def hold(path: Path) -> sqlite3.Connection:
    """What a database browser does that was left open in the middle of an edit."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("BEGIN IMMEDIATE")
    return connection


async def test_found_g4_a_group_fails_as_a_whole_and_nobody_waits_twice(
    store: SqliteStore, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    waits: list[str] = []
    with closing(hold(path)):
        # It stays: to take it away while the writer runs a statement is to wait for the writer
        # with the interpreter's lock, which the writer wants for the callback.
        writing_connection(store).set_trace_callback(waits.append)
        writes = [store.create(instance(f"i{n}"), REUSE) for n in range(300)]
        answers = await asyncio.gather(*writes, return_exceptions=True)
        assert {type(answer) for answer in answers} == {StorageUnavailableError}
        assert "another program has locked it" in str(answers[0])
        assert waits.count("BEGIN IMMEDIATE") < 50
    await until(lambda: not store.problems())
    assert await store.create(instance("i0"), REUSE) is Created.NEW
    told = [record.levelname for record in caplog.records]
    assert told == ["ERROR", "WARNING"]


async def test_found_g4_an_idle_store_is_not_ready_while_it_is_held_and_ready_by_itself_again(
    store: SqliteStore, path: Path
) -> None:
    with closing(hold(path)):
        await until(lambda: bool(store.problems()))
        assert await store.get("i") is None
    await until(lambda: not store.problems())


async def test_found_g4_a_store_that_is_held_closes_with_what_waits_refused(path: Path) -> None:
    store = SqliteStore(path, ManualClock().now)
    await store.open()
    with closing(hold(path)):
        writes = [asyncio.ensure_future(store.create(instance(f"i{n}"), REUSE)) for n in range(9)]
        await asyncio.sleep(0)
        await store.close()
        answers = await asyncio.gather(*writes, return_exceptions=True)
    assert {type(answer) for answer in answers} == {StorageUnavailableError}


async def test_found_g4_a_file_that_is_held_is_refused_at_the_start_with_the_cause(
    store: SqliteStore, path: Path
) -> None:
    await store.close()
    with closing(hold(path)), pytest.raises(StorageUnavailableError, match="another program has"):
        await store.open()


async def test_a_short_write_of_another_program_fails_nobody(
    store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writing_connection(store).execute("PRAGMA busy_timeout = 60000")
    with closing(hold(path)):
        write = asyncio.ensure_future(store.create(instance(), REUSE))
        assert await store.get("i") is None  # others are answered while the write waits
        assert not write.done()
    assert await write is Created.NEW
    assert store.problems() == []


async def test_a_program_that_only_reads_is_in_nobodys_way(store: SqliteStore, path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM instances").fetchone()
        assert await store.create(instance(), REUSE) is Created.NEW
    assert store.problems() == []
