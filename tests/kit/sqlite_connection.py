"""A store's own connection to its file: limits that SQLite has only for a connection are set there.

A disk that is full (`max_page_count`), how long a lock is waited for, when the log is taken in: no
other connection, and nothing outside of the process, can make these happen to a store.
"""

from __future__ import annotations

import sqlite3

from host.storage.sqlite.store import SqliteStore


def writing_connection(store: SqliteStore) -> sqlite3.Connection:
    """The one that an open store writes through."""
    connections = store._connections
    assert connections is not None
    return connections.writing
