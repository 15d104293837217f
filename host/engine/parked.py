"""Parked activities: they run without a session, under a lease, and answer by message."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import msgspec

from host.core import ids
from host.core.incoming import ActivityResult
from host.core.records import ANYBODY, LET_GO, Lease, Message
from host.engine.activities import ActivityKey, ActivityPool, ActivityRun
from host.engine.clock import Clock
from host.engine.repeated import RepeatedLines
from host.errors import StorageError
from host.logs import HostLog
from host.storage.protocol import HubQueues, HubStore, WorkItem

_logger = HostLog("funchost.engine")

RETRY_S = 1.0
RENEWED_AT_ONCE = 64


@dataclass(slots=True)
class _Parked:
    """`item` is the hint by which the activity came here, held until it ends.

    `is_claim`: the lease stays when it ends, so that nobody can begin the activity again. `until`
    is when the lease is over by the monotonic clock, which nobody sets.
    """

    run: ActivityRun
    lease: Lease
    item: WorkItem | None
    is_claim: bool
    until: float


class ParkedActivities:
    """Renews the leases of parked activities and delivers their results.

    A lease that cannot be renewed was taken away (the instance was terminated, or another host runs
    the activity now): the activity is cancelled and its result, if any, is not delivered.
    """

    def __init__(
        self,
        *,
        store: HubStore,
        queues: HubQueues,
        clock: Clock,
        pool: ActivityPool,
        wake: Callable[[Sequence[str]], Awaitable[None]],
        lease_s: float,
    ) -> None:
        self._store = store
        self._queues = queues
        self._clock = clock
        self._lines = RepeatedLines(clock)
        self._pool = pool
        self._wake = wake
        self._lease_s = lease_s
        self._parked: dict[ActivityKey, _Parked] = {}
        self._deliveries: set[asyncio.Task[None]] = set()
        self._delivering: set[ActivityKey] = set()
        self._is_empty = asyncio.Event()
        self._is_empty.set()
        self._renewing: dict[ActivityKey, asyncio.Task[None]] = {}

    def __len__(self) -> int:
        return len(self._parked) + len(self._deliveries)

    def add(
        self,
        run: ActivityRun,
        lease: Lease,
        item: WorkItem | None = None,
        *,
        is_claim: bool = False,
    ) -> None:
        """Look after an activity whose lease was just written."""
        left_s = (lease.expires_at - self._clock.now()).total_seconds()
        parked = _Parked(run, lease, item, is_claim, self._clock.monotonic() + left_s)
        run.may_begin = lambda: self._clock.monotonic() < parked.until
        self._parked[run.key] = parked
        self._is_empty.clear()

    def has(self, key: ActivityKey) -> bool:
        """Whether this host runs the activity, or delivers its result just now."""
        return key in self._parked or key in self._delivering

    def items(self) -> list[WorkItem]:
        """The work items that are held."""
        return [each.item for each in self._parked.values() if each.item is not None]

    def deliver(self, run: ActivityRun, result: ActivityResult) -> None:
        """A parked activity ended."""
        parked = self._parked.pop(run.key, None)
        if parked is not None:
            self._delivering.add(run.key)
            self._begin(self._deliver(parked, result))

    async def renew_once(self) -> None:
        """Rest, then begin to renew the leases of which a third is over, whose end is near first.

        Each by itself: one that fails or takes long keeps no other waiting.
        """
        await self._clock.sleep(min(RETRY_S, self._lease_s / 6))
        due = self._clock.monotonic() + self._lease_s * 2 / 3
        late = [parked for parked in self._parked.values() if parked.until <= due]
        late = [parked for parked in late if parked.run.key not in self._renewing]
        late.sort(key=lambda parked: parked.until)
        for parked in late[: max(0, RENEWED_AT_ONCE - len(self._renewing))]:
            key = parked.run.key
            if parked.run.is_cancelled:  # its time was over before it could begin
                self._drop(key)
                continue
            self._renewing[key] = asyncio.create_task(self._renew(parked))

    async def _renew(self, parked: _Parked) -> None:
        try:
            await self._try_to_renew(parked)
        finally:
            del self._renewing[parked.run.key]

    async def _try_to_renew(self, parked: _Parked) -> None:
        key, until = parked.run.key, self._clock.monotonic() + self._lease_s
        expires_at = self._clock.now() + timedelta(seconds=self._lease_s)
        renewed = msgspec.structs.replace(parked.lease, expires_at=expires_at)
        try:
            is_held = await self._store.renew_lease(renewed)
        except StorageError as error:
            self._lines.warn("A lease of '%s' is not renewed yet: %s", key.instance_id, error)
            return
        if is_held:
            parked.lease, parked.until = renewed, until
        elif self._parked.get(key) is parked:
            _logger.info("Activity %s of '%s' lost its lease.", key.task_id, key.instance_id)
            self._pool.cancel_run(parked.run)
            self._drop(key)

    def forget(self, instance_id: str) -> None:
        """The instance was terminated: its activities were cancelled, their leases are gone."""
        for key in [key for key in self._parked if key.instance_id == instance_id]:
            self._drop(key)
        self._look_whether_empty()

    async def drain(self, timeout_s: float) -> bool:
        """Let all parked activities end and deliver; False if some did not in time."""
        try:
            async with asyncio.timeout(max(0.0, timeout_s)):
                await self._is_empty.wait()
        except TimeoutError:
            return False
        return True

    async def release(self) -> None:
        """Give up what is parked still, so that the next who looks runs it at once."""
        for task in (*self._deliveries, *self._renewing.values()):
            task.cancel()
        left = list(self._parked.values())
        self._parked.clear()
        now = self._clock.now()
        try:
            for parked in left:
                over = msgspec.structs.replace(parked.lease, expires_at=now)
                if await self._store.renew_lease(over):
                    # Nobody's now: who takes it over need not think that its holder vanished.
                    owner = LET_GO if parked.is_claim else ANYBODY
                    await self._store.take_lease(msgspec.structs.replace(over, owner=owner), now)
            # A copy in somebody's memory does not know: these are hints that make him look.
            ids_ = [parked.lease.instance_id for parked in left]
            await self._queues.send_wakeups(ids_, is_recovery=True)
            await self._queues.finish([each.item for each in left if each.item is not None])
        except StorageError as error:
            _logger.warning("Leases were not given back; they expire by themselves: %s", error)

    def _begin(self, delivery: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(delivery)
        self._deliveries.add(task)
        task.add_done_callback(self._delivered)

    def _drop(self, key: ActivityKey) -> None:
        parked = self._parked.pop(key)
        if parked.item is not None:
            self._begin(self._finish(parked.item))
        self._look_whether_empty()

    def _delivered(self, task: asyncio.Task[None]) -> None:
        self._deliveries.discard(task)
        self._look_whether_empty()

    def _look_whether_empty(self) -> None:
        if not self._parked and not self._deliveries:
            self._is_empty.set()

    async def _deliver(self, parked: _Parked, result: ActivityResult) -> None:
        lease = parked.lease
        message = Message(
            message_id=ids.result_message_id(lease.execution_id, lease.task_id),
            execution_id=lease.execution_id,
            event=result,
        )
        may_be_delivered = False
        while True:
            try:
                is_over = await self._store.finish_lease(lease, message, keep=parked.is_claim)
                break
            except StorageError as error:
                may_be_delivered = True
                self._lines.warn("A result for '%s' must wait: %s", lease.instance_id, error)
                await self._clock.sleep(RETRY_S)
        if is_over or may_be_delivered:
            await self._wake([lease.instance_id])
        self._delivering.discard(parked.run.key)
        if parked.item is not None:
            await self._finish(parked.item)

    async def _finish(self, item: WorkItem) -> None:
        try:
            await self._queues.finish([item])
        except StorageError as error:
            _logger.info("A work item comes again, for nothing: %s", error)
