"""What works besides the requests: the engine, and whoever waits for what triggers functions."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from host.engine.engine import Engine
from host.functions.invocation import Invoker
from host.triggers.listeners import Listeners


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """All of that, started and stopped together.

    Listeners start after the engine, because what they trigger may need it, and all stop together.
    """

    engine: Engine
    invoker: Invoker
    listeners: Listeners

    @asynccontextmanager
    async def running(self, grace_s: float) -> AsyncIterator[None]:
        """Have it run meanwhile; its end takes `grace_s` seconds at most."""
        await self.engine.start()
        self.listeners.start()
        try:
            yield
        finally:
            self.begin_stop(grace_s)
            await self.listeners.stop()
            self.invoker.stop()
            await self.engine.stop(grace_s)

    def begin_stop(self, grace_s: float) -> None:
        """Take nothing new from now on."""
        self.listeners.begin_stop()
        self.engine.begin_stop(grace_s)

    def problems(self) -> list[str]:
        """Why the host is not ready, in words; empty if all is well."""
        store = self.engine.parts.store
        found = [*self.engine.problems(), *store.problems(), *self.listeners.problems()]
        return [*found, "the host stops"] if self.engine.is_stopping else found
