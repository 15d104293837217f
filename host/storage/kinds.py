"""What a kind of store is: a record that says how a hub on it is opened.

Rules of this file: a record is all that the rest of the host knows of a kind. Whoever makes a store
of another package writes one and names it in the entry point group `funchost.stores`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import JsonValue

from bindings.tables.records import LocalTables
from host.clock import Clock
from host.settings.connections import AwsOptions
from host.storage.messages import MessageStore
from host.storage.protocol import HubQueues, HubStore

Provider = Mapping[str, JsonValue]
"""host.json's `storageProvider`, as it is written there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StorePlace:
    """Where a hub is: what a kind makes of it is its own affair."""

    hub: str
    """The hub's name."""
    folder: Path
    """The host's data folder; it may not be there yet."""
    provider: Provider = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineDefaults:
    """What suits an engine on such a store; None where the engine's own default does."""

    hold_s: float | None = None
    """A hint is held longer when less than this is left of its hold, in seconds."""
    max_hold_s: float | None = None
    """What was held for so long, in seconds, is let go of, for a new hint: well below what the
    queues allow; None where they allow any time."""
    sweep_s: float | None = None
    """How often lost hints are looked for, in seconds; None where hints cannot be lost."""
    full_sweep_s: float | None = None
    """How often every instance is looked at for that, in seconds, though no host has vanished."""
    max_gather_s: float | None = None
    """How long a hint waits for others in a burst of them to one instance, in seconds, at most;
    None where a hint costs nothing."""
    max_backlog_s: float | None = None
    """Activities that would wait here for longer, in seconds, are handed out to all hosts; None
    where one host is all there is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """Where the queues, tables and blobs are that go with a hub.

    Bindings that name no connection mean these.
    """

    aws: AwsOptions | None = None
    """They are on AWS, in this place; None if they are not."""
    messages: MessageStore | None = None
    """The queues are in the hub's own store; None if they are not."""
    tables: LocalTables | None = None
    """Tables that the store itself keeps."""


OpenStore = AbstractAsyncContextManager[tuple[HubStore, HubQueues]]
"""A hub's store and queues: open within the context, closed at its end."""


def _no_defaults(_: Provider) -> EngineDefaults:
    return EngineDefaults()


def _no_home(_store: HubStore, _provider: Provider) -> Home:
    return Home()


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreKind:
    """A kind of store. Its functions raise `ConfigurationError` for settings that are wrong."""

    name: str
    """As `--storage` and host.json's `type` have it: in lower case."""
    opened: Callable[[StorePlace, Clock], OpenStore]
    """Opens a hub. Entering raises `StorageUnavailableError` if the hub cannot be reached.

    If that may pass it is a `StoreAwayError`: unless `keeps_files` is set, a host tries again then.
    """
    engine_defaults: Callable[[Provider], EngineDefaults] = _no_defaults
    home: Callable[[HubStore, Provider], Home] = _no_home
    """What goes with a hub whose store is open."""
    keeps_files: bool = False
    """Whether hubs are files in the data folder: then git is told to leave that folder alone."""
