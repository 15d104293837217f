"""The activities of one session: which it has run where, and what comes back from those run here.

An activity runs here without any record as long as its session waits for it: whoever leads the
instance next runs it again. What outlives the session, or runs elsewhere, has a lease.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta

import msgspec

from host.core.history import TaskScheduled
from host.core.leases import Undispatched
from host.core.live_instance import ActivityResult, LiveInstance
from host.core.records import ANYBODY, Lease
from host.engine.activities import ActivityKey, ActivityRun
from host.engine.parts import EngineParts
from host.engine.placement import lost_failure, place
from host.engine.work import work_item
from host.errors import Conflict, StorageError


class SessionActivities:
    """Sees to the activities of one instance while a session leads it."""

    def __init__(self, parts: EngineParts, instance_id: str, wake: Callable[[], None]) -> None:
        self._parts = parts
        self._instance_id = instance_id
        self._wake = wake
        self._runs: dict[ActivityKey, ActivityRun] = {}
        self._results: list[tuple[ActivityRun, ActivityResult]] = []

    @property
    def are_running(self) -> bool:
        """Whether results may come."""
        return bool(self._runs)

    @property
    def have_results(self) -> bool:
        """Whether results came."""
        return bool(self._results)

    def take_results(self, live: LiveInstance) -> list[ActivityResult]:
        """The results that came for the current execution."""
        results, self._results = self._results, []
        return [each for run, each in results if run.key.execution_id == live.execution_id]

    def abandon(self) -> None:
        """Cancel what runs without a lease. What has one runs on: the lease says whose it is."""
        for run in self._runs.values():
            self._parts.pool.cancel_run(run)
        self._runs, self._results = {}, []

    def cancel(self) -> None:
        """The instance was terminated: nothing of it runs on."""
        self._parts.pool.cancel(self._instance_id)
        self._parts.parked.forget(self._instance_id)
        self._runs.clear()

    # ---- beginning ------------------------------------------------------------------------------

    async def dispatch(self, live: LiveInstance) -> None:
        """Have those activities run that the last turn scheduled, or that nobody runs.

        Raises `StorageError`, and `Conflict` when others know more of the instance.
        """
        parts = self._parts
        tasks = [
            task
            for task in live.take_undispatched(parts.clock.now())
            if not self._is_here(live, task)
        ]
        if not tasks:
            return
        placement = place(tasks, parts.catalog, parts.pool, parts.options.max_backlog_s)
        for scheduled in placement.here:
            run = ActivityRun(self._key(live, scheduled.task_id), scheduled, self._deliver)
            self._runs[run.key] = run
            parts.pool.start(run)
        for scheduled in placement.lost:
            run = ActivityRun(self._key(live, scheduled.task_id), scheduled, self._deliver)
            self._results.append((run, lost_failure(scheduled, parts.clock.now())))
        for scheduled in placement.once:
            await self._start_once(live, scheduled)
        if placement.elsewhere:
            await self._hand_out(live, placement.elsewhere)

    def _is_here(self, live: LiveInstance, task: Undispatched) -> bool:
        """Whether it runs here, or its result is on its way, though its lease may be over."""
        key = self._key(live, task.scheduled.task_id)
        return self._parts.pool.is_running(key) or self._parts.parked.has(key)

    async def _start_once(self, live: LiveInstance, scheduled: TaskScheduled) -> None:
        """Record that an activity begins, then begin it, parked from the start."""
        parts = self._parts
        lease = self._lease(live, scheduled.task_id, parts.host_id, parts.options.lease_s)
        if not await parts.store.claim_lease(lease, live.ledger.next_number - 1):
            raise Conflict(f"Somebody else has begun an activity of '{self._instance_id}'.")
        await self._put_leases(live, [lease])
        run = ActivityRun(self._key(live, scheduled.task_id), scheduled, parts.parked.deliver)
        parts.parked.add(run, lease, is_claim=True)
        parts.pool.start(run)

    async def _hand_out(self, live: LiveInstance, tasks: Sequence[TaskScheduled]) -> None:
        """Let any host run these."""
        parts = self._parts
        leases = [
            self._lease(live, each.task_id, ANYBODY, parts.options.work_lease_s) for each in tasks
        ]
        await self._put_leases(live, leases)
        items = [work_item(self._instance_id, live.execution_id, each) for each in tasks]
        try:
            await parts.queues.send_work(items)
        except StorageError:
            for lease in leases:  # or nobody would look for as long as they hold
                over = msgspec.structs.replace(lease, expires_at=parts.clock.now())
                await parts.store.renew_lease(over)
            raise

    # ---- parking --------------------------------------------------------------------------------

    async def park(self, live: LiveInstance) -> None:
        """Lease what runs here and let it run on without the session. Raises `StorageError`."""
        parts = self._parts
        leases = [
            self._lease(live, key.task_id, parts.host_id, parts.options.lease_s)
            for key in self._runs
            if key.execution_id == live.execution_id
        ]
        await self._put_leases(live, leases)
        # Results that came while the lease was being written have to go the new way, too.
        for run in self._runs.values():
            run.deliver = parts.parked.deliver
        by_key = {ActivityKey(x.instance_id, x.execution_id, x.task_id): x for x in leases}
        for key, run in self._runs.items():
            if key in by_key:
                parts.parked.add(run, by_key[key])
        for run, result in self._results:
            if run.key in by_key:
                parts.parked.add(run, by_key[run.key])
                parts.parked.deliver(run, result)
        self._runs, self._results = {}, []

    # ---- inside ---------------------------------------------------------------------------------

    def _deliver(self, run: ActivityRun, result: ActivityResult) -> None:
        if self._runs.pop(run.key, None) is not None:
            self._results.append((run, result))
            self._wake()

    def _key(self, live: LiveInstance, task_id: int) -> ActivityKey:
        return ActivityKey(self._instance_id, live.execution_id, task_id)

    def _lease(self, live: LiveInstance, task_id: int, owner: str, lease_s: float) -> Lease:
        return Lease(
            instance_id=self._instance_id,
            execution_id=live.execution_id,
            task_id=task_id,
            owner=owner,
            expires_at=self._parts.clock.now() + timedelta(seconds=lease_s),
        )

    async def _put_leases(self, live: LiveInstance, leases: Sequence[Lease]) -> None:
        effects = live.park(self._parts.clock.now(), leases)
        await self._parts.store.apply(effects)
        self._parts.notice_alarm_of(effects)
