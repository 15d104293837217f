"""The activities of one session: which it has run where, and what comes back from those run here.

An activity runs here without any record while it is young and its session waits for it: whoever
leads the instance next runs it again. What is older, outlives the session, or runs elsewhere, has a
lease. By the session's right nothing begins once its hold is over.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

from msgspec.structs import replace

from host.core.executors import ActivityExecutor
from host.core.functions import ActivityFunction
from host.core.incoming import ActivityResult
from host.core.instance_state import InstanceState
from host.core.leases import Undispatched
from host.core.ledger import BEFORE_ALL
from host.core.records import ANYBODY, ActivityKey, Lease, Unawaited
from host.engine.activities import ActivityRun
from host.engine.holds import HoldOverError
from host.engine.parts import EngineParts
from host.engine.placement import lost_failure, place, poisoned_failure
from host.engine.session_leases import SessionLeases
from host.engine.session_offers import SessionOffers
from host.engine.unawaited import Begun, UnawaitedActivities
from host.errors import Conflict


class SessionActivities:
    """Sees to the activities of one instance while a session leads it."""

    def __init__(
        self,
        parts: EngineParts,
        instance_id: str,
        wake: Callable[[], None],
        is_held: Callable[[], bool],
    ) -> None:
        self._parts = parts
        self._instance_id = instance_id
        self._wake = wake
        self._is_held = is_held
        self._runs: dict[ActivityKey, ActivityRun] = {}
        self._results: list[tuple[ActivityRun, ActivityResult]] = []
        self._taken: list[tuple[ActivityRun, ActivityResult]] = []
        """Results of which it is not known yet whether the turn that has them is stored."""
        self._seen_lost: set[object] = set()
        """Which activities that begin at most once seem to be lost, and by whose leases."""

    @property
    def _leases(self) -> SessionLeases:
        """Made when it is needed: most sessions never do."""
        return SessionLeases(self._parts, self._instance_id, self._is_held)

    @property
    def _offers(self) -> SessionOffers:
        return SessionOffers(self._parts, self._instance_id, self._leases)

    @property
    def are_running(self) -> bool:
        """Whether results may come."""
        return bool(self._runs)

    @property
    def have_results(self) -> bool:
        """Whether results came."""
        return bool(self._results)

    @property
    def are_worth_keeping(self) -> bool:
        """Whether anything runs, or has come, that would have to be done again."""
        return bool(self._runs or self._results or self._taken)

    def are_old(self, now: float) -> bool:
        """Whether one runs so long that it needs a lease; `now` is monotonic."""
        return any(self._is_old(run, now) for run in self._runs.values())

    def take_results(self, state: InstanceState) -> list[ActivityResult]:
        """The results that came for the current execution, until `drop_results`."""
        self._taken += self._results
        self._results = []
        return [each for run, each in self._taken if run.key.execution_id == state.execution_id]

    def drop_results(self) -> None:
        """The results that were taken are stored, or nobody waits for them."""
        self._taken = []

    def abandon(self) -> None:
        """Cancel what runs without a lease. What has one runs on: the lease says whose it is."""
        for run in self._runs.values():
            self._cancel(run)
        self._runs, self._results, self._taken = {}, [], []

    def adopt(self, state: InstanceState) -> None:
        """Go on with what runs here after the instance was loaded anew.

        Of that the store says what is still waited for, and whose it is: a lease that this session
        wrote without hearing so is its own, and what another host has leased is not run here.
        """
        self._results, self._taken = self._taken + self._results, []
        now = self._parts.clock.now()
        for key, run in list(self._runs.items()):
            is_open = key.execution_id == state.execution_id
            is_open = is_open and key.task_id in state.ledger.open_activities
            lease = state.lease_of(key.task_id, now) if is_open else None
            if is_open and lease is None:
                continue
            if lease is not None and lease.owner == self._parts.host_id:
                self._hand_over(run, lease)
            elif lease is not None and lease.owner == ANYBODY and self._is_waiting(run):
                self._parts.limits.activities.offered(lease)
            else:
                self._cancel(run)
            del self._runs[key]

    def recall(self, state: InstanceState) -> None:
        """What its row says to wait for a function stays so until it is not true."""
        if state.row.blocked_reason is not None:
            known = self._activities_of(state).activity
            state.leave_waiting(x for x in state.ledger.untaken.values() if known(x.name) is None)

    def cancel(self) -> None:
        """The instance was terminated: nothing of it runs on."""
        self._parts.pool.cancel(self._instance_id)
        self._parts.parked.forget(self._instance_id)
        self._parts.limits.activities.forget(self._instance_id)
        self._runs.clear()

    # ---- beginning ------------------------------------------------------------------------------

    async def dispatch(self, state: InstanceState) -> None:
        """Have those activities run that the last turn scheduled, or that nobody runs.

        Raises `HoldOverError`, `StorageError`, and `Conflict` if others know more of the instance.
        """
        if not state.ledger.untaken:
            return
        if not self._is_held():
            raise HoldOverError
        tasks = self._take(state)
        if tasks:
            await self._place(state, tasks)

    def _take(self, state: InstanceState) -> list[Undispatched]:
        """What is to be run, but for what this host has already, and what must not run again."""
        parts, was_leased = self._parts, bool(state.leases)
        tasks = state.take_undispatched(parts.clock.now())
        if self._runs or self._results:
            tasks = [task for task in tasks if not self._is_kept(state, task)]
        if parts.pool.has_runs_of(self._instance_id) or not parts.parked.is_empty:
            tasks = self._without_those_here(state, tasks)
        return self._without_poisoned(state, tasks) if was_leased else tasks

    async def _place(self, state: InstanceState, tasks: Sequence[Undispatched]) -> None:
        parts = self._parts
        if parts.changing is None or not parts.changing.has_former:
            placement = place(tasks, parts.activities, parts.pool, parts.options.max_backlog_s)
        else:
            activities = self._activities_of(state)
            is_own = activities is parts.activities
            max_backlog_s = parts.options.max_backlog_s if is_own else None  # others lack the same
            placement = place(tasks, activities, parts.pool, max_backlog_s)
        if placement.lost:
            self._end_lost(state, placement.lost)
        for task in placement.here:
            scheduled = task.scheduled
            if task.was_offered:
                await self._start_offered(state, task, placement.functions[scheduled.name])
                continue
            key = ActivityKey(self._instance_id, state.execution_id, scheduled.task_id)
            run = self._runs[key] = ActivityRun(key, scheduled, self._deliver, self._is_held)
            parts.pool.start(run, placement.functions[scheduled.name])
        if placement.limited:
            await self._limited(state, placement.limited, placement.functions)
        for task in placement.once:
            await self._start_once(state, task, placement.functions[task.scheduled.name])
        if placement.elsewhere:
            await self._offers.hand_out(state, placement.elsewhere)
        if placement.unknown:
            await self._offers.leave_to_others(state, placement.unknown)

    def _activities_of(self, state: InstanceState) -> ActivityExecutor:
        """Who has its activities: of one that goes on with former code, that version."""
        changing, present = self._parts.changing, self._parts.activities
        if changing is None or not changing.has_former:
            return present
        return changing.activities_of(self._instance_id, state.started.execution_id, present)

    def _end_lost(self, state: InstanceState, tasks: Sequence[Undispatched]) -> None:
        lost = [task for task in tasks if not self._is_given_back(state, task)]
        if lost:
            self._look_again_at(lost)
        for scheduled in [task.scheduled for task in lost]:
            run = ActivityRun(self._leases.key(state, scheduled.task_id), scheduled, self._deliver)
            self._results.append((run, lost_failure(scheduled, self._parts.clock.now())))

    def _is_given_back(self, state: InstanceState, task: Undispatched) -> bool:
        """Whether it was not begun for sure: a claim was stored when this host was done with it.

        It is given back once more, and its instance woken then.
        """
        if task.lease is None or not self._parts.claims.were_given_back(task.lease.owner):
            return False
        self._parts.parked.give_back(task.lease)
        self._leases.keep(state, [task.scheduled.task_id])
        return True

    def _look_again_at(self, lost: Sequence[Undispatched]) -> None:
        """Have the store say once more that these were begun: `Conflict` loads the instance anew.

        What is in memory may be older than the end of a lease, and a host that surely did not begin
        what it had claimed may have given it back.
        """
        seen = {
            (x.scheduled.task_id, x.lease and (x.lease.owner, x.lease.expires_at)) for x in lost
        }
        if not seen <= self._seen_lost:
            self._seen_lost |= seen
            raise Conflict(f"Activities of '{self._instance_id}' seem to be lost.")

    def _without_those_here(
        self, state: InstanceState, tasks: Sequence[Undispatched]
    ) -> list[Undispatched]:
        """Those that do not run here. The lease of one that does is renewed as soon as that works.

        Until then it is to be looked after.
        """
        here = {task.scheduled.task_id for task in tasks if self._is_here(state, task)}
        self._leases.keep(state, here)
        return [task for task in tasks if task.scheduled.task_id not in here]

    def _without_poisoned(
        self, state: InstanceState, tasks: Sequence[Undispatched]
    ) -> list[Undispatched]:
        """Those with which few hosts have vanished; the others fail."""
        parts, fresh = self._parts, list[Undispatched]()
        for task in tasks:
            scheduled, tries = task.scheduled, task.tries_with(parts.host_id)
            if tries <= parts.options.max_deliveries:
                fresh.append(task)
                continue
            run = ActivityRun(self._leases.key(state, scheduled.task_id), scheduled, self._deliver)
            failure = poisoned_failure(scheduled, tries, parts.clock.now())
            self._results.append((run, failure))
        return fresh

    def _is_kept(self, state: InstanceState, task: Undispatched) -> bool:
        """Whether this session runs it, or has its result, from before the last load."""
        key = self._leases.key(state, task.scheduled.task_id)
        return key in self._runs or any(run.key == key for run, _ in self._results)

    def _is_here(self, state: InstanceState, task: Undispatched) -> bool:
        """Whether it runs here, or its result is on its way, though its lease may be over."""
        key = self._leases.key(state, task.scheduled.task_id)
        return self._parts.pool.is_running(key) or self._parts.parked.has(key)

    async def _start_offered(
        self, state: InstanceState, task: Undispatched, function: ActivityFunction
    ) -> None:
        """Begin what others may take at this moment: only if the lease is this host's now."""
        parts, scheduled = self._parts, task.scheduled
        lease = self._leases.of(state, scheduled.task_id, parts.host_id, parts.options.lease_s)
        lease = replace(lease, tries=task.tries_with(parts.host_id))
        await self._leases.take_over(lease, BEFORE_ALL)
        await self._leases.put(state, [lease])
        run = ActivityRun(
            self._leases.key(state, scheduled.task_id), scheduled, parts.parked.deliver
        )
        parts.parked.add(run, lease)
        parts.pool.start(run, function)

    async def _start_once(
        self, state: InstanceState, task: Undispatched, function: ActivityFunction
    ) -> None:
        """Record that an activity begins, then begin it, parked from the start."""
        parts, scheduled = self._parts, task.scheduled
        owner, lease_s = parts.claims.owner(), parts.options.lease_s
        lease = self._leases.of(state, scheduled.task_id, owner, lease_s)
        self._leases.check_hold()
        try:
            if not await self._leases.claim(state, lease, was_offered=task.lease is not None):
                raise Conflict(f"Somebody else has begun an activity of '{self._instance_id}'.")
            await self._leases.put(state, [lease])
            self._leases.check_hold()
        except (Exception, asyncio.CancelledError):
            parts.parked.give_back(lease)  # whatever became of the claim, it was not begun
            raise
        run = ActivityRun(
            self._leases.key(state, scheduled.task_id), scheduled, parts.parked.deliver
        )
        parts.parked.add(run, lease, is_claim=True)
        parts.pool.start(run, function)

    async def _limited(
        self,
        state: InstanceState,
        tasks: Sequence[Undispatched],
        functions: Mapping[str, ActivityFunction],
    ) -> None:
        """Have them wait for slots. What others may take, or begin once, stays offered."""
        limited, lease_s = self._parts.limits.activities, self._parts.options.work_lease_s
        for task in tasks:
            scheduled, function = task.scheduled, functions[task.scheduled.name]
            key = self._leases.key(state, scheduled.task_id)
            if limited.has(key):  # who waits sees to the lease
                lease = self._leases.of(state, scheduled.task_id, ANYBODY, lease_s)
                state.leases.add([lease], state.ledger)
            elif function.at_most_once or task.was_offered:
                self._leases.check_hold()
                lease = await self._offers.offer_once(state, task, lease_s)
                state.leases.add([lease], state.ledger)
                limited.begin_offered(key, scheduled, function, lease)
            else:
                run = self._runs[key] = ActivityRun(key, scheduled, self._deliver, self._is_held)
                limited.begin(run, function)

    # ---- parking --------------------------------------------------------------------------------

    async def leave_to_others(self, state: InstanceState) -> bool:
        """The host stops: what has begun runs on as if parked. Raises `StorageError`.

        Its leases are nobody's from the start, so that no other host takes this one for vanished.
        True if anything is left for others to begin.
        """
        waiting = [run for run in self._runs.values() if run.began_at is None]
        for run in waiting:
            self._cancel(run)
            del self._runs[run.key]
        if self._runs:
            await self._lease_runs(state, list(self._runs), owner=ANYBODY)
        self._runs, self._results = {}, []
        return bool(state.take_undispatched(self._parts.clock.now())) or bool(waiting)

    async def park(self, state: InstanceState) -> None:
        """Lease what runs here and let it run on without the session. Raises `StorageError`.

        What has ended here and is not stored yet is told by message, too.
        """
        ended = [run.key for run, _ in self._results]
        await self._offer_waiting(state)
        await self._lease_runs(state, [*self._runs, *ended])
        self._runs, self._results = {}, []

    async def _offer_waiting(self, state: InstanceState) -> None:
        """Leave to anybody, for now, what waits for a slot: nobody has begun it."""
        limited, lease_s = self._parts.limits.activities, self._parts.options.work_lease_s
        runs = limited.leave_session(self._runs)
        leases = [self._leases.of(state, run.key.task_id, ANYBODY, lease_s) for run in runs]
        if not leases:
            return
        try:
            await self._leases.put(state, leases)
        except Exception:
            limited.go_on(runs)
            raise
        for run, lease in zip(runs, leases, strict=True):
            self._runs.pop(run.key, None)
            limited.offered(lease)

    async def lease_old(self, state: InstanceState) -> None:
        """Lease what runs here for long. Raises `StorageError`."""
        now = self._parts.clock.monotonic()
        await self._lease_runs(
            state, [k for k, run in self._runs.items() if self._is_old(run, now)]
        )

    async def _lease_runs(
        self, state: InstanceState, keys: Sequence[ActivityKey], owner: str | None = None
    ) -> None:
        """`owner` is whose the leases are; None for this host."""
        parts = self._parts
        owner = parts.host_id if owner is None else owner
        leases = {
            key: self._leases.of(state, key.task_id, owner, parts.options.lease_s)
            for key in keys
            if key.execution_id == state.execution_id
        }
        await self._leases.put(state, list(leases.values()))
        # Results that came while the lease was being written have to go the new way, too.
        came = [(run, result) for run, result in self._results if run.key in leases]
        self._results = [each for each in self._results if each[0].key not in leases]
        for key, lease in leases.items():
            run = self._runs.pop(key, None)
            if run is not None:
                self._hand_over(run, lease)
        for run, result in came:
            self._hand_over(run, leases[run.key])
            parts.parked.deliver(run, result)

    def _hand_over(self, run: ActivityRun, lease: Lease) -> None:
        """From now on the run goes by its lease, and its result by message."""
        run.deliver = self._parts.parked.deliver
        self._parts.parked.add(run, lease)

    def _is_old(self, run: ActivityRun, now: float) -> bool:
        age_s = 0.0 if run.began_at is None else now - run.began_at
        return age_s >= self._parts.options.park_after_s

    # ---- the end of an execution ----------------------------------------------------------------

    async def leave(
        self, state: InstanceState, left: Sequence[Unawaited], *, is_draining: bool
    ) -> bool:
        """The execution has ended: see to what it leaves; whether some is for the next host.

        Raises `StorageError`.
        """
        unawaited = UnawaitedActivities(self._parts, state.unawaited)
        for run in [run for run in self._runs.values() if self._is_waiting(run)]:
            self._cancel(run)  # it is begun anew, for nobody
            del self._runs[run.key]
        begun = {run.key: Begun(run) for run in self._runs.values()}
        begun |= {run.key: Begun(run, result) for run, result in self._results}
        self._runs, self._results = {}, []
        await unawaited.keep(left, begun)
        if is_draining:
            return await unawaited.offer(left)
        await unawaited.begin(left)
        return False

    # ---- inside ---------------------------------------------------------------------------------

    def _is_waiting(self, run: ActivityRun) -> bool:
        return run.began_at is None and self._parts.limits.activities.has(run.key)

    def _cancel(self, run: ActivityRun) -> None:
        self._parts.pool.cancel_run(run)
        self._parts.limits.activities.drop(run)

    def _deliver(self, run: ActivityRun, result: ActivityResult) -> None:
        if self._runs.pop(run.key, None) is not None:
            self._results.append((run, result))
            self._wake()
