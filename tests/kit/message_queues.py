"""Queues of messages of each kind, empty, for tests of what all of them promise."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bindings.kinds.queues import MessageQueue, OutgoingMessage, QueueSource, ReceivedMessage
from host.clock import Clock
from host.resources.embedded.queues import EmbeddedQueues, QueueLimits
from host.storage.kinds import StorePlace
from host.storage.opening import STORES

HOLD_S = 30.0


@dataclass(frozen=True, slots=True)
class MessageQueues:
    """Queues of one kind."""

    embedded: EmbeddedQueues

    def queue(self, name: str) -> MessageQueue:
        """To send to."""
        return self.embedded.queue(name)

    def source(self, name: str) -> QueueSource:
        """To listen to."""
        return self.embedded.source(name, HOLD_S)


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


async def send(queues: MessageQueues, name: str, *bodies: str, **fields: Any) -> Sequence[str]:
    """Send a message of each body; their ids."""
    return await queues.queue(name).send([OutgoingMessage(body=body, **fields) for body in bodies])


def bodies(messages: Sequence[ReceivedMessage]) -> list[str]:
    """What they say."""
    return [each.body for each in messages]
