"""The engine: makes the pieces, keeps their loops running, and stops them in order."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from uuid import uuid4

from host.clock import Clock
from host.core.converter import Converter
from host.core.entities.executor import EntityExecutor, NoEntities
from host.core.executors import ActivityExecutor, OrchestratorExecutor
from host.core.functions import FunctionCatalog
from host.core.notices import NO_NOTICES
from host.core.records import ActivityKey, NoticeKind
from host.core.replay.changing import ChangingExecutor
from host.core.replay.in_process import InProcessExecutor
from host.core.versioned import VersionedExecutor
from host.engine.activities import ActivityPool, Took
from host.engine.alarms import AlarmBell, AlarmPump
from host.engine.apart import hide_idle_loop
from host.engine.audit import AuditLog
from host.engine.bursts import Bursts
from host.engine.cache import InstanceCache
from host.engine.claims import Claims
from host.engine.counters import Counters
from host.engine.elsewhere import GivenExecutor
from host.engine.entities import Entities
from host.engine.failure_log import FAILURE_LOG
from host.engine.feed.feed import Feed
from host.engine.fitting import Fitting
from host.engine.hints import Hints
from host.engine.holds import WAKE_UP_KEEPER, HoldKeeper
from host.engine.hosts import EACH_S, About, Hosts, Load
from host.engine.jobs import Jobs
from host.engine.limits.activities import LimitedActivities
from host.engine.limits.desks import Desks
from host.engine.limits.entities import LimitedEntities
from host.engine.limits.instances import LimitedInstances
from host.engine.limits.limits import HubLimits
from host.engine.management import InstanceManager
from host.engine.notices import NOTICES, NoticeSender, Notifications
from host.engine.observer import Observer, Observers, TurnCommitted
from host.engine.options import EngineOptions
from host.engine.orchestrations import Orchestrations
from host.engine.overview.overview import HubOverview
from host.engine.parked import ParkedActivities
from host.engine.parts import EngineParts
from host.engine.progress import Progress
from host.engine.quarantine import Quarantine
from host.engine.recovery import wake_blocked, wake_recoverable
from host.engine.repeated import RepeatedLines
from host.engine.retention import RETENTION, Retention
from host.engine.sessions import MAX_HELD, Sessions
from host.engine.shared_alarms import SharedAlarms
from host.engine.shared_duties import LEAVE_S, SharedDuties
from host.engine.slices import Slices
from host.engine.store_watch import StoreWatch
from host.engine.supervisor import Supervisor
from host.engine.sweeps import Sweeps
from host.engine.waiters import Waiters
from host.engine.watchdog import Limits, LoopWatch
from host.engine.work import WorkTaker
from host.errors import StorageError
from host.logs import HostLog
from host.storage.protocol import Hint, HubQueues, HubStore, WakeUp

_logger = HostLog("funchost.engine")

GRACE_S = 5.0
"""How long a stop waits for what nobody else can do."""
SESSIONS_S = 2.0
"""How long sessions have to end: all they do is store what there is."""
QUIET_ROUNDS = 10
"""So often all others on the event loop get their turn before a host counts as idle: what one part
has handed to another is taken up by then."""
LEASE_KEEPER = "lease keeper"
HINT_SENDER = "hint sender"
HINT_GATHERER = "hint gatherer"
FUNCTION_FINDER = "function finder"
FITTING = "fitting of instances"
PRESENCE = "presence"
HOST_RECORD = "host record"
JOB_LEADER = "job leader"
NOTICE_SENDER = "notice sender"
KEPT_TO_THE_END = (
    LEASE_KEEPER,
    WAKE_UP_KEEPER,
    HINT_SENDER,
    HINT_GATHERER,
    PRESENCE,
    HOST_RECORD,
    NOTICE_SENDER,
)
"""What sees to what is still held, leased or owed while a host stops, and says that it is there."""


class Engine:
    """Runs the orchestrations and activities of one host."""

    def __init__(
        self,
        *,
        store: HubStore,
        queues: HubQueues,
        catalog: FunctionCatalog,
        converter: Converter,
        clock: Clock,
        options: EngineOptions,
        orchestrators: OrchestratorExecutor | None = None,
        activities: ActivityExecutor | None = None,
        observers: Iterable[Observer] = (),
        about: Callable[[], About] | None = None,
        notifications: Notifications | None = None,
        changing: ChangingExecutor | None = None,
        entities: EntityExecutor | None = None,
        trace_id_of: Callable[[ActivityKey], str] | None = None,
        activities_took: Took | None = None,
    ) -> None:
        """`orchestrators` and `activities` run those; None for the catalog's, in this process.

        `observers` are told what happens. `about` is what the host says of itself to who lists the
        hosts; without it, it is not among them. `notifications` is what is told of instances
        outside of the hub. `entities` does the operations of entities; without it none is known
        here. `changing` runs the orchestrators of a catalog that may change, unless
        others are given. `trace_id_of` gives the trace of an activity. How long activities took
        is put down in `activities_took`. Raises `TypeError` for an observer that cannot be told.
        """
        if orchestrators is None:
            orchestrators = changing or InProcessExecutor(catalog, converter, options.max_actions)
        else:
            orchestrators = GivenExecutor(orchestrators)
        if not options.versioning.takes_all:
            orchestrators = VersionedExecutor(orchestrators, options.versioning)
        activities = activities or catalog
        host_id = uuid4().hex
        self._counters, self._progress = Counters(), Progress(clock)
        own = (self._counters.observer, self._progress.observer, FAILURE_LOG)
        told = Observers((*own, *observers))
        claims = Claims(host_id)
        most = options.max_concurrent_activities
        pool = ActivityPool(clock, most, told, trace_id_of, activities_took)
        self.store_watch = store_watch = StoreWatch(clock)
        parked = ParkedActivities(
            store=store,
            queues=queues,
            clock=clock,
            pool=pool,
            wake=self.wake,
            lease_s=options.lease_s,
            store_watch=store_watch,
            claims=claims,
        )
        limits = Limits(options.stuck_turn_s, options.break_off_turn_s, options.end_host_s)
        watch = LoopWatch(limits)
        self._sessions = Sessions()
        hints = Hints(
            queues,
            clock,
            Bursts(clock, options.max_gather_s),
            store_watch,
            nudge=self._sessions.nudge,
            is_led=self._sessions.is_open,
        )
        self._supervisor = Supervisor(clock, store_watch)
        self._shared = SharedDuties.of(
            store, queues, clock, options, host_id=host_id, wake=self.wake
        )
        """What hosts that share a hub have divided among them; None for one that is alone."""
        self._alarms: AlarmBell = (
            self._shared.alarms
            if self._shared
            else AlarmPump(store, clock, self.wake, options.alarm_poll_s)
        )
        lines = RepeatedLines(clock)
        wanted = NO_NOTICES if notifications is None else notifications.wanted
        self._notices = notices = (
            None
            if notifications is None
            else NoticeSender(
                store,
                clock,
                notifications.post,
                host_id=host_id,
                is_alone=self._shared is None,
                lines=lines,
                watch=store_watch,
            )
        )
        if notices is not None:
            told.add(_telling(notices))
        desks = Desks(
            options.limits,
            store=store,
            clock=clock,
            host_id=host_id,
            is_alone=self._shared is None,
            lease_s=2 * options.lease_s,
            store_watch=store_watch,
        )
        limited = LimitedActivities(
            desks,
            host_id=host_id,
            claims=claims,
            store=store,
            clock=clock,
            pool=pool,
            parked=parked,
            options=options,
            store_watch=store_watch,
        )
        orderly = LimitedInstances(desks, catalog, clock, lines, hints.owe)
        batches = LimitedEntities(
            desks,
            clock,
            hints.owe,
            self._sessions.make_room,
            max_waiting=options.max_concurrent_orchestrators * MAX_HELD // 2,
        )
        self._limits = HubLimits(desks, limited, orderly, batches, activities)
        self.parts = EngineParts(
            host_id=host_id,
            store=store,
            queues=queues,
            catalog=catalog,
            converter=converter,
            orchestrators=orchestrators,
            activities=activities,
            changing=changing,
            clock=clock,
            options=options,
            pool=pool,
            cache=InstanceCache(options.cached_instances),
            parked=parked,
            limits=self._limits,
            waiters=Waiters(options.max_waits),
            watch=watch,
            orchestrations=Orchestrations(
                orchestrators, Slices(watch, clock), clock, options.versioning, wanted
            ),
            entities=Entities(entities or NoEntities(), batches if options.limits else None),
            observers=told,
            lines=lines,
            store_watch=store_watch,
            quarantine=Quarantine(
                store,
                clock,
                options.max_deliveries,
                observers=told,
                pause_s=options.quarantine_pause_s,
                made_room=self._sessions.make_room,
                tell=notices.offer if notices and NoticeKind.QUARANTINED in wanted else None,
                store_watch=store_watch,
            ),
            claims=claims,
            suspects=set(),
            hints=hints,
            alarms=self._alarms,
            wanted=wanted,
            notices=notices,
        )
        self.instances = InstanceManager(self.parts)
        lead_jobs = partial(self._supervisor.run, JOB_LEADER, self._work_on_jobs)
        self.jobs = Jobs(self.parts, self.instances, lead=lead_jobs)
        self._retention = (
            None
            if options.retention is None
            else Retention(self.parts, options.retention, options.retention_of_entities)
        )
        self.hosts = Hosts(store, clock, host_id=host_id, about=about, load=self.load)
        self.audit = AuditLog(store, clock)
        self.feed = Feed(told, clock, host_id)
        self.overview = HubOverview(store, clock, self.hosts)
        self._holds = HoldKeeper(
            queues,
            clock,
            store_watch,
            hold_s=options.hold_s,
            max_hold_s=options.max_hold_s,
            held=lambda: [*self._sessions.wakeups(), *parked.items(), *self._work.held()],
            lost=self._sessions.lose,
            grown_old=self._let_go,
        )
        self._work = WorkTaker(
            host_id=host_id,
            claims=claims,
            store=store,
            queues=queues,
            activities=activities,
            pool=pool,
            parked=parked,
            limited=limited,
            clock=clock,
            options=options,
            store_watch=store_watch,
        )
        self._fitting = None if changing is None else Fitting(self.parts, changing, self._sessions)
        self._functions_changed = asyncio.Event()
        self._stopping: asyncio.Future[None] | None = None

    async def start(self) -> None:
        """Take up what an earlier run left, then take work. The store must be open."""
        shared = self._shared
        if shared is None:  # hints cannot be lost later on
            await self._recover(self.parts.suspects if self.parts.store.was_interrupted else None)
        hide_idle_loop()
        self.parts.watch.start()
        self._supervisor.run("dispatcher", self._dispatch)
        self._supervisor.run("alarm pump", self._pump)
        self._supervisor.run("session keeper", self._tick)
        self._supervisor.run(LEASE_KEEPER, self._renew)
        self._supervisor.run(WAKE_UP_KEEPER, self._holds.keep)
        self._supervisor.run(HINT_SENDER, self._send_owed_hints)
        self._supervisor.run(HINT_GATHERER, self._gather_hints)
        if shared is not None:
            self._supervisor.run("alarm reader", partial(self._read_alarms, shared.alarms))
            self._supervisor.run(PRESENCE, partial(self._appear, shared.sweeps))
            self._supervisor.run("recovery sweep", partial(self._sweep, shared.sweeps))
        self._supervisor.run(FUNCTION_FINDER, self._find_functions)
        if self._fitting is not None:
            self._supervisor.run(FITTING, partial(self._fit, self._fitting))
        if self.parts.options.look_for_jobs_s is not None:
            self.jobs.look_soon()  # a host before may have left one
        if self._retention is not None:
            self._supervisor.run(RETENTION, partial(self._delete_old, self._retention))
        if self._notices is not None:
            self._supervisor.run(NOTICE_SENDER, partial(self._send_notices, self._notices))
            self._supervisor.run(NOTICES, partial(self._look_for_notices, self._notices))
        for name, round_ in self._limits.rounds.items():
            self._supervisor.run(name, partial(self._again, name, round_))
        if self.hosts.is_listed:
            self._supervisor.run(HOST_RECORD, self._say_it_is_there)
        if self.parts.options.max_backlog_s is not None:
            self._supervisor.run("work taker", self._take_work)

    async def stop(self, grace_s: float = GRACE_S) -> None:
        """Take no more work, and hand over what there is. Idempotent.

        What runs has as long as short activities take; then what may run again is handed over. Only
        what may not, the activities that run at most once, has all of `grace_s` seconds to end.
        """
        if self._stopping is None:
            self._stopping = asyncio.ensure_future(self._stop(grace_s))
        await self._stopping
        await self.audit.stop()  # here, since requests are answered while the rest stops

    def begin_stop(self, grace_s: float = GRACE_S) -> None:
        """Begin to stop, and let every client go that waits for an instance; `stop` waits."""
        self.end_waits()
        if self._stopping is None:
            self._stopping = asyncio.ensure_future(self._stop(grace_s))

    async def _stop(self, grace_s: float) -> None:
        parts, until = self.parts, self.parts.clock.monotonic() + grace_s
        with suppress(StorageError):  # from here on it is no crash, whatever ends the process
            await parts.store.expect_end()
        await self._supervisor.stop(keeping=KEPT_TO_THE_END)
        self._alarms.nap.stop()
        await self.jobs.stop()
        # What is on its way here is given back as it comes, while the rest of the stop goes on.
        last_hints = asyncio.create_task(parts.queues.stop_receiving())
        alarms = asyncio.create_task(self._leave_alarms())
        await self._work.finish_receiving()
        await self._hand_over(lambda: max(0.0, until - parts.clock.monotonic()))
        await alarms
        await self._supervisor.stop()
        if self._shared is not None:  # those that were set since then
            parts.hints.owe(self._shared.alarms.take_left(), is_recovery=True)
        await parts.hints.close()
        if self._shared is not None:
            await self._shared.leave(owes_hints=parts.hints.are_owed)
        with suppress(TimeoutError):
            async with asyncio.timeout(LEAVE_S):
                await self._limits.leave()
                await self.jobs.leave()
                await self.hosts.leave()
                if self._retention is not None:
                    await self._retention.leave()
                if self._notices is not None:
                    await self._notices.leave()
                    await self._notices.rest()
        if self._notices is not None:
            await self._notices.stop()
            if waits := self._notices.waiting_in_words():
                _logger.info("%s", waits)
        self.feed.close()
        parts.pool.cancel_all()
        parts.pool.stop()
        parts.cache.clear()
        parts.watch.stop()
        await last_hints

    async def _leave_alarms(self) -> None:
        """Who gets these hints has the alarms from then on."""
        if self._shared is not None:
            self.parts.hints.owe(await self._shared.leave_alarms(), is_recovery=True)

    def hurry(self) -> None:
        """A stop was asked for: nothing may keep the event loop for long any more."""
        self.parts.watch.hurry()

    async def _hand_over(self, left_s: Callable[[], float]) -> None:
        """End all sessions and activities; `left_s` says for how many seconds they may go on."""
        parts, parked, quarantine = self.parts, self.parts.parked, self.parts.quarantine
        quarantine.stop()
        if self._limits.are_set:
            parts.hints.owe(await self._limits.hand_over(), is_recovery=True)
        await parked.leave()
        await self._sessions.drain(SESSIONS_S)
        parts.hints.owe(self._limits.entities.take_away(), is_recovery=True)
        await parked.leave()
        await parked.drain(min(left_s(), self.parts.options.park_after_s), even_for_good=False)
        count = await parked.release(even_for_good=False)
        await parked.drain(left_s(), even_for_good=True)
        count += await parked.release(even_for_good=True)
        if count:
            _logger.info("Handed over %d activities that did not end in time.", count)

    def end_waits(self) -> None:
        """Let every client that waits for an instance go, as if its time was over."""
        self.parts.waiters.close()

    async def wake(self, instance_ids: Sequence[str], *, is_recovery: bool = False) -> None:
        """Hint that these instances have something to do, here and on other hosts.

        `is_recovery`: what that is, no copy in memory may know.
        """
        await self.parts.hints.send(instance_ids, is_recovery=is_recovery)

    def functions_changed(self) -> None:
        """The catalog or the executors may know other functions now: wake who waits for one."""
        self._functions_changed.set()

    def app_changed(self, former: FunctionCatalog) -> None:
        """The catalog has changed since just now; `former` is what it was.

        Whoever does not fit the new code goes on with the former one. Raises `RuntimeError` for an
        engine that was made without `changing`.
        """
        if self._fitting is None:
            raise RuntimeError("The orchestrators of this engine do not change.")
        self._fitting.app_changed(former)

    async def fitted(self) -> Mapping[str, Sequence[str]]:
        """Wait until it is known of the last change who goes on with former code.

        Gives the ids of these instances, by orchestrator.
        """
        return {} if self._fitting is None else await self._fitting.fitted()

    async def idle(self) -> None:
        """Wait until this host has nothing to do now, but to wait for hints or for the clock.

        It holds no wake-up, runs no activity, has no result to deliver, and knows of no alarm that
        is due. Hints in queues of this process were taken up before; nobody can say what is in
        queues that hosts share. Hints that a queue refuses, and work that is held for hosts with
        its function, count for nothing. Returns at once if the host has not started or has stopped.
        """
        quiet_rounds = 0
        while quiet_rounds < QUIET_ROUNDS:
            quiet_rounds += 1
            if self._is_at_work():
                quiet_rounds = 0
                await self._sessions.ended()
                await self._work.begun()
                await self.parts.parked.ended()
                await self._limits.rest()
                await self._alarms.nap.resting()
                if self.jobs.is_at_work:
                    await self.jobs.rest()
                if self._notices is not None:
                    await self._notices.rest()
            else:
                await asyncio.sleep(0)

    def _let_go(self, hint: Hint) -> None:
        """The hint was held for so long that it is to be let go of."""
        if isinstance(hint, WakeUp):
            self._sessions.let_go(hint)
        else:
            self.parts.parked.let_go(hint)

    def _is_at_work(self) -> bool:
        has_work = self._work.is_beginning or len(self.parts.parked) > 0 or self.jobs.is_at_work
        has_work = has_work or (self._notices is not None and self._notices.is_at_work)
        has_work = has_work or self._limits.is_at_work
        return has_work or bool(self._sessions.wakeups()) or not self._alarms.nap.is_resting

    @property
    def is_stopping(self) -> bool:
        """Whether it was told to stop."""
        return self._stopping is not None

    @property
    def open_sessions(self) -> int:
        """How many instances this host leads now."""
        return len(self._sessions)

    def busy_with(self) -> str:
        """What runs on this host right now, in words."""
        counts = {"orchestration": len(self._sessions), "activity": len(self.parts.pool)}
        found = [f"{count} {_counted(what, count)}" for what, count in counts.items() if count]
        return f"{' and '.join(found) or 'nothing'} at work"

    def problems(self) -> list[str]:
        """What is wrong with this host right now, in words; empty when all is well.

        What the store fails is none of it: another host would fare no better.
        """
        stuck = self.parts.watch.stuck()
        found = self._supervisor.problems(of_store=False)
        return [*found, f"{stuck} keeps the event loop busy"] if stuck else found

    def store_problems(self) -> list[str]:
        """What the store or the queues fail right now, in words; empty when they work."""
        found = self._supervisor.problems(of_store=True)
        if self._holds.problem is not None:
            found.append(f"{WAKE_UP_KEEPER}: {self._holds.problem}")
        if not found and self.store_watch.is_failing:
            found.append(self.store_watch.problem)
        return found

    def counters(self) -> dict[str, int]:
        """What this host has met since it started, and how many notices wait in its memory."""
        found = self._counters.snapshot()
        return found if self._notices is None else found | {"noticesWaiting": self._notices.waiting}

    async def _recover(self, suspects: set[str] | None = None) -> None:
        _tell_recovered(await wake_recoverable(self.parts.store, self.parts.queues, suspects))

    async def _sweep(self, sweeps: Sweeps) -> None:
        while True:
            _tell_recovered(await sweeps.sweep())
            self._supervisor.recovered("recovery sweep")
            await self.parts.clock.sleep(sweeps.pause_s)

    async def _appear(self, sweeps: Sweeps) -> None:
        while True:
            pause_s = await sweeps.appear()
            if dropped := self.parts.hints.dropped:
                await sweeps.ask_for_all()
                self.parts.hints.dropped -= dropped
            self._supervisor.recovered(PRESENCE)
            await self.parts.clock.sleep(pause_s)

    async def _work_on_jobs(self) -> None:
        while True:
            await self.jobs.work()
            self._supervisor.recovered(JOB_LEADER)

    async def _delete_old(self, retention: Retention) -> None:
        while True:
            await retention.sweep()
            self._supervisor.recovered(RETENTION)
            await self.parts.clock.sleep(retention.pause_s)

    async def _send_notices(self, notices: NoticeSender) -> None:
        while True:
            await notices.send()
            self._supervisor.recovered(NOTICE_SENDER)

    async def _look_for_notices(self, notices: NoticeSender) -> None:
        while True:
            await notices.look()
            self._supervisor.recovered(NOTICES)
            await notices.pause()

    async def _again(self, name: str, round_: Callable[[], Awaitable[float]]) -> None:
        while True:
            pause_s = await round_()
            self._supervisor.recovered(name)
            await self.parts.clock.sleep(pause_s)

    async def _say_it_is_there(self) -> None:
        while True:
            await self.hosts.appear()
            self._supervisor.recovered(HOST_RECORD)
            await self.parts.clock.sleep(EACH_S)

    def load(self) -> Load:
        """What this host does right now."""
        return Load(sessions=len(self._sessions), activities=len(self.parts.pool))

    async def _read_alarms(self, alarms: SharedAlarms) -> None:
        while True:
            pause_s = await alarms.look()
            self._supervisor.recovered("alarm reader")
            await self.parts.clock.sleep(pause_s)

    async def _find_functions(self) -> None:
        while True:
            await self._functions_changed.wait()
            self._functions_changed.clear()
            try:
                await wake_blocked(
                    self.parts.store, self.parts.queues, self._sessions.instance_ids()
                )
            except StorageError:
                self._functions_changed.set()
                raise
            self._supervisor.recovered(FUNCTION_FINDER)

    async def _fit(self, fitting: Fitting) -> None:
        while True:
            await fitting.fit()
            self._supervisor.recovered(FITTING)

    async def _send_owed_hints(self) -> None:
        while True:
            await self.parts.hints.send_owed()
            self._supervisor.recovered(HINT_SENDER)

    async def _gather_hints(self) -> None:
        while True:
            await self.parts.hints.owe_gathered()

    async def _dispatch(self) -> None:
        while True:
            await self._sessions.receive_once(self.parts)
            self._supervisor.recovered("dispatcher")

    async def _take_work(self) -> None:
        while True:
            await self._work.take_once()
            self._supervisor.recovered("work taker")

    async def _pump(self) -> None:
        while True:
            await self._alarms.wake_due()
            self._supervisor.recovered("alarm pump")
            await self._alarms.nap.rest()

    async def _renew(self) -> None:
        while True:
            await self.parts.parked.renew_once()
            self._supervisor.recovered(LEASE_KEEPER)

    async def _tick(self) -> None:
        while True:
            await self.parts.clock.sleep(self.parts.options.tick_s)
            self._sessions.tick(self.parts.clock.monotonic())
            self._progress.tell_rest()
            if self.store_watch.is_failing:
                self.store_watch.look()


def _telling(notices: NoticeSender) -> Observer:
    """Has what turns of this host tell sent."""

    def see(event: TurnCommitted) -> None:
        notices.offer(event.commit.effects.notices)

    return Observer(name=NOTICE_SENDER, sees={TurnCommitted: see})


def _tell_recovered(count: int) -> None:
    if count:
        _logger.info("Taking up %d unfinished orchestrations.", count)


def _counted(what: str, count: int) -> str:
    if count == 1:
        return what
    return f"{what[:-1]}ies" if what.endswith("y") else f"{what}s"
