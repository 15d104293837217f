"""A queue on SQS that is listened to.

Rules of this file: polls outlive their callers (`storage/aws/queues/polls.py`), since one that is
broken off may take messages along that nobody sees until their hold is over. A user's queue gets no
messages of ours, so a stop hears the polls out for as long as it may. A hold is reckoned from when
the poll began that brought it, by the monotonic clock: what is held here is surely nobody else's.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Awaitable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, TypeVar

from bindings.kinds.queues import QueueFacts, ReceivedMessage
from host.clock import Clock
from host.errors import HostError
from host.logs import HostLog
from host.resources.sqs.messages import RawAttributes, raw_attributes, read_message
from host.resources.sqs.poison import PoisonQueue
from host.resources.sqs.queue import Attributes, SqsQueue
from host.storage.aws.queues.batching import MAX_ENTRIES
from host.storage.aws.queues.polls import Polled, Polls, Source
from host.storage.aws.schema import LONG_POLL_S, MAX_HELD_S, MAX_POLLS

_log = HostLog(__name__)

T = TypeVar("T")

SHORTER_S: Final = 10
"""How much shorter than a hold a poll is: what is sent into a lost answer comes again soon."""
LONGEST_S: Final = MAX_HELD_S - 60
"""SQS reckons from when it is asked, which is later: what would go beyond 12 hours it refuses."""
_PATIENCE_OF_POLLS_S: Final = 1.0
"""How much longer than its wait a poll may take."""


@dataclass(slots=True, kw_only=True)
class _Hold:
    """A message that is out. Times are monotonic; nobody can hold it for more than 12 hours."""

    until: float
    longest_until: float
    raw: RawAttributes


class SqsSource:
    """The `QueueSource` of one listener."""

    def __init__(
        self,
        queue: SqsQueue,
        poison: PoisonQueue,
        *,
        clock: Clock,
        hold_s: float,
        patience_s: float,
    ) -> None:
        """`patience_s`: for so long `close` hears its polls out."""
        self._queue = queue
        self._poison = poison
        self._clock = clock
        self._hold_s = min(max(1, math.ceil(hold_s)), MAX_HELD_S)
        self._poll_s = min(LONG_POLL_S, max(1, self._hold_s - SHORTER_S))
        fresh_s = math.ceil(self._hold_s / 2)  # is left of what a poll brings at its end
        self._hidden_s = min(max(self._hold_s, self._poll_s + fresh_s), MAX_HELD_S)
        self._patience_s = min(patience_s, self._poll_s + _PATIENCE_OF_POLLS_S)
        self._holds: dict[str, _Hold] = {}
        self._is_away = False
        self._polls = Polls[ReceivedMessage](
            [Source(self._poll)],
            give_back=self._give_back,
            clock=clock,
            at_once=MAX_ENTRIES,
            max_polls=MAX_POLLS,
        )

    @property
    def hold_s(self) -> float:
        """How long a message is held from when it was received or extended, in seconds."""
        return float(self._hold_s)

    async def facts(self) -> QueueFacts:
        """Find the queue, and what its redrive policy says."""
        return _facts(await self._queue.read_attributes())

    async def receive(self, limit: int) -> Sequence[ReceivedMessage]:
        """Wait for at least one message and take up to `limit`; none once closed."""
        return await self._polls.receive(limit)

    async def extend(self, messages: Sequence[ReceivedMessage]) -> Collection[str]:
        """Hold them longer; the ids of those that are lost."""
        held = await self._all(map(self._extend, messages))
        return [message.id for message, is_held in zip(messages, held, strict=True) if not is_held]

    async def delete(self, messages: Sequence[ReceivedMessage]) -> None:
        """They were seen to."""
        await self._all(map(self._delete, messages))

    async def release(
        self, messages: Sequence[ReceivedMessage], *, delay_s: float = 0.0, is_tried: bool = True
    ) -> None:
        """Give them back."""
        held = [each for each in messages if self._is_held(each)]
        for each in held:
            if not is_tried:
                self._queue.untried[each.id] = self._queue.untried.get(each.id, 0) + 1
        seconds = min(max(0, math.ceil(delay_s)), MAX_HELD_S)
        await self._all(self._release(each, seconds) for each in held)

    async def poison(self, message: ReceivedMessage, reason: Mapping[str, str]) -> None:
        """Put it into the poison queue."""
        if not self._is_held(message):
            return  # others may have it, and will see to it
        await self._poison.put(message, self._holds[message.receipt].raw, reason)
        await self._delete(message)
        self._poison.forget(message.id)

    async def close(self) -> None:
        """Hear out the polls that run, for a while, and give back what they bring."""
        try:
            await self._polls.close(patience_s=self._patience_s)
        except asyncio.CancelledError:
            await self._polls.close(patience_s=0)
            raise

    async def _poll(self, limit: int) -> Polled[ReceivedMessage]:
        """One poll. The first one after a failure is short, and ends what waits: it is heard of."""
        was_away = self._is_away
        wait_s = 0 if was_away else self._poll_s
        try:
            answered, asked_at = await self._queue.receive(
                limit, wait_s=wait_s, hidden_s=self._hidden_s
            )
        except HostError:
            self._is_away = True
            raise
        self._is_away = False
        messages = [self._hold(each, asked_at) for each in answered]
        return Polled(messages, is_full=len(messages) >= limit, ends_waiting=was_away)

    def _hold(self, answered: Mapping[str, Any], asked_at: float) -> ReceivedMessage:
        until = asked_at + self._hidden_s
        left = timedelta(seconds=until - self._clock.monotonic())
        retention = self._queue.known.get("MessageRetentionPeriod")
        message = read_message(
            answered,
            held_until=self._clock.now() + left,
            retention_s=None if retention is None else int(retention),
            untried=self._queue.untried.get(answered["MessageId"], 0),
        )
        self._holds[message.receipt] = _Hold(
            until=until, longest_until=asked_at + LONGEST_S, raw=raw_attributes(answered)
        )
        return message

    async def _extend(self, message: ReceivedMessage) -> bool:
        hold, now = self._holds.get(message.receipt), self._clock.monotonic()
        if hold is None or now >= hold.until:
            self._holds.pop(message.receipt, None)
            return False
        seconds = min(self._hold_s, math.floor(hold.longest_until - now))
        if seconds <= 0:
            return True  # SQS holds nothing for longer: it ends by its time
        if not await self._queue.hide(message.receipt, seconds):
            self._holds.pop(message.receipt, None)
            return False
        hold.until = now + seconds
        return True

    async def _delete(self, message: ReceivedMessage) -> None:
        if not await self._queue.delete(message.receipt):
            _log.debug("A message of '%s' was not held any more", self._queue.address.name)
        self._holds.pop(message.receipt, None)
        self._queue.untried.pop(message.id)

    async def _release(self, message: ReceivedMessage, seconds: int) -> None:
        await self._queue.hide(message.receipt, seconds)
        self._holds.pop(message.receipt, None)

    def _is_held(self, message: ReceivedMessage) -> bool:
        hold = self._holds.get(message.receipt)
        return hold is not None and self._clock.monotonic() < hold.until

    async def _give_back(self, messages: Sequence[ReceivedMessage]) -> None:
        await self.release(messages, is_tried=False)

    async def _all(self, doing: Iterable[Awaitable[T]]) -> list[T]:
        """Do all of it, each to its end; then raise what the first one raised that did."""
        outcomes = await asyncio.gather(*doing, return_exceptions=True)
        done: list[T] = []
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
            done.append(outcome)
        return done


def _facts(attributes: Attributes) -> QueueFacts:
    policy = attributes.get("RedrivePolicy")
    if not policy:
        return QueueFacts()
    said: Mapping[str, Any] = json.loads(policy)
    return QueueFacts(
        max_tries=int(said["maxReceiveCount"]),
        poison_queue=str(said["deadLetterTargetArn"]).rpartition(":")[2],
    )
