"""Receivers of a FIFO queue that do anything, and die: messages come until their end, in order."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bindings.kinds.queues import OutgoingMessage, QueueSource, ReceivedMessage
from tests.contract.builders import ManualClock
from tests.kit.message_queues import HOLD_S, embedded_queues

SENT = 12
GROUPS = 3
QUEUE, POISON = "work.fifo", "work-poison.fifo"

Step = tuple[str, int]


@dataclass
class Truth:
    """What has become of the messages so far, whoever had them."""

    deleted: set[int] = field(default_factory=set)
    poisoned: set[int] = field(default_factory=set)
    tries: dict[int, int] = field(default_factory=dict)

    @property
    def ended(self) -> set[int]:
        return self.deleted | self.poisoned

    def check(self, message: ReceivedMessage) -> None:
        """It may come now."""
        number = int(message.body)
        before = range(number % GROUPS, number, GROUPS)
        assert self.ended.issuperset(before), f"{number} came before the end of {list(before)}"
        assert number not in self.ended, f"{number} came after its end"
        assert message.dequeue_count == self.tries.get(number, 0) + 1
        self.tries[number] = message.dequeue_count


@dataclass
class Life:
    """A receiver from its start to its death."""

    source: QueueSource
    clock: ManualClock
    truth: Truth
    held: list[ReceivedMessage] = field(default_factory=list)

    async def receive(self, number: int) -> None:
        if not self._is_something_there():
            return
        messages = await self.source.receive(1 + number)
        for each in messages:
            self.truth.check(each)
            self.held = [other for other in self.held if other.id != each.id]
        self.held += messages

    async def delete(self, number: int) -> None:
        mine = await self._mine(number)
        await self.source.delete(mine)
        self.truth.deleted |= {int(each.body) for each in mine}

    async def poison(self, number: int) -> None:
        for each in await self._mine(number):
            await self.source.poison(each, {"why": "x"})
            self.truth.poisoned.add(int(each.body))

    async def release(self, number: int) -> None:
        await self.source.release(await self._mine(number))

    async def give_back_untried(self, number: int) -> None:
        mine = await self._mine(number)
        await self.source.release(mine, is_tried=False)
        for each in mine:
            self.truth.tries[int(each.body)] -= 1

    async def extend(self, _: int) -> None:
        await self.source.extend(self.held)

    async def wait(self, number: int) -> None:
        await self.clock.advance(timedelta(seconds=number))

    def _is_something_there(self) -> bool:
        """Whether some group has a message left, and none that this receiver may hold."""
        held = {int(each.body) % GROUPS for each in self.held}
        left = {each % GROUPS for each in set(range(SENT)) - self.truth.ended}
        return bool(left - held)

    async def _mine(self, number: int) -> list[ReceivedMessage]:
        """One of those that it holds, and has not lost: it is let go of."""
        lost = await self.source.extend(self.held)
        self.held = [each for each in self.held if each.id not in lost]
        return [self.held.pop(number % len(self.held))] if self.held else []


PLAYED = {
    each.__name__: each
    for each in (
        Life.receive,
        Life.delete,
        Life.poison,
        Life.release,
        Life.give_back_untried,
        Life.extend,
        Life.wait,
    )
}
STEPS = st.lists(
    st.tuples(st.sampled_from([*PLAYED, "receive", "receive"]), st.integers(0, 20)), max_size=20
)


async def live(lives: Sequence[Sequence[Step]], folder: Path) -> None:
    clock, truth = ManualClock(), Truth()
    sent = [OutgoingMessage(body=str(each), group_id=f"g{each % GROUPS}") for each in range(SENT)]
    async with embedded_queues("sqlite", folder, clock) as queues:
        await queues.queue(QUEUE).send(sent)
    for steps in lives:
        async with embedded_queues("sqlite", folder, clock) as queues:
            life = Life(queues.source(QUEUE, HOLD_S), clock, truth)
            for action, number in steps:
                await PLAYED[action](life, number)
    async with embedded_queues("sqlite", folder, clock) as queues:
        last = Life(queues.source(QUEUE, HOLD_S), clock, truth)
        while len(truth.ended) < SENT:
            await last.receive(GROUPS)
            await last.delete(0)
        poisoned = [int(each.body) for each in await queues.peek(POISON, SENT)]
        assert sorted(poisoned) == sorted(truth.poisoned)
        assert list(await queues.peek(QUEUE, SENT)) == []


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
@given(st.lists(STEPS, min_size=1, max_size=4))
def test_each_message_comes_until_its_end_and_in_its_order(lives: list[list[Step]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(live(lives, Path(folder)))
