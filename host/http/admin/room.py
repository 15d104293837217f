"""The room of the administration: what its handlers work with."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any

from host.clock import Clock
from host.functions.invocation import Invoker
from host.functions.model import App, HostFunction
from host.http.calls import Call
from host.http.health import Health
from host.http.hub_keys import HubKeys
from host.metrics.functions import FunctionStats
from host.resources.host_resources import HostResources
from host.triggers.schedules import Schedules
from host.watching.reloading import Reloaded


class Administration:
    """The administration of the app, and the functions that run by hand.

    `app` gives the app as it is now, `path_of` the path of an HTTP function of it as it was written
    (None for any other function), `shown` what the listener of a function of this name says of it,
    `caller` who calls. `reload` loads the app anew. `keys` is None on a host without any,
    `function_stats` on one that does not measure itself.
    """

    def __init__(
        self,
        *,
        app: Callable[[], App],
        path_of: Callable[[HostFunction], str | None],
        invoker: Invoker,
        health: Health,
        clock: Clock,
        resources: HostResources,
        shown: Callable[[str], Mapping[str, str]],
        reload: Callable[[], Awaitable[Reloaded]],
        caller: Callable[[Call], Awaitable[str]],
        keys: HubKeys | None,
        function_stats: Callable[[], Sequence[FunctionStats]] | None,
        schedules: Schedules,
    ) -> None:
        self._app = app
        self.path_of = path_of
        self.invoker = invoker
        self.health = health
        self.clock = clock
        self.resources = resources
        self.shown = shown
        self.reload = reload
        self.caller = caller
        self.keys = keys
        self.function_stats = function_stats
        self.schedules = schedules
        self._running: set[asyncio.Task[None]] = set()

    @property
    def app(self) -> App:
        """The app as it is now."""
        return self._app()

    def function_name(self, name: str) -> str | None:
        """How the function of this name spells it, if the app has it, broken or not."""
        names = (
            *(each.name for each in self.app.functions),
            *(each.name for each in self.app.broken),
        )
        return next((each for each in names if each.lower() == name.lower()), None)

    def answers_no_requests(self, name: str) -> bool:
        """Whether the function of this name works, and has another trigger than HTTP."""
        named = (each for each in self.app.functions if each.name.lower() == name.lower())
        return any(self.path_of(each) is None for each in named)

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Let it run in the background."""
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def close(self, grace_s: float) -> None:
        """Wait for what runs in the background, then cancel it."""
        running = set(self._running)
        if not running:
            return
        _, late = await asyncio.wait(running, timeout=grace_s)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
