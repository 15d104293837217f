"""Listeners of timers on a hub, each as on a host of its own, and what they ran.

Rules of this file: the listener, its services and the store are the product's own. Only the
function is the test's: it notes down each run, and takes as long as the test says.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from bindings.functions import Binding, Direction
from bindings.kinds.resources import NoResources
from bindings.timers import TimerRequest
from host.clock import Clock
from host.storage.protocol import HubStore
from host.triggers.making import HostServices, services_for
from host.triggers.timers import CHECK_S, TimerListener


@dataclass
class TimerRun:
    """One run of a timer function, from its begin on."""

    name: str
    host: str
    request: TimerRequest
    began: datetime
    end: str | None = None
    """How it ended: done, failed or cancelled."""
    ended_at: datetime | None = None


Work = Callable[[TimerRun], Awaitable[None]]


async def at_once(_: TimerRun) -> None:
    """The work of a function that has nothing to do."""


@dataclass
class TimerFunction:
    """A timer function of a host. The `TriggeredFunction` of its listener."""

    name: str
    trigger: Binding
    host: str
    clock: Clock
    runs: list[TimerRun]
    work: Work = at_once

    async def invoke(self, value: object) -> object:
        """Note the run, and work."""
        assert isinstance(value, TimerRequest)
        run = TimerRun(self.name, self.host, value, self.clock.now())
        self.runs.append(run)
        try:
            await self.work(run)
            run.end = "done"
        except Exception:
            run.end = "failed"
            raise
        finally:
            run.end = run.end or "cancelled"
            run.ended_at = self.clock.now()
        return None


def timer_trigger(schedule: str, **properties: Any) -> Binding:
    """The trigger of a function.json."""
    return Binding(
        type="timerTrigger",
        direction=Direction.IN,
        name="timer",
        properties={"schedule": schedule, **properties},
    )


@dataclass
class TimerHost:
    """The timers of one host."""

    name: str
    store: HubStore
    clock: Clock
    runs: list[TimerRun]
    is_alone: bool = False
    check_s: float = CHECK_S
    shown: dict[str, Mapping[str, str]] = field(default_factory=dict)
    listeners: list[TimerListener] = field(default_factory=list)

    async def start(self, timers: Mapping[str, Binding], work: Work = at_once) -> None:
        """Listen for these."""
        for name, trigger in timers.items():
            function = TimerFunction(name, trigger, self.name, self.clock, self.runs, work)
            host = HostServices(
                store=self.store,
                clock=self.clock,
                host_id=self.name,
                is_alone=self.is_alone,
                resources=NoResources(),
            )

            def show(facts: Mapping[str, str], name: str = name) -> None:
                self.shown[name] = facts

            services = services_for(function, host, show)
            listener = TimerListener(function, services, check_s=self.check_s)
            self.listeners.append(listener)
            await listener.start()

    async def stop(self) -> None:
        """Stop in order, one after the other."""
        for listener in self.listeners:
            await listener.stop()
        self.listeners.clear()

    def problems(self) -> list[str]:
        """What the listeners say is wrong."""
        return [each for listener in self.listeners for each in listener.problems()]
