"""The hints of a hub on SQS: wake-ups in FIFO queues, a message group per instance.

Rules of this file: a wake-up that was handed out is a hold, known to this process only and good
until its time is over; what happens to a hold that is over, or was ended before, is nothing. All
messages of one instance that come with one answer are one wake-up. A message that cannot be read
is deleted: it is a hint, and the tables are the truth.
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from itertools import count

import msgspec

from host.errors import StorageError
from host.storage.aws.client import AwsClient
from host.storage.aws.clock import Clock
from host.storage.aws.polls import Polls
from host.storage.aws.schema import LONG_POLL_S, VISIBILITY_TIMEOUT_S
from host.storage.aws.sqs_queue import ReceivedMessage, SqsQueue
from host.storage.protocol import WakeUp

_logger = logging.getLogger("funchost.storage")


class _Hint(msgspec.Struct):
    """The body of a message."""

    id: str


_read = msgspec.json.Decoder(_Hint).decode


@dataclass(slots=True, kw_only=True)
class _Hold:
    """A wake-up that is out. `until` is monotonic."""

    queue: SqsQueue
    messages: Sequence[ReceivedMessage]
    until: float


class SqsQueues:
    """A `HubQueues` on SQS. The client it was given is its owner's to close, after this."""

    def __init__(
        self,
        queue_names: Sequence[str],
        *,
        client: AwsClient,
        clock: Clock,
        poll_s: int = LONG_POLL_S,
        hold_s: int = VISIBILITY_TIMEOUT_S,
    ) -> None:
        self._queues = [SqsQueue(name, client=client, clock=clock) for name in queue_names]
        self._clock = clock
        self._poll_s = poll_s
        self._hold_s = hold_s
        self._holds: dict[str, _Hold] = {}
        self._receipts = count(1)
        polls = [partial(self._poll, queue) for queue in self._queues]
        self._polls = Polls(polls, give_back=self.release, clock=clock)
        self._is_closed = False

    async def open(self) -> None:
        """Find the queues. Raises `StorageUnavailableError` if one is missing."""
        await asyncio.gather(*(queue.url() for queue in self._queues))

    async def close(self) -> None:
        """Stop receiving, give back what nobody took, finish what was begun."""
        self._is_closed = True
        await self._polls.close()
        for queue in self._queues:
            await queue.drain()

    async def send_wakeups(self, instance_ids: Sequence[str]) -> None:
        """Hint that these instances have something to do."""
        if not self._is_closed:
            await asyncio.gather(*map(self._send, dict.fromkeys(instance_ids)))

    async def receive_wakeups(self, limit: int) -> Sequence[WakeUp]:
        """Wait for at least one wake-up and take up to `limit`, the oldest first."""
        return await self._polls.receive(limit)

    async def extend(self, wakeups: Sequence[WakeUp]) -> None:
        """Hold these wake-ups longer."""
        holds = [self._holds[each.receipt] for each in wakeups if each.receipt in self._holds]
        await asyncio.gather(*(self._extend(hold) for hold in holds if self._is_good(hold)))

    async def finish(self, wakeups: Sequence[WakeUp]) -> None:
        """The wake-ups were seen to."""
        ended = self._end(wakeups)
        await asyncio.gather(*(queue.delete(message.receipt) for queue, message in ended))

    async def release(self, wakeups: Sequence[WakeUp]) -> None:
        """Give the wake-ups back unseen."""
        ended = self._end(wakeups)
        await asyncio.gather(*(queue.hide(message.receipt, 0) for queue, message in ended))

    async def _send(self, instance_id: str) -> None:
        digest = sha256(instance_id.encode()).hexdigest()
        queue = self._queues[int(digest, 16) % len(self._queues)]
        body = json.dumps({"id": instance_id}, separators=(",", ":"))  # ASCII: SQS takes not all
        if not await queue.send(instance_id, body=body, group=digest[:32]):
            raise StorageError(f"SQS refused the wake-up of '{instance_id}'.")

    async def _poll(self, queue: SqsQueue, limit: int) -> Sequence[WakeUp]:
        messages = await queue.receive(limit, wait_s=self._poll_s, hidden_s=self._hold_s)
        of_instances: dict[str, list[ReceivedMessage]] = {}
        for message in messages:
            try:
                of_instances.setdefault(_read(message.body).id, []).append(message)
            except msgspec.MsgspecError:
                _logger.warning("A message in '%s' is no wake-up and is deleted.", queue.name)
                await queue.delete(message.receipt)
        return [self._hold(queue, *wakeup) for wakeup in of_instances.items()]

    def _hold(
        self, queue: SqsQueue, instance_id: str, messages: Sequence[ReceivedMessage]
    ) -> WakeUp:
        receipt = str(next(self._receipts))
        until = self._clock.monotonic() + self._hold_s
        self._holds[receipt] = _Hold(queue=queue, messages=messages, until=until)
        deliveries = max(message.deliveries for message in messages)
        return WakeUp(instance_id=instance_id, receipt=receipt, deliveries=deliveries)

    def _is_good(self, hold: _Hold) -> bool:
        return self._clock.monotonic() < hold.until

    async def _extend(self, hold: _Hold) -> None:
        until = self._clock.monotonic() + self._hold_s
        are_held = await asyncio.gather(
            *(hold.queue.hide(message.receipt, self._hold_s) for message in hold.messages)
        )
        hold.until = until if all(are_held) else -math.inf

    def _end(self, wakeups: Sequence[WakeUp]) -> Iterator[tuple[SqsQueue, ReceivedMessage]]:
        for wakeup in wakeups:
            hold = self._holds.pop(wakeup.receipt, None)
            if hold is not None and self._is_good(hold):
                yield from ((hold.queue, message) for message in hold.messages)
