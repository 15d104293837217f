"""Suspend, resume, terminate: held events, and the end that wins over everything."""

from datetime import timedelta
from typing import Any

import pytest

from bindings import OrchestrationContext, RuntimeStatus
from host.core import history
from host.core.records import Commit
from tests.kit.bench import Bench
from tests.kit.history_builder import START

Ctx = OrchestrationContext


async def two_steps(context: Ctx) -> list[Any]:
    return [await context.call_activity("one"), await context.call_activity("two")]


async def takes_events(context: Ctx) -> list[Any]:
    return [await context.wait_for_external_event("e") for _ in range(2)]


@pytest.mark.parametrize("crash", [False, True])
def test_results_wait_while_suspended_and_count_when_resumed(crash: bool) -> None:
    bench = Bench(two_steps)
    bench.turn()
    bench.suspend().turn()
    assert bench.row.status is RuntimeStatus.SUSPENDED
    bench.turn(bench.done(1, "a"))
    assert len(bench.recorded(history.TaskScheduled)) == 1
    if crash:
        bench.reload()
    assert bench.state.view().status is RuntimeStatus.SUSPENDED
    bench.resume().turn()
    assert bench.state.view().status is RuntimeStatus.RUNNING
    bench.turn(bench.done(2, "b"))
    assert bench.output == ["a", "b"]


@pytest.mark.parametrize("crash", [False, True])
def test_what_the_code_did_in_the_turn_of_its_suspension_stays_done(crash: bool) -> None:
    bench = Bench(two_steps)
    bench.turn()
    bench.suspend().turn(bench.done(1, "a"))
    assert bench.kinds()[-2:] == ["ExecutionSuspended", "TaskScheduled"]
    if crash:
        bench.reload()
    bench.resume().turn(bench.done(2, "b"))
    assert bench.output == ["a", "b"]


def test_events_wait_while_suspended_in_order() -> None:
    bench = Bench(takes_events)
    bench.turn()
    bench.suspend().raise_event("e", 1).turn()
    bench.raise_event("e", 2).turn()
    assert not bench.inbox
    bench.reload()
    bench.resume().turn()
    assert bench.output == [1, 2]


def test_a_timer_that_is_due_while_suspended_fires_once_when_resumed() -> None:
    async def sleeps(context: Ctx) -> str:
        await context.create_timer(timedelta(minutes=1))
        return context.current_utc_datetime.isoformat()

    bench = Bench(sleeps)
    bench.turn()
    bench.suspend().turn()
    assert bench.alarm == START + timedelta(minutes=1)
    bench.turn(seconds=60)
    assert len(bench.recorded(history.TimerFired)) == 1
    bench.reload()
    assert bench.turn(seconds=60) is None
    assert bench.state.settle(bench.now) is None
    bench.resume().turn()
    assert bench.output == (START + timedelta(minutes=2)).isoformat()
    assert len(bench.recorded(history.TimerFired)) == 1


def test_suspend_and_resume_in_one_turn_change_nothing() -> None:
    bench = Bench(takes_events)
    bench.turn()
    bench.raise_event("e", 1).suspend().raise_event("e", 2).resume().turn()
    assert bench.output == [1, 2]


def test_suspending_twice_is_like_once() -> None:
    bench = Bench(takes_events)
    bench.turn()
    bench.suspend().suspend().raise_event("e", 1).turn()
    bench.suspend().turn()
    bench.resume().turn()
    assert bench.status is RuntimeStatus.RUNNING
    bench.resume().raise_event("e", 2).turn()
    assert bench.output == [1, 2]


@pytest.mark.parametrize("crash", [False, True])
def test_a_suspension_before_the_start_holds_the_start(crash: bool) -> None:
    bench = Bench(two_steps)
    bench.raise_event("early").suspend().turn()
    assert bench.status is RuntimeStatus.SUSPENDED
    assert bench.kinds()[:3] == ["OrchestratorStarted", "ExecutionSuspended", "ExecutionStarted"]
    assert not bench.recorded(history.TaskScheduled)
    if crash:
        bench.reload()
    bench.resume().turn(seconds=1)
    assert len(bench.recorded(history.TaskScheduled)) == 1


@pytest.mark.parametrize("crash", [False, True])
def test_events_held_when_the_code_continues_as_new_are_carried_over(crash: bool) -> None:
    async def one_each(context: Ctx, seen: list[Any]) -> list[Any]:
        seen.append(await context.wait_for_external_event("e"))
        if len(seen) < 3:
            context.continue_as_new(seen)
        return seen

    bench = Bench(one_each, input_=[])
    bench.turn()
    bench.suspend().turn()
    bench.raise_event("e", 1).raise_event("e", 2).raise_event("e", 3).turn()
    if crash:
        bench.reload()
    bench.resume().run()
    assert bench.output == [1, 2, 3]


def test_a_terminated_instance_ends_with_the_reason_and_a_cleared_inbox() -> None:
    bench = Bench(two_steps)
    bench.turn()
    bench.terminate("enough").turn()
    assert bench.status is RuntimeStatus.TERMINATED
    assert bench.row.output == '"enough"'
    assert bench.state.was_terminated
    assert bench.kinds()[-2:] == ["ExecutionTerminated", "ExecutionCompleted"]


def test_a_termination_wins_over_all_else_of_its_turn() -> None:
    seen = []

    async def watches(context: Ctx) -> None:
        seen.append(await context.wait_for_external_event("e"))

    bench = Bench(watches)
    bench.turn()
    bench.raise_event("e", 1).suspend().terminate().turn()
    assert bench.status is RuntimeStatus.TERMINATED
    assert seen == []


def test_the_code_is_closed_and_cannot_act_when_terminated() -> None:
    refused = []

    async def stubborn(context: Ctx) -> None:
        try:
            await context.wait_for_external_event("never")
        finally:
            for act in (
                lambda: context.call_activity("cleanup"),
                lambda: context.set_custom_status("cleaning"),
                lambda: context.send_event("other", "bye"),
                context.continue_as_new,
            ):
                try:
                    act()
                except Exception as error:  # noqa: BLE001 - collected
                    refused.append(type(error).__name__)

    bench = Bench(stubborn)
    bench.turn()
    commit = bench.terminate().turn()
    assert refused == ["OrchestrationError"] * 4
    assert isinstance(commit, Commit)
    assert bench.row.custom_status is None
    assert bench.state.take_undispatched(bench.now) == []
    assert not bench.messages


def test_a_pending_instance_can_be_terminated_without_running() -> None:
    ran = []

    async def never(context: Ctx) -> None:
        ran.append(1)

    bench = Bench(never, scheduled_start_at=START + timedelta(days=1))
    bench.terminate().turn()
    assert bench.status is RuntimeStatus.TERMINATED
    assert bench.kinds()[1] == "ExecutionStarted"
    assert not ran
    assert bench.alarm is None


def test_a_suspended_instance_can_be_terminated() -> None:
    bench = Bench(takes_events)
    bench.turn()
    bench.suspend().turn()
    bench.reload()
    bench.terminate().turn()
    assert bench.status is RuntimeStatus.TERMINATED


def test_the_alarm_of_a_terminated_instance_goes() -> None:
    async def sleeps(context: Ctx) -> None:
        await context.create_timer(timedelta(days=1))

    bench = Bench(sleeps)
    bench.turn()
    bench.terminate().turn()
    assert bench.alarm is None


def test_messages_to_a_finished_instance_are_deleted() -> None:
    bench = Bench(takes_events)
    bench.terminate().turn()
    bench.raise_event("e").terminate()
    outcome = bench.turn()
    assert not isinstance(outcome, Commit)
    assert not bench.inbox
    assert bench.turn() is None


async def parent_of_two(context: Ctx) -> None:
    first = context.call_sub_orchestrator("child", instance_id="kid1")
    context.call_sub_orchestrator("child", instance_id="kid2")
    await first
    await context.wait_for_external_event("never")


def test_a_termination_reaches_the_children_that_still_run() -> None:
    bench = Bench(parent_of_two)
    bench.turn()
    bench.child_done(1).turn()
    bench.terminate("all").turn()
    (envelope,) = bench.messages.values()
    assert envelope.instance_id == "kid2"
    assert isinstance(envelope.message.event, history.ExecutionTerminated)
    assert envelope.message.event.reason == '"all"'


def test_a_termination_that_is_not_recursive_leaves_the_children_alone() -> None:
    bench = Bench(parent_of_two)
    bench.turn()
    bench.terminate(recursive=False).turn()
    assert bench.status is RuntimeStatus.TERMINATED
    assert not bench.messages


def test_an_id_whose_start_was_refused_is_not_terminated() -> None:
    bench = Bench(parent_of_two)
    bench.turn()
    refusal = bench.starts["kid1"].refusal
    assert refusal is not None
    bench.inbox[refusal.message_id] = refusal
    bench.terminate().turn()
    assert [envelope.instance_id for envelope in bench.messages.values()] == ["kid2"]
