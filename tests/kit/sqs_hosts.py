"""Listeners of queues, each as on a host of its own, and what they ran.

Rules of this file: the listener and the driver are the product's own. Only the function is the
test's: it notes down each run, and does what the test says.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from bindings.functions import Binding, Direction
from bindings.kinds.queues import QueueOptions
from bindings.kinds.services import HubRecords, ListenerServices
from bindings.queues import QueueMessage
from host.clock import Clock
from host.storage.aws.wire.transport import Request, Response, Transport
from host.triggers.queues import QueueListener
from tests.kit.queues_on_sqs import HostOnSqs


@dataclass
class QueueRun:
    """One run of a queue function, from its begin on."""

    host: str
    message: QueueMessage
    end: str | None = None
    """How it ended: done, failed or cancelled; None while it runs, and if its host died."""

    @property
    def body(self) -> str:
        """What the message says."""
        return self.message.get_text()


Work = Callable[[QueueRun], Awaitable[None]]


def queue_trigger(name: str, **properties: Any) -> Binding:
    """The trigger of a function.json."""
    return Binding(
        type="queueTrigger",
        direction=Direction.IN,
        name="message",
        properties={"queueName": name, **properties},
    )


@dataclass
class QueueFunction:
    """A queue function of a host. The `TriggeredFunction` of its listener."""

    name: str
    trigger: Binding
    host: str
    runs: list[QueueRun]
    work: Work
    is_dead: asyncio.Event = field(default_factory=asyncio.Event)

    async def invoke(self, value: object) -> object:
        """Note the run, and work."""
        assert isinstance(value, QueueMessage)
        run = QueueRun(self.host, value)
        self.runs.append(run)
        try:
            await self.work(run)
        except Exception:
            await self._unless_dead()
            run.end = "failed"
            raise
        except asyncio.CancelledError:
            run.end = None if self.is_dead.is_set() else "cancelled"
            raise
        await self._unless_dead()
        run.end = "done"
        return None

    async def _unless_dead(self) -> None:
        """The process of a host that died does nothing more."""
        if self.is_dead.is_set():
            await asyncio.get_running_loop().create_future()


class QueueHost:
    """One host that listens to a queue on SQS."""

    def __init__(
        self,
        name: str,
        transport: Transport,
        clock: Clock,
        function: Callable[[str], QueueFunction],
        options: QueueOptions | None = None,
    ) -> None:
        self.function = function(name)
        self._sqs = transport
        self.resources = HostOnSqs(self._call, clock, queue_options=options or QueueOptions())
        self.shown: Mapping[str, str] = {}
        self.listener = QueueListener(
            self.function,
            ListenerServices(
                clock=clock,
                records=cast("HubRecords", None),  # queues keep nothing in the hub
                host_id=name,
                is_alone=False,
                resources=self.resources,
                show=self._show,
            ),
        )

    def kill(self) -> None:
        """End the process. What it asked for goes on at the service; nobody hears the answer."""
        self.function.is_dead.set()

    async def stop(self) -> None:
        """Stop in order."""
        await self.listener.stop()
        await self.resources.driver.close()

    def _show(self, facts: Mapping[str, str]) -> None:
        self.shown = facts

    async def _call(self, request: Request) -> Response:
        if self.function.is_dead.is_set():
            await asyncio.get_running_loop().create_future()
        answering = asyncio.ensure_future(self._sqs(request))
        dying = asyncio.ensure_future(self.function.is_dead.wait())
        await asyncio.wait({answering, dying}, return_when=asyncio.FIRST_COMPLETED)
        if self.function.is_dead.is_set():
            await asyncio.get_running_loop().create_future()
        dying.cancel()
        return await answering
