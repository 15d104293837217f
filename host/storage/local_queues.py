"""The hints of a hub that one process serves alone.

Rules of this file: everything happens on the event loop's thread, so there are no locks. An
instance is in at most one of two places: waiting (once, however often it was hinted at) or held.
Hints for a held instance are remembered as one. Nothing here survives the process: the tables do,
and recovery makes the hints anew.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import count
from math import inf
from typing import Final

import msgspec

from host.storage.protocol import Hint, HubQueues, HubStore, WakeUp, WorkItem


class HintCounts(msgspec.Struct, frozen=True, kw_only=True):
    """How many hints wait for somebody, and how many are held."""

    wakeups_waiting: int = 0
    wakeups_held: int = 0
    work_waiting: int = 0
    work_held: int = 0


NO_HINTS: Final = HintCounts()


class LocalQueues:
    """In-process `HubQueues`. A held hint never expires: its holder lives as long as it does."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[str, WakeUp] = OrderedDict()
        """In order of arrival; `deliveries` is how often the hint was handed out before."""
        self._held: dict[str, WakeUp] = {}
        """By receipt: sessions ask for theirs all the time."""
        self._led: set[str] = set()
        """The instances of which a wake-up is held."""
        self._hinted_again: dict[str, WakeUp] = {}
        self._work: deque[WorkItem] = deque()
        self._held_work: dict[str, WorkItem] = {}
        self._receivers = _Receivers()
        self._workers = _Receivers()
        self._receipts = count(1)
        self._is_closed = False

    async def count_hints(self) -> HintCounts:
        """How many hints there are now."""
        return self.counts()

    def counts(self) -> HintCounts:
        """How many hints there are now."""
        return HintCounts(
            wakeups_waiting=len(self._waiting),
            wakeups_held=len(self._held),
            work_waiting=len(self._work),
            work_held=len(self._held_work),
        )

    async def stop_receiving(self) -> None:
        """Nothing to do: a receiver that has gone takes nothing along here."""

    async def close(self) -> None:
        """Let go of everything; receivers that wait end with nothing."""
        self._is_closed = True
        for each in (self._waiting, self._hinted_again, self._work):
            each.clear()
        for held in (self._held, self._led, self._held_work):
            held.clear()
        self._receivers.call_all()
        self._workers.call_all()

    async def send_wakeups(self, instance_ids: Sequence[str], *, is_recovery: bool = False) -> None:
        """Hint that these instances have something to do."""
        if self._is_closed:
            return
        for instance_id in instance_ids:
            places = self._hinted_again if instance_id in self._led else self._waiting
            known = places.get(instance_id)
            if known is None:
                known = WakeUp(instance_id=instance_id, deliveries=0, is_recovery=is_recovery)
            elif is_recovery:
                known = msgspec.structs.replace(known, is_recovery=True)
            places[instance_id] = known
        self._call_receiver()

    async def receive_wakeups(self, limit: int) -> Sequence[WakeUp]:
        """Wait for at least one wake-up and take up to `limit`, the oldest first."""
        in_vain = False
        while not self._waiting and not self._is_closed:
            await self._receivers.wait(self._call_receiver, in_vain=in_vain)
            in_vain = True
        taken = [self._hand_out() for _ in range(min(limit, len(self._waiting)))]
        self._call_receiver()
        return taken

    async def pass_on(self, wakeup: WakeUp) -> None:
        """Let another one have this hint, as a new one."""
        if self._held.pop(wakeup.receipt, None) is None:
            return
        self._led.discard(wakeup.instance_id)
        again = self._hinted_again.pop(wakeup.instance_id, None)
        self._waiting[wakeup.instance_id] = WakeUp(
            instance_id=wakeup.instance_id,
            deliveries=0,
            is_recovery=wakeup.is_suspicious or (again is not None and again.is_recovery),
            passed=wakeup.passed + 1,
        )
        self._call_receiver()

    async def send_work(self, items: Sequence[WorkItem]) -> None:
        """Hint that these activities are to be run."""
        if not self._is_closed:
            self._work.extend(msgspec.structs.replace(item, deliveries=0) for item in items)
            self._call_worker()

    async def receive_work(self, limit: int) -> Sequence[WorkItem]:
        """Wait for at least one work item and take up to `limit`, the oldest first."""
        in_vain = False
        while not self._work and not self._is_closed:
            await self._workers.wait(self._call_worker, in_vain=in_vain)
            in_vain = True
        taken = [self._hand_out_work() for _ in range(min(limit, len(self._work)))]
        self._call_worker()
        return taken

    async def extend(self, hints: Sequence[Hint]) -> None:
        """Nothing to do: hints do not expire here."""

    def is_held(self, hint: Hint) -> bool:
        """Whether it was neither finished nor given back."""
        return hint.receipt in self._held or hint.receipt in self._held_work

    def hold_left_s(self, hint: Hint) -> float:
        """As long as this process lives."""
        return inf if self.is_held(hint) else 0.0

    async def finish(self, hints: Sequence[Hint]) -> None:
        """The hints were seen to."""
        self._let_go(hints, are_released=False)

    async def release(self, hints: Sequence[Hint]) -> None:
        """Give the hints back unseen."""
        self._let_go(hints, are_released=True)

    def _hand_out(self) -> WakeUp:
        _, waiting = self._waiting.popitem(last=False)
        wakeup = msgspec.structs.replace(
            waiting, receipt=str(next(self._receipts)), deliveries=waiting.deliveries + 1
        )
        self._held[wakeup.receipt] = wakeup
        self._led.add(wakeup.instance_id)
        return wakeup

    def _hand_out_work(self) -> WorkItem:
        waiting = self._work.popleft()
        item = msgspec.structs.replace(
            waiting, receipt=str(next(self._receipts)), deliveries=waiting.deliveries + 1
        )
        self._held_work[item.receipt] = item
        return item

    def _let_go(self, hints: Sequence[Hint], *, are_released: bool) -> None:
        for hint in hints:
            wakeup = self._held.pop(hint.receipt, None)
            if wakeup is not None:
                self._let_wakeup_go(wakeup, is_released=are_released)
            item = self._held_work.pop(hint.receipt, None)
            if item is not None and are_released:
                self._work.append(item)
        self._call_receiver()
        self._call_worker()

    def _let_wakeup_go(self, held: WakeUp, *, is_released: bool) -> None:
        instance_id = held.instance_id
        self._led.discard(instance_id)
        again = self._hinted_again.pop(instance_id, None)
        if is_released:
            is_recovery = held.is_recovery or (again is not None and again.is_recovery)
            self._waiting[instance_id] = msgspec.structs.replace(held, is_recovery=is_recovery)
        elif again is not None:
            self._waiting[instance_id] = again

    def _call_receiver(self) -> None:
        if self._waiting or self._is_closed:
            self._receivers.call_one()

    def _call_worker(self) -> None:
        if self._work or self._is_closed:
            self._workers.call_one()


class _Receivers:
    """Those who wait for hints of one kind, in order."""

    def __init__(self) -> None:
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def wait(self, call_next: Callable[[], None], *, in_vain: bool) -> None:
        """Wait to be called. `call_next` calls another one in place of one that was cancelled.

        Who was called `in_vain` comes first: else one receiver might get all there is, each time.
        """
        receiver = asyncio.get_running_loop().create_future()
        if in_vain:
            self._waiting.appendleft(receiver)
        else:
            self._waiting.append(receiver)
        try:
            await receiver
        except asyncio.CancelledError:
            call_next()
            raise

    def call_one(self) -> None:
        """Call the first one who still waits."""
        while self._waiting:
            receiver = self._waiting.popleft()
            if not receiver.done():
                receiver.set_result(None)
                return

    def call_all(self) -> None:
        """Call everybody."""
        while self._waiting:
            self.call_one()


@asynccontextmanager
async def with_local_queues(store: HubStore) -> AsyncIterator[tuple[HubStore, HubQueues]]:
    """A store that one process serves alone, with its queues: open within, closed at the end."""
    queues = LocalQueues()
    await store.open()
    try:
        yield store, queues
    finally:
        await queues.close()
        await store.close()
