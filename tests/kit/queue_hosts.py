"""Listeners of a queue on a hub, and what they ran.

Rules of this file: the listener, its services, the queues and the store are the product's own. Only
the function is the test's: it notes down each run, and takes as long as the test says.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bindings.functions import Binding, Direction
from bindings.queues import QueueMessage
from host.clock import Clock
from host.resources.embedded.queues import EmbeddedQueues
from host.resources.host_resources import HostResources
from host.settings.queues import QueueSettings
from host.settings.values import AppSettings
from host.storage.kinds import StorePlace
from host.storage.opening import STORES
from host.storage.protocol import HubStore
from host.triggers.making import HostServices, services_for
from host.triggers.queues import QueueListener

Work = Callable[[Sequence[QueueMessage]], Awaitable[object]]


async def at_once(_: Sequence[QueueMessage]) -> None:
    """The work of a function that has nothing to do."""


@dataclass
class QueueFunction:
    """A queue function. The `TriggeredFunction` of its listener."""

    trigger: Binding
    work: Work
    name: str = "handle"
    runs: list[list[QueueMessage]] = field(default_factory=list)
    """What each run got."""
    ends: list[str] = field(default_factory=list)
    """How each run ended, in the order of that."""

    async def invoke(self, value: object) -> object:
        """Note the run, and work."""
        messages = [value] if isinstance(value, QueueMessage) else value
        assert isinstance(messages, list)
        self.runs.append(messages)
        end = "cancelled"
        try:
            result = await self.work(messages)
            end = "done"
        except Exception:
            end = "failed"
            raise
        finally:
            self.ends.append(end)
        return result

    @property
    def texts(self) -> list[str]:
        """What the runs got, in their order."""
        return [each.get_text() for messages in self.runs for each in messages]


@dataclass
class QueueHost:
    """A host that can listen to the queues of a hub."""

    store: HubStore
    resources: HostResources
    clock: Clock
    listeners: list[QueueListener] = field(default_factory=list)

    @property
    def queues(self) -> EmbeddedQueues:
        """The queues."""
        found = self.resources.embedded_queues
        assert found is not None
        return found

    async def listen(
        self, work: Work = at_once, *, queue: str = "orders", **properties: Any
    ) -> QueueFunction:
        """Run a function for the messages of a queue from now on."""
        trigger = Binding(
            type="queueTrigger",
            direction=Direction.IN,
            name="message",
            properties={"queueName": queue, **properties},
        )
        function = QueueFunction(trigger, work)
        host = HostServices(
            store=self.store,
            clock=self.clock,
            host_id="me",
            is_alone=True,
            resources=self.resources,
        )

        def show(_: Mapping[str, str]) -> None: ...

        listener = QueueListener(function, services_for(function, host, show))
        self.listeners.append(listener)
        await listener.start()
        return function

    async def left(self, queue: str) -> list[str]:
        """The bodies that lie in a queue."""
        return [each.body for each in await self.queues.peek(queue, 1000)]


@asynccontextmanager
async def queue_host(
    driver: str, folder: Path, clock: Clock, settings: QueueSettings | None = None
) -> AsyncIterator[QueueHost]:
    """A host whose hub is in this folder, or in memory. At the end nothing is stopped in order."""
    kind = STORES.find(driver)
    async with kind.opened(StorePlace(hub="hub", folder=folder), clock) as (store, _):
        resources = HostResources(AppSettings({}), kind.home(store, {}), clock, queues=settings)
        try:
            yield QueueHost(store, resources, clock)
        finally:
            await resources.close()
