"""The hints of a hub that one process serves alone.

Rules of this file: everything happens on the event loop's thread, so there are no locks. An
instance is in at most one of two places: waiting (once, however often it was hinted at) or held.
Hints for a held instance are remembered as one. Nothing here survives the process: the tables do,
and recovery makes the hints anew.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Sequence
from itertools import count

from host.storage.protocol import WakeUp


class LocalQueues:
    """In-process `HubQueues`. A held wake-up never expires: its holder lives as long as it does."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[str, int] = OrderedDict()
        """Instance ids in order of arrival, with how often the hint was handed out before."""
        self._held: dict[str, WakeUp] = {}
        self._hinted_again: set[str] = set()
        self._receivers: deque[asyncio.Future[None]] = deque()
        self._receipts = count(1)
        self._is_closed = False

    async def close(self) -> None:
        """Let go of everything; receivers that wait end with nothing."""
        self._is_closed = True
        self._waiting.clear()
        self._held.clear()
        self._hinted_again.clear()
        while self._receivers:
            self._call_receiver()

    async def send_wakeups(self, instance_ids: Sequence[str]) -> None:
        """Hint that these instances have something to do."""
        if self._is_closed:
            return
        for instance_id in instance_ids:
            if instance_id in self._held:
                self._hinted_again.add(instance_id)
            else:
                self._waiting.setdefault(instance_id, 0)
        self._call_receiver()

    async def receive_wakeups(self, limit: int) -> Sequence[WakeUp]:
        """Wait for at least one wake-up and take up to `limit`, the oldest first."""
        while not self._waiting and not self._is_closed:
            await self._wait()
        taken = [self._hand_out() for _ in range(min(limit, len(self._waiting)))]
        self._call_receiver()
        return taken

    async def extend(self, wakeups: Sequence[WakeUp]) -> None:
        """Nothing to do: wake-ups do not expire here."""

    async def finish(self, wakeups: Sequence[WakeUp]) -> None:
        """The wake-ups were seen to."""
        for wakeup in wakeups:
            self._let_go(wakeup, is_released=False)
        self._call_receiver()

    async def release(self, wakeups: Sequence[WakeUp]) -> None:
        """Give the wake-ups back unseen."""
        for wakeup in wakeups:
            self._let_go(wakeup, is_released=True)
        self._call_receiver()

    def _hand_out(self) -> WakeUp:
        instance_id, deliveries = self._waiting.popitem(last=False)
        receipt = str(next(self._receipts))
        wakeup = WakeUp(instance_id=instance_id, receipt=receipt, deliveries=deliveries + 1)
        self._held[instance_id] = wakeup
        return wakeup

    def _let_go(self, wakeup: WakeUp, *, is_released: bool) -> None:
        instance_id = wakeup.instance_id
        held = self._held.get(instance_id)
        if held is None or held.receipt != wakeup.receipt:
            return
        del self._held[instance_id]
        is_hinted_again = instance_id in self._hinted_again
        self._hinted_again.discard(instance_id)
        if is_released:
            self._waiting[instance_id] = held.deliveries
        elif is_hinted_again:
            self._waiting[instance_id] = 0

    async def _wait(self) -> None:
        receiver = asyncio.get_running_loop().create_future()
        self._receivers.append(receiver)
        try:
            await receiver
        except asyncio.CancelledError:
            self._call_receiver()  # the call may have come to this one, and is another's now
            raise

    def _call_receiver(self) -> None:
        while self._receivers and (self._waiting or self._is_closed):
            receiver = self._receivers.popleft()
            if not receiver.done():
                receiver.set_result(None)
                return
