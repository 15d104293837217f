"""What can still be done with an instance that cannot be read: what the errors say, and no more."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from bindings.client import ReusePolicy
from bindings.errors import InstanceStateError
from host.errors import DamagedDataError
from host.storage.protocol import Created, InstanceFilter
from host.storage.sqlite.store import SqliteStore
from tests.contract.builders import commit, finished, instance, message

REUSE = ReusePolicy.WHEN_FINISHED
PURGE = "Restore the file from a backup, or purge it, finished or not."
TERMINATE_AND_PURGE = (
    "Restore the file from a backup, or terminate it, unless it is finished, and then purge it."
)


@pytest.fixture
async def store(store: SqliteStore) -> SqliteStore:
    """A store with the instances `i` and `other`; `i` has a history and a message."""
    await store.create(instance("other"), REUSE)
    await store.create(instance(), REUSE)
    await store.commit(commit())
    await store.commit(commit(1))
    await store.send("i", message())
    return store


def damage(path: Path, table: str) -> None:
    """Flip a bit of what a table has of `i`, or of the first of several things."""
    select = f"SELECT rowid, data FROM {table} WHERE run = (SELECT run FROM instances WHERE "
    with closing(sqlite3.connect(path)) as connection, connection:
        rowid, data = connection.execute(f"{select} instance_id = 'i')").fetchone()
        changed = bytes([*data[:-1], data[-1] ^ 1])
        connection.execute(f"UPDATE {table} SET data = ? WHERE rowid = ?", (changed, rowid))


async def reopen(store: SqliteStore) -> None:
    await store.close()
    await store.open()


async def assert_gone(store: SqliteStore, path: Path) -> None:
    assert await store.load("i") is None
    assert await store.load("other") is not None
    with closing(sqlite3.connect(path)) as connection:
        for table in ("batches", "inbox", "alarms", "leases"):
            assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)


@pytest.mark.parametrize(
    ("table", "what", "way_out"),
    [
        ("instances", "its row", PURGE),
        ("inbox", "a message to it", PURGE),
        ("batches", "batch 0", TERMINATE_AND_PURGE),
    ],
)
async def test_what_is_damaged_and_the_way_out_are_told(
    store: SqliteStore, path: Path, table: str, what: str, way_out: str
) -> None:
    damage(path, table)
    with pytest.raises(DamagedDataError, match=f"'i' is damaged \\({what}") as told:
        await store.load("i")
    assert str(told.value).endswith(way_out)


async def test_a_gap_in_the_history_tells_the_way_out_too(store: SqliteStore, path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM batches WHERE number = 0")
    with pytest.raises(DamagedDataError, match="gap before batch 1") as told:
        await store.load("i")
    assert str(told.value).endswith(TERMINATE_AND_PURGE)


@pytest.mark.parametrize("table", ["instances", "inbox"])
@pytest.mark.parametrize("was_reopened", [True, False])
async def test_an_active_instance_whose_row_or_message_is_damaged_can_be_purged(
    store: SqliteStore, path: Path, table: str, was_reopened: bool
) -> None:
    """Also when the store has known the instance from before the damage."""
    damage(path, table)
    if was_reopened:
        await reopen(store)
    assert await store.purge("i") is True
    await assert_gone(store, path)
    assert await store.create(instance(), REUSE) is Created.NEW


async def test_an_active_instance_with_a_damaged_history_must_end_before_it_is_purged(
    store: SqliteStore, path: Path
) -> None:
    damage(path, "batches")
    await reopen(store)
    with pytest.raises(InstanceStateError):
        await store.purge("i")
    await store.send("i", message("terminate"))
    assert len(await store.read_inbox("i")) == 2
    await store.apply(commit(2, row=finished()).effects)
    assert await store.purge("i") is True
    await assert_gone(store, path)


@pytest.mark.parametrize("table", ["instances", "batches"])
async def test_a_finished_instance_is_purged_whatever_is_damaged_of_it(
    store: SqliteStore, path: Path, table: str
) -> None:
    await store.commit(commit(2, consumed=("m1",), row=finished()))
    damage(path, table)
    with pytest.raises(InstanceStateError):
        await store.send("i", message("terminate"))
    assert await store.purge("i") is True
    await assert_gone(store, path)


async def test_an_active_instance_that_can_be_read_is_not_purged(store: SqliteStore) -> None:
    with pytest.raises(InstanceStateError):
        await store.purge("i")
    assert len(await store.read_inbox("i")) == 1


async def test_a_damaged_row_cannot_be_terminated_and_says_to_purge_it(
    store: SqliteStore, path: Path
) -> None:
    damage(path, "instances")
    await reopen(store)
    with pytest.raises(DamagedDataError) as told:
        await store.send("i", message("terminate"))
    assert str(told.value).endswith(PURGE)
    page = await store.query(InstanceFilter(id_prefix="i"), limit=9)
    (listed,) = page.instances
    assert (listed.blocked_reason or "").endswith(PURGE)


async def test_an_instance_that_was_replaced_meanwhile_is_not_purged_for_its_damage(
    store: SqliteStore, path: Path
) -> None:
    damage(path, "inbox")
    assert await store.purge("i", "an earlier execution") is False
    assert await store.purge("i", "e1") is True
