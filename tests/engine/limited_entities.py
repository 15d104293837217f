"""An app whose entities keep to limits, and that says how many of them worked at once."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import Any

from bindings import EntityContext, EntityId, FunctionApp, OrchestrationContext
from host.core.limits import Limit

LIMITS = {"few": Limit(concurrency=2)}


class LimitedDesks:
    """`desk` waits at a gate of its key with each `work`; `orderly` asks one for something."""

    def __init__(self, **decorated: Any) -> None:
        self.running: set[str] = set()
        self.begun: list[str] = []
        """The keys, each time that one begins an operation."""
        self.most = 0
        self.gates: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self.app = app = FunctionApp()

        @app.entity_trigger(**({"limit": "few"} | decorated))
        async def desk(context: EntityContext) -> int:
            key = context.entity_key
            self.running.add(key)
            self.begun.append(key)
            self.most = max(self.most, len(self.running))
            try:
                await self.gates[key].wait()
            finally:
                self.running.discard(key)
            if context.operation_name == "fail":
                raise ValueError("as it was told")
            done: int = context.get_state(lambda: 0) + 1
            context.set_state(done)
            return done

        @app.entity_trigger()
        def free(context: EntityContext) -> None:
            self.begun.append(context.entity_id.name)

        @app.orchestration_trigger()
        async def orderly(context: OrchestrationContext, key: str) -> int:
            done: int = await context.call_entity(EntityId("desk", key), "work")
            return done

        @app.orchestration_trigger()
        async def section(context: OrchestrationContext, key: str) -> int:
            async with context.lock_entities(EntityId("desk", key)):
                context.set_custom_status("locked")
                done: int = await context.call_entity(EntityId("desk", key), "work")
                return done

    def open(self, *keys: str) -> None:
        """Let these go on."""
        for key in keys:
            self.gates[key].set()
