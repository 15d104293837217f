"""One host's driver of the queues: the contract of `HubQueues`, made of requests."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import cast

from host.storage.protocol import Hint, HubQueues, WakeUp, WorkItem
from tests.simulation.clock import SkewedClock
from tests.simulation.network import Caller, Network
from tests.simulation.queue import VISIBILITY_S, Queue
from tests.simulation.tables import Action, T


class SimulatedQueues(HubQueues):
    """The queues as one host sees them."""

    def __init__(
        self, wakeups: Queue, work: Queue, network: Network, caller: Caller, clock: SkewedClock
    ) -> None:
        self._wakeups = wakeups
        self._work = work
        self._network = network
        self._caller = caller
        self._clock = clock
        self._until: dict[str, float] = {}
        """Until when each receipt holds, as far as this host can say."""
        self._held: dict[str, str] = {}
        """The instance of each receipt that was not let go."""
        self._doubted: set[str] = set()
        """Instances of which a turn was lost, and nobody here has asked since whose they are."""
        self._polls: set[asyncio.Task[Sequence[Hint]]] = set()

    async def stop_receiving(self) -> None:
        """Hear out the polls that nobody waits for any more, and give back what they bring."""
        answers = await asyncio.gather(*self._polls, return_exceptions=True)
        for hints in (each for each in answers if not isinstance(each, BaseException)):
            for hint in hints:
                if isinstance(hint, WakeUp):
                    await self.send_wakeups([hint.instance_id], is_recovery=hint.is_suspicious)
                else:
                    await self.send_work([hint])
            await self.finish(hints)

    async def close(self) -> None:
        """Nothing to do."""

    async def send_wakeups(self, instance_ids: Sequence[str], *, is_recovery: bool = False) -> None:
        """Hint that these instances have something to do."""
        hints = [
            WakeUp(instance_id=x, is_recovery=is_recovery) for x in dict.fromkeys(instance_ids)
        ]
        await self._send("hint at", self._wakeups, hints)

    async def pass_on(self, wakeup: WakeUp) -> None:
        """Let another host have this one: as a new hint, passed on once more."""
        hint = WakeUp(
            instance_id=wakeup.instance_id,
            is_recovery=wakeup.is_suspicious,
            passed=wakeup.passed + 1,
        )
        await self._send("pass on", self._wakeups, [hint])
        await self.finish([wakeup])

    async def send_work(self, items: Sequence[WorkItem]) -> None:
        """Hint that these activities are to be run."""
        await self._send("hand out work of", self._work, items)

    async def receive_wakeups(self, limit: int) -> Sequence[WakeUp]:
        """Wait for at least one wake-up and take up to `limit`."""
        return cast("Sequence[WakeUp]", await self._receive(self._wakeups, limit))

    async def receive_work(self, limit: int) -> Sequence[WorkItem]:
        """Wait for at least one work item and take up to `limit`."""
        return cast("Sequence[WorkItem]", await self._receive(self._work, limit))

    async def extend(self, hints: Sequence[Hint]) -> None:
        """Hold these hints longer."""
        until = self._clock.monotonic() + VISIBILITY_S
        self._doubted -= {hint.instance_id for hint in hints}
        for queue, receipts in self._of(hints):
            held = await self._request("hold", hints, partial(queue.extend, receipts))
            for receipt in receipts:
                if receipt in self._until:
                    self._until[receipt] = until if receipt in held else 0.0

    def is_held(self, hint: Hint) -> bool:
        """Whether nobody else can have been handed this hint yet."""
        return self._clock.monotonic() < self._until.get(hint.receipt, 0.0)

    def hold_left_s(self, hint: Hint) -> float:
        """For how many seconds more that is so."""
        return max(0.0, self._until.get(hint.receipt, 0.0) - self._clock.monotonic())

    def holds(self, instance_id: str) -> bool:
        """Whether this host has any right to lead the instance."""
        if instance_id in self._doubted:
            return False
        now = self._clock.monotonic()
        mine = [receipt for receipt, id_ in self._held.items() if id_ == instance_id]
        return any(now < self._until.get(receipt, 0.0) for receipt in mine)

    def doubt(self, instance_id: str) -> None:
        """Another host stored a turn: whoever goes on must ask first whose hint it is."""
        self._doubted.add(instance_id)

    async def finish(self, hints: Sequence[Hint]) -> None:
        """The hints were seen to."""
        self._let_go(hints)
        for queue, receipts in self._of(hints):
            await self._request("finish", hints, partial(queue.finish, receipts))

    async def release(self, hints: Sequence[Hint]) -> None:
        """Give the hints back unseen."""
        self._let_go(hints)
        for queue, receipts in self._of(hints):
            await self._request("release", hints, partial(queue.release, receipts))

    async def _send(self, what: str, queue: Queue, hints: Sequence[Hint]) -> None:
        if hints:
            await self._request(what, hints, lambda: queue.send(hints))

    async def _receive(self, queue: Queue, limit: int) -> Sequence[Hint]:
        while True:
            until = self._clock.monotonic() + VISIBILITY_S
            poll = asyncio.ensure_future(self._poll(queue, limit))
            self._polls.add(poll)
            hints = await asyncio.shield(poll)
            self._polls.discard(poll)
            if hints:
                self._until |= {hint.receipt: until for hint in hints}
                self._held |= {hint.receipt: hint.instance_id for hint in hints}
                self._doubted -= {hint.instance_id for hint in hints}
                return hints

    async def _poll(self, queue: Queue, limit: int) -> Sequence[Hint]:
        process = self._caller.process
        poll = await self._request("poll", (), lambda: queue.poll(limit, process))
        return cast("Sequence[Hint]", await poll)  # hosts of the model poke nobody

    def _let_go(self, hints: Sequence[Hint]) -> None:
        for hint in hints:
            self._until.pop(hint.receipt, None)
            self._held.pop(hint.receipt, None)

    def _of(self, hints: Sequence[Hint]) -> list[tuple[Queue, set[str]]]:
        wakeups = {hint.receipt for hint in hints if isinstance(hint, WakeUp)}
        work = {hint.receipt for hint in hints if isinstance(hint, WorkItem)}
        both = ((self._wakeups, wakeups), (self._work, work))
        return [(queue, receipts) for queue, receipts in both if receipts]

    async def _request(self, what: str, hints: Sequence[Hint], action: Action[T]) -> T:
        of = ", ".join(hint.instance_id for hint in hints)
        return await self._network.request(self._caller, what, of, action, writes=True)
