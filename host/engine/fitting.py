"""After a change of the app: nobody goes on with old code by mistake, and who keeps his is known.

A swap alone leaves the code that is in memory where it is. So sessions load their instances anew,
and the cache is emptied. Then each unfinished instance is led once through what is recorded of it,
as any session would: the executor notes who does not fit, and former versions of the app that
nobody needs are let go of.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence

from msgspec.structs import replace

from bindings.client import RuntimeStatus
from host.core.executors import OrchestratorExecutor
from host.core.functions import FunctionCatalog
from host.core.led import Led
from host.core.live_instance import LiveInstance
from host.core.records import Instance, Snapshot
from host.core.replay.changing import ChangingExecutor
from host.core.versioned import VersionedExecutor
from host.engine.apart import close
from host.engine.observer import InstanceEnded, Observer
from host.engine.parts import EngineParts
from host.engine.pauses import first_of
from host.engine.sessions import Sessions
from host.engine.slices import Slices
from host.engine.together import together
from host.errors import DamagedDataError, StorageError
from host.logs import HostLog
from host.storage.protocol import InstanceFilter

_logger = HostLog("funchost.engine")

UNFINISHED = InstanceFilter(
    statuses=frozenset(status for status in RuntimeStatus if not status.is_finished)
)
PAGE = 100
MOST = 5_000
"""Of more instances than this only the newest are looked at. The rest is when it goes on."""
PATIENCE_S = 60.0
"""So long sessions are waited for that hold on to old code: a store may be away."""
CLOSED_AT_ONCE = 20
_NAMED = 3


class Fitting:
    """Sees to the instances of one host when its app changes."""

    def __init__(self, parts: EngineParts, changing: ChangingExecutor, sessions: Sessions) -> None:
        self._parts = parts
        self._changing = changing
        self._sessions = sessions
        self._slices = Slices(parts.watch, parts.clock)
        versioning = parts.options.versioning
        self._executor: OrchestratorExecutor = changing
        if not versioning.takes_all:
            self._executor = VersionedExecutor(changing, versioning)
        self._ended = Observer(name="fitting", sees={InstanceEnded: self._see_end})
        self._changes = 0
        self._has_seen_all = True
        self._changed = asyncio.Event()
        self._done = asyncio.Event()
        self._done.set()
        self._old: list[asyncio.Future[None]] = []
        self._left: list[Led] = []

    def app_changed(self, former: FunctionCatalog) -> None:
        """The functions are others since just now: in the same step of the event loop."""
        self._changing.change(former)
        self._old = self._sessions.renew()
        self._left += self._parts.cache.take_all()
        self._parts.observers.remove(self._ended)
        self._changes += 1
        self._done.clear()
        self._changed.set()

    async def fitted(self) -> Mapping[str, Sequence[str]]:
        """Wait until all is known; the instances that go on with former code, by orchestrator."""
        await self._done.wait()
        return self._changing.users()

    async def fit(self) -> None:
        """Wait for a change, and do what there is to do for it. Raises `StorageError`."""
        await self._changed.wait()
        change, self._has_seen_all = self._changes, True
        await self._drop_old()
        async for snapshot in self._unfinished():
            await self._look_at(snapshot)
        if change != self._changes:
            return  # there was another one since then
        self._changing.forget_unused(all_seen=self._has_seen_all)
        self._changed.clear()
        self._done.set()
        self._tell()

    async def _drop_old(self) -> None:
        while self._left:
            for _ in range(min(CLOSED_AT_ONCE, len(self._left))):
                close(self._left.pop())
            await asyncio.sleep(0)
        if self._old:
            old = self._old
            await first_of(self._parts.clock.sleep(PATIENCE_S), _all_of(old))
            self._has_seen_all = all(each.done() for each in old)

    async def _unfinished(self) -> AsyncIterator[Snapshot]:
        token, count = None, 0
        while count < MOST:
            page = await self._parts.store.query(UNFINISHED, limit=PAGE, token=token)
            for snapshot in await together([self._loaded(row) for row in page.instances]):
                if snapshot is not None:
                    yield snapshot
            token, count = page.token, count + len(page.instances)
            if token is None:
                return
        self._has_seen_all = False

    async def _loaded(self, row: Instance) -> Snapshot | None:
        try:
            return await self._parts.store.load(row.instance_id)
        except DamagedDataError:
            return None  # nobody leads it

    async def _look_at(self, snapshot: Snapshot) -> None:
        """Lead the code through the history, for what the executor notes of it."""
        row = snapshot.instance
        if row.is_finished or not snapshot.batches:
            return
        tried = replace(snapshot, instance=replace(row, is_quarantined=False))
        live = LiveInstance(tried, self._executor, is_replayed=False)
        try:
            await self._slices.replay(live)
            if live.state.is_led and self._changing.keep_for(live.state):
                await self._parts.hints.send([row.instance_id])
        except StorageError:
            raise
        except Exception:
            _logger.exception("It is not known whether '%s' fits the app", row.instance_id)
        finally:
            close(live)
        await asyncio.sleep(0)

    def _tell(self) -> None:
        users = self._changing.users()
        for name, ids in users.items():
            more = f" and {len(ids) - _NAMED} more" if len(ids) > _NAMED else ""
            shown = ", ".join(f"'{each}'" for each in ids[:_NAMED])
            _logger.warning(
                "%s of '%s' %s with the former version until the end: the new one does not fit the "
                "history. A restart of the host would break this: %s%s.",
                "1 instance" if len(ids) == 1 else f"{len(ids)} instances",
                name,
                "goes on" if len(ids) == 1 else "go on",
                shown,
                more,
            )
        if users:
            self._parts.observers.add(self._ended)

    def _see_end(self, event: InstanceEnded) -> None:
        if self._changing.forget(event.row.instance_id):
            self._changing.forget_unused(all_seen=self._has_seen_all)
            self._parts.observers.remove(self._ended)
            _logger.info("Nothing goes on with a former version of the app any more.")


async def _all_of(done: Sequence[asyncio.Future[None]]) -> None:
    await asyncio.wait(done)
