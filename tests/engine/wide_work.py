"""A fan-out that is too wide for one host, and the options under which it is shared at once."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

from bindings import FunctionApp, OrchestrationContext, when_all

SHARES: dict[str, Any] = {
    "max_backlog_s": 0.0,
    "max_concurrent_activities": 2,
    "max_concurrent_orchestrators": 100,
}


class Wide:
    """A fan-out whose activities all wait until the test lets them go on."""

    def __init__(self) -> None:
        self.app = FunctionApp()
        self.gate = asyncio.Event()
        self.runs: Counter[int] = Counter()
        self.ended: Counter[int] = Counter()

        @self.app.activity_trigger()
        async def works(number: int) -> int:
            self.runs[number] += 1
            await self.gate.wait()
            self.ended[number] += 1
            return number

        @self.app.orchestration_trigger()
        async def fans_out(context: OrchestrationContext, count: int) -> list[int]:
            return await when_all([context.call_activity(works, n) for n in range(count)])

        self.fans_out = fans_out
