"""What is known of an instance without its code, and how turns are planned from that."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bindings import OrchestrationContext, RuntimeStatus, when_any
from host.core import history
from host.core.instance_state import InstanceState
from host.core.ledger import BEFORE_ALL
from host.core.projection import reason_without_function
from host.core.records import UNCHANGED
from host.core.timers import OpenTimer, Timers
from host.core.turns import NoTurn, PlannedTurn, plan_turn
from tests.kit.bench import Bench
from tests.kit.history_builder import START

Ctx = OrchestrationContext
MINUTE = timedelta(minutes=1)


async def waits_a_minute(context: Ctx) -> str:
    event = context.wait_for_external_event("e")
    timer = context.create_timer(MINUTE)
    await when_any([event, timer])
    timer.cancel()
    return str(await context.wait_for_external_event("end"))


def facts_of(bench: Bench) -> InstanceState:
    """What a host knows that has nobody to run its code."""
    return InstanceState(bench.snapshot())


def planned(bench: Bench, state: InstanceState | None = None) -> Any:
    return plan_turn(state or bench.state, [*bench.inbox.values()], (), bench.now)


# ---- what an operator asks -----------------------------------------------------------------


def test_status_open_work_and_output_are_known_without_the_code() -> None:
    async def works(context: Ctx) -> Any:
        return await context.call_activity("work")

    bench = Bench(works)
    bench.turn()
    assert facts_of(bench).view().status is RuntimeStatus.RUNNING
    assert [*facts_of(bench).ledger.open_activities] == [1]
    bench.turn(bench.done(1, "fine"))
    view = facts_of(bench).view()
    assert (view.status, view.output) == (RuntimeStatus.COMPLETED, '"fine"')


def test_it_says_that_its_function_is_missing_and_is_shown_suspended_meanwhile() -> None:
    bench = Bench(waits_a_minute)
    bench.turn()
    state = facts_of(bench.suspend())
    state.missing_function = reason_without_function("waits_a_minute")
    state.hear_orders(bench.inbox.values())
    assert state.blocked_reason is not None
    assert "'waits_a_minute' is missing" in state.blocked_reason
    assert state.view().status is RuntimeStatus.SUSPENDED
    effects = state.settle(bench.now)
    assert effects is not None
    assert effects.row is not None
    assert effects.row.status is RuntimeStatus.SUSPENDED
    assert "'waits_a_minute' is missing" in (effects.row.blocked_reason or "")


def test_when_nobody_runs_its_code_no_turn_of_it_is_planned_and_its_alarm_stays() -> None:
    bench = Bench(waits_a_minute)
    bench.turn()
    bench.now += 2 * MINUTE
    state = facts_of(bench.raise_event("e"))
    assert planned(bench, state) == NoTurn([])
    assert state.rearm() is UNCHANGED
    assert not state.has_timer_due(BEFORE_ALL, bench.now)


# ---- planning ------------------------------------------------------------------------------


def test_a_turn_that_was_planned_is_not_taken_and_is_planned_again() -> None:
    bench = Bench(waits_a_minute)
    assert planned(bench) == planned(bench)
    bench.turn()
    bench.raise_event("e")
    view, number = bench.state.view(), bench.state.ledger.next_number
    assert planned(bench) == planned(bench)
    assert (bench.state.view(), bench.state.ledger.next_number) == (view, number)
    bench.turn()
    assert bench.recorded(history.EventRaised)


def test_timers_that_are_due_are_planned_as_the_history_has_them() -> None:
    bench = Bench(waits_a_minute)
    bench.turn()
    fire_at = bench.recorded(history.TimerCreated)[0].fire_at
    bench.now = fire_at
    plan = planned(bench)
    assert isinstance(plan, PlannedTurn)
    assert plan.new.due == [OpenTimer(fire_at, 1)]


@pytest.mark.parametrize("is_loaded", [False, True], ids=["in memory", "loaded"])
def test_of_a_timer_that_the_code_let_go_of_the_history_does_not_say_so_but_the_code_does(
    is_loaded: bool,
) -> None:
    bench = Bench(waits_a_minute)
    bench.turn()
    bench.raise_event("e").turn()
    if is_loaded:
        bench.reload()
    bench.now += 2 * MINUTE
    assert len(facts_of(bench).ledger.timers) == 1
    assert len(bench.state.ledger.timers) == 0
    assert planned(bench) == NoTurn([])


# ---- timers --------------------------------------------------------------------------------

MOMENTS = st.integers(0, 20).map(lambda minutes: START + minutes * MINUTE)


@given(st.lists(MOMENTS, max_size=30), st.data())
def test_timers_are_given_out_as_if_they_were_kept_in_order(
    moments: list[datetime], data: st.DataObject
) -> None:
    timers, model = Timers(), dict(enumerate(moments))
    for task_id, fire_at in model.items():
        timers.add(task_id, fire_at)
    for task_id in data.draw(st.sets(st.integers(0, 40))):
        timers.drop(task_id)
        model.pop(task_id, None)
    moved = data.draw(st.dictionaries(st.integers(0, 40), st.none() | MOMENTS))
    timers.move(moved)
    times = {task_id: moved.get(task_id, fire_at) for task_id, fire_at in model.items()}
    until = data.draw(MOMENTS)
    ordered = sorted((fire_at, task_id) for task_id, fire_at in times.items() if fire_at)
    assert timers.due(until) == [each for each in ordered if each[0] <= until]
    assert timers.next_due() == (ordered[0][0] if ordered else None)
    assert timers.due(until) == [each for each in ordered if each[0] <= until]
    assert len(timers) == len(ordered)
