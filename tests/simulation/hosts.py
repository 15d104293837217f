"""Hosts: real engines with simulated drivers, which live, die, freeze and come back."""

from __future__ import annotations

import asyncio
from asyncio import Task
from collections import Counter
from collections.abc import Callable, Collection, Coroutine
from contextvars import Context
from dataclasses import replace
from math import inf
from random import Random
from typing import Any, TypeVar

from bindings.http import RequestHead
from host.core.converter import Converter
from host.core.executors import OrchestratorExecutor
from host.core.versions import Versioning
from host.engine.client import HubClient
from host.engine.engine import Engine
from host.engine.notices import Notifications
from host.engine.options import EngineOptions
from host.errors import StorageError
from host.settings.versions import VersionMatch
from host.storage.aws.kind import MAX_GATHER_S
from tests.kit.far_executor import FarExecutor
from tests.simulation.catalog import Catalog, World
from tests.simulation.clock import SkewedClock
from tests.simulation.entities import Tallies, has_entities
from tests.simulation.faults import Fault, Faults
from tests.simulation.hub import Hub
from tests.simulation.loop import VirtualLoop
from tests.simulation.processes import Process
from tests.simulation.programs import FUNCTIONS
from tests.simulation.trace import Trace
from tests.simulation.workers import PATIENCE_S, SimulatedLine

T = TypeVar("T")

ANSWER_S = 15.0
"""How long a user waits for an answer."""
MAX_SKEW_S = 300.0
HARMLESS = frozenset(
    {
        Fault.CRASH,
        Fault.STOP,
        Fault.SKEW,
        Fault.STEP_BACK,
        Fault.STEP_FORWARD,
        Fault.NEW_CODE,
        Fault.MISSING_CODE,
        Fault.SWAPPED_APP,
        Fault.DOUBLE_HINT,
        Fault.DISORDER,
        Fault.OLD_VERSION,
    }
)
"""What keeps no request and no hold of a host from its end. A host that stops pokes its own polls,
which is a message, too: where those get lost, a poll may be broken off."""
OLD, NEW = "1", "2"
"""The versions of hosts, in worlds where they have one."""
NEVER = 1_000_000
"""Nothing is quarantined: here hosts die of other things than of what they lead."""


class NoAnswerError(Exception):
    """The user does not know whether it was done."""


class NoLinks:
    """The links of a host without HTTP."""

    def management_urls(self, instance_id: str, request: RequestHead | None) -> dict[str, str]:
        """No URLs."""
        return {}


class Host:
    """One life of one host."""

    def __init__(
        self,
        name: str,
        catalog: Catalog,
        skew_s: float,
        options: EngineOptions,
        fleet: Fleet,
        executor: OrchestratorExecutor | None,
    ) -> None:
        self.process = Process(name)
        self.clock = SkewedClock(fleet.loop, skew_s)
        self.is_ready = False
        self.is_stopping = False
        self._fleet = fleet
        self._store, self._queues = fleet.hub.drivers(self, self.clock)
        self._catalog = catalog
        self.engine = Engine(
            store=self._store,
            queues=self._queues,
            catalog=catalog,
            converter=Converter(),
            clock=self.clock,
            options=options,
            orchestrators=executor,
            entities=Tallies(catalog, fleet.tried, fleet.crowd) if fleet.has_entities else None,
            notifications=fleet.notifications,
        )
        self._client = HubClient(self.engine, NoLinks())

    @property
    def is_blind(self) -> bool:
        """Whether it lacks a function, or leaves instances to hosts of a newer version."""
        return bool(self._catalog.lacks) or self._catalog.version == OLD

    def swap(self, lacks: Collection[str]) -> None:
        """Go on with another app, which lacks these functions."""
        self._catalog.lacks = lacks
        self.engine.functions_changed()

    def begin(self, work: Coroutine[Any, Any, T]) -> Task[T]:
        """Have the host do something."""
        return self._fleet.loop.create_task(work, context=self.process.new_context())

    async def start(self) -> None:
        """Open the hub, and start the engine."""
        await self._store.open()
        await self.engine.start()
        self.is_ready = True

    async def stop(self, grace_s: float) -> None:
        """Stop in order."""
        await self.engine.stop(grace_s)
        await self._queues.close()
        await self._store.close()

    def crash(self, why: str) -> None:
        """Die: nothing of this host runs any more."""
        if not self.process.is_dead:
            self.process.is_dead = True
            self._fleet.buried(self, why)

    async def ask(self, what: Callable[[HubClient], Coroutine[Any, Any, T]]) -> T:
        """What the host's client answers. Raises `NoAnswerError` when nothing comes back."""
        return await self.answer(what(self._client))

    async def answer(self, work: Coroutine[Any, Any, T]) -> T:
        """What comes of this on the host. Raises `NoAnswerError` when nothing comes back."""
        task = self.begin(work)
        done, _ = await asyncio.wait([task], timeout=ANSWER_S)
        if not done:
            raise NoAnswerError
        try:
            return task.result()
        except StorageError as error:
            self._fleet.told.append(error)
            raise NoAnswerError from error


def random_options(random: Random) -> EngineOptions:
    """What a host is like, for the most part at random."""
    return EngineOptions(
        max_concurrent_activities=random.choice((1, 3, 50)),
        max_concurrent_orchestrators=random.choice((1, 4, 50)),
        cached_instances=random.choice((0, 1, 100)),
        park_after_s=2.0,
        lease_s=random.choice((6.0, 20.0)),
        tick_s=1.0,
        inbox_poll_s=2.0,
        alarm_poll_s=15.0,
        hold_s=10.0,
        sweep_s=30.0,
        host_lock_s=60.0,
        max_gather_s=MAX_GATHER_S,
        stuck_turn_s=inf,
        max_deliveries=NEVER,
        work_lease_s=random.choice((15.0, 60.0)),
        executor_patience_s=PATIENCE_S,
    )


class Fleet:
    """All hosts of one hub: each place has one host at a time, and another after its death."""

    def __init__(
        self,
        *,
        loop: VirtualLoop,
        seed: int,
        faults: Faults,
        trace: Trace,
        hub: Hub,
        world: World,
        workers: float,
        options: Callable[[Random], EngineOptions],
        notifications: Notifications | None,
    ) -> None:
        """`workers` is how many hosts of all have their orchestrators run by a worker.

        `options` gives those of the next host; how long its backlog may be is the fleet's.
        """
        self.loop = loop
        self.hub = hub
        self.notifications = notifications
        self.lives = 0
        self.problems: list[str] = []
        self.told: list[StorageError] = []
        """What users were told of the store."""
        self._faults = faults
        self._trace = trace
        self._world = world
        self.crowd = world.crowd
        self._random = Random(f"{seed}/fleet")
        self._is_skewed = faults.times(Fault.SKEW) > 0
        self._max_backlog_s = self._random.choice((None, 0.0, 0.5))
        self._lacks = ""
        self._lost = Random(f"{seed}/functions")
        self.has_entities = has_entities(seed)
        self.tried: Counter[str] = Counter()
        self._workers = workers
        self._options = options
        self._executors = Random(f"{seed}/executors")
        self._is_changed = False
        self.has_versions = faults.times(Fault.OLD_VERSION) > 0
        """Whether hosts have a version, and take instances of that one and older ones."""
        self._versions = Random(f"{seed}/versions")
        self.hosts = [self._new_host(place) for place in range(self._random.choice((1, 2, 2, 3)))]

    def up(self) -> list[Host]:
        """The hosts that a user can reach."""
        return [x for x in self.hosts if x.is_ready and not x.process.is_dead and not x.is_stopping]

    def is_roomy(self) -> bool:
        """Whether there are several hosts, of which not each leads one instance at a time."""
        limits = [x.engine.parts.options.max_concurrent_orchestrators for x in self.hosts]
        return len(limits) > 1 and max(limits) > 1

    def is_busy(self) -> bool:
        """Whether any host holds an instance or runs an activity."""
        return any(
            host.engine.open_sessions
            or len(host.engine.parts.pool)
            or len(host.engine.parts.parked)
            for host in self.up()
        )

    def start(self) -> None:
        """Start all hosts."""
        for host in self.hosts:
            self._start(host)

    def buried(self, host: Host, why: str) -> None:
        """A host died; another takes its place after a while."""
        self._trace.step(host.process.name, "dies", why)
        pause_s = 0.5 if self._faults.is_over else self._random.choice((0.1, 1, 5, 25, 45))
        self.later(pause_s, self._replace, host)

    def freeze(self, host: Host, seconds: float) -> None:
        """Let a host stand still, and go on as a zombie."""
        self._trace.step(host.process.name, "freezes", "")
        host.process.is_frozen = True
        self.later(seconds, self._thaw, host)

    def set_clock(self, host: Host, by_s: float) -> None:
        """Set a host's clock, within bounds."""
        self._trace.step(host.process.name, "sets its clock", "")
        offset_s = (host.clock.now() - SkewedClock(self.loop, 0).now()).total_seconds()
        host.clock.set_off_by(max(-MAX_SKEW_S, min(MAX_SKEW_S, offset_s + by_s)))

    def set_clocks_right(self) -> None:
        """Somebody looks after the clocks: that they are off is over with the other faults.

        Leases are judged by clocks: where two differ for ever by more than a lease, their hosts
        take long work from each other for ever, as docs/reliability.md says.
        """
        for host in self.hosts:
            host.clock.set_off_by(0.0)

    def stop(self, host: Host, grace_s: float) -> None:
        """Stop a host in order, then start another."""
        self._trace.step(host.process.name, "stops", "")
        host.is_stopping = True
        stopping = host.begin(host.stop(grace_s))
        stopping.add_done_callback(lambda _: self._stopped(host), context=self.outside())
        self.later(grace_s + 60, host.crash, "did not stop in time")

    def _stopped(self, host: Host) -> None:
        """It ended in order: nothing of it may keep work from others, unless something failed."""
        if not host.process.is_dead and HARMLESS.issuperset(self._faults.counts):
            left = [*self.hub.wakeups.left_by(host.process), *self.hub.work.left_by(host.process)]
            self.problems += [f"{host.process.name} stopped and left {each}" for each in left]
        host.crash("stopped")

    def deploy(self, *, is_changed: bool = False, lacks: str = "") -> None:
        """From now on hosts start with this code."""
        self._is_changed = self._is_changed or is_changed
        self._lacks = lacks

    def swap(self, host: Host, lacks: Collection[str]) -> None:
        """Give a host another app while it runs."""
        if host.is_ready and not host.process.is_dead:
            self._trace.step(host.process.name, "swaps its app", f"for one without {lacks}")
            host.swap(lacks)

    def later(self, delay_s: float, call: Callable[..., object], *args: Any) -> None:
        """Do something outside all hosts."""
        self.loop.call_later(delay_s, call, *args, context=self.outside())

    @staticmethod
    def outside() -> Context:
        """The context of what belongs to no host."""
        return Context()

    def _new_host(self, place: int) -> Host:
        self.lives += 1
        random = self._random
        skew_s = random.uniform(-MAX_SKEW_S, MAX_SKEW_S) if self._is_skewed else 0.0
        if self._is_skewed and self._faults.is_over:
            skew_s = 0.0
        elif self._is_skewed:
            self._faults.count(Fault.SKEW)
        options = replace(self._options(random), max_backlog_s=self._max_backlog_s)
        version = self._version()
        if version is not None:
            match = VersionMatch.CURRENT_OR_OLDER
            options = replace(options, versioning=Versioning(default=version, match=match))
        catalog = Catalog(
            self._world, is_changed=self._is_changed, lacks=self._lacking(), version=version
        )
        process = f"h{place}.{self.lives}"
        self._trace.note(process, f"is made, {skew_s:+.0f} s, {options}")
        return Host(process, catalog, skew_s, options, self, self._executor(process, catalog))

    def _executor(self, process: str, catalog: Catalog) -> OrchestratorExecutor | None:
        """Who runs the orchestrators of the next host; None for the executor of its process."""
        random = self._executors
        if random.random() >= self._workers:
            return None
        self._trace.note(process, "has a worker")
        line = SimulatedLine(process, catalog, self.loop, random, self._faults, self._trace)
        return FarExecutor(line, catalog.orchestrator_names())

    def _version(self) -> str | None:
        """The version of the next host."""
        if not self.has_versions or self._faults.is_over:
            return NEW if self.has_versions else None
        version = self._versions.choice((OLD, NEW))
        if version == OLD:
            self._faults.count(Fault.OLD_VERSION)
        return version

    def _lacking(self) -> set[str]:
        """What the next host has no function for: after a bad deploy each lacks others, too."""
        return {self._lacks, self._lost.choice(FUNCTIONS)} if self._lacks else set()

    def _start(self, host: Host) -> None:
        starting = host.begin(host.start())
        starting.add_done_callback(
            lambda task: host.crash("did not start") if task.exception() else None,
            context=self.outside(),
        )

    def _replace(self, host: Host) -> None:
        place = self.hosts.index(host)
        self.hosts[place] = self._new_host(place)
        self._start(self.hosts[place])

    def _thaw(self, host: Host) -> None:
        self._trace.step(host.process.name, "thaws", "")
        self.loop.thaw(host.process)
