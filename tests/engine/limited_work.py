"""An app whose activities keep to limits, and that says how many of them ran at once."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from typing import Any

from bindings import FunctionApp, OrchestrationContext, when_all
from host.core.limits import Limit

LIMITS = {"crawler": Limit(concurrency=2)}


class LimitedWork:
    """`fetch` waits at a gate of its word, and notes how many of it are at work."""

    def __init__(self, **decorated: Any) -> None:
        self.running: set[str] = set()
        self.begun: list[str] = []
        self.most = 0
        self.gates: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self.runs: Counter[str] = Counter()
        app = self.app = FunctionApp()
        of = {"limit": "crawler"} | decorated

        @app.activity_trigger(**of)
        async def fetch(input: Any) -> str:  # noqa: A002 - as limit_key calls it
            word = input["word"] if isinstance(input, dict) else input
            self.running.add(word)
            self.begun.append(word)
            self.runs[word] += 1
            self.most = max(self.most, len(self.running))
            try:
                await self.gates[word].wait()
            finally:
                self.running.discard(word)
            return f"{word}!"

        @app.orchestration_trigger()
        async def fan_out(context: OrchestrationContext, words: list[Any]) -> list[str]:
            return await when_all([context.call_activity(fetch, word) for word in words])

        @app.orchestration_trigger()
        async def either(context: OrchestrationContext, word: Any) -> Any:
            event = context.wait_for_external_event("answer")
            task = context.call_activity(fetch, word)
            await event
            context.set_custom_status(event.result)
            return await task

        @app.orchestration_trigger()
        async def one(context: OrchestrationContext, word: Any) -> str:
            return await context.call_activity(fetch, word)

    def open(self, *words: str) -> None:
        """Let these end."""
        for word in words:
            self.gates[word].set()
