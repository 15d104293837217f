"""Tags have a table of their own, which says what the rows of entities do, and costs only these."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from bindings.client import ReusePolicy
from host.storage.protocol import Removal
from host.storage.sqlite.store import SqliteStore
from tests.contract.builders import RUNNING, at, commit, instance
from tests.contract.test_store_entities import COUNTER, born, idle
from tests.contract.test_store_entity_tags import PARIS, ROME, found, tagged
from tests.kit.sqlite_connection import writing_connection

TABLE = "instance_tags"


def stored(path: Path) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return sorted(connection.execute(f"SELECT name, value, instance_id FROM {TABLE}"))


@contextmanager
def written_to(store: SqliteStore) -> Iterator[list[str]]:
    """The statements about tags."""
    seen: list[str] = []
    connection = writing_connection(store)
    connection.set_trace_callback(lambda text: seen.append(text) if TABLE in text else None)
    yield seen
    connection.set_trace_callback(None)


async def test_no_tag_stays_that_no_row_has(store: SqliteStore, path: Path) -> None:
    row = await idle(store)
    await store.commit(tagged(row, 1, ROME))
    assert stored(path) == [("size", "", COUNTER), ("town", "Rome", COUNTER)]
    await store.commit(tagged(row, 2, PARIS))
    assert stored(path) == [("town", "Paris", COUNTER)]
    assert await store.remove_entity(COUNTER, row.execution_id, 2) is Removal.GONE
    assert stored(path) == []


async def test_of_turns_that_are_written_together_the_last_one_counts(
    store: SqliteStore, path: Path
) -> None:
    row = await born(store)
    turns = [tagged(row, number, tags) for number, tags in enumerate((ROME, {}, PARIS))]
    await asyncio.gather(*(store.commit(turn) for turn in turns))
    assert stored(path) == [("town", "Paris", COUNTER)]


@pytest.mark.parametrize("tags", [PARIS, {}], ids=["other", "none"])
async def test_who_opens_the_file_again_knows_which_tags_there_are(
    store: SqliteStore, path: Path, tags: dict[str, str]
) -> None:
    row = await born(store)
    await store.commit(tagged(row, 0, ROME))
    await store.close()
    await store.open()
    await store.commit(tagged(row, 1, tags))
    assert await found(store, ROME) == []
    assert stored(path) == [(name, value, COUNTER) for name, value in tags.items()]


async def test_only_tags_that_change_are_written(store: SqliteStore) -> None:
    row = await born(store)
    with written_to(store) as seen:
        for number in range(3):
            await store.commit(tagged(row, number, {}))
        assert seen == []
        await store.commit(tagged(row, 3, ROME))
        assert len(seen) == 2
        await store.commit(tagged(row, 4, dict(ROME)))
        assert len(seen) == 2


async def test_an_orchestration_writes_its_tags_once(store: SqliteStore) -> None:
    large = "x" * 10_000  # of such a row nobody keeps the tags in mind
    row = instance(tags=ROME, input=f'"{large}"')
    await store.create(row, ReusePolicy.WHEN_FINISHED)
    with written_to(store) as seen:
        later = instance(
            tags=ROME, input=row.input, status=RUNNING, updated_at=at(1), last_number=0
        )
        await store.commit(commit(row=later))
        assert await store.get("i") == later
        assert seen == []
