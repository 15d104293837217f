"""Which driver is which: the only place that knows all of them.

Rules of this file: it constructs and opens nothing; a driver is imported when it is asked for, so
nobody pays for one that is not used.
"""

from __future__ import annotations

from pathlib import Path

from host.clock import Clock
from host.errors import ConfigurationError
from host.storage.local_queues import LocalQueues
from host.storage.protocol import HubQueues, HubStore

KINDS = ("sqlite", "memory")


def open_storage(kind: str, *, path: Path, clock: Clock) -> tuple[HubStore, HubQueues]:
    """The tables and queues of a hub; `path` is the database file where there is one.

    The store is not opened yet. Raises `ConfigurationError` for an unknown kind.
    """
    if kind == "memory":
        from host.storage.memory import MemoryStore  # noqa: PLC0415 - only if asked for

        return MemoryStore(clock.now), LocalQueues()
    if kind == "sqlite":
        from host.storage.sqlite.store import SqliteStore  # noqa: PLC0415 - only if asked for

        return SqliteStore(path, clock.now), LocalQueues()
    raise ConfigurationError(f"Unknown storage '{kind}': choose one of {', '.join(KINDS)}.")
