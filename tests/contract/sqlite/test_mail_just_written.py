"""Who is led as soon as his message is stored need not read from the file what was just written."""

from __future__ import annotations

import sqlite3
from asyncio import Future
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from bindings.client import ReusePolicy
from host.errors import Conflict
from host.storage.sqlite.heads import MAX_KEPT_BYTES
from host.storage.sqlite.store import SqliteStore, T
from tests.contract.builders import ManualClock, commit, effects, instance, message


class CountingStore(SqliteStore):
    """Counts what it has the reader do."""

    reads = 0

    def read(self, read: Callable[[sqlite3.Connection], T]) -> Future[T]:
        self.reads += 1
        return super().read(read)


@pytest.fixture
async def store(path: Path) -> AsyncIterator[CountingStore]:
    """Open, with one instance that is new."""
    store = CountingStore(path, ManualClock().now)
    await store.open()
    await store.create(instance(), ReusePolicy.WHEN_FINISHED)
    yield store
    await store.close()


async def test_a_message_that_is_alone_is_known(store: CountingStore) -> None:
    await store.commit(commit(0))
    await store.send("i", message("m1"))
    assert await store.read_inbox("i", of="e1") == (message("m1"),)
    await store.apply(effects(consumed=("m1",), row=instance(custom_status="2")))
    assert await store.read_inbox("i") == ()
    await store.send("i", message("m2"))
    assert await store.read_inbox("i") == (message("m2"),)
    assert store.reads == 0
    with pytest.raises(Conflict):
        await store.read_inbox("i", of="another")


async def test_a_new_instance_is_loaded_with_its_first_message(store: CountingStore) -> None:
    await store.send("i", message("m1"))
    snapshot = await store.load("i")
    assert snapshot is not None
    assert (snapshot.instance, snapshot.inbox) == (instance(), (message("m1"),))
    assert store.reads == 0


async def test_several_messages_are_read_in_order(store: CountingStore) -> None:
    for each in ("m1", "m3", "m2"):
        await store.send("i", message(each))
    await store.apply(effects(consumed=("m1",)))
    assert await store.read_inbox("i") == (message("m3"), message("m2"))
    snapshot = await store.load("i")
    assert snapshot is not None
    assert snapshot.inbox == (message("m3"), message("m2"))
    assert store.reads == 2


async def test_what_is_sent_twice_or_deleted_in_vain_is_counted_once(store: CountingStore) -> None:
    await store.send("i", message("m1"))
    await store.send("i", message("m1"))
    assert await store.read_inbox("i") == (message("m1"),)
    await store.apply(effects(consumed=("unknown",)))
    assert await store.read_inbox("i") == (message("m1"),)
    await store.apply(effects(consumed=("m1", "unknown")))
    await store.send("i", message("m2"))
    await store.send("i", message("m3"))
    assert await store.read_inbox("i") == (message("m2"), message("m3"))


async def test_a_large_message_is_not_kept_in_memory(store: CountingStore) -> None:
    large = message("m1", data=f'"{"x" * MAX_KEPT_BYTES}"')
    await store.send("i", large)
    assert await store.read_inbox("i") == (large,)
    snapshot = await store.load("i")
    assert snapshot is not None
    assert snapshot.inbox == (large,)
    assert store.reads == 2
