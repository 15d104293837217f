"""A hub on the simulated AWS where nothing goes wrong: real hosts, an author's app, virtual time.

For what takes hours, or hosts without number, and is to be counted.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Coroutine, Iterable
from dataclasses import replace
from math import inf
from random import Random
from typing import Any, TypeVar

from bindings import FunctionApp
from host.core.converter import Converter
from host.engine.client import HubClient
from host.engine.engine import GRACE_S, Engine
from host.engine.observer import Observer
from host.engine.options import EngineOptions
from host.functions.catalog import Catalog
from host.storage.aws.kind import LET_GO_AFTER_S, MAX_GATHER_S
from tests.kit.hub import NoLinks, loaded
from tests.simulation.aws_hub import AwsHub
from tests.simulation.clock import SkewedClock
from tests.simulation.entropy import drawn_by
from tests.simulation.faults import Fault, Faults
from tests.simulation.loop import VirtualLoop
from tests.simulation.network import Network
from tests.simulation.processes import Process
from tests.simulation.queue import VISIBILITY_S, Queue
from tests.simulation.trace import Trace
from tests.simulation.witness import AppendChecks

T = TypeVar("T")


class CalmHost:
    """A host that lives as long as it is wanted."""

    def __init__(
        self,
        name: str,
        hub: CalmHub,
        app: FunctionApp,
        options: EngineOptions,
        observers: Iterable[Observer],
    ) -> None:
        self.process = Process(name)
        self.clock = SkewedClock(hub.loop, 0)
        self.store, self.queues = hub.hub.drivers(self, self.clock)
        converter = Converter()
        self.engine = Engine(
            store=self.store,
            queues=self.queues,
            catalog=Catalog(loaded(app), converter),
            converter=converter,
            clock=self.clock,
            options=options,
            observers=observers,
        )
        self.client = HubClient(self.engine, NoLinks())

    def crash(self, why: str) -> None:
        """No fault does this here."""
        raise AssertionError(why)

    async def start(self) -> None:
        """Open the hub and start."""
        await self.store.open()
        await self.engine.start()

    async def stop(self, grace_s: float = GRACE_S) -> None:
        """Stop in order."""
        await self.engine.stop(grace_s)
        await self.queues.close()
        await self.store.close()


class CalmHub:
    """One hub, and as many hosts as a test starts. Everything happens within `run`."""

    def __init__(
        self, *, seed: int = 1, max_steps: int = 50_000_000, answer_s: float | None = None
    ) -> None:
        """`answer_s` is how long each request takes; None for times that differ."""
        self.loop = VirtualLoop(Random(seed), max_steps)
        self.loop.set_exception_handler(self._fail)
        faults, trace = Faults(seed, frozenset(Fault)), Trace(self.loop.time, None)
        self.wakeups = Queue("wake-ups", self.loop, seed, faults, trace)
        self.work = Queue("work", self.loop, seed, faults, trace)
        self.witness = AppendChecks(SkewedClock(self.loop, 0).now)
        self.network = Network(self.loop, seed, faults, trace, leg_s=answer_s and answer_s / 2)
        self.hub = AwsHub(
            loop=self.loop,
            seed=seed,
            faults=faults,
            network=self.network,
            witness=self.witness,
            wakeups=self.wakeups,
            work=self.work,
        )
        self._seed = seed
        self._hosts: list[CalmHost] = []

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do all of it, then stop the hosts that are left."""
        was_enabled = gc.isenabled()
        gc.disable()
        asyncio.set_event_loop(self.loop)
        try:
            with drawn_by(self._seed):
                result = self.loop.run_until_complete(work)
                for host in self._hosts:
                    self.loop.run_until_complete(self._within(host, host.stop()))
        finally:
            asyncio.set_event_loop(None)
            self.loop.end()
            if was_enabled:
                gc.enable()
        assert [*self.loop.problems, *self.witness.problems] == []
        return result

    async def host(
        self, app: FunctionApp, *, observers: Iterable[Observer] = (), **options: Any
    ) -> CalmHost:
        """One more host."""
        defaults = EngineOptions(
            stuck_turn_s=inf,
            sweep_s=300.0,
            hold_s=VISIBILITY_S / 2,
            max_hold_s=LET_GO_AFTER_S,
            max_gather_s=MAX_GATHER_S,
        )
        name = f"h{len(self._hosts)}"
        host = CalmHost(name, self, app, replace(defaults, **options), observers)
        self._hosts.append(host)
        await self._within(host, host.start())
        return host

    async def stop(self, host: CalmHost, grace_s: float = GRACE_S) -> None:
        """Stop a host."""
        self._hosts.remove(host)
        await self._within(host, host.stop(grace_s))

    def _fail(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """A defect of a test is not to be waited out."""
        self.loop.problems.append(f"{context.get('message')}: {context.get('exception')!r}")
        self.loop.stop()

    def _within(self, host: CalmHost, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        return self.loop.create_task(work, context=host.process.new_context())
