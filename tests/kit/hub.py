"""A hub for tests: one store on a manual clock, and as many hosts on it as a test starts.

Nothing here sleeps: tests move the clock, or wait for a state with `Host.finished` and `until`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeAlias
from unittest.mock import patch

from bindings import FunctionApp, OrchestrationState, RuntimeStatus
from bindings.http import RequestHead
from host.core.converter import Converter
from host.core.executors import OrchestratorExecutor
from host.core.functions import FunctionCatalog
from host.core.replay.changing import ChangingExecutor
from host.engine import engine
from host.engine.client import HubClient
from host.engine.engine import Engine
from host.engine.hosts import About
from host.engine.notices import Notifications
from host.engine.observer import Observer
from host.engine.options import EngineOptions
from host.functions.bound_activities import InvokerSlot
from host.functions.catalog import Catalog
from host.functions.entities import EntityRunner
from host.functions.model import App, HostFunction
from host.functions.registry import AppVersion, FunctionRegistry
from host.storage.kinds import StorePlace
from host.storage.local_queues import LocalQueues
from host.storage.memory import MemoryStore
from host.storage.opening import STORES
from host.storage.protocol import HubStore
from tests.kit.manual_clock import PATIENCE_S, ManualClock
from tests.kit.seams import AwaitedStore, StoreSeam

ExecutorOf: TypeAlias = Callable[[FunctionCatalog], OrchestratorExecutor]
"""Who runs a catalog's orchestrators."""


class NoLinks:
    """The links of a host without HTTP."""

    def management_urls(self, instance_id: str, request: RequestHead | None) -> dict[str, str]:
        return {"id": instance_id, "statusQueryGetUri": f"http://localhost/{instance_id}"}


class Host:
    """One engine and its client."""

    def __init__(
        self,
        hub: Hub,
        app: FunctionApp,
        queues: LocalQueues,
        options: EngineOptions,
        observers: Iterable[Observer] = (),
        executor: ExecutorOf | None = None,
        about: About | None = None,
        notifications: Notifications | None = None,
    ) -> None:
        converter = Converter()
        self._clock = hub.clock
        self.store = StoreSeam(hub.store)
        self.queues = queues
        self.slot = InvokerSlot()
        self.registry = FunctionRegistry(_version(app, converter, self.slot))
        self._changing = ChangingExecutor(self.registry, converter, options.max_actions)
        self._entities = EntityRunner(self.registry, converter, hub.clock)
        self.engine = Engine(
            store=self.store.as_store,
            queues=queues,
            catalog=self.registry,
            orchestrators=None if executor is None else executor(self.registry),
            changing=self._changing,
            entities=self._entities,
            converter=converter,
            clock=hub.clock,
            options=options,
            observers=observers,
            about=None if about is None else lambda: about,
            notifications=notifications,
        )
        self.registry.follow(self.engine.functions_changed)
        self.client = HubClient(self.engine, NoLinks())

    def swap(self, app: FunctionApp) -> None:
        """Let this be the app from now on."""
        self.registry.swap(_version(app, Converter(), self.slot))

    async def change(self, app: FunctionApp) -> dict[str, list[str]]:
        """Let this be the app, and its code that of all who fit; who does not, by orchestrator."""
        former = self.registry.current()
        self.swap(app)
        self.engine.app_changed(former)
        del former
        async with asyncio.timeout(PATIENCE_S):
            found = await self.engine.fitted()
        return {name: list(ids) for name, ids in found.items()}

    async def run(
        self, orchestrator: Callable[..., Any] | str, input_: Any = None, **named: Any
    ) -> OrchestrationState:
        """Start an instance and wait for its end."""
        return await self.finished(await self.begin(orchestrator, input_, **named))

    async def begin(
        self, orchestrator: Callable[..., Any] | str, input_: Any = None, **named: Any
    ) -> str:
        """Start an instance."""
        return await self.client.schedule_new_orchestration(orchestrator, input=input_, **named)

    async def started(self, instance_id: str) -> OrchestrationState:
        """Wait until the instance took its first turn."""
        patience = timedelta(seconds=PATIENCE_S)
        return await self.client.wait_for_instance_start(instance_id, timeout=patience)

    async def finished(self, instance_id: str) -> OrchestrationState:
        """Wait for the instance's end."""
        patience = timedelta(seconds=PATIENCE_S)
        return await self.client.wait_for_instance_completion(instance_id, timeout=patience)

    async def status(self, instance_id: str) -> RuntimeStatus:
        """The instance's status now."""
        state = await self.client.get_instance(instance_id)
        assert state is not None
        return state.runtime_status

    async def shows(self, instance_id: str, custom_status: Any) -> None:
        """Wait until the instance shows this custom status."""

        async def is_shown() -> bool:
            state = await self.client.get_instance(instance_id)
            return state is not None and state.custom_status == custom_status

        await until(is_shown)

    async def history(self, instance_id: str) -> list[str]:
        """The types of the instance's events."""
        return [type(event).__name__ for event in await self.engine.instances.history(instance_id)]

    async def rest(self) -> None:
        """Wait until this host does nothing but wait for hints and for the clock."""
        async with asyncio.timeout(PATIENCE_S):
            await self.engine.idle()
            await self._clock.until_quiet()  # what was on its way just now shows after this
            await self.engine.idle()

    async def stop(self, grace_s: float = 0.0) -> None:
        """Stop in order."""
        await self.engine.stop(grace_s)
        self._entities.close()

    async def crash(self) -> None:
        """Die: nothing of what this host was doing reaches the store any more."""
        self.store.sever()
        with patch.object(engine, "SESSIONS_S", 0.0):  # who dies waits for nobody
            await self.stop()


class Hub:
    """A store, a clock, and the hosts on them."""

    def __init__(self, store: HubStore, clock: ManualClock) -> None:
        self.store = store
        self.clock = clock
        self._hosts: list[Host] = []

    async def start(
        self,
        app: FunctionApp,
        *,
        queues: LocalQueues | None = None,
        observers: Iterable[Observer] = (),
        executor: ExecutorOf | None = None,
        about: About | None = None,
        notifications: Notifications | None = None,
        **options: Any,
    ) -> Host:
        """Start a host. Without `queues` it has its own, as a process of its own would.

        `executor` gives who runs its orchestrators; None for the engine's own. Without `about` it
        is not among the hosts that are listed.
        """
        changed = replace(EngineOptions(), **options)
        host = Host(
            self, app, queues or LocalQueues(), changed, observers, executor, about, notifications
        )
        self._hosts.append(host)
        await host.engine.start()
        return host

    async def close(self) -> None:
        """Let all hosts crash, which is quick."""
        for host in self._hosts:
            await host.crash()


@asynccontextmanager
async def open_hub(kind: str, folder: Path) -> AsyncIterator[Hub]:
    """A hub on a store of this kind."""
    clock = ManualClock()
    place = StorePlace(hub="hub", folder=folder)
    async with STORES.find(kind).opened(place, clock) as (store, _):
        answers_at_once = isinstance(store, MemoryStore)
        hub = Hub(store if answers_at_once else AwaitedStore(store, clock).as_store, clock)
        try:
            yield hub
        finally:
            await hub.close()


async def until(
    condition: Callable[[], bool | Awaitable[bool]], *, patience_s: float = PATIENCE_S
) -> None:
    """Let the event loop run until the condition holds; fail when it never does."""
    async with asyncio.timeout(patience_s):
        while True:
            found = condition()
            if found if isinstance(found, bool) else await found:
                return
            await asyncio.sleep(0)


def _version(app: FunctionApp, converter: Converter, slot: InvokerSlot) -> AppVersion[None]:
    found = loaded(app)
    catalog = Catalog(found, converter, slot=slot)
    return AppVersion(app=found, catalog=catalog, routes=None, plans={})


def loaded(app: FunctionApp) -> App:
    """The app as the loader would give it."""
    folder = Path()
    return App(
        functions=tuple(
            HostFunction(name=each.name, declaration=each, directory=folder)
            for each in app.get_functions()
        )
    )
