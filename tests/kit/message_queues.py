"""Queues of messages of each kind, empty, for tests of what all of them promise."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from bindings.kinds.queues import MessageQueue, OutgoingMessage, QueueSource, ReceivedMessage
from host.clock import Clock
from host.resources.embedded.queues import EmbeddedQueues, QueueLimits
from host.storage.aws.queues.batching import LINGER_S
from host.storage.kinds import StorePlace
from host.storage.opening import STORES
from tests.kit.manual_clock import ManualClock
from tests.kit.queues_on_sqs import HostOnSqs
from tests.kit.simulated_sqs import SimulatedSqs

HOLD_S = 30.0


class Queues(Protocol):
    """Queues of any kind."""

    def queue(self, name: str) -> MessageQueue:
        """To send to."""

    def source(self, name: str) -> QueueSource:
        """To listen to."""


@dataclass(frozen=True, slots=True)
class MessageQueues:
    """Queues of a hub's own store."""

    embedded: EmbeddedQueues

    def queue(self, name: str) -> MessageQueue:
        """To send to."""
        return self.embedded.queue(name)

    def source(self, name: str) -> QueueSource:
        """To listen to."""
        return self.embedded.source(name, HOLD_S)


class QueuesOnSqs:
    """Queues on a simulated SQS, which are there when they are asked for."""

    def __init__(self, clock: ManualClock) -> None:
        self.sqs = SimulatedSqs(clock)
        self._host = HostOnSqs(self.sqs, _AtOnce(clock))

    def queue(self, name: str) -> MessageQueue:
        """To send to."""
        self._make(name)
        return self._host.queue(name)

    def source(self, name: str) -> QueueSource:
        """To listen to."""
        source = self._host.queue_source(name, hold_s=HOLD_S)
        self._make(name)
        return source

    def _make(self, name: str) -> None:
        if name not in self.sqs.names():
            self.sqs.add(name)


class _AtOnce:
    """A clock on which nobody waits for the few milliseconds in which requests are gathered."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.now, self.monotonic = clock.now, clock.monotonic

    async def sleep(self, seconds: float) -> None:
        """Wait, if it is for longer."""
        await (asyncio.sleep(0) if seconds <= LINGER_S else self._clock.sleep(seconds))


@asynccontextmanager
async def embedded_queues(
    driver: str, folder: Path, clock: Clock, limits: QueueLimits | None = None
) -> AsyncIterator[EmbeddedQueues]:
    """Those of a hub's own store. Of a store that is a file, they are what was left in it."""
    kind = STORES.find(driver)
    async with kind.opened(StorePlace(hub="hub", folder=folder), clock) as (store, _):
        messages = kind.home(store, {}).messages
        assert messages is not None
        queues = EmbeddedQueues(messages, clock, limits or QueueLimits())
        yield queues
        await queues.close()


async def send(queues: Queues, name: str, *bodies: str, **fields: Any) -> Sequence[str]:
    """Send a message of each body; their ids."""
    return await queues.queue(name).send([OutgoingMessage(body=body, **fields) for body in bodies])


def bodies(messages: Sequence[ReceivedMessage]) -> list[str]:
    """What they say."""
    return [each.body for each in messages]
