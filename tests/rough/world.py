"""One run: hosts and users on a rough AWS, then calm; and what must hold in both.

Rules of this file: whatever the simulator checks holds here, too. On top of that: no host ends or
goes unready, what a host keeps in memory and what it logs stays bounded, callers are told that the
store is away and nothing else, and `GOES_ON_S` after the end of trouble nothing waits that could go
on. Hosts look for lost hints only where hints do get lost: else going on must not need that. In
every other run nobody asks again who got no answer: what was asked for is done, or was not begun.
When all has ended a host stops in order, and leaves nothing that hides hints from the others.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from math import inf
from random import Random
from typing import TypeAlias

from bindings.client import RuntimeStatus
from bindings.errors import InstanceAlreadyExistsError
from host.core import history
from host.core.chain import current_history
from host.core.instance_state import InstanceState
from host.core.leases import has_vanished_holder
from host.core.records import Snapshot
from host.engine.client import HubClient
from host.engine.options import EngineOptions
from host.errors import StorageUnavailableError
from host.storage.aws.kind import MAX_GATHER_S
from tests.rough.hub import RoughHub
from tests.rough.trouble import ENDS_AT_S, Trouble, Troubles
from tests.simulation import checks
from tests.simulation.clock import SkewedClock
from tests.simulation.entropy import drawn_by
from tests.simulation.faults import Fault, Faults
from tests.simulation.hosts import Fleet, Host, NoAnswerError
from tests.simulation.keeping import keeping
from tests.simulation.processes import CURRENT
from tests.simulation.programs import LISTENERS
from tests.simulation.queue import VISIBILITY_S, Queue
from tests.simulation.users import ASKED
from tests.simulation.world import Plan, Report, Run, Write, undisturbed

GOES_ON_S = 30.0
"""So long after the end of trouble nothing may wait any more that could go on."""
MAX_LINES = 10
"""How many lines a host may log from the beginning of trouble until then."""
MAX_TASKS = 250
"""How many tasks all hosts and users together may have."""
LOOKS_EVERY_S = 5.0
CALLS_EVERY_S = 1.5
"""How often somebody comes who wants something, whatever else is going on."""
SHORT = {"steps": [["act", 0.0]], "rounds": 0, "left": 0}
LANDS_S = 1.0
"""What was on its way when the trouble ended is there by then."""
HIDES = frozenset({Trouble.CUT_AFTER, Trouble.DEAD_POLLS, Trouble.SLOW, Trouble.AWAY})
"""Kinds that take hints away from everybody for as long as a host may hold them."""
HIDDEN_S = VISIBILITY_S + 10
GENTLE = (
    frozenset(Trouble)
    - {Trouble.AWAY, Trouble.EXPIRED_KEYS, Trouble.THROTTLED}
    - {
        Trouble.FAILING,
        Trouble.CUT_BEFORE,
    }
)
"""Kinds in which hosts always reach the store in time: so nothing that they do is given up."""
LOSING = frozenset({Trouble.LOST_HINTS})
"""Kinds that only a sweep makes good."""
PUNCTUAL = frozenset({Trouble.DOUBLE_HINTS, Trouble.LAGGING_INDEXES, Trouble.EMPTY_PAGES})
"""Kinds in which every request is done at once and every hint comes: so no timer is late."""
STEADY = PUNCTUAL | {Trouble.LATE_HINTS}
"""Kinds in which no request fails and no hold ends: so nothing is done again."""
HASTY = 0.5
"""In how many runs nobody asks for anything again."""
GRACE_S = 60.0
"""How long a host that stops lets its activities run: longer than any of them."""

Fact: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RoughReport:
    """What came of a run."""

    seed: int
    kinds: frozenset[Trouble]
    report: Report
    struck: Counter[Trouble]
    most_lines: int
    most_tasks: int

    @property
    def problems(self) -> tuple[str, ...]:
        """All that is wrong."""
        return self.report.problems

    @property
    def command(self) -> str:
        """What replays exactly this run, with its story."""
        kinds = ",".join(sorted(kind.short for kind in self.kinds))
        return f"python -m tests.rough --seed {self.seed} --kinds {kinds} --trace"


def rough_run(seed: int, kinds: Collection[Trouble], write: Write | None = None) -> RoughReport:
    """Do one run. With `write`, also tell its story, line by line."""
    with drawn_by(seed), undisturbed():
        return RoughRun(seed, kinds, write).outcome()


class RoughRun(Run):
    """One run, once."""

    def __init__(self, seed: int, kinds: Collection[Trouble], write: Write | None) -> None:
        self._kinds = frozenset(kinds)
        self._lines = _Lines()
        self._most_tasks = 0
        plan = Plan(seed=seed, without=frozenset(Fault), hub="aws", workers=0.0)
        super().__init__(plan, write)

    def outcome(self) -> RoughReport:
        """The run, from beginning to end."""
        report = self.go()
        return RoughReport(
            seed=self._plan.seed,
            kinds=self._kinds,
            report=report,
            struck=Counter(self._troubles.struck),
            most_lines=max(self._lines.counts.values(), default=0),
            most_tasks=self._most_tasks,
        )

    # ---- what the run is made of --------------------------------------------------------------

    def _said_once(self) -> Collection[str]:
        return ASKED if Random(f"{self._plan.seed}/hasty").random() < HASTY else ()

    def _make_faults(self) -> Faults:
        self._troubles = Troubles(self._plan.seed, self._kinds, self._loop)
        return self._troubles

    def _make_fleet(self, options: Callable[[Random], EngineOptions] | None = None) -> Fleet:
        return super()._make_fleet(options or self._options)

    def _make_hub(self) -> RoughHub:
        loop, seed, faults, trace = self._loop, self._plan.seed, self._troubles, self._trace
        self._rough = RoughHub(
            loop=loop,
            seed=seed,
            faults=faults,
            trace=trace,
            network=self._network,
            witness=self._witness,
            wakeups=Queue("wake-ups", loop, seed, faults, trace),
            work=Queue("work", loop, seed, faults, trace),
        )
        return self._rough

    def _options(self, random: Random) -> EngineOptions:
        """Hosts as they are by default, with room for all that there is to do."""
        loses = not LOSING.isdisjoint(self._kinds)
        options = EngineOptions(
            max_concurrent_activities=random.choice((5, 20, 200)),
            cached_instances=random.choice((0, 1000)),
            lease_s=20.0,
            tick_s=1.0,
            alarm_poll_s=15.0,
            sweep_s=20.0 if loses else 300.0,
            full_sweep_s=20.0 if loses else 6 * 3600.0,
            max_gather_s=MAX_GATHER_S,
            work_lease_s=15.0 if loses else 300.0,
            stuck_turn_s=inf,
        )
        return keeping(options, self._plan.seed)

    # ---- the run ------------------------------------------------------------------------------

    async def _live(self) -> None:
        troubles, fleet = self._troubles, self._fleet
        troubles.is_over = True  # nobody is to miss the listeners
        fleet.start()
        await self._users.set_up()
        troubles.is_over = False
        with self._lines.counted():
            users = asyncio.ensure_future(self._users.act())
            callers = asyncio.ensure_future(self._call_all_along())
            await self._pass_trouble()
            self._calm()
            await self._see_it_go_on()
        self._look_at_hosts()
        await asyncio.gather(users, callers)
        await self._end_all()
        await self._rest()
        await self._stop_one()
        outcome = await self._outcome()
        self._instances = len(outcome.stored)
        if self._kinds <= PUNCTUAL:
            self._problems += _late_timers(outcome.late_s)
        if self._kinds <= STEADY:
            self._problems += _repeated_work(outcome)
        if self._kinds <= GENTLE:
            self._problems += _lost_activities(outcome.stored.values())
        self._problems += [*self._rough.problems, *checks.problems_of(outcome)]

    async def _pass_trouble(self) -> None:
        while self._loop.time() < ENDS_AT_S:
            self._most_tasks = max(self._most_tasks, self._loop.open_tasks())
            await self._loop.pass_time(min(LOOKS_EVERY_S, ENDS_AT_S - self._loop.time()))

    async def _call_all_along(self) -> None:
        """Callers come as long as there is trouble, one after the other and not for each other."""
        random = Random(f"{self._plan.seed}/callers")
        calls: list[asyncio.Future[None]] = []
        while self._loop.time() < ENDS_AT_S:
            await self._loop.pass_time(random.uniform(0, 2 * CALLS_EVERY_S))
            calls.append(asyncio.ensure_future(self._call(Random(random.random()), len(calls))))
        await asyncio.gather(*calls)

    async def _call(self, random: Random, number: int) -> None:
        """Start something short, or tell a listener."""
        if random.random() < 0.5:
            await self._users.start(random, f"caller{number}", SHORT)
        else:
            listener = random.choice(LISTENERS)
            await self._users.say(random, f"caller{number}", listener, "said", number)

    async def _see_it_go_on(self) -> None:
        """From now on all is well: what waits goes on, and who calls is served."""
        await self._loop.pass_time(LANDS_S)
        waiting = await self._waiting()
        probes = [
            asyncio.ensure_future(self._probe(host, f"probe{number}"))
            for number, host in enumerate(self._fleet.hosts)
        ]
        await self._loop.pass_time(GOES_ON_S if HIDES.isdisjoint(self._kinds) else HIDDEN_S)
        still = await self._waiting()
        self._problems += [f"stuck: {' '.join(fact)}" for fact in waiting if fact in still]
        for number, probe in enumerate(probes):
            if not probe.done():
                self._problems.append(f"stuck: probe{number}, which was started then")

    async def _probe(self, host: Host, instance_id: str) -> None:
        """Start something and wait for its end."""
        program = {"steps": [["act", 0.0], ["timer", 1]], "rounds": 0, "left": 0}
        while True:
            try:
                state = await host.ask(lambda client: client.get_instance(instance_id))
                if state is None:
                    await host.ask(partial(_start, instance_id, program))
                elif state.runtime_status is RuntimeStatus.COMPLETED:
                    return
            except (NoAnswerError, InstanceAlreadyExistsError):
                pass  # whoever calls tries again
            await self._loop.pass_time(1.0)

    async def _stop_one(self) -> None:
        """A host stops in order: what it leaves behind would hide hints from the others."""
        host = self._fleet.hosts[-1]
        self._fleet.stop(host, GRACE_S)
        while not host.process.is_dead:
            await self._loop.pass_time(0.1)
        for queue in (self._hub.wakeups, self._hub.work):
            left = queue.left_by(host.process)
            self._problems += [f"stop: {host.process.name} stopped and left {x}" for x in left]

    async def _waiting(self) -> Sequence[Fact]:
        """All that could go on now."""
        now = SkewedClock(self._loop, 0).now()
        return [fact for each in await self._hub.everything() for fact in _facts(each, now)]

    def _look_at_hosts(self) -> None:
        fleet = self._fleet
        if fleet.lives > len(fleet.hosts) or any(host.process.is_dead for host in fleet.hosts):
            self._problems.append("hosts: one of them ended")
        for host in fleet.hosts:
            found = host.engine.problems()
            self._problems += [f"health: {host.process.name}: {each}" for each in found]
        for name, lines in self._lines.counts.items():
            if lines > MAX_LINES:
                self._problems.append(f"log: {name} wrote {lines} lines: {self._lines.most(name)}")
        others = [x for x in fleet.told if not isinstance(x, StorageUnavailableError)]
        self._problems += [f"answers: a caller was told {error!r}" for error in others[:1]]
        if self._most_tasks > MAX_TASKS:
            self._problems.append(f"memory: there were {self._most_tasks} tasks at once")


async def _start(instance_id: str, program: object, client: HubClient) -> None:
    await client.schedule_new_orchestration("program", input=program, instance_id=instance_id)


def _facts(snapshot: Snapshot, now: datetime) -> Iterator[Fact]:
    """What of an instance could go on: by what is stored, whoever was told."""
    row = snapshot.instance
    for lease in snapshot.leases:
        if lease.scheduled is not None and lease.expires_at <= now:
            name = f"{lease.execution_id}.{lease.task_id}"
            yield row.instance_id, "has work that nobody does:", name, str(lease.expires_at)
    if row.is_finished:
        return
    if row.status is not RuntimeStatus.SUSPENDED and has_vanished_holder(snapshot, "", now):
        yield row.instance_id, "has an activity whose holder is gone"
    starts_at = row.scheduled_start_at
    if not snapshot.batches and (starts_at is None or starts_at <= now):
        yield row.instance_id, "is not begun:", row.execution_id
    ledger = InstanceState(snapshot).ledger
    for message in filter(ledger.wants, snapshot.inbox):  # a late write may put others back
        yield row.instance_id, "has a message:", message.message_id, type(message.event).__name__
    if snapshot.wake_at is not None and snapshot.wake_at <= now:
        yield row.instance_id, "has an alarm:", str(snapshot.wake_at)


def _late_timers(late_s: Sequence[float]) -> Iterator[str]:
    late = [seconds for seconds in late_s if seconds > checks.MAX_LATE_S]
    if late:
        yield f"timers: {len(late)} of {len(late_s)} were late, up to {max(late):.1f} s"


def _repeated_work(outcome: checks.Outcome) -> Iterator[str]:
    """Of instances whose histories are there still; others may have asked again."""
    asked = checks.how_often_asked_for(outcome)
    for label, times in outcome.world.begun.items():
        if label in asked and times > asked[label]:
            yield f"work: {label} was begun {times} times, and asked for {asked[label]} times"


def _lost_activities(stored: Iterable[Snapshot]) -> Iterator[str]:
    """No host ended: so whoever has an activity that begins once brings its result."""
    for snapshot in stored:
        for event in current_history(snapshot):
            if (
                isinstance(event, history.TaskFailed)
                and event.failure.error_type == "ActivityLostError"
            ):
                yield f"lost: {snapshot.instance.instance_id}, task {event.task_id}"


class _Lines(logging.Handler):
    """Counts the warnings and errors of each host: not what programs do, or how they get on."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.counts: Counter[str] = Counter()
        self._texts: dict[str, Counter[str]] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Take in a record."""
        process = CURRENT.get()
        if process is None or hasattr(record, "function"):
            return
        self.counts[process.name] += 1
        self._texts.setdefault(process.name, Counter())[str(record.msg)] += 1

    def most(self, name: str) -> list[tuple[str, int]]:
        """What a host says most often."""
        return self._texts[name].most_common(3)

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Count meanwhile."""
        logger = logging.getLogger("funchost")
        before = logger.level
        logger.setLevel(min(before, self.level))
        logger.addHandler(self)
        try:
            yield
        finally:
            logger.removeHandler(self)
            logger.setLevel(before)
