"""An app with one activity whose runs a test breaks or holds, by their names."""

from __future__ import annotations

import asyncio
from collections import Counter

from bindings import FunctionApp


class BreakableWork:
    """The app; tests add the orchestrators that call `work`."""

    def __init__(self) -> None:
        self.app = FunctionApp()
        self.ran: Counter[str] = Counter()
        self.broken: set[str] = set()
        self.held: dict[str, asyncio.Event] = {}

        @self.app.activity_trigger()
        async def work(name: str) -> str:
            self.ran[name] += 1
            if name in self.held:
                await self.held[name].wait()
            if name in self.broken:
                raise ValueError(f"{name} is broken")
            return f"{name} done"

        self.work = work
