"""A store's own connection to its file: limits that SQLite has only for a connection are set there.

A disk that is full (`max_page_count`), how long a lock is waited for, when the log is taken in: no
other connection, and nothing outside of the process, can make these happen to a store.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from host.storage.sqlite.store import SqliteStore, _Connections


def writing_connection(store: SqliteStore) -> sqlite3.Connection:
    """The one that an open store writes through."""
    return _connections(store).writing


@contextmanager
def steps_of_reads(store: SqliteStore) -> Iterator[list[int]]:
    """How many steps SQLite's machine takes meanwhile for what is read, in tens."""
    steps = [0]

    def count() -> None:
        steps[0] += 1

    connection = _connections(store).reading
    connection.set_progress_handler(count, 10)
    try:
        yield steps
    finally:
        connection.set_progress_handler(None, 0)


def _connections(store: SqliteStore) -> _Connections:
    connections = store._connections
    assert connections is not None
    return connections
