"""Which tables a file must have to be opened, and what others may add to it."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from importlib import resources
from pathlib import Path

import pytest

from bindings.client import ListOrder, ReusePolicy
from host.core.records import Instance
from host.errors import StorageUnavailableError
from host.storage import rules
from host.storage.protocol import InstanceFilter, NamedRecord
from host.storage.sqlite import listed, sealed
from host.storage.sqlite.store import SqliteStore
from host.storage.sqlite.tables import APPLICATION_ID
from tests.contract.builders import (
    COMPLETED,
    ManualClock,
    at,
    commit,
    effects,
    finished,
    instance,
    message,
)

REUSE = ReusePolicy.WHEN_FINISHED


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(path, ManualClock().now)
    try:
        await store.open()
        yield store
    finally:
        await store.close()


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    """A file with an instance, closed in order."""
    path = tmp_path / "hub.db"
    async with opened(path) as store:
        await store.create(instance(), REUSE)
        await store.commit(commit())
    return path


def execute(path: Path, script: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(script)


def make_older(path: Path, *rows: Instance) -> None:
    """A file of format 2 with these instances."""
    folder = resources.files("host.storage.sqlite") / "migrations"
    with closing(sqlite3.connect(path)) as connection:
        for name in ("0001_initial.sql", "0002_unawaited.sql"):
            connection.executescript((folder / name).read_text(encoding="utf-8"))
        for run, row in enumerate(rows, start=1):
            values = (run, row.instance_id, row.status.value, row.is_finished, 0, row.name)
            moment = rules.micros(row.created_at)
            data = sealed.seal_instance(row)
            if row.name == "damaged":
                data = data[:-1]
            connection.execute(
                "INSERT INTO instances VALUES (?, ?, ?, ?, ?, ?, ?, NULL, ?)",
                (*values, moment, data),
            )
        connection.execute("PRAGMA user_version = 2")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.commit()


async def found(store: SqliteStore, **fields: object) -> list[str]:
    filter_ = InstanceFilter(**fields)  # type: ignore[arg-type]  # the fields under test
    page = await store.query(filter_, limit=9)
    return [row.instance_id for row in page.instances]


async def test_a_file_of_an_older_version_is_listed_as_a_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    monkeypatch.setattr(listed, "TOLD_ROWS", 2)
    monkeypatch.setattr(listed, "_TOGETHER", 2)
    path = tmp_path / "hub.db"
    rows = [
        finished(f"i{n}", created_at=at(n), updated_at=at(9 - n), tags={"n": str(n)})
        for n in range(4)
    ]
    make_older(path, *rows, instance("x", name="damaged", created_at=at(5), tags={"n": "1"}))
    async with opened(path) as store:
        assert await found(store) == ["x", "i3", "i2", "i1", "i0"]
        assert await found(store, tags={"n": "1"}) == ["i1"]
        assert await found(store, updated_from=at(7), updated_to=at(8)) == ["i2", "i1"]
        assert await found(store, order=ListOrder.UPDATED) == ["i0", "i1", "i2", "i3", "x"]
        assert await store.count(InstanceFilter(names=frozenset({"hello"}))) == {COMPLETED: 4}
        assert await store.purge("i1") is True
        assert await found(store, tags={"n": "1"}) == []
    said = [each.getMessage() for each in caplog.records if "instances" in each.getMessage()]
    assert said[0] == "Making the store fit for fast lists: 5 instances are read once."
    assert said[-1] == "Read 4 of 5 instances."


async def assert_works(path: Path) -> None:
    async with opened(path) as store:
        snapshot = await store.load("i")
        assert snapshot is not None
        assert len(snapshot.batches) == 1
        await store.send("i", message())
        assert list(await store.read_inbox("i")) == [message()]


def overwrite(path: Path, old: bytes, new: bytes) -> None:
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new))


async def refusal_of(path: Path) -> str:
    """Why the file is refused; nothing may have been written to it."""
    before = await asyncio.to_thread(path.read_bytes)
    with pytest.raises(StorageUnavailableError) as refused:
        async with opened(path):
            pass
    assert await asyncio.to_thread(path.read_bytes) == before
    return str(refused.value)


@pytest.mark.parametrize(
    "script",
    [
        "ANALYZE",
        "CREATE TABLE notes (text TEXT); INSERT INTO notes VALUES ('of another tool')",
        "CREATE INDEX instances_by_name ON instances (name)",
        "CREATE VIEW active AS SELECT instance_id FROM instances WHERE NOT is_finished",
        "VACUUM",
    ],
)
async def test_a_file_to_which_other_tools_added_something_is_opened(
    path: Path, script: str
) -> None:
    execute(path, script)
    await assert_works(path)
    await assert_works(path)


async def test_a_foreign_table_whose_name_is_no_text_is_nobodys_business(path: Path) -> None:
    execute(path, "CREATE TABLE aXb (text TEXT)")
    overwrite(path, b"aXb", b"a\xffb")
    await assert_works(path)


@pytest.mark.parametrize(
    ("script", "name"),
    [
        ("DROP TABLE leases", "leases"),
        ("DROP INDEX alarms_due", "alarms_due"),
        ("ALTER TABLE inbox RENAME TO inbox_old", "inbox"),
        ("ALTER TABLE batches ADD COLUMN note TEXT", "batches"),
        ("DROP INDEX alarms_due; CREATE INDEX alarms_due ON alarms (due)", "alarms_due"),
        ("DROP TABLE alarms; CREATE VIEW alarms AS SELECT 1 AS run, 2 AS due", "alarms"),
    ],
)
async def test_a_file_that_lacks_a_table_or_has_another_in_its_place_is_refused(
    path: Path, script: str, name: str
) -> None:
    execute(path, script)
    refusal = await refusal_of(path)
    assert f"The store {path} is damaged: its tables are not those" in refusal
    assert name in refusal


async def test_a_table_whose_name_was_damaged_is_missing(path: Path) -> None:
    overwrite(path, b"alarms", b"al\xffrms")
    assert "is damaged" in await refusal_of(path)


@pytest.mark.parametrize("version", [0, -1])
async def test_a_version_that_never_was_is_damage(path: Path, version: int) -> None:
    execute(path, f"PRAGMA user_version = {version}")
    assert f"damaged: its format is {version}" in await refusal_of(path)


async def test_a_file_that_is_not_to_be_opened_is_left_as_it_is(tmp_path: Path, path: Path) -> None:
    other = tmp_path / "other.db"
    execute(other, "CREATE TABLE instances (name TEXT)")
    assert "another program" in await refusal_of(other)
    execute(path, "PRAGMA user_version = 999; PRAGMA journal_mode = DELETE")
    assert "newer version" in await refusal_of(path)


async def test_a_large_file_that_lacks_a_table_is_refused_although_its_pages_are_not_checked(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("host.storage.sqlite.integrity.CHECKED_BYTES", 0)
    await assert_works(path)
    execute(path, "DROP TABLE leases")
    assert "leases" in await refusal_of(path)


async def test_a_crashed_file_whose_log_drops_a_table_is_refused_with_its_log(
    path: Path, tmp_path: Path
) -> None:
    """What counts is the database as the log makes it."""
    copy = tmp_path / "copy"
    copy.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TABLE leases")
        for suffix in ("", "-wal"):
            file = path.with_name(path.name + suffix)
            (copy / file.name).write_bytes(file.read_bytes())
    log = copy / "hub.db-wal"
    content = log.read_bytes()
    assert content
    assert "leases" in await refusal_of(copy / "hub.db")
    assert log.read_bytes() == content


async def test_a_file_of_an_older_version_does_not_say_when_it_was_made(path: Path) -> None:
    async with opened(path) as store:
        assert await store.made_at() is not None
    path.unlink()  # noqa: ASYNC240 - a test
    make_older(path)
    for _ in range(2):
        async with opened(path) as store:
            assert await store.made_at() is None


async def test_a_record_that_was_damaged_is_none(path: Path) -> None:
    record = NamedRecord(kind="job", key="k", stamp="1", data=b"abcdefgh")
    async with opened(path) as store:
        await store.put_record(record)
    overwrite(path, b"abcdefgh", b"abcdefgi")
    async with opened(path) as store:
        assert await store.record("job", "k") is None
        assert (await store.records("job")).records == ()
        assert await store.change_record(record, after="1") is True
        assert await store.record("job", "k") == record


async def test_a_purged_instance_leaves_no_tags_for_who_gets_its_number(path: Path) -> None:
    north = {"region": "north"}
    async with opened(path) as store:
        await store.create(instance("last", tags=north), REUSE)
        await store.apply(effects("last", row=finished("last", tags=north)))
        assert await found(store, tags=north) == ["last"]
        await store.purge("last")
    async with opened(path) as store:
        await store.create(instance("new"), REUSE)
        assert await found(store, tags=north) == []
