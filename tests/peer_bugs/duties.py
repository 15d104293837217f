"""Functions for the tests of who does what: work that a test can hold up, and talk."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any

from bindings import FunctionApp, OrchestrationContext
from tests.kit.hub import Host, Hub, until

SECOND = timedelta(seconds=1)
LEASE = timedelta(seconds=30)


class Duties:
    """An activity that a test can hold up, and orchestrators around it."""

    def __init__(self) -> None:
        self.app = FunctionApp()
        self.gate = asyncio.Event()
        self.runs: Counter[str] = Counter()

        @self.app.activity_trigger()
        async def works(label: str) -> str:
            self.runs[label] += 1
            await self.gate.wait()
            return label

        @self.app.orchestration_trigger()
        async def leads(context: OrchestrationContext, label: str) -> str:
            return await context.call_activity(works, label)

        @self.app.orchestration_trigger()
        async def no_op(context: OrchestrationContext) -> None:
            return None

        @self.app.orchestration_trigger()
        async def listens(context: OrchestrationContext) -> list[Any]:
            heard = [await context.wait_for_external_event("said")]
            try:
                heard.append(await context.wait_for_external_event("said", timeout=60 * SECOND))
            except TimeoutError:
                heard.append("silence")
            return heard

        @self.app.orchestration_trigger()
        async def says(context: OrchestrationContext) -> str:
            context.send_event("listener", "said", "once")
            return await context.call_sub_orchestrator(leads, "child")

        @self.app.orchestration_trigger()
        async def tells(context: OrchestrationContext) -> str:
            await context.wait_for_external_event("go")
            told_at = context.current_utc_datetime.isoformat()  # who leads the turn decides it
            context.send_event("listener", "said", told_at)
            return await context.call_sub_orchestrator(leads, told_at)

        self.leads, self.no_op, self.listens, self.says = leads, no_op, listens, says
        self.tells = tells

    async def park(self, host: Host, hub: Hub, instance_id: str) -> None:
        """Start an instance and wait until its activity runs under a lease."""
        await host.begin(self.leads, "work", instance_id=instance_id)
        await until(lambda: self.runs["work"] > 0)
        await hub.clock.advance(3 * SECOND)
        await until(lambda: len(host.engine.parts.parked) == 1)
        await until(lambda: host.engine.open_sessions == 0)
