"""The activities of one session: which it has run where, and what comes back from those run here.

An activity runs here without any record as long as its session waits for it: whoever leads the
instance next runs it again. What outlives the session, or runs elsewhere, has a lease.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta

from host.core.history import TaskScheduled
from host.core.incoming import ActivityResult
from host.core.leases import Undispatched
from host.core.live_instance import LiveInstance
from host.core.records import ANYBODY, Lease, Unawaited
from host.engine.activities import ActivityKey, ActivityRun
from host.engine.parts import EngineParts
from host.engine.placement import lost_failure, place
from host.engine.unawaited import Begun, UnawaitedActivities
from host.engine.work import HAND_OUT_AGAIN_S, work_item
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
        tasks = live.take_undispatched(parts.clock.now())
        here = {task.scheduled.task_id for task in tasks if self._is_here(live, task)}
        if here:  # it is renewed as soon as that works, and to be looked after until then
            self._keep_leases(live, here)
            tasks = [task for task in tasks if task.scheduled.task_id not in here]
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

    def _keep_leases(self, live: LiveInstance, task_ids: Iterable[int]) -> None:
        owner, lease_s = self._parts.host_id, self._parts.options.lease_s
        leases = [self._lease(live, task_id, owner, lease_s) for task_id in task_ids]
        live.leases.add(leases, live.ledger)

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
        await self._offer(live, tasks, self._parts.options.work_lease_s)
        items = [work_item(self._instance_id, live.execution_id, each) for each in tasks]
        try:
            await self._parts.queues.send_work(items)
        except StorageError as error:
            text = "Work of '%s' is handed out later: %s"
            self._parts.lines.warn(text, self._instance_id, error)
            for lease in await self._offer(live, tasks, HAND_OUT_AGAIN_S):
                await self._parts.store.renew_lease(lease)  # a turn only ever makes them longer

    async def _offer(
        self, live: LiveInstance, tasks: Sequence[TaskScheduled], lease_s: float
    ) -> list[Lease]:
        leases = [self._lease(live, each.task_id, ANYBODY, lease_s) for each in tasks]
        await self._put_leases(live, leases)
        return leases

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

    # ---- the end of an execution ----------------------------------------------------------------

    async def leave(
        self, live: LiveInstance, left: Sequence[Unawaited], *, is_draining: bool
    ) -> bool:
        """The execution has ended: see to what it leaves; whether some is for the next host.

        Raises `StorageError`.
        """
        unawaited = UnawaitedActivities(self._parts, live.unawaited)
        begun = {run.key: Begun(run) for run in self._runs.values()}
        begun |= {run.key: Begun(run, result) for run, result in self._results}
        self._runs, self._results = {}, []
        await unawaited.keep(left, begun)
        if is_draining:
            return await unawaited.offer(left)
        await unawaited.begin(left)
        return False

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
