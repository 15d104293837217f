"""One run: a hub, hosts, users and faults for a while; then calm, until everything has ended."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from random import Random
from typing import Literal, TypeAlias

from bindings.client import RuntimeStatus
from host.core.ids import is_entity
from host.core.instance_state import InstanceState
from host.core.records import Notice, Snapshot
from host.engine.options import EngineOptions
from host.errors import DamagedDataError, StorageError
from tests.simulation import checks, limits
from tests.simulation.aws_hub import AwsHub
from tests.simulation.catalog import World
from tests.simulation.clerks import has_clerk, serving_clerk
from tests.simulation.clock import SkewedClock
from tests.simulation.debounced import has_bouncers
from tests.simulation.entities import has_entities
from tests.simulation.entropy import drawn_by
from tests.simulation.faults import Fault, Faults
from tests.simulation.hosts import Fleet, Host, random_options
from tests.simulation.hub import Hub, ModelHub
from tests.simulation.keeping import KEPT, keeping, keeps_little
from tests.simulation.loop import EndlessRunError, NothingToDoError, VirtualLoop
from tests.simulation.network import Network
from tests.simulation.programs import FUNCTIONS, LISTENERS, STOP
from tests.simulation.queue import Queue
from tests.simulation.receivers import Receiver, has_receiver
from tests.simulation.tables import Tables
from tests.simulation.trace import Trace
from tests.simulation.users import EVENT, Users
from tests.simulation.witness import AppendChecks

MAX_STEPS = 1_500_000
HASTY_EVERY = 10
"""In one world of so many nobody raises an event twice: a hint that is lost stays lost."""
AWS_EVERY = 8
"""One seed of so many runs on the drivers for AWS; it takes four times as long as another."""
SHARES_OF_WORKERS = (0.0, 0.0, 0.0, 0.5, 1.0)
LOSING = frozenset(
    {
        Fault.LOST_HINT,
        Fault.PURGED_QUEUE,
        Fault.LATE_WRITE,
        Fault.SKEW,
        Fault.STEP_BACK,
        Fault.STEP_FORWARD,
    }
)
"""What loses hints though no host vanishes, or hides that one does; a message that lands late has
been hinted at before it is there. Without them nobody looks for lost hints by the way, so that a
sweep that is due for a vanished host is missed."""
CRASHES = frozenset({Fault.CRASH_BEFORE, Fault.CRASH_AFTER})
OFTEN_S, HARDLY_EVER_S = 30.0, 1_000_000.0
MAX_CALM_S = 3600.0
MAX_REST_S = 900.0
"""A host that runs one activity at a time needs long for what is left of many executions."""
QUIET_S = 45.0
"""So long nothing may happen after the end: longer than any hold, sweep or poll."""

Write: TypeAlias = Callable[[str], None]
HubKind: TypeAlias = Literal["model", "aws"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What makes a run: the same plan gives the same run."""

    seed: int
    without: frozenset[Fault] = frozenset()
    """Faults that are taken away."""
    absent: frozenset[str] = frozenset()
    """Users that are not there."""
    calm_after_s: float | None = None
    """When the faults cease; None for when the users are done."""
    hub: HubKind | None = None
    """Which hub it is; None to let the seed decide."""
    workers: float | None = None
    """How many hosts of all have a worker run their orchestrators; None to let the seed decide."""

    @property
    def is_on_aws(self) -> bool:
        """Whether the drivers for AWS are at work."""
        return self.hub == "aws" or (self.hub is None and self.seed % AWS_EVERY == AWS_EVERY - 1)

    @property
    def is_hasty(self) -> bool:
        """Whether its users are, and its hosts crash between what they store and what they say."""
        return self.seed % HASTY_EVERY == HASTY_EVERY - 3

    @property
    def share_of_workers(self) -> float:
        """How many hosts of all have a worker. Most seeds are as if there were none."""
        if self.workers is not None:
            return self.workers
        return Random(f"{self.seed}/workers").choice(SHARES_OF_WORKERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What came of a run."""

    plan: Plan
    problems: tuple[str, ...]
    digest: str
    faults: Counter[Fault] = field(default_factory=Counter)
    chosen: frozenset[Fault] = frozenset()
    appends: int = 0
    instances: int = 0
    requests: int = 0
    expired_holds: int = 0
    lives: int = 0
    users: tuple[str, ...] = ()
    virtual_s: float = 0.0


def simulate(plan: Plan, write: Write | None = None) -> Report:
    """Do one run. With `write`, also tell its story, line by line."""
    with drawn_by(plan.seed), undisturbed():
        return Run(plan, write).go()


def _has_mail(snapshot: Snapshot) -> bool:
    """Whether a message waits. One that was taken in may be there again, since it landed late."""
    return any(map(InstanceState(snapshot).ledger.wants, snapshot.inbox))


@contextmanager
def undisturbed() -> Iterator[None]:
    """What a dead host leaves must not be closed in the midst of a run."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


class Run:
    """One run, once. `tests/rough` has others."""

    def __init__(self, plan: Plan, write: Write | None) -> None:
        seed = plan.seed
        self._plan = plan
        self._loop = loop = VirtualLoop(Random(f"{seed}/order"), MAX_STEPS)
        self._trace = trace = Trace(loop.time, write)
        self._faults = faults = self._make_faults()
        self._limits = limits.limits_of(seed) if limits.has_limits(seed) else {}
        self._crowd = limits.Crowd(self._limits)
        self._slots = self._make_slot_checks()
        self._witness = AppendChecks(SkewedClock(loop, 0).now, self._slots)
        self._network = Network(loop, seed, faults, trace)
        self._world = World(
            partial(trace.note, "activity"),
            has_entities=has_entities(seed),
            has_bouncers=has_bouncers(seed),
            crowd=self._crowd,
        )
        self._hub = self._make_hub()
        self._receiver = Receiver(seed, faults) if has_receiver(seed) else None
        self._fleet = self._make_fleet()
        self._users = Users(loop, seed, self._fleet, trace, plan.absent, once=self._said_once())
        self._problems: list[str] = []
        self._instances = 0

    def _said_once(self) -> Collection[str]:
        """What nobody asks for again who got no answer."""
        return {EVENT} if self._plan.is_hasty else ()

    def _make_faults(self) -> Faults:
        plan = self._plan
        without = plan.without | (limits.WITHOUT if limits.has_limits(plan.seed) else frozenset())
        if plan.is_hasty:
            return Faults(plan.seed, without | LOSING, CRASHES)
        return Faults(plan.seed, without)

    def _make_slot_checks(self) -> limits.SlotChecks | None:
        """Who looks at what is stored of limits; nobody on AWS, where it comes in many requests."""
        if not self._limits or self._plan.is_on_aws:
            return None
        return limits.SlotChecks(self._limits, SkewedClock(self._loop, 0).now)

    def _options(self, random: Random) -> EngineOptions:
        often = not LOSING.isdisjoint(self._faults.chosen)
        options = replace(random_options(random), full_sweep_s=OFTEN_S if often else HARDLY_EVER_S)
        options = keeping(serving_clerk(options, self._plan.seed), self._plan.seed)
        return limits.limiting(options, self._plan.seed)

    def _make_fleet(self, options: Callable[[Random], EngineOptions] | None = None) -> Fleet:
        return Fleet(
            loop=self._loop,
            seed=self._plan.seed,
            faults=self._faults,
            trace=self._trace,
            hub=self._hub,
            world=self._world,
            workers=self._plan.share_of_workers,
            options=options or self._options,
            notifications=None if self._receiver is None else self._receiver.notifications,
        )

    def _make_hub(self) -> Hub:
        loop, seed, faults = self._loop, self._plan.seed, self._faults
        wakeups = Queue("wake-ups", loop, seed, faults, self._trace)
        work = Queue("work", loop, seed, faults, self._trace)
        if not self._plan.is_on_aws:
            return ModelHub(Tables(self._witness), wakeups, work, self._network)
        return AwsHub(
            loop=loop,
            seed=seed,
            faults=faults,
            network=self._network,
            witness=self._witness,
            wakeups=wakeups,
            work=work,
        )

    def go(self) -> Report:
        """The run, from beginning to end."""
        asyncio.set_event_loop(self._loop)
        with _logs(self._trace, self._problems):
            try:
                self._loop.run_until_complete(self._live())
            except NothingToDoError:
                self._problems.append("progress: everything waits for something that never comes")
            except EndlessRunError:
                self._problems.append("progress: the run never ends")
            except DamagedDataError as error:
                self._problems.append(f"damage: {error}")
            finally:
                asyncio.set_event_loop(None)
                self._loop.end()
        self._problems += [f"tasks: {each}" for each in self._loop.problems]
        return self._report()

    async def _live(self) -> None:
        faults, fleet = self._faults, self._fleet
        faults.is_over = True  # nobody is to miss the listeners
        fleet.start()
        await self._users.set_up()
        faults.is_over = False
        self._arrange_accidents()
        if self._plan.calm_after_s is not None:
            fleet.later(self._plan.calm_after_s, self._calm)
        await self._users.act()
        await self._loop.pass_time(20)
        self._calm()
        await self._loop.pass_time(60)  # longer than any host is frozen or down
        self._renew_blind_hosts()
        await self._users.end_moves()
        await self._end_all()
        await self._end_jobs()
        await self._rest()
        outcome = await self._outcome()
        self._instances = len(outcome.stored)
        self._problems += checks.problems_of(outcome)
        self._problems += self._limit_problems()

    def _limit_problems(self) -> list[str]:
        found = list(self._crowd.problems)
        if self._slots is not None:
            found += [*self._slots.problems, *self._slots_left()]
        return [f"limits: {each}" for each in found]

    def _slots_left(self) -> Iterator[str]:
        """Those that nobody has given back, or found, so far."""
        now = SkewedClock(self._loop, 0).now()
        return iter(()) if self._slots is None else self._slots.problems_of_rest(now)

    def _calm(self) -> None:
        if not self._faults.is_over:
            self._trace.note("world", "is calm from now on")
        self._faults.cease()
        self._fleet.set_clocks_right()
        self._fleet.deploy()

    # ---- accidents ----------------------------------------------------------------------------

    def _arrange_accidents(self) -> None:
        """Decide when each fault that belongs to no request happens."""
        accidents: dict[Fault, Callable[[], object]] = {
            Fault.CRASH: lambda: self._on_a_host(lambda host: host.crash("just so")),
            Fault.FREEZE: self._freeze,
            Fault.STOP: self._stop,
            Fault.STEP_BACK: lambda: self._set_clock(Fault.STEP_BACK, -1),
            Fault.STEP_FORWARD: lambda: self._set_clock(Fault.STEP_FORWARD, 1),
            Fault.NEW_CODE: lambda: self._deploy(is_changed=True),
            Fault.MISSING_CODE: lambda: self._deploy(lacks=self._pick.choice(FUNCTIONS)),
            Fault.PURGED_QUEUE: self._purge,
            Fault.SWAPPED_APP: self._swap,
        }
        self._pick = Random(f"{self._plan.seed}/accidents")
        for fault, accident in accidents.items():
            for _ in range(self._faults.times(fault)):
                when_s = self._faults.between(fault, 1, 70)
                self._fleet.later(when_s, self._happen, fault, accident)

    def _happen(self, fault: Fault, accident: Callable[[], object]) -> None:
        if not self._faults.is_over:
            self._faults.count(fault)
            accident()

    def _on_a_host(self, what: Callable[[Host], object]) -> None:
        hosts = self._fleet.up()
        if hosts:
            what(self._pick.choice(hosts))

    def _freeze(self) -> None:
        seconds = self._faults.between(Fault.FREEZE, 8, 50)
        self._on_a_host(lambda host: self._fleet.freeze(host, seconds))

    def _stop(self) -> None:
        grace_s = self._faults.between(Fault.STOP, 0, 15)
        self._on_a_host(lambda host: self._fleet.stop(host, grace_s))

    def _purge(self) -> None:
        self._pick.choice((self._hub.wakeups, self._hub.wakeups, self._hub.work)).purge()

    def _swap(self) -> None:
        """A host's app is one without a function for a while."""
        seconds, lacks = (
            self._faults.between(Fault.SWAPPED_APP, 2, 60),
            {self._pick.choice(FUNCTIONS)},
        )

        def swap(host: Host) -> None:
            if not host.is_blind:
                self._fleet.swap(host, lacks)
                self._fleet.later(seconds, self._fleet.swap, host, ())

        self._on_a_host(swap)

    def _set_clock(self, fault: Fault, sign: int) -> None:
        by_s = sign * self._faults.between(fault, 1, 200)
        self._on_a_host(lambda host: self._fleet.set_clock(host, by_s))

    def _deploy(self, *, is_changed: bool = False, lacks: str = "") -> None:
        self._fleet.deploy(is_changed=is_changed, lacks=lacks)
        self._on_a_host(lambda host: self._fleet.stop(host, 3))

    # ---- the end ------------------------------------------------------------------------------

    def _renew_blind_hosts(self) -> None:
        """Hosts without a function are replaced by others that have it."""
        for host in self._fleet.up():
            if host.is_blind:
                self._fleet.stop(host, 3)

    async def _end_all(self) -> None:
        """Resume what is suspended, wait for the programs, then tell the listeners to stop."""
        random = Random(f"{self._plan.seed}/end")
        until = self._loop.time() + MAX_CALM_S
        told: set[str] = set()
        while self._loop.time() < until:
            await self._loop.pass_time(5)
            stored = await self._hub.everything()
            open_ = [each for each in stored if not each.instance.is_finished]
            waiting = any(map(_has_mail, open_))
            open_ = [each for each in open_ if not is_entity(each.instance.instance_id)]
            for each in open_:
                if each.instance.status is RuntimeStatus.SUSPENDED:
                    await self._users.resume(random, each.instance.instance_id)
            programs = [each for each in open_ if each.instance.name == "program"]
            if programs or waiting:
                continue
            if not open_:
                return
            for listener in LISTENERS:
                if listener not in told:
                    told.add(listener)
                    await self._users.tell(random, listener, STOP)

    async def _end_jobs(self) -> None:
        """Wait for those that hosts lead, or will take over."""
        until = self._loop.time() + MAX_CALM_S
        while has_clerk(self._plan.seed) and self._loop.time() < until:
            if not any(job.is_running for job in await self._hub.jobs()):
                return
            await self._loop.pass_time(5)

    async def _rest(self) -> None:
        """Wait out what runs still, then see that nothing happens any more."""
        until = self._loop.time() + MAX_REST_S
        while self._loop.time() < until:
            await self._loop.pass_time(5)
            if not (
                self._hints_left()
                or self._fleet.is_busy()
                or await self._is_work_left()
                or any(self._slots_left())
            ):
                break
        if self._hints_left():
            self._problems.append(f"rest: {self._hints_left()} hints are never finished")
        if self._fleet.is_busy():
            self._problems.append("rest: hosts are busy for ever")
        before = self._witness.appends, sum(self._world.begun.values())
        self._witness.alarm_readers.clear()
        await self._loop.pass_time(QUIET_S)
        if len(self._witness.alarm_readers) > 1:
            readers = ", ".join(sorted(self._witness.alarm_readers))
            self._problems.append(f"rest: each of {readers} reads the alarms of all")
        if before != (self._witness.appends, sum(self._world.begun.values())):
            self._problems.append("rest: something goes on after the end")
        if self._has_lost_holds():
            self._problems.append(f"holds: {self._expired_holds()} were over before their time")
        for host in self._fleet.up():
            found = [*host.engine.problems(), *host.engine.store_problems()]
            self._problems += [f"health: {each}" for each in found]

    async def _is_work_left(self) -> bool:
        """Whether activities that nobody waits for are to be run, or were a moment ago."""
        stored = await self._hub.everything()
        return any(each.leases or each.wake_at is not None for each in stored)

    def _has_lost_holds(self) -> bool:
        """Whether holds ended by their time, though nothing was wrong that patience is not for."""
        is_calm = {Fault.THROTTLED_ENTRY}.issuperset(self._faults.counts)
        return is_calm and self._hub.are_all_patient and self._expired_holds() > 0

    def _expired_holds(self) -> int:
        return self._hub.wakeups.expired_holds + self._hub.work.expired_holds

    def _hints_left(self) -> int:
        return len(self._hub.wakeups) + len(self._hub.work)

    async def _outcome(self) -> checks.Outcome:
        stored: dict[str, Snapshot] = {
            each.instance.instance_id: each for each in await self._hub.everything()
        }
        entities = {id_: stored.pop(id_) for id_ in [*stored] if is_entity(id_)}
        if stored:
            random = Random(f"{self._plan.seed}/lists")
            rows = [each.instance for each in stored.values()]
            found = await self._hub.list_problems(rows, random)
            self._problems += [f"lists: {each}" for each in found]
        left_at_rest = self._hub.left_over()
        left_by_purge = await self._hub.purge_all()
        await self._hub.repair()
        return checks.Outcome(
            stored=stored,
            entities=entities,
            deeds=self._users.deeds,
            world=self._world,
            disturbances=self._faults.counts.total() + self._expired_holds(),
            has_other_code=not {Fault.NEW_CODE, Fault.MISSING_CODE}.isdisjoint(self._faults.counts),
            has_late_writes=Fault.LATE_WRITE in self._faults.counts,
            old_since=self._old_since(),
            scheduled=self._witness.scheduled(),
            taken=self._witness.taken,
            late_s=self._witness.late_s if self._fleet.is_roomy() else (),
            jobs=await self._hub.jobs(),
            happened=self._witness.happened,
            remembered=self._witness.remembered(),
            told=await self._told(),
            chosen=self._hub.chosen(),
            left_at_rest=left_at_rest,
            left_by_purge=left_by_purge,
            left_by_repair=self._hub.left_over(),
        )

    def _old_since(self) -> datetime | None:
        now = SkewedClock(self._loop, 0).now()
        return now - 2 * KEPT if keeps_little(self._plan.seed) else None

    async def _told(self) -> Collection[Notice] | None:
        """What the receiver was told, and what it will be; None if there is none."""
        if self._receiver is None:
            return None
        return [*self._receiver.taken, *await self._hub.notices()]

    def _report(self) -> Report:
        return Report(
            plan=self._plan,
            problems=(*self._witness.problems, *self._fleet.problems, *self._problems),
            digest=self._trace.digest,
            faults=self._faults.counts,
            chosen=self._faults.chosen,
            appends=self._witness.appends,
            instances=self._instances,
            requests=self._network.requests,
            expired_holds=self._expired_holds(),
            lives=self._fleet.lives,
            users=self._users.names,
            virtual_s=self._loop.time(),
        )


class _Reader(logging.Handler):
    """Reads the hosts' log: an error that is not the store's or an author's is a defect."""

    def __init__(self, trace: Trace, problems: list[str]) -> None:
        super().__init__(logging.DEBUG if trace.is_on else logging.ERROR)
        self._trace = trace
        self._problems = problems

    def emit(self, record: logging.LogRecord) -> None:
        """Take in a record."""
        if self._trace.is_on:
            self._trace.note("log", record.getMessage())
        error = record.exc_info[1] if record.exc_info else None
        is_authors = hasattr(record, "function")  # what programs do is for the checks to judge
        if record.levelno >= logging.ERROR and not (is_authors or isinstance(error, StorageError)):
            self._problems.append(f"log: {record.getMessage()} {error!r}")


@contextmanager
def _logs(trace: Trace, problems: list[str]) -> Iterator[None]:
    logger = logging.getLogger("funchost")
    before = logger.level, logger.propagate
    reader = _Reader(trace, problems)
    logger.setLevel(reader.level)
    logger.propagate = False
    logger.addHandler(reader)
    try:
        yield
    finally:
        logger.removeHandler(reader)
        logger.setLevel(before[0])
        logger.propagate = before[1]
