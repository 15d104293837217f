"""Orchestrations that end before their activities do, and activities that tests let end."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any

from bindings import FunctionApp, OrchestrationContext
from host.core.records import Snapshot
from tests.engine.long_work import LEASE_S
from tests.kit.hub import Host, Hub, until


class Unawaited:
    """An orchestrator that schedules `count` activities and ends as its plan says."""

    def __init__(self) -> None:
        self.app = FunctionApp()
        self.gate = asyncio.Event()
        self.runs: Counter[Any] = Counter()
        self.ended: Counter[Any] = Counter()
        self.cancelled: Counter[Any] = Counter()

        @self.app.activity_trigger()
        async def works(name: Any) -> None:
            await self._work(name)

        @self.app.activity_trigger(at_most_once=True)
        async def pays(name: Any) -> None:
            await self._work(name)

        @self.app.activity_trigger()
        async def steps() -> None:
            return None

        @self.app.orchestration_trigger()
        async def leaves(context: OrchestrationContext, plan: dict[str, Any]) -> str:
            left = plan.get("left", 0)
            for number in range(plan["count"]):
                context.call_activity(pays if plan.get("once") else works, f"{left}.{number}")
            if plan.get("steps"):
                await context.call_activity(steps)
            if plan.get("waits"):
                await context.wait_for_external_event("go")
            return self._end(context, plan, left)

        self.leaves = leaves

    async def _work(self, name: Any) -> None:
        self.runs[name] += 1
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled[name] += 1
            raise
        self.ended[name] += 1

    def _end(self, context: OrchestrationContext, plan: dict[str, Any], left: int) -> str:
        if plan.get("fails"):
            raise ValueError("as planned")
        if left:
            context.continue_as_new(plan | {"left": left - 1})
        return "left"

    def all_ran(self, count: int) -> bool:
        """Whether so many activities ran to their end."""
        return len(self.ended) == count


async def snapshot_of(hub: Hub, instance_id: str) -> Snapshot:
    """What is stored."""
    snapshot = await hub.store.load(instance_id)
    assert snapshot is not None
    return snapshot


async def nothing_is_left(hub: Hub, host: Host, instance_id: str) -> None:
    """Let the alarms of what was unawaited ring, then see that nothing is left of it."""

    async def is_clean() -> bool:
        await hub.clock.advance(timedelta(seconds=LEASE_S / 6))
        snapshot = await snapshot_of(hub, instance_id)
        return (snapshot.leases, snapshot.inbox, snapshot.wake_at) == ((), (), None)

    await until(is_clean)
    await host.rest()
