"""The kind `sqlite`: a hub is one file in the data folder, and its hints are in the process."""

from __future__ import annotations

from pathlib import Path

from host.clock import Clock
from host.storage.kinds import Home, OpenStore, Provider, StoreKind, StorePlace
from host.storage.local_queues import with_local_queues
from host.storage.protocol import HubStore
from host.storage.sqlite.queues import SqliteMessages
from host.storage.sqlite.rows import SqliteTables
from host.storage.sqlite.store import SqliteStore


def file_of(place: StorePlace) -> Path:
    """Where the hub's file is."""
    return place.folder / f"{place.hub}.db"


def _opened(place: StorePlace, clock: Clock) -> OpenStore:
    return with_local_queues(SqliteStore(file_of(place), clock.now))


def _home(store: HubStore, _: Provider) -> Home:
    if not isinstance(store, SqliteStore):
        return Home()
    return Home(messages=SqliteMessages(store), tables=SqliteTables(store))


SQLITE = StoreKind(name="sqlite", opened=_opened, home=_home, keeps_files=True)
