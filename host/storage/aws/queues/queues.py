"""The hints of a hub on SQS: wake-ups in FIFO queues, work items in a standard one.

The group of a message is its instance: of a FIFO queue's group only one is out at a time, and a
standard queue gives each group its fair share.

Rules of this file: a hint that was handed out is a hold (`holds.py`). Of an instance whose wake-up
this host holds, one more is sent, and then waits behind that: not one for each message. All
messages of one instance that come with one answer are one wake-up. A message that cannot be read
is deleted: it is a hint, and the tables are the truth.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from hashlib import sha256
from typing import Annotated

import msgspec

from host.clock import Clock
from host.core.history import TaskScheduled
from host.errors import StorageError
from host.logs import HostLog
from host.storage.aws.queues.batching import MAX_ENTRIES
from host.storage.aws.queues.holds import Holds
from host.storage.aws.queues.pokes import Poke, Pokes
from host.storage.aws.queues.polls import Polled, Polls, Source
from host.storage.aws.queues.sqs_queue import ReceivedMessage, SqsQueue
from host.storage.aws.queues.strangers import Strangers
from host.storage.aws.schema import (
    LONG_POLL_S,
    MAX_POLLS,
    MIN_VISIBILITY_TIMEOUT_S,
    VISIBILITY_TIMEOUT_S,
)
from host.storage.aws.wire.client import AwsClient
from host.storage.local_queues import HintCounts
from host.storage.protocol import Hint, WakeUp, WorkItem

_logger = HostLog("funchost.storage")


FRESH_S = 10
"""What is left of a hold at least when its hint comes: it is reckoned from when its poll began."""
PATIENCE_S = 5.0
"""How long a host that stops hears out its last polls, which it has poked to end."""
MAX_HINT_BYTES = 64 * 1024
"""A work item with a larger input goes without it."""


# Whatever is longer fits into no key of a table, at four bytes a character: every read would be
# refused, and who takes that for a store that is away would ask for ever.
_Id = Annotated[str, msgspec.Meta(min_length=1, max_length=511)]
_ExecutionId = Annotated[str, msgspec.Meta(min_length=1, max_length=252)]
_Count = Annotated[int, msgspec.Meta(ge=0, lt=2**31)]


class _WakeUpBody(msgspec.Struct, omit_defaults=True):
    """The body of a wake-up.

    `re`: it was made anew for one that was lost. `p`: how often it was passed on.
    """

    id: _Id
    re: bool = False
    p: _Count = 0


class _WorkBody(msgspec.Struct, omit_defaults=True):
    """The body of a work item: instance, execution, task, what to run, how often passed on."""

    id: _Id
    ex: _ExecutionId
    t: _Count
    run: TaskScheduled | None = None
    p: _Count = 0


_read_wakeup = msgspec.json.Decoder(_WakeUpBody).decode
_read_work = msgspec.json.Decoder(_WorkBody).decode
_UNREADABLE = (msgspec.MsgspecError, RecursionError)
"""What reading a body raises. A queue takes anything from whoever may send to it."""


class SqsQueues:
    """A `HubQueues` on SQS. The client it was given is its owner's to close, after this."""

    def __init__(
        self,
        queue_names: Sequence[str],
        work_queue_name: str,
        *,
        client: AwsClient,
        clock: Clock,
        poll_s: int | None = None,
        hold_s: int = VISIBILITY_TIMEOUT_S,
        max_polls: int = MAX_POLLS,
    ) -> None:
        """`poll_s` is how long a poll waits; None for as long as its hold allows.

        Raises `ValueError` for holds that are too short.
        """
        self._queues = [SqsQueue(name, client=client, clock=clock) for name in queue_names]
        self._work_queue = SqsQueue(work_queue_name, client=client, clock=clock)
        if hold_s < MIN_VISIBILITY_TIMEOUT_S:
            raise ValueError(f"A hint is held for {MIN_VISIBILITY_TIMEOUT_S} s or longer.")
        longest_s = min(LONG_POLL_S, max(1, hold_s - FRESH_S))
        self._poll_s = longest_s if poll_s is None else min(poll_s, longest_s)
        self._hold_s = hold_s
        self._pokes = pokes = Pokes(clock)
        self._no_wakeups, self._no_work = (
            Strangers(clock, "wake-up"),
            Strangers(clock, "work item"),
        )
        self._holds = Holds(clock, hold_s)
        self._polls = Polls[WakeUp](
            [
                Source(partial(self._poll, queue), partial(pokes.send, queue))
                for queue in self._queues
            ],
            give_back=self._give_back_wakeups,
            clock=clock,
            at_once=MAX_ENTRIES,
            max_polls=max_polls,
        )
        self._work_polls = Polls[WorkItem](
            [Source(self._poll_work, partial(pokes.send, self._work_queue))],
            give_back=self._give_back_items,
            clock=clock,
            at_once=MAX_ENTRIES,
            max_polls=max_polls,
        )
        self._asides: set[asyncio.Task[None]] = set()
        """What is done with messages that are no hints."""
        self._is_closed = False

    async def open(self) -> None:
        """Find the queues. Raises `StorageUnavailableError` if one is missing."""
        await asyncio.gather(*(queue.url() for queue in (*self._queues, self._work_queue)))

    async def stop_receiving(self) -> None:
        """Poll no more; give back what polls bring that are under way, and wait for their end."""
        await asyncio.gather(
            self._polls.close(patience_s=PATIENCE_S), self._work_polls.close(patience_s=PATIENCE_S)
        )

    async def close(self) -> None:
        """Stop receiving, give back what nobody took, finish what was begun."""
        await self.stop_receiving()
        self._is_closed = True
        await asyncio.gather(*self._asides)
        for queue in (*self._queues, self._work_queue):
            await queue.drain()

    async def send_wakeups(self, instance_ids: Sequence[str], *, is_recovery: bool = False) -> None:
        """Hint that these instances have something to do."""
        if self._is_closed:
            return
        follow = self._holds.follow
        await asyncio.gather(
            *(
                follow(
                    id_, partial(self._send, id_, is_recovery=is_recovery), is_recovery=is_recovery
                )
                for id_ in dict.fromkeys(instance_ids)
            )
        )

    async def pass_on(self, wakeup: WakeUp) -> None:
        """Let another host have this one: as a new hint, passed on once more."""
        if not self._is_closed:
            is_recovery, passed = wakeup.is_suspicious, wakeup.passed + 1
            await self._send(wakeup.instance_id, is_recovery=is_recovery, passed=passed)
            await self.finish([wakeup])

    async def receive_wakeups(self, limit: int) -> Sequence[WakeUp]:
        """Wait for at least one wake-up and take up to `limit`, the oldest first."""
        return await self._polls.receive(limit)

    async def send_work(self, items: Sequence[WorkItem]) -> None:
        """Hint that these activities are to be run."""
        if not self._is_closed:
            await asyncio.gather(*map(self._send_item, items))

    async def receive_work(self, limit: int) -> Sequence[WorkItem]:
        """Wait for at least one work item and take up to `limit`."""
        return await self._work_polls.receive(limit)

    async def extend(self, hints: Sequence[Hint]) -> None:
        """Hold these hints longer."""
        await self._holds.extend(hints)

    def is_held(self, hint: Hint) -> bool:
        """Whether nobody else can have been handed this hint yet."""
        return self._holds.is_good(hint)

    def hold_left_s(self, hint: Hint) -> float:
        """For how many seconds more nobody else can be handed this hint."""
        return self._holds.left_s(hint)

    async def finish(self, hints: Sequence[Hint]) -> None:
        """The hints were seen to."""
        ended = self._holds.end(hints)
        await asyncio.gather(*(queue.delete(message.receipt) for queue, message in ended))

    async def release(self, hints: Sequence[Hint]) -> None:
        """Give the hints back unseen."""
        ended = self._holds.end(hints)
        await asyncio.gather(*(queue.hide(message.receipt, 0) for queue, message in ended))

    async def count_hints(self) -> HintCounts:
        """About how many hints there are, of all hosts. A host may lack the right to ask."""
        queues = (*self._queues, self._work_queue)
        *wakeups, work = await asyncio.gather(*(queue.count() for queue in queues))
        return HintCounts(
            wakeups_waiting=sum(waiting for waiting, _ in wakeups),
            wakeups_held=sum(held for _, held in wakeups),
            work_waiting=work[0],
            work_held=work[1],
        )

    async def _give_back_wakeups(self, wakeups: Sequence[WakeUp]) -> None:
        """Let others have these at once: as new hints, since nobody vanished with them."""
        sends = [
            self._send(each.instance_id, is_recovery=each.is_suspicious, passed=each.passed)
            for each in ([] if self._is_closed else wakeups)
        ]
        await asyncio.gather(*sends)
        await self.finish(wakeups)

    async def _give_back_items(self, items: Sequence[WorkItem]) -> None:
        await self.send_work(items)
        await self.finish(items)

    async def _send(self, instance_id: str, *, is_recovery: bool, passed: int = 0) -> None:
        digest = sha256(instance_id.encode()).hexdigest()
        queue = self._queues[int(digest, 16) % len(self._queues)]
        body = _text(_WakeUpBody(id=instance_id, re=is_recovery, p=passed))
        # No id has a '#' in it.
        key = f"{instance_id}#{passed}" if is_recovery or passed else instance_id
        if not await queue.send(key, body=body, group=digest[:32]):
            raise StorageError(f"SQS refused the wake-up of '{instance_id}'.")

    async def _send_item(self, item: WorkItem) -> None:
        body = _WorkBody(id=item.instance_id, ex=item.execution_id, t=item.task_id, p=item.passed)
        text = _text(msgspec.structs.replace(body, run=item.scheduled))
        if len(text) > MAX_HINT_BYTES:
            text = _text(body)
        group = sha256(item.instance_id.encode()).hexdigest()[:32]
        key = f"{item.execution_id}.{item.task_id}.{item.passed}"
        if not await self._work_queue.send(key, body=text, group=group):
            raise StorageError(f"SQS refused a work item of '{item.instance_id}'.")

    async def _poll(self, queue: SqsQueue, limit: int) -> Polled[WakeUp]:
        messages = await queue.receive(limit, wait_s=self._poll_s, hidden_s=self._hold_s)
        of_instances: dict[str, list[ReceivedMessage]] = {}
        own_pokes = 0
        for message in messages:
            try:
                id_ = _read_wakeup(message.body).id
                of_instances.setdefault(id_, []).append(message)
            except _UNREADABLE:
                own_pokes += self._take_other(queue, message, self._no_wakeups)
        hints = [self._hold(queue, *wakeup) for wakeup in of_instances.items()]
        return Polled(hints, len(messages) >= limit, own_pokes)

    def _hold(
        self, queue: SqsQueue, instance_id: str, messages: Sequence[ReceivedMessage]
    ) -> WakeUp:
        bodies = [_read_wakeup(message.body) for message in messages]
        return WakeUp(
            instance_id=instance_id,
            receipt=self._holds.begin(queue, messages, wakes=instance_id),
            deliveries=max(message.deliveries for message in messages),
            is_recovery=any(body.re for body in bodies),
            passed=max(body.p for body in bodies),
        )

    async def _poll_work(self, limit: int) -> Polled[WorkItem]:
        queue = self._work_queue
        items: list[WorkItem] = []
        messages = await queue.receive(limit, wait_s=self._poll_s, hidden_s=self._hold_s)
        own_pokes = 0
        for message in messages:
            try:
                items.append(self._item(_read_work(message.body), message))
            except _UNREADABLE:
                own_pokes += self._take_other(queue, message, self._no_work)
        return Polled(items, len(messages) >= limit, own_pokes)

    def _take_other(self, queue: SqsQueue, message: ReceivedMessage, strangers: Strangers) -> bool:
        """See to a message that is no hint; whether it was to end a poll of this host.

        The hints that came with it do not wait for that: their time runs.
        """
        poke = self._pokes.read(message.body)
        if poke is None:
            strangers.came(queue.name)
        is_own = poke is not None and self._pokes.is_own(poke)
        others = None if is_own else poke
        aside = asyncio.create_task(self._put_away(queue, message, others))
        self._asides.add(aside)
        aside.add_done_callback(self._asides.discard)
        return is_own

    async def _put_away(
        self, queue: SqsQueue, message: ReceivedMessage, others: Poke | None
    ) -> None:
        """Delete what is no hint; another host's poke is sent on before that."""
        if others is not None:
            await self._pokes.send_on(queue, others)
        with suppress(StorageError):  # it comes again
            await queue.delete(message.receipt)

    def _item(self, body: _WorkBody, message: ReceivedMessage) -> WorkItem:
        return WorkItem(
            instance_id=body.id,
            execution_id=body.ex,
            task_id=body.t,
            scheduled=body.run,
            receipt=self._holds.begin(self._work_queue, [message]),
            deliveries=message.deliveries,
            passed=body.p,
        )


def _text(body: msgspec.Struct) -> str:
    return json.dumps(msgspec.to_builtins(body), separators=(",", ":"))  # ASCII: SQS takes not all
