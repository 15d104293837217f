"""Hosts that share one hub, its table simulated as AWS has it, and what AWS would charge for it.

Rules of this file: all hosts have one clock, which stands still until a test moves it, and one
queue in this process. Each has its own way to the table, with a meter on it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from math import inf
from typing import Any

from bindings import FunctionApp
from host.engine.hosts import About
from host.engine.jobs import LOOK_S
from host.engine.retention import DEFAULT, FINISHED
from host.storage.local_queues import LocalQueues
from tests.kit.aws_bill import USD_PER_MILLION, Meter
from tests.kit.hub import Host, Hub
from tests.kit.manual_clock import ManualClock
from tests.kit.simulated_dynamo import LAYOUT, SimulatedDynamo

SWEEP_S, HOLD_S = 300.0, 10.0
RETENTION = dict.fromkeys(FINISHED, DEFAULT)
ABOUT = About(
    version="1.2.3", app_version="2026-01", functions=[f"function_{n}" for n in range(50)]
)


class CountingQueues(LocalQueues):
    """Counts the wake-ups that are sent."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: Counter[str] = Counter()

    async def send_wakeups(self, instance_ids: Sequence[str], *, is_recovery: bool = False) -> None:
        """Hint, and count."""
        self.sent.update(instance_ids)
        await super().send_wakeups(instance_ids, is_recovery=is_recovery)


class SharedHub:
    """A hub, and the hosts that a test starts on it."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.queues = CountingQueues()
        self.meters: list[Meter] = []
        self._table = SimulatedDynamo(now=self.clock.now)
        self._hubs: list[Hub] = []

    async def start(self, app: FunctionApp, **options: Any) -> Host:
        """Start one more host, with the options of a host on AWS."""
        meters: list[Meter] = []

        def measured(transport: Any) -> Meter:
            meters.append(Meter(transport, LAYOUT, self._table.client()))
            return meters[0]

        store = self._table.store(wrap=measured)
        self.meters += meters
        await store.open()
        hub = Hub(store, self.clock)
        self._hubs.append(hub)
        given: dict[str, Any] = {
            "sweep_s": SWEEP_S,
            "hold_s": HOLD_S,
            "tick_s": 1.0,
            "max_backlog_s": 1.0,
        }
        given |= {"look_for_jobs_s": LOOK_S, "retention": RETENTION}
        given |= {"stuck_turn_s": inf, "break_off_turn_s": inf}  # a test may be long at its turn
        host = await hub.start(app, queues=self.queues, about=ABOUT, **(given | options))
        await self.clock.until_quiet()
        return host

    async def pass_time(self, seconds: float, *, step_s: float = 1.0) -> None:
        """Let so much time pass, in steps."""
        await self.clock.advance(timedelta(seconds=step_s), steps=round(seconds / step_s))

    def reset(self) -> None:
        """Begin to count anew."""
        self.queues.sent.clear()
        for meter in self.meters:
            meter.reset()

    @property
    def reads(self) -> int:
        """How many reads of the table there were."""
        return sum(meter.bill().calls.get("read", 0) for meter in self.meters)

    def reads_of(self, instance_id: str) -> int:
        """How many of them were of this instance."""
        return sum(meter.read_of[instance_id] for meter in self.meters)

    @property
    def sends(self) -> int:
        """How many wake-ups were sent."""
        return self.queues.sent.total()

    @property
    def read_units(self) -> float:
        """What the reads cost, in units."""
        return sum(meter.bill().read_units for meter in self.meters)

    @property
    def write_units(self) -> int:
        """What the writes cost, in units."""
        return sum(meter.bill().write_units for meter in self.meters)

    @property
    def usd(self) -> float:
        """What all that cost: each wake-up is sent, received and deleted."""
        return (
            self.write_units * USD_PER_MILLION["write unit"]
            + self.read_units * USD_PER_MILLION["read unit"]
            + 3 * self.sends * USD_PER_MILLION["FIFO request"]
        ) / 1e6

    async def close(self) -> None:
        """Let all hosts crash."""
        for hub in self._hubs:
            await hub.close()


@asynccontextmanager
async def shared_hub() -> AsyncIterator[SharedHub]:
    """A hub of its own."""
    hub = SharedHub()
    try:
        yield hub
    finally:
        await hub.close()
