"""The trouble of a full disk: it is over when a write reached the disk, and no sooner."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bindings.client import ReusePolicy
from bindings.errors import InstanceAlreadyExistsError, InstanceNotFoundError
from host.errors import Conflict, StorageUnavailableError
from host.storage.protocol import Applied, Created
from host.storage.sqlite import database
from host.storage.sqlite.heads import HeadCache
from host.storage.sqlite.writer import Writer
from host.storage.sqlite.writes import (
    ApplyWrite,
    ClaimLeaseWrite,
    CommitWrite,
    CreateWrite,
    FinishLeaseWrite,
    ProbeWrite,
    PurgeWrite,
    RenewLeaseWrite,
    SendWrite,
    TakeLeaseWrite,
    Write,
)
from tests.contract.builders import NOW, commit, effects, instance, lease, message

REUSE = ReusePolicy.WHEN_FINISHED
BIG = instance("big", input=f'"{"x" * 100_000}"')


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    path = tmp_path / "hub.db"
    database.make(path)
    with closing(database.connect(path)) as opened:
        yield opened


@pytest.fixture
def writer(connection: sqlite3.Connection, tmp_path: Path) -> Writer:
    """A writer with a committed instance `i` and a message in its inbox."""
    writer = Writer(connection, tmp_path / "hub.db", HeadCache())
    known: list[Write[object]] = [
        CreateWrite(instance(), REUSE),
        CommitWrite(commit()),
        SendWrite("i", message()),
    ]
    assert writer.write(known) == [Created.NEW, Applied(), None]
    return writer


def fill_the_disk(connection: sqlite3.Connection) -> None:
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages}")


def make_room(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA max_page_count = 100000")


def fail_a_write(writer: Writer) -> None:
    (failure,) = writer.write([CreateWrite(BIG, REUSE)])
    assert isinstance(failure, StorageUnavailableError)
    assert writer.trouble.text == str(failure)


@pytest.mark.parametrize(
    ("empty", "answer"),
    [
        (PurgeWrite("nobody", None), False),
        (PurgeWrite("i", "another execution"), False),
        (CreateWrite(instance(execution_id="e2"), ReusePolicy.KEEP), Created.KEPT),
        (CreateWrite(instance(), REUSE), Created.BEFORE),
        (CreateWrite(instance(execution_id="e2"), REUSE), InstanceAlreadyExistsError),
        (SendWrite("i", message()), None),
        (SendWrite("nobody", message()), InstanceNotFoundError),
        (CommitWrite(commit()), Conflict),
        (ApplyWrite(effects(consumed=("unknown",))), Applied()),
        (RenewLeaseWrite(lease(), None), False),
        (FinishLeaseWrite(lease(), message("result"), keep=False), False),
        (ClaimLeaseWrite(lease(instance_id="nobody"), 0), False),
        (TakeLeaseWrite(lease(), NOW), False),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_write_that_changes_nothing_does_not_end_the_trouble(
    writer: Writer,
    connection: sqlite3.Connection,
    caplog: pytest.LogCaptureFixture,
    empty: Write[object],
    answer: object,
) -> None:
    fill_the_disk(connection)
    fail_a_write(writer)
    (answered,) = writer.write([empty])
    assert isinstance(answered, answer) if isinstance(answer, type) else answered == answer
    assert "the disk is full" in (writer.trouble.text or "")
    fail_a_write(writer)
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


def test_a_write_that_works_ends_the_trouble(
    writer: Writer, connection: sqlite3.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    fill_the_disk(connection)
    fail_a_write(writer)
    make_room(connection)
    assert writer.write([CreateWrite(BIG, REUSE)]) == [Created.NEW]
    assert writer.trouble.text is None
    assert "works again" in caplog.records[-1].getMessage()


def test_a_probe_that_works_ends_the_trouble_although_it_changes_nothing(
    writer: Writer, connection: sqlite3.Connection
) -> None:
    fill_the_disk(connection)
    fail_a_write(writer)
    assert writer.write([ProbeWrite()]) == [None]
    assert writer.trouble.text is None


def test_a_probe_that_fails_does_not_end_the_trouble(
    writer: Writer, connection: sqlite3.Connection
) -> None:
    fill_the_disk(connection)
    fail_a_write(writer)
    connection.execute("PRAGMA query_only = ON")
    (failure,) = writer.write([ProbeWrite()])
    assert isinstance(failure, StorageUnavailableError)
    assert writer.trouble.text == str(failure)


def test_a_guilty_write_leaves_trouble_even_if_an_empty_one_of_its_group_comes_after_it(
    writer: Writer, connection: sqlite3.Connection
) -> None:
    fill_the_disk(connection)
    group: list[Write[object]] = [CreateWrite(BIG, REUSE), PurgeWrite("nobody", None)]
    failure, purged = writer.write(group)
    assert isinstance(failure, StorageUnavailableError)
    assert purged is False
    assert writer.trouble.text is not None
