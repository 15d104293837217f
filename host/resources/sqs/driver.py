"""Finds the queues on SQS that the bindings of an app name, one for all who use it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

from bindings.kinds.queues import MessageQueue, QueueSource
from host.clock import Clock
from host.resources.aws_places import AwsClients
from host.resources.sqs.addresses import QueueAddress, read_address
from host.resources.sqs.poison import PoisonQueue
from host.resources.sqs.queue import SqsQueue
from host.resources.sqs.source import SqsSource
from host.settings.connections import AwsOptions

FindClients = Callable[[AwsOptions], Awaitable[AwsClients]]
MOST_QUEUES: Final = 1000
"""Names of queues may come from messages: no more than so many are remembered."""


class SqsDriver:
    """All queues of a host on SQS. Close it before the clients."""

    def __init__(self, find_clients: FindClients, clock: Clock, *, patience_s: float) -> None:
        """`patience_s`: how long a listener that stops hears out its polls, in seconds."""
        self._find_clients = find_clients
        self._clock = clock
        self._patience_s = patience_s
        self._queues: dict[tuple[QueueAddress, AwsOptions], SqsQueue] = {}

    def queue(self, name: str, options: AwsOptions) -> MessageQueue:
        """The queue of this name, URL or ARN. Raises `InvalidArgumentError` if it is none."""
        return self._queue(read_address(name), options)

    def source(self, name: str, options: AwsOptions, *, hold_s: float) -> QueueSource:
        """The same, to listen to."""
        queue = self._queue(read_address(name), options)
        beside = partial(self._beside, queue.address, options)
        return SqsSource(
            queue,
            PoisonQueue(queue, beside),
            clock=self._clock,
            hold_s=hold_s,
            patience_s=self._patience_s,
        )

    async def close(self) -> None:
        """Wait until all that was begun is done."""
        for queue in list(self._queues.values()):
            await queue.drain()

    def _beside(self, address: QueueAddress, options: AwsOptions, name: str) -> SqsQueue:
        return self._queue(address.beside(name), options)

    def _queue(self, address: QueueAddress, options: AwsOptions) -> SqsQueue:
        place = address.place(options)
        key = (address, place)
        if key not in self._queues:
            while len(self._queues) >= MOST_QUEUES:
                del self._queues[next(iter(self._queues))]
            find = partial(self._find_clients, place)
            self._queues[key] = SqsQueue(address, find, self._clock)
        return self._queues[key]
