"""An activity that runs until a test lets it end, and an orchestrator that waits for it."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from bindings import FunctionApp, OrchestrationContext
from tests.kit.hub import Host, Hub, until

LEASE_S = 30.0
SECONDS = timedelta(seconds=1)


class LongWork:
    """An app with one activity that runs until the test lets it end, and counts its runs."""

    def __init__(self, *, at_most_once: bool = False) -> None:
        self.app = FunctionApp()
        self.gate = asyncio.Event()
        self.runs = 0
        self.cancelled = 0

        @self.app.activity_trigger(at_most_once=at_most_once)
        async def works(label: str) -> str:
            self.runs += 1
            try:
                await self.gate.wait()
            except asyncio.CancelledError:
                self.cancelled += 1
                raise
            return label

        @self.app.orchestration_trigger()
        async def leads(context: OrchestrationContext) -> Any:
            work = context.call_activity(works, "done")
            answer = await context.wait_for_external_event("answer")
            context.set_custom_status(answer)
            return [answer, await work]

        self.works, self.leads = works, leads

    async def park(self, host: Host, hub: Hub) -> str:
        """Start an instance and wait until its activity is parked."""
        instance_id = await host.begin(self.leads)
        await until(lambda: self.runs == 1)
        await hub.clock.advance(3 * SECONDS)
        await until(lambda: len(host.engine.parts.parked) == 1)
        await until(lambda: host.engine.open_sessions == 0)
        return instance_id
