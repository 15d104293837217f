"""The hub of a host: its store and queues, opened before anything else starts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial

from host.http.waiting import waiting_room
from host.storage.kinds import StoreKind
from host.storage.opening import STORES
from host.storage.patience import StoreOpener, unless
from host.storage.protocol import HubQueues, HubStore
from host.wiring.data_folder import keep_out_of_git
from host.wiring.prepared import PreparedHost
from host.wiring.store import storage_kind, storage_place


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenHub:
    """A hub that is open."""

    kind: StoreKind
    store: HubStore
    queues: HubQueues


@asynccontextmanager
async def open_hub(prepared: PreparedHost, stopped: asyncio.Event | None) -> AsyncIterator[OpenHub]:
    """Open the hub that the options and the settings name, and close it in the end.

    While it is away it is waited for, unless `stopped` is set. Raises `ConfigurationError` or
    `StorageUnavailableError` if it does not open, `StartStoppedError` if it was not to.
    """
    kind = STORES.find(storage_kind(prepared.options, prepared.settings))
    async with AsyncExitStack() as held:
        store, queues = await _opened(kind, prepared, held, stopped)
        yield OpenHub(kind=kind, store=store, queues=queues)


async def _opened(
    kind: StoreKind, prepared: PreparedHost, held: AsyncExitStack, stopped: asyncio.Event | None
) -> tuple[HubStore, HubQueues]:
    options, settings, clock = prepared.options, prepared.settings, prepared.clock
    opened = partial(kind.opened, storage_place(options, settings), clock)
    if kind.keeps_files:  # they are this machine's: what is wrong with them, no waiting mends
        keep_out_of_git(options)
        return await held.enter_async_context(opened())
    patience_s = settings.funchost.start_patience_seconds
    opener = StoreOpener(opened, clock, patience_s=patience_s)
    async with waiting_room(prepared.listener, settings.funchost, clock):
        return await unless(stopped, opener.open(held))
