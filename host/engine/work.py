"""Work items: activities that one host hands out, and any host with room runs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta

from msgspec.structs import replace

from host.clock import Clock
from host.core.executors import ActivityExecutor
from host.core.functions import ActivityFunction
from host.core.history import TaskScheduled
from host.core.leases import tries_with
from host.core.ledger import BEFORE_ALL
from host.core.records import ANYBODY, ActivityKey, Lease, Snapshot
from host.engine.activities import ActivityPool, ActivityRun
from host.engine.claims import Claims
from host.engine.limits.activities import LimitedActivities
from host.engine.options import EngineOptions
from host.engine.parked import ParkedActivities
from host.engine.placement import lost_failure, poisoned_failure
from host.engine.store_watch import StoreWatch
from host.errors import StorageError
from host.storage.protocol import HubQueues, HubStore, WorkItem

TAKE_AT_ONCE = 10
HAND_OUT_AGAIN_S = 5.0
"""How soon what could not be handed out is handed out anew."""
RETRY_S = 1.0
FIRST_PAUSE_S = 0.1
MAX_PAUSE_S = 5.0
"""How long a host holds work whose function it does not have, before it lets others try: first
for so short that it delays nobody, in the end for so long that it costs next to nothing."""
MAX_PASSED = 60
"""An item that was passed on so often is dropped: by then the lease's end hands it out anew."""
MAX_HELD_FOR_OTHERS = 1000


def work_item(instance_id: str, execution_id: str, scheduled: TaskScheduled) -> WorkItem:
    """The hint that an activity is to be run by anybody."""
    return WorkItem(
        instance_id=instance_id,
        execution_id=execution_id,
        task_id=scheduled.task_id,
        scheduled=scheduled,
    )


class WorkTaker:
    """Takes work items while this host has room, and runs them as parked activities.

    The item is held until the activity has ended, so that it comes to another host soon if this
    one vanishes. Whoever takes the lease over runs the activity; a copy of an item finds it taken.
    """

    def __init__(
        self,
        *,
        host_id: str,
        claims: Claims,
        store: HubStore,
        queues: HubQueues,
        activities: ActivityExecutor,
        pool: ActivityPool,
        parked: ParkedActivities,
        limited: LimitedActivities,
        clock: Clock,
        options: EngineOptions,
        store_watch: StoreWatch,
    ) -> None:
        self._host_id = host_id
        self._claims = claims
        self._store = store
        self._queues = queues
        self._activities = activities
        self._pool = pool
        self._parked = parked
        self._limited = limited
        self._clock = clock
        self._store_watch = store_watch
        self._options = options
        self._tasks: set[asyncio.Task[None]] = set()
        self._beginning: set[ActivityKey] = set()
        self._for_others: dict[ActivityKey, tuple[WorkItem, asyncio.Task[None]]] = {}
        """What this host has no function for, and holds for a moment."""
        self._passing: set[asyncio.Task[None]] = set()

    async def take_once(self) -> None:
        """Wait for room and for work, and begin it."""
        while len(self._for_others) >= MAX_HELD_FOR_OTHERS:
            await asyncio.wait(self._passing, return_when=asyncio.FIRST_COMPLETED)
        room = await self._pool.room()
        items = await self._queues.receive_work(min(room, TAKE_AT_ONCE))
        room = self._pool.free  # less than there was, if this host found work while it waited
        await self._pass_on(items[room:])
        for item in items[:room]:
            task = asyncio.create_task(self._serve(item))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pass_on(self, items: Sequence[WorkItem]) -> None:
        """Let others have these: by new hints, since nobody vanished with them."""
        if items:
            await self._queues.send_work(items)
            await self._queues.finish(items)

    @property
    def is_beginning(self) -> bool:
        """Whether it was given anything that has neither begun nor been given back."""
        return bool(self._tasks)

    async def begun(self) -> None:
        """Wait until what was received has begun, or is given back or held for others."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def held(self) -> list[WorkItem]:
        """The work items that are held for others."""
        return [item for item, _ in self._for_others.values()]

    async def finish_receiving(self) -> None:
        """Wait until what was received has begun, or is given back."""
        await asyncio.gather(*self._tasks)
        held = self.held()
        for _, task in self._for_others.values():
            task.cancel()
        await asyncio.gather(*self._passing, return_exceptions=True)
        await self._pass_to_others(held)

    async def _serve(self, item: WorkItem) -> None:
        key = ActivityKey(item.instance_id, item.execution_id, item.task_id)
        try:
            if self._is_copy(key) or not await self._begin(key, item):
                await self._queues.finish([item])
        except StorageError as error:
            self._store_watch.failed("A work item of '%s' comes again: %s", item.instance_id, error)
            await self._put_off(item)

    def _is_copy(self, key: ActivityKey) -> bool:
        """Whether this host has the item already: copies passed on would become ever more."""
        is_here = key in self._beginning or key in self._for_others or self._limited.has(key)
        return is_here or self._pool.is_running(key) or self._parked.has(key)

    async def _begin(self, key: ActivityKey, item: WorkItem) -> bool:
        """Whether the item is held from now on: the activity runs here, or is for others."""
        self._beginning.add(key)
        try:
            scheduled, tries = item.scheduled, 0
            if scheduled is None or item.deliveries > 1:
                scheduled, tries = await self._look_up(item)
            if scheduled is None:
                return False
            function = self._activities.activity(scheduled.name)
            if function is None:
                return self._hold_for_others(key, item)
            return await self._take(key, item, scheduled, function, tries)
        finally:
            self._beginning.discard(key)

    def _hold_for_others(self, key: ActivityKey, item: WorkItem) -> bool:
        """Hold for a moment what only others may know; False if they had it often enough."""
        if item.passed >= MAX_PASSED:
            return False
        task = asyncio.create_task(self._pass_later(key, item))
        self._for_others[key] = (item, task)
        self._passing.add(task)
        task.add_done_callback(self._passing.discard)
        return True

    async def _pass_later(self, key: ActivityKey, item: WorkItem) -> None:
        await self._clock.sleep(min(FIRST_PAUSE_S * 2**item.passed, MAX_PAUSE_S))
        del self._for_others[key]  # what comes from here on may be what is sent now
        await self._pass_to_others([item])

    async def _pass_to_others(self, items: Sequence[WorkItem]) -> None:
        try:
            await self._pass_on([replace(item, passed=item.passed + 1) for item in items])
        except StorageError as error:
            text = "Work of '%s' for other hosts comes here again: %s"
            self._store_watch.failed(text, items[0].instance_id, error)

    async def _take(
        self,
        key: ActivityKey,
        item: WorkItem,
        scheduled: TaskScheduled,
        function: ActivityFunction,
        tries: int,
    ) -> bool:
        if function.limit is not None and tries <= self._options.max_deliveries:
            await self._wait_for_slot(key, item, scheduled, function, tries)
            return False
        now, is_once = self._clock.now(), function.at_most_once
        # A claim outlives its activity: a late copy of the item must not find it its own.
        owner = self._claims.owner() if is_once else self._host_id
        lease = Lease(
            instance_id=item.instance_id,
            execution_id=item.execution_id,
            task_id=item.task_id,
            owner=owner,
            expires_at=now + timedelta(seconds=self._options.lease_s),
            tries=tries,
        )
        # What may begin once is begun by who takes it from nobody; of others it is only the end.
        is_new = is_once and await self._claim(lease)
        if not is_new and not await self._store.take_lease(lease, now):
            return False
        if self._clock.now() >= lease.expires_at:
            if is_new:
                self._parked.give_back(lease)
            raise StorageError("Its lease was over before it was answered.")
        run = ActivityRun(key, scheduled, self._parked.deliver)
        # What was lost keeps its lease, too: effects that are done again could offer it once more.
        self._parked.add(run, lease, item, is_claim=is_once)
        if is_once and not is_new:
            self._parked.deliver(run, lost_failure(scheduled, self._clock.now()))
        elif tries > self._options.max_deliveries:
            self._parked.deliver(run, poisoned_failure(scheduled, tries, self._clock.now()))
        else:
            self._pool.start(run, function)
        return True

    async def _wait_for_slot(
        self,
        key: ActivityKey,
        item: WorkItem,
        scheduled: TaskScheduled,
        function: ActivityFunction,
        tries: int,
    ) -> None:
        """Let it begin as soon as it has a slot of its limit; until then anybody may take it."""
        offered = Lease(
            instance_id=item.instance_id,
            execution_id=item.execution_id,
            task_id=item.task_id,
            owner=ANYBODY,
            expires_at=self._clock.now() + timedelta(seconds=self._options.work_lease_s),
            tries=tries,
        )
        if await self._store.renew_lease(offered):
            self._limited.begin_offered(key, scheduled, function, offered)

    async def _claim(self, lease: Lease) -> bool:
        try:
            return await self._store.take_lease(lease, BEFORE_ALL)
        except (Exception, asyncio.CancelledError):
            self._parked.give_back(lease)  # whatever became of the claim, it was not begun
            raise

    async def _put_off(self, item: WorkItem) -> None:
        """Have it come again as it came: it was not begun, so nobody ended with it."""
        await self._clock.sleep(RETRY_S)
        try:
            await self._pass_on([item])
        except StorageError as error:
            self._store_watch.failed("A work item of '%s' was left: %s", item.instance_id, error)

    async def _look_up(self, item: WorkItem) -> tuple[TaskScheduled | None, int]:
        """What is to be run, as it is stored, and how many hosts vanished with it.

        None if the instance is not there any more. How often an item was handed out says little: a
        hold of it may lapse while nothing is wrong with the activity.
        """
        snapshot = await self._store.load(item.instance_id)
        if snapshot is None:
            return None, 0
        tries = 0
        for lease in snapshot.leases:
            if (lease.execution_id, lease.task_id) == (item.execution_id, item.task_id):
                tries = tries_with(lease, self._host_id)
                if lease.scheduled is not None:
                    return lease.scheduled, tries
        return _scheduled_in(snapshot, item), tries


def _scheduled_in(snapshot: Snapshot, item: WorkItem) -> TaskScheduled | None:
    for stored in snapshot.batches:
        if stored.execution_id == item.execution_id:
            for event in stored.batch.events:
                if isinstance(event, TaskScheduled) and event.task_id == item.task_id:
                    return event
    return None
