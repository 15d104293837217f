"""Timers: when they fire, what they take, how they end."""

from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from typing import Any

import pytest

from bindings import (
    InvalidArgumentError,
    OrchestrationContext,
    TaskCancelledError,
    when_all,
    when_any,
)
from host.core import history
from host.core.records import UNCHANGED, Commit
from tests.kit.bench import Bench
from tests.kit.history_builder import START

Ctx = OrchestrationContext
MILLISECOND = timedelta(milliseconds=1)


@pytest.mark.parametrize(
    "delay",
    [
        MILLISECOND,
        timedelta(seconds=1),
        timedelta(days=24, hours=20, minutes=31, seconds=24),
        timedelta(days=3652),
    ],
    ids=str,
)
def test_a_timer_fires_when_its_time_has_come_and_not_before(delay: timedelta) -> None:
    async def sleeper(context: Ctx) -> str:
        await context.create_timer(delay)
        return context.current_utc_datetime.isoformat()

    bench = Bench(sleeper)
    bench.turn()
    assert bench.alarm == START + delay
    bench.now = START + delay - timedelta(microseconds=1)
    assert bench.turn() is None
    bench.now = START + delay
    bench.turn()
    assert bench.output == (START + delay).isoformat()
    assert bench.alarm is None


@pytest.mark.parametrize(
    "fire_at",
    [
        datetime(2026, 1, 31, 13, 0),
        datetime(2026, 1, 31, 13, 0, tzinfo=UTC),
        datetime(2026, 1, 31, 18, 30, tzinfo=timezone(timedelta(hours=5, minutes=30))),
        timedelta(hours=1),
    ],
    ids=["naive", "utc", "other zone", "duration"],
)
def test_naive_aware_and_relative_times_mean_the_same_instant(
    fire_at: datetime | timedelta,
) -> None:
    async def sleeper(context: Ctx) -> None:
        await context.create_timer(fire_at)

    bench = Bench(sleeper)
    bench.turn()
    assert bench.alarm == datetime(2026, 1, 31, 13, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "fire_at",
    [
        timedelta(0),
        datetime(2020, 1, 1),
        datetime.min,
        datetime.min.replace(tzinfo=timezone(timedelta(hours=14))),
    ],
    ids=["no time", "past", "the earliest", "before the year 1"],
)
def test_a_timer_that_is_past_due_fires_in_the_next_turn(fire_at: datetime | timedelta) -> None:
    async def sleeper(context: Ctx) -> str:
        await context.create_timer(fire_at)
        return "woke"

    bench = Bench(sleeper)
    bench.turn()
    assert not bench.row.is_finished
    bench.turn()
    assert bench.output == "woke"


@pytest.mark.parametrize(
    "fire_at",
    [
        -MILLISECOND,
        timedelta(days=3661),
        timedelta.max,
        datetime(2037, 1, 1),
        datetime.max.replace(tzinfo=timezone(-timedelta(hours=12))),
        60,
        None,
    ],
    ids=str,
)
def test_an_impossible_time_is_refused_where_it_is_given(fire_at: Any) -> None:
    async def sleeper(context: Ctx) -> str:
        with pytest.raises(InvalidArgumentError):
            context.create_timer(fire_at)
        return "went on"

    assert Bench(sleeper).run().output == "went on"


def test_the_alarm_follows_the_earliest_pending_timer() -> None:
    async def three(context: Ctx) -> None:
        later = [context.create_timer(timedelta(hours=hours)) for hours in (3, 1, 2)]
        await when_all(later)

    bench = Bench(three)
    bench.turn()
    for hours in (1, 2, 3):
        assert bench.alarm == START + timedelta(hours=hours)
        bench.now = START + timedelta(hours=hours)
        bench.turn()
    assert bench.row.is_finished


def test_timers_due_at_once_fire_in_order_of_their_times() -> None:
    async def two(context: Ctx) -> bool:
        late, early = (context.create_timer(timedelta(hours=hours)) for hours in (2, 1))
        return await when_any([late, early]) is early

    bench = Bench(two)
    bench.turn()
    bench.turn(seconds=10 * 3600)
    assert bench.output is True
    fired = [event.task_id for event in bench.recorded(history.TimerFired)]
    assert fired == [2]


def test_a_cancelled_timer_never_fires_and_its_alarm_goes() -> None:
    async def cancels(context: Ctx) -> None:
        timer = context.create_timer(timedelta(hours=1))
        await context.call_activity("work")
        assert timer.cancel()
        assert timer.is_cancelled
        assert timer.is_completed
        assert not timer.cancel()
        await context.wait_for_external_event("end")

    bench = Bench(cancels)
    bench.turn()
    assert bench.alarm is not None
    bench.turn(bench.done(2))
    assert bench.snapshot().wake_at is None
    assert bench.turn(seconds=2 * 3600) is None
    bench.raise_event("end").turn()
    assert bench.row.is_finished
    assert not bench.recorded(history.TimerFired)


def test_a_timer_cancelled_by_another_that_fires_with_it_stays_cancelled() -> None:
    async def cancels(context: Ctx) -> bool:
        first = context.create_timer(timedelta(hours=1))
        second = context.create_timer(timedelta(hours=2))
        await first
        second.cancel()
        await context.wait_for_external_event("end")
        return second.is_cancelled

    bench = Bench(cancels)
    bench.turn()
    bench.turn(seconds=3 * 3600)
    bench.reload()
    bench.raise_event("end").turn()
    assert bench.output is True


def test_awaiting_a_cancelled_timer_raises() -> None:
    async def cancels(context: Ctx) -> None:
        timer = context.create_timer(timedelta(hours=1))
        timer.cancel()
        await timer

    assert Bench(cancels).run().failure.error_type == TaskCancelledError.__name__


def test_a_timer_that_fired_cannot_be_cancelled() -> None:
    async def late(context: Ctx) -> bool:
        timer = context.create_timer(timedelta(seconds=1))
        await timer
        return timer.cancel()

    assert Bench(late).run().output is False


def test_the_losing_timer_of_a_race_can_be_cancelled_durably() -> None:
    async def race(context: Ctx) -> None:
        deadline = context.create_timer(timedelta(days=1))
        approval = context.wait_for_external_event("approval")
        if await when_any([approval, deadline]) is approval:
            deadline.cancel()
        await context.wait_for_external_event("end")

    bench = Bench(race)
    bench.turn()
    bench.raise_event("approval").turn()
    bench.reload()
    assert bench.state.settle(bench.now) is None
    assert bench.alarm is None


def test_a_turn_says_the_alarm_again_only_with_its_row() -> None:
    async def keeps(context: Ctx) -> None:
        timer = context.create_timer(timedelta(hours=1))
        await context.call_activity("work")
        await context.call_activity("work")
        await context.call_activity("work")
        await timer

    bench = Bench(keeps)
    turns = [bench.turn(), bench.turn(bench.done(2)), bench.turn(bench.done(3), seconds=5)]
    effects = [turn.effects for turn in turns if isinstance(turn, Commit)]
    due = START + timedelta(hours=1)
    assert [each.wake_at for each in effects] == [due, UNCHANGED, due]
    assert [each.row is not None for each in effects] == [False, False, True]


def test_a_loop_of_short_timers_takes_its_time() -> None:
    async def ticks(context: Ctx) -> list[str]:
        moments = []
        for _ in range(5):
            await context.create_timer(timedelta(milliseconds=500))
            moments.append(context.current_utc_datetime.isoformat())
        return moments

    bench = Bench(ticks)
    for _ in range(100):
        bench.turn(seconds=0.1)
    moments = [datetime.fromisoformat(each) for each in bench.output]
    gaps = [late - early for early, late in pairwise(moments)]
    assert all(gap >= timedelta(milliseconds=500) for gap in gaps)
    assert all(x.timestamp >= x.fire_at for x in bench.recorded(history.TimerFired))
