"""Activities that run until a test lets them end, and orchestrators that wait for them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from bindings import FunctionApp, OrchestrationContext
from tests.kit.hub import Host, Hub, until

LEASE_S = 30.0
SECONDS = timedelta(seconds=1)


class LongActivity:
    """An app with one activity that runs until the test lets it end, and counts its runs."""

    leads: Callable[..., Any]
    """The orchestrator that waits for it: whoever derives from this adds one."""

    def __init__(self, *, at_most_once: bool = False) -> None:
        self.app = FunctionApp()
        self.gate = asyncio.Event()
        self.runs = 0
        self.cancelled = 0

        @self.app.activity_trigger(at_most_once=at_most_once)
        async def works() -> str:
            self.runs += 1
            try:
                await self.gate.wait()
            except asyncio.CancelledError:
                self.cancelled += 1
                raise
            return "done"

        self.works = works

    async def park(self, host: Host, hub: Hub, **named: Any) -> str:
        """Start an instance and wait until its activity is parked."""
        runs, parked = self.runs, len(host.engine.parts.parked)
        instance_id = await host.begin(self.leads, **named)
        await until(lambda: self.runs == runs + 1)
        await hub.clock.advance(3 * SECONDS)
        await until(lambda: len(host.engine.parts.parked) == parked + 1)
        await until(lambda: host.engine.open_sessions == 0)
        return instance_id


class LongWork(LongActivity):
    """Its orchestrator hears an event meanwhile."""

    def __init__(self, *, at_most_once: bool = False) -> None:
        super().__init__(at_most_once=at_most_once)

        @self.app.orchestration_trigger()
        async def leads(context: OrchestrationContext) -> Any:
            work = context.call_activity(self.works)
            answer = await context.wait_for_external_event("answer")
            context.set_custom_status(answer)
            return [answer, await work]

        self.leads = leads
