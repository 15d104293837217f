"""A batch operation of SQS on one queue, as whoever gathers entries for it calls it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from host.clock import Clock
from host.storage.aws.queues.batching import Fields
from host.storage.aws.wire.client import AwsClient
from host.storage.aws.wire.problems import Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchOperation:
    """The `Caller` of a `Batcher`. `url` finds the queue, and may raise `StorageError`."""

    url: Callable[[], Awaitable[str]]
    client: AwsClient
    clock: Clock
    name: str

    async def call(self, entries: Sequence[Fields]) -> Mapping[str, Any]:
        """Make the request and give its answer."""
        body = {"QueueUrl": await self.url(), "Entries": list(entries)}
        return await self.client.call(self.name, body)

    async def wait(self, seconds: float) -> None:
        """Let this much time pass."""
        await self.clock.sleep(seconds)

    def monotonic(self) -> float:
        """The monotonic clock, in seconds."""
        return self.clock.monotonic()

    async def rest(self, problem: Problem, attempt: int, began: float) -> None:
        """Wait as the client does after such a problem."""
        await self.client.rest(self.name, problem, attempt, began)
