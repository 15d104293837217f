"""Parked activities: they run without a session, under a lease, and answer by message."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

import msgspec

from host.clock import Clock
from host.core.incoming import ActivityResult
from host.core.leases import result_message
from host.core.records import ANYBODY, LET_GO, ActivityKey, Lease
from host.engine.activities import ActivityPool, ActivityRun
from host.engine.claims import Claims
from host.engine.pauses import first_of
from host.engine.repeated import RepeatedLines
from host.engine.store_watch import StoreWatch
from host.errors import DamagedDataError, StorageError
from host.storage.protocol import HubQueues, HubStore, WorkItem

LEASES = "leases"
UNREADABLE = "What an activity of '%s' has to say cannot be stored: %s"
RETRY_S = 1.0
RENEWED_AT_ONCE = 64
GIVE_UP_S = 1.0
"""How long a stop tries to make a lease nobody's: the store may be away."""


@dataclass(slots=True)
class _Parked:
    """`item` is the hint by which the activity came here, held until it ends.

    `is_claim`: the lease stays when it ends, so that nobody can begin the activity again. `until`
    is when the lease is over by the monotonic clock, which nobody sets. Who changes a stored lease
    holds `changing`: each change names the owner before.
    """

    run: ActivityRun
    lease: Lease
    item: WorkItem | None
    is_claim: bool
    until: float
    changing: asyncio.Lock

    @property
    def instance_id(self) -> str:
        return self.run.key.instance_id


class Wake(Protocol):
    """Hints that instances have something to do."""

    async def __call__(self, instance_ids: Sequence[str], *, is_recovery: bool = False) -> None:
        """`is_recovery`: what that is, no copy in memory may know."""


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
        wake: Wake,
        lease_s: float,
        store_watch: StoreWatch,
        claims: Claims,
    ) -> None:
        self._store = store
        self._claims = claims
        self._queues = queues
        self._clock = clock
        self._store_watch = store_watch
        self._lines = RepeatedLines(clock)
        self._pool = pool
        self._wake = wake
        self._lease_s = lease_s
        self._parked: dict[ActivityKey, _Parked] = {}
        self._deliveries: set[asyncio.Task[None]] = set()
        self._delivering: set[ActivityKey] = set()
        self._has_ended = asyncio.Event()
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
        until = self._clock.monotonic() + left_s
        parked = _Parked(run, lease, item, is_claim, until, asyncio.Lock())
        run.may_begin = lambda: self._clock.monotonic() < parked.until
        self._parked[run.key] = parked

    def give_back(self, claim: Lease) -> None:
        """Let anybody begin what this host claimed, if it did, and has surely not begun.

        Until that is done the activity counts as one that is here.
        """
        self._claims.give_back(claim.owner)
        self._delivering.add(_key_of(claim))
        self._begin(self._give_back(claim))

    async def _give_back(self, claim: Lease) -> None:
        while True:
            given = msgspec.structs.replace(claim, expires_at=self._clock.now())
            try:
                await self._store.renew_lease(given, heir=ANYBODY)
                break
            except DamagedDataError as error:
                self._lines.warn(UNREADABLE, claim.instance_id, error)
                break
            except StorageError as error:
                text = "An activity of '%s' is given back later: %s"
                self._store_watch.failed(text, claim.instance_id, error, part=LEASES)
                await self._clock.sleep(RETRY_S)
        self._store_watch.worked(LEASES)
        self._delivering.discard(_key_of(claim))
        # Also if there was nothing to give: who led the instance meanwhile took it to be here.
        await self._wake([claim.instance_id], is_recovery=True)

    def has(self, key: ActivityKey) -> bool:
        """Whether this host runs the activity, or delivers its result just now."""
        return key in self._parked or key in self._delivering

    @property
    def is_empty(self) -> bool:
        """Whether it has no activity at all."""
        return not (self._parked or self._delivering)

    async def ended(self) -> None:
        """Wait until all have ended and delivered."""
        await self._all_ended(even_for_good=True)

    def items(self) -> list[WorkItem]:
        """The work items that are held."""
        return [each.item for each in self._parked.values() if each.item is not None]

    def let_go(self, item: WorkItem) -> None:
        """The item was held for very long: from now on the lease alone says whose the work is."""
        for parked in self._parked.values():
            if parked.item is not None and parked.item.receipt == item.receipt:
                parked.item = None
                self._begin(self._finish(item))

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
                if parked.is_claim:
                    self.give_back(parked.lease)
                continue
            self._renewing[key] = asyncio.create_task(self._renew(parked))

    async def _renew(self, parked: _Parked) -> None:
        try:
            await self._try_to_renew(parked)
        finally:
            del self._renewing[parked.run.key]

    async def _try_to_renew(self, parked: _Parked) -> None:
        async with parked.changing:
            until = self._clock.monotonic() + self._lease_s
            expires_at = self._clock.now() + timedelta(seconds=self._lease_s)
            renewed = msgspec.structs.replace(parked.lease, expires_at=expires_at)
            try:
                is_held = await self._store.renew_lease(renewed)
            except StorageError as error:
                text = "A lease of '%s' is not renewed yet: %s"
                self._store_watch.failed(text, parked.instance_id, error, part=LEASES)
                return
            self._store_watch.worked(LEASES)
            if is_held:
                parked.lease, parked.until = renewed, until
            else:
                self._lose(parked)

    def _lose(self, parked: _Parked) -> None:
        """The lease is another host's, or gone."""
        key = parked.run.key
        if self._parked.get(key) is parked:
            text = "Activity %s of '%s' lost its lease."
            self._lines.note(text, key.task_id, key.instance_id)
            self._pool.cancel_run(parked.run)
            self._drop(key)

    def forget(self, instance_id: str) -> None:
        """The instance was terminated: its activities were cancelled, their leases are gone."""
        for key in [key for key in self._parked if key.instance_id == instance_id]:
            self._drop(key)
        self._has_ended.set()

    # ---- the host stops -------------------------------------------------------------------------

    async def leave(self) -> None:
        """The host was told to stop: make the leases nobody's, and hand over what has not begun.

        What runs, runs on. Should the host be killed now, nobody takes it for one that vanished.
        """
        await self._hand_over(
            [parked for parked in self._parked.values() if parked.run.began_at is None]
        )
        own = [x for x in self._parked.values() if x.lease.owner not in {ANYBODY, LET_GO}]
        await asyncio.gather(*(self._give_up(each, each.lease.expires_at) for each in own))

    async def drain(self, timeout_s: float, *, even_for_good: bool) -> None:
        """Let activities end and deliver for so long.

        Those that may run again need not be waited for long; `even_for_good`: the others, too.
        """
        nap = self._clock.sleep(max(0.0, timeout_s))
        await first_of(nap, self._all_ended(even_for_good=even_for_good))

    async def _all_ended(self, *, even_for_good: bool) -> None:
        while self._are_left(even_for_good=even_for_good):
            self._has_ended.clear()
            await self._has_ended.wait()

    def _are_left(self, *, even_for_good: bool) -> bool:
        return bool(self._deliveries) or any(
            not each.is_claim or even_for_good for each in self._parked.values()
        )

    async def release(self, *, even_for_good: bool) -> int:
        """Give up what may run again, so that the next who looks runs it at once; how many.

        `even_for_good`: also what may not, which is lost then, and deliveries that do not end.
        """
        if even_for_good:
            for task in (*self._deliveries, *self._renewing.values()):
                task.cancel()
        left = [x for x in self._parked.values() if even_for_good or not x.is_claim]
        await self._hand_over(left)
        return len(left)

    async def _hand_over(self, left: Sequence[_Parked]) -> None:
        for parked in left:
            self._pool.cancel_run(parked.run)
            del self._parked[parked.run.key]
        now = self._clock.now()
        await asyncio.gather(*(self._give_up(each, now) for each in left))
        try:
            # A copy in somebody's memory does not know: these are hints that make him look.
            ids_ = [parked.instance_id for parked in left]
            await self._queues.send_wakeups(ids_, is_recovery=True)
            await self._queues.finish([each.item for each in left if each.item is not None])
        except StorageError as error:
            text = "Work was not handed over (%d activities); it goes on by itself: %s"
            self._store_watch.failed(text, len(left), error)

    async def _give_up(self, parked: _Parked, expires_at: datetime) -> None:
        """Make the lease nobody's: who takes it over need not think that its holder vanished."""
        renewing = self._renewing.get(parked.run.key)
        if renewing is not None:
            renewing.cancel()
        try:
            async with asyncio.timeout(GIVE_UP_S), parked.changing:
                await self._let_go(parked, expires_at)
        except (StorageError, TimeoutError) as error:
            text = "A lease of '%s' was not given up; it expires by itself: %s"
            self._store_watch.failed(text, parked.instance_id, error, part=LEASES)

    async def _let_go(self, parked: _Parked, expires_at: datetime) -> None:
        may_have_run = parked.is_claim and parked.run.began_at is not None
        heir = LET_GO if may_have_run else ANYBODY
        lease = msgspec.structs.replace(parked.lease, expires_at=expires_at)
        if await self._store.renew_lease(lease, heir=heir):
            parked.lease = msgspec.structs.replace(lease, owner=heir)
        else:
            self._lose(parked)

    def _begin(self, delivery: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(delivery)
        self._deliveries.add(task)
        task.add_done_callback(self._delivered)

    def _drop(self, key: ActivityKey) -> None:
        parked = self._parked.pop(key)
        if parked.item is not None:
            self._begin(self._finish(parked.item))
        self._has_ended.set()

    def _delivered(self, task: asyncio.Task[None]) -> None:
        self._deliveries.discard(task)
        self._has_ended.set()

    async def _deliver(self, parked: _Parked, result: ActivityResult) -> None:
        async with parked.changing:
            await self._deliver_under(parked.lease, parked, result)
        self._delivering.discard(parked.run.key)
        if parked.item is not None:
            await self._finish(parked.item)

    async def _deliver_under(self, lease: Lease, parked: _Parked, result: ActivityResult) -> None:
        message = result_message(lease, result)
        may_be_delivered = False
        while True:
            try:
                is_over = await self._store.finish_lease(lease, message, keep=parked.is_claim)
                break
            except DamagedDataError as error:
                # To try again would never end. Who leads the instance says that it is damaged.
                self._lines.warn(UNREADABLE, lease.instance_id, error)
                await self._wake([lease.instance_id], is_recovery=True)
                return
            except StorageError as error:
                may_be_delivered = True
                text = "A result for '%s' must wait: %s"
                self._store_watch.failed(text, lease.instance_id, error, part=LEASES)
                await self._clock.sleep(RETRY_S)
        self._store_watch.worked(LEASES)
        if is_over or may_be_delivered:
            await self._wake([lease.instance_id])

    async def _finish(self, item: WorkItem) -> None:
        try:
            await self._queues.finish([item])
        except StorageError as error:
            text = "A work item of '%s' comes again, for nothing: %s"
            self._store_watch.failed(text, item.instance_id, error)


def _key_of(lease: Lease) -> ActivityKey:
    return ActivityKey(lease.instance_id, lease.execution_id, lease.task_id)
