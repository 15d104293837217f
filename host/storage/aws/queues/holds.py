"""The hints that this process has out, and until when each is surely nobody else's.

Rules of this file: it makes no request but by the queues. A hold is known to this process only. Its
time is reckoned from before the request that got it or made it longer, by the monotonic clock; what
happens to a hold that is over, or was ended before, is nothing. No message can be held for more
than 12 hours, however often its hold is made longer.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count

from host.clock import Clock
from host.storage.aws.queues.sqs_queue import ReceivedMessage, SqsQueue
from host.storage.aws.schema import MAX_HELD_S
from host.storage.protocol import Hint


@dataclass(slots=True, kw_only=True, eq=False)
class Hold:
    """A hint that is out. Times are monotonic.

    `following` are the wake-ups of its instance that were sent since it began, by whether they are
    recovery hints: they wait behind it, if they have been sent at all by now.
    """

    queue: SqsQueue
    messages: Sequence[ReceivedMessage]
    instance_id: str
    until: float
    longest_until: float
    following: dict[bool, asyncio.Task[None]] = field(default_factory=dict)


class Holds:
    """All of them, by receipt; those of wake-ups by instance, too."""

    def __init__(self, clock: Clock, hold_s: int) -> None:
        self._clock = clock
        self._hold_s = hold_s
        self._holds: dict[str, Hold] = {}
        self._of_instances: dict[str, Hold] = {}
        self._receipts = count(1)

    def begin(
        self, queue: SqsQueue, messages: Sequence[ReceivedMessage], *, wakes: str | None = None
    ) -> str:
        """Hold what was received just now; the receipt. `wakes` is the instance of a wake-up."""
        receipt = str(next(self._receipts))
        asked_at = min(message.asked_at for message in messages)
        hold = self._holds[receipt] = Hold(
            queue=queue,
            messages=messages,
            instance_id=wakes or "",
            until=asked_at + self._hold_s,
            longest_until=asked_at + MAX_HELD_S,
        )
        if wakes is not None:
            self._of_instances[wakes] = hold
        return receipt

    def is_good(self, hint: Hint) -> bool:
        """Whether nobody else can have been handed this hint yet."""
        hold = self._holds.get(hint.receipt)
        return hold is not None and self._clock.monotonic() < hold.until

    def left_s(self, hint: Hint) -> float:
        """For how many seconds more that is so; 0 if it is not."""
        hold = self._holds.get(hint.receipt)
        return 0.0 if hold is None else max(0.0, hold.until - self._clock.monotonic())

    async def extend(self, hints: Sequence[Hint]) -> None:
        """Make these longer that are good. Raises `StorageError`: then they are as they were."""
        holds = [self._holds[each.receipt] for each in hints if self.is_good(each)]
        await asyncio.gather(*map(self._extend, holds))

    def end(self, hints: Sequence[Hint]) -> Iterator[tuple[SqsQueue, ReceivedMessage]]:
        """Forget these; the messages of those that were good."""
        for hint in hints:
            is_good = self.is_good(hint)
            hold = self._holds.pop(hint.receipt, None)
            if hold is None:
                continue
            if self._of_instances.get(hold.instance_id) is hold:
                del self._of_instances[hold.instance_id]
            if is_good:
                yield from ((hold.queue, message) for message in hold.messages)

    async def follow(
        self, instance_id: str, send: Callable[[], Awaitable[None]], *, is_recovery: bool
    ) -> None:
        """Send a wake-up, unless one waits behind the hold that this host has of the instance.

        While a wake-up is held, its queue hands out no other of its instance. So one that was sent
        since then is handed out after the hold is over, which is later than now: whoever gets it
        sees all that is stored by now. Raises what `send` raises.
        """
        hold = self._of_instances.get(instance_id)
        if hold is None or self._clock.monotonic() >= hold.until:
            await send()
            return
        sent = hold.following.get(True)
        if sent is None and not is_recovery:
            sent = hold.following.get(False)
        if sent is None:
            sent = hold.following[is_recovery] = asyncio.ensure_future(_sent(send))
            sent.add_done_callback(lambda task: _forget_failed(hold, task))
        if not sent.done():
            await asyncio.shield(sent)  # a caller that goes away takes nobody along

    async def _extend(self, hold: Hold) -> None:
        now = self._clock.monotonic()
        seconds = min(self._hold_s, math.floor(hold.longest_until - now))
        if seconds <= 0:
            return  # it ends by its time
        are_held = await asyncio.gather(
            *(hold.queue.hide(message.receipt, seconds) for message in hold.messages)
        )
        hold.until = now + seconds if all(are_held) else -math.inf


async def _sent(send: Callable[[], Awaitable[None]]) -> None:
    await send()


def _forget_failed(hold: Hold, sent: asyncio.Task[None]) -> None:
    """A wake-up that could not be sent waits nowhere: the next one is sent."""
    if sent.cancelled() or sent.exception() is not None:
        hold.following = {k: task for k, task in hold.following.items() if task is not sent}
