"""What hosts that share a hub divide among them: ringing alarms, and looking for lost wake-ups."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from host.clock import Clock
from host.engine.duties import Duty
from host.engine.options import EngineOptions
from host.engine.shared_alarms import DUTY_S, SharedAlarms
from host.engine.sweeps import Sweeps
from host.storage.protocol import HubQueues, HubStore

LEAVE_S = 1.0
"""How long a stop tries to leave its duties to others: the store may be away."""


@dataclass(frozen=True, slots=True)
class SharedDuties:
    """One host's part in them."""

    alarms: SharedAlarms
    sweeps: Sweeps

    @classmethod
    def of(
        cls,
        store: HubStore,
        queues: HubQueues,
        clock: Clock,
        options: EngineOptions,
        *,
        host_id: str,
        wake: Callable[[Sequence[str]], Awaitable[None]],
    ) -> SharedDuties | None:
        """Those of a host with these options; None if it has its hub alone."""
        if options.sweep_s is None:
            return None
        ringing = Duty(store, clock, name="alarms", owner=host_id, hold_s=DUTY_S)
        sweeps = Sweeps(
            store,
            queues,
            clock,
            host_id=host_id,
            sweep_s=options.sweep_s,
            full_sweep_s=options.full_sweep_s,
            host_lock_s=options.host_lock_s,
        )
        return cls(SharedAlarms(store, clock, wake, ringing), sweeps)

    async def leave_alarms(self) -> Sequence[str]:
        """The host rings no more; whom others are to wake in time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(LEAVE_S):
                await self.alarms.leave()
        return self.alarms.take_left()

    async def leave(self, *, owes_hints: bool) -> None:
        """The host ends in order."""
        with suppress(TimeoutError):
            async with asyncio.timeout(LEAVE_S):
                await self.sweeps.leave(owes_hints=owes_hints)
