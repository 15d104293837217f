"""The queues of a hub that one process has alone: who holds what, and who waits for it.

Rules of this file: the store says what there is and keeps the tries; holds are in memory. Nobody
looks again and again: who waits is called, by a message, by one that comes back, or by the time
when one can be handed out.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from typing import Final
from uuid import uuid4

from bindings.errors import InvalidArgumentError
from bindings.kinds.queue_rules import check_message, check_name
from bindings.kinds.queues import (
    OutgoingMessage,
    QueueFacts,
    ReceivedMessage,
    is_fifo,
    poison_name,
)
from host.clock import Clock
from host.errors import StorageError
from host.logs import HostLog
from host.resources.embedded.bells import Bell
from host.storage.messages import Given, MessageStore, NewMessage, QueueState, StoredMessage, Taken

AGAIN_S: Final = 1.0
"""How soon it is tried again to give back what the store did not take back."""
TOGETHER: Final = 1000
"""How many messages are moved or removed in one step of the store."""

_log = HostLog(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueLimits:
    """What goes for each of the queues."""

    retention: timedelta = timedelta(days=14)
    """What lies there for longer is dropped."""
    max_bytes: int = 1024 * 1024 * 1024


class EmbeddedQueues:
    """All queues of a hub."""

    def __init__(self, store: MessageStore, clock: Clock, limits: QueueLimits) -> None:
        self._store = store
        self._clock = clock
        self._limits = limits
        self._bells: defaultdict[str, Bell] = defaultdict(lambda: Bell(clock))
        self._receipts = count(1)
        self._beginning: asyncio.Task[None] | None = None
        self._owing: set[asyncio.Task[None]] = set()

    def queue(self, name: str) -> EmbeddedQueue:
        """A queue, to send to. Raises `InvalidArgumentError` if there can be none of this name."""
        _check(name)
        return EmbeddedQueue(self, name)

    def source(self, name: str, hold_s: float) -> EmbeddedSource:
        """A queue, to listen to. Raises `InvalidArgumentError` as `queue` does."""
        _check(name)
        return EmbeddedSource(self, self._clock, name, hold_s)

    async def close(self) -> None:
        """Let go of all; what is held then is handed out again at the next start."""
        for task in list(self._owing):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def states(self) -> Sequence[QueueState]:
        """What there is, by name."""
        return await (await self._begun()).states()

    async def peek(self, name: str, limit: int) -> Sequence[StoredMessage]:
        """Some messages, first those that are handed out first; nothing changes.

        Raises `InvalidArgumentError` if there can be no queue of this name, as those below do.
        """
        _check(name)
        return await (await self._begun()).peek(name, limit)

    async def purge(self, name: str) -> int:
        """Remove what nobody holds; how many messages."""
        _check(name)
        store = await self._begun()
        removed = some = await store.purge(name, TOGETHER)
        while some == TOGETHER:
            removed += (some := await store.purge(name, TOGETHER))
        return removed

    async def redrive(self, name: str) -> int:
        """Put what lies in a queue's poison queue back into it; how many messages."""
        _check(name)
        store, poison = await self._begun(), poison_name(name)
        moved = some = await store.redrive(poison, name, self._clock.now(), TOGETHER)
        while some == TOGETHER:
            moved += (some := await store.redrive(poison, name, self._clock.now(), TOGETHER))
        self._bells[name].ring()
        return moved

    # ---- for its queues and sources ------------------------------------------------------------

    async def send(self, name: str, messages: Sequence[OutgoingMessage]) -> Sequence[str]:
        """Put them at the end."""
        for each in messages:
            check_message(each, name)
        store, now = await self._begun(), self._clock.now()
        new = [_new(each, now, is_ordered=is_fifo(name)) for each in messages]
        ids = await store.add(name, new, self._limits.max_bytes)
        self._bells[name].ring()
        return ids

    def bell(self, name: str) -> Bell:
        """Rings when there may be something in this queue."""
        return self._bells[name]

    async def take(self, name: str, limit: int) -> Taken:
        """Hand out some."""
        store, now = await self._begun(), self._clock.now()
        return await store.take(name, limit, now, now - self._limits.retention)

    async def delete(self, name: str, numbers: Sequence[int]) -> None:
        """They were seen to."""
        await self._store.delete(numbers)
        if is_fifo(name):
            self._bells[name].ring()

    async def give_back(self, name: str, given: Sequence[Given]) -> None:
        """They are held no more."""
        if given:
            await self._store.give_back(given)
            self._bells[name].ring()

    def owe(self, name: str, given: Sequence[Given]) -> None:
        """`give_back` what nobody can do anything for any more, as soon as the store takes it."""
        if given:
            task = asyncio.create_task(self._give_back_at_last(name, given))
            self._owing.add(task)
            task.add_done_callback(self._owing.discard)

    async def poison(self, name: str, number: int, reason: Mapping[str, str]) -> None:
        """Put it into the poison queue."""
        target = poison_name(name)
        await self._store.move(number, target, self._clock.now(), reason)
        self._bells[name].ring()
        self._bells[target].ring()

    def received(self, message: StoredMessage, hold_s: float) -> ReceivedMessage:
        """The message as its receiver knows it."""
        return ReceivedMessage(
            id=message.id,
            body=message.body,
            receipt=f"{message.number}-{next(self._receipts)}",
            dequeue_count=message.dequeue_count,
            inserted_at=message.inserted_at,
            expires_at=message.inserted_at + self._limits.retention,
            next_visible_at=self._clock.now() + timedelta(seconds=hold_s),
            group_id=message.group_id,
            attributes=message.attributes,
        )

    async def _give_back_at_last(self, name: str, given: Sequence[Given]) -> None:
        while True:
            try:
                await self.give_back(name, given)
            except StorageError as error:
                _log.debug("Messages of '%s' cannot be given back yet: %s", name, error)
                await self._clock.sleep(AGAIN_S)
            else:
                return

    async def _begun(self) -> MessageStore:
        """The store, after what an earlier process held was let go of."""
        beginning = self._beginning
        if beginning is None or _has_failed(beginning):
            expired = self._clock.now() - self._limits.retention
            beginning = self._beginning = asyncio.create_task(self._begin(expired))
        if not beginning.done():
            await asyncio.shield(beginning)
        return self._store

    async def _begin(self, expired: datetime) -> None:
        await self._store.begin(expired)


class EmbeddedQueue:
    """One queue, to send to. A `MessageQueue`."""

    def __init__(self, queues: EmbeddedQueues, name: str) -> None:
        self._queues = queues
        self._name = name

    async def send(self, messages: Sequence[OutgoingMessage]) -> Sequence[str]:
        """Send all, as one."""
        return await self._queues.send(self._name, messages)


@dataclass(slots=True)
class _Held:
    number: int
    until: float
    """By the monotonic clock."""


class EmbeddedSource:
    """One queue, to listen to. A `QueueSource`."""

    def __init__(self, queues: EmbeddedQueues, clock: Clock, name: str, hold_s: float) -> None:
        self._queues = queues
        self._clock = clock
        self._name = name
        self._hold_s = hold_s
        self._bell = queues.bell(name)
        self._held: dict[str, _Held] = {}
        self._early: list[StoredMessage] = []
        """What was on its way to a receiver that was cancelled."""
        self._taking: set[asyncio.Task[Taken]] = set()
        self._watching: asyncio.Task[None] | None = None
        self._closed = asyncio.Event()

    @property
    def hold_s(self) -> float:
        """How long a message is held, in seconds."""
        return self._hold_s

    async def facts(self) -> QueueFacts:
        """The queue is there as soon as something is sent to it; what fails is the listener's."""
        return QueueFacts(poison_queue=poison_name(self._name))

    async def receive(self, limit: int) -> Sequence[ReceivedMessage]:
        """Wait for messages."""
        while not self._closed.is_set():
            heard = self._bell.rung
            if self._early:
                early, self._early = self._early[:limit], self._early[limit:]
                return self._hand_out(early)
            taken = await self._take(limit)
            if self._closed.is_set():
                self._give_up(taken.messages)
            elif taken.messages:
                return self._hand_out(taken.messages)
            else:
                await self._bell.wait(heard, taken.next_at)
        return ()

    async def extend(self, messages: Sequence[ReceivedMessage]) -> Collection[str]:
        """Hold them for longer; which are lost."""
        until = self._clock.monotonic() + self._hold_s
        lost = []
        for message in messages:
            held = self._held.get(message.receipt)
            if held is None:
                lost.append(message.id)
            else:
                held.until = until
        return lost

    async def delete(self, messages: Sequence[ReceivedMessage]) -> None:
        """They were seen to."""
        held = self._numbers(messages)
        if held:
            await self._queues.delete(self._name, list(held.values()))
        self._let_go(held)

    async def release(
        self, messages: Sequence[ReceivedMessage], *, delay_s: float = 0.0, is_tried: bool = True
    ) -> None:
        """Give them back."""
        held = self._numbers(messages)
        later = self._clock.now() + timedelta(seconds=delay_s) if delay_s > 0 else None
        given = [
            Given(number=number, visible_at=later, is_tried=is_tried) for number in held.values()
        ]
        await self._queues.give_back(self._name, given)
        self._let_go(held)

    async def poison(self, message: ReceivedMessage, reason: Mapping[str, str]) -> None:
        """Put it into the poison queue."""
        held = self._numbers([message])
        for number in held.values():
            await self._queues.poison(self._name, number, reason)
        self._let_go(held)

    async def close(self) -> None:
        """Receive nothing more, and give back what nobody got."""
        self._closed.set()
        self._bell.ring()
        if self._taking:
            await asyncio.wait(list(self._taking))
        early, self._early = self._early, []
        self._give_up(early)

    async def _take(self, limit: int) -> Taken:
        taking = asyncio.create_task(self._queues.take(self._name, limit))
        self._taking.add(taking)
        taking.add_done_callback(self._taking.discard)
        try:
            return await asyncio.shield(taking)
        except asyncio.CancelledError:
            taking.add_done_callback(self._keep)
            raise

    def _keep(self, taking: asyncio.Task[Taken]) -> None:
        """Keep for the next receiver what was taken for one that is gone."""
        if taking.cancelled() or taking.exception() is not None:
            return
        if self._closed.is_set():
            self._give_up(taking.result().messages)
        else:
            self._early.extend(taking.result().messages)
            self._bell.ring()

    def _give_up(self, messages: Sequence[StoredMessage]) -> None:
        self._queues.owe(
            self._name, [Given(number=each.number, is_tried=False) for each in messages]
        )

    def _hand_out(self, messages: Sequence[StoredMessage]) -> Sequence[ReceivedMessage]:
        until = self._clock.monotonic() + self._hold_s
        received = [self._queues.received(each, self._hold_s) for each in messages]
        for stored, message in zip(messages, received, strict=True):
            self._held[message.receipt] = _Held(stored.number, until)
        if self._watching is None or self._watching.done():
            self._watching = asyncio.create_task(self._watch())
        return received

    def _numbers(self, messages: Sequence[ReceivedMessage]) -> dict[str, int]:
        """Those that are still held, by receipt."""
        found = ((each.receipt, self._held.get(each.receipt)) for each in messages)
        return {receipt: held.number for receipt, held in found if held is not None}

    def _let_go(self, receipts: Collection[str]) -> None:
        for receipt in receipts:
            self._held.pop(receipt, None)

    async def _watch(self) -> None:
        """Give back what nobody extends any more, until nothing is held."""
        while self._held:
            first = min(held.until for held in self._held.values())
            await self._clock.sleep(max(first - self._clock.monotonic(), 0.0))
            now = self._clock.monotonic()
            over = {key: held for key, held in self._held.items() if held.until <= now}
            self._let_go(over)
            self._queues.owe(self._name, [Given(number=held.number) for held in over.values()])


def _new(message: OutgoingMessage, now: datetime, *, is_ordered: bool) -> NewMessage:
    """The message for the store. On queues that are not FIFO a group means no order."""
    later = now + timedelta(seconds=message.delay_s) if message.delay_s > 0 else None
    return NewMessage(
        id=str(uuid4()),
        body=message.body,
        attributes=message.attributes,
        group_id=message.group_id if is_ordered else None,
        deduplication_id=message.deduplication_id,
        inserted_at=now,
        visible_at=later,
    )


def _check(name: str) -> None:
    if ":" in name or "/" in name:
        raise InvalidArgumentError(
            f"'{name:.100}' is a queue of SQS: name its place by a connection. Queues of this hub "
            "are in its own store and have plain names."
        )
    check_name(name)


def _has_failed(task: asyncio.Task[None]) -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)
