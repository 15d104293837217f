"""Long replays and long turns are led in slices: others get their turn in between."""

from __future__ import annotations

import asyncio
from math import inf
from typing import Any

import pytest

from bindings import OrchestrationContext, when_any
from host.core.converter import Converter
from host.core.history import EventRaised
from host.core.live_instance import LiveInstance
from host.core.records import Commit, Message
from host.core.replay.in_process import InProcessExecutor
from host.engine.slices import SLICE_S, Slices
from host.engine.watchdog import Limits, LoopWatch
from tests.kit.history_builder import HistoryBuilder, pending
from tests.kit.manual_clock import ManualClock
from tests.kit.plain_catalog import PlainCatalog

WIDTH = 200
STEPS_A_SLICE = 4


class TickingClock(ManualClock):
    """Each look at it takes a quarter of a slice."""

    def monotonic(self) -> float:
        self._ticks = getattr(self, "_ticks", 0) + 1
        return self._ticks * SLICE_S / STEPS_A_SLICE


async def one_by_one(context: OrchestrationContext) -> int:
    left = [context.call_activity("work") for _ in range(WIDTH)]
    while left:
        left.remove(await when_any(left))
    count = 0
    while not (await context.wait_for_external_event("e")):
        count += 1
    return count


def recorded() -> HistoryBuilder:
    """Each activity's result in a turn of its own, the last one first."""
    builder = HistoryBuilder(pending("one_by_one"))
    for _ in range(WIDTH):
        builder.scheduled("work")
    for task_id in range(WIDTH, 0, -1):
        builder.turn().completed(task_id)
    return builder


async def led(live: LiveInstance, steps: Any) -> tuple[Any, int]:
    """What the steps give, and how often somebody else ran meanwhile."""
    clock, others = TickingClock(), 0
    leading = asyncio.ensure_future(Slices(LoopWatch(Limits(inf)), clock).lead(live, steps))
    while not leading.done():
        await asyncio.sleep(0)
        others += 1
    return await leading, others


EXECUTOR = InProcessExecutor(PlainCatalog([one_by_one]), Converter())


async def test_found_a6_a_long_replay_lets_others_run_and_comes_to_the_same() -> None:
    builder = recorded()
    live = LiveInstance(builder.snapshot(), EXECUTOR, is_replayed=False)
    _, others = await led(live, live.replay())
    assert others >= 3 * WIDTH / (STEPS_A_SLICE + 1)
    at_once = LiveInstance(builder.snapshot(), EXECUTOR)
    event = Message(message_id="m", event=EventRaised(timestamp=builder.now, name="e", input="1"))
    commits = [each.turn(builder.now, [event]) for each in (live, at_once)]
    assert commits[0] == commits[1]
    assert live.state.is_finished


async def test_found_a6_a_turn_with_much_to_take_in_lets_others_run_in_between() -> None:
    builder = recorded()
    live = LiveInstance(builder.snapshot(), EXECUTOR)
    inbox = [
        Message(message_id=f"m{n}", event=EventRaised(timestamp=builder.now, name="e", input="0"))
        for n in range(WIDTH)
    ]
    commit, others = await led(live, live.turn_in_steps(builder.now, inbox))
    assert isinstance(commit, Commit)
    assert len(commit.batch.consumed) == WIDTH
    assert others >= WIDTH / (STEPS_A_SLICE + 1)


async def test_a_short_turn_is_led_at_once() -> None:
    builder = recorded()
    live = LiveInstance(builder.snapshot(), EXECUTOR)
    event = Message(message_id="m", event=EventRaised(timestamp=builder.now, name="e", input="1"))
    commit, others = await led(live, live.turn_in_steps(builder.now, [event]))
    assert isinstance(commit, Commit)
    assert others <= 2


async def test_the_loop_is_there_again_when_a_step_raises() -> None:
    live = LiveInstance(recorded().snapshot(), EXECUTOR)

    def breaks() -> Any:
        yield
        raise ValueError("a defect")

    with pytest.raises(ValueError, match="a defect"):
        await led(live, breaks())
    assert asyncio.get_running_loop().is_running()
