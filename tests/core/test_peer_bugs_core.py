"""Bugs that other durable-execution projects had, where the core alone decides. The number is that
of the project's list of such bugs.
"""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from bindings import OrchestrationContext, RuntimeStatus, when_any
from host.core import history, ids
from host.core.records import Message
from tests.kit.bench import Bench
from tests.kit.history_builder import EXECUTION_ID, START, a_failure

Ctx = OrchestrationContext


async def one_event_each(context: Ctx, seen: list[Any]) -> list[Any]:
    """The classic eternal pattern: one event, then continue as new."""
    seen.append(await context.wait_for_external_event("e"))
    if len(seen) < 5:
        context.continue_as_new(seen)
    return seen


@pytest.mark.parametrize("crash", [False, True])
def test_bug_01_events_raised_during_continue_as_new_are_seen_once_and_in_order(
    crash: bool,
) -> None:
    bench = Bench(one_event_each, input_=[])
    bench.turn()
    for number in range(5):
        bench.raise_event("e", number)
    while not bench.state.is_finished:
        bench.turn()
        if crash:
            bench.reload()
    assert bench.output == [0, 1, 2, 3, 4]


def test_bug_01_events_received_before_and_after_the_call_keep_their_order() -> None:
    async def slow(context: Ctx, seen: list[Any]) -> list[Any]:
        if not seen:
            await context.call_activity("work")
            context.continue_as_new(["first"])
            return []
        return [await context.wait_for_external_event("e") for _ in range(4)]

    bench = Bench(slow, input_=[])
    bench.turn()
    bench.raise_event("e", 1).turn()
    bench.raise_event("e", 2)
    bench.raise_event("e", 3)
    bench.turn(bench.done(1))
    bench.raise_event("e", 4)
    bench.run()
    assert bench.output == [1, 2, 3, 4]


def test_bug_01_events_carried_over_are_carried_on_by_an_execution_that_ends_at_once() -> None:
    async def skips(context: Ctx, left: int) -> Any:
        if left:
            context.continue_as_new(left - 1)
            return None
        return [await context.wait_for_external_event("e") for _ in range(2)]

    async def gate(context: Ctx, left: int) -> Any:
        if left == 3:
            await context.call_activity("work")
        return await skips(context, left)

    bench = Bench(gate, input_=3)
    bench.turn()
    bench.raise_event("e", 1).raise_event("e", 2).turn()
    bench.turn(bench.done(1))
    bench.run()
    assert bench.output == [1, 2]


def test_bug_02_carry_over_is_the_default_also_for_generators() -> None:
    def old_style(context: Ctx) -> Any:
        again = context.get_input()
        if not again:
            yield context.call_activity("work")
            context.continue_as_new(True)
            return None
        return (yield context.wait_for_external_event("e"))

    bench = Bench(old_style)
    bench.turn()
    bench.raise_event("e", "kept").turn()
    bench.turn(bench.done(1))
    bench.run()
    assert bench.output == "kept"


def test_bug_03_an_event_before_its_wait_is_buffered() -> None:
    async def late(context: Ctx) -> Any:
        await context.call_activity("work")
        return await context.wait_for_external_event("e")

    bench = Bench(late)
    bench.turn()
    bench.raise_event("e", "early").turn()
    bench.reload()
    bench.turn(bench.done(1))
    assert bench.output == "early"


def test_bug_04_a_race_of_event_and_timer_handles_every_event_and_no_unexpired_timer() -> None:
    async def loop(context: Ctx) -> list[Any]:
        handled: list[Any] = []
        while len(handled) < 6:
            event = context.wait_for_external_event("e")
            timer = context.create_timer(timedelta(hours=1))
            if await when_any([event, timer]) is event:
                timer.cancel()
                handled.append(event.get_result())
            else:
                handled.append("timer")
        return handled

    bench = Bench(loop)
    bench.turn()
    bench.raise_event("e", 0).raise_event("e", 1).turn()
    bench.raise_event("e", 2).turn(seconds=3599)
    bench.reload()
    bench.raise_event("e", 3).raise_event("e", 4).raise_event("e", 5).turn(seconds=3599)
    assert bench.output == [0, 1, 2, 3, 4, 5]


def test_bug_10_no_timer_in_a_loop_fires_before_its_time() -> None:
    async def heartbeat(context: Ctx) -> list[str]:
        moments = []
        for _ in range(20):
            await context.create_timer(timedelta(milliseconds=500))
            moments.append(context.current_utc_datetime.isoformat())
        return moments

    bench = Bench(heartbeat)
    steps = 0
    while not bench.state.is_finished:
        bench.turn(seconds=0.125)
        steps += 1
    assert steps * 0.125 >= 20 * 0.5
    fired = bench.recorded(history.TimerFired)
    created = {event.task_id: event for event in bench.recorded(history.TimerCreated)}
    assert all(x.timestamp - created[x.task_id].timestamp >= timedelta(seconds=0.5) for x in fired)


@pytest.mark.parametrize(
    "delay",
    [timedelta(seconds=1), timedelta(milliseconds=2**31), timedelta(days=25), timedelta(days=3650)],
    ids=str,
)
def test_bug_11_delays_beyond_32_bits_of_milliseconds_work(delay: timedelta) -> None:
    async def sleeps(context: Ctx) -> str:
        await context.create_timer(delay)
        return "woke"

    bench = Bench(sleeps)
    bench.turn()
    assert bench.turn(seconds=delay.total_seconds() - 0.001) is None
    bench.turn(seconds=0.001)
    assert bench.output == "woke"


@pytest.mark.parametrize(
    "fire_at",
    [
        datetime(2026, 2, 1, 0, 0),
        datetime(2026, 2, 1, 0, 0, tzinfo=UTC),
        datetime(2026, 1, 31, 16, 0, tzinfo=timezone(-timedelta(hours=8))),
    ],
    ids=["naive", "utc", "other zone"],
)
def test_bug_12_aware_and_naive_times_are_the_same_instant(fire_at: datetime) -> None:
    async def sleeps(context: Ctx) -> None:
        await context.create_timer(fire_at)

    bench = Bench(sleeps)
    bench.turn()
    assert bench.alarm == START + timedelta(hours=12)


def test_bug_23_duplicate_answers_are_recorded_once() -> None:
    async def all_kinds(context: Ctx) -> Any:
        results = await context.task_all(
            [context.call_activity("work"), context.call_sub_orchestrator("child", 1)]
        )
        await context.create_timer(timedelta(seconds=1))
        await context.wait_for_external_event("end")
        return results

    bench = Bench(all_kinds)
    bench.turn()
    child_done = history.SubOrchestrationInstanceCompleted(
        timestamp=bench.now, task_id=2, result='"c"'
    )
    for copy in ("x", "y"):
        bench.send(bench.done(1, "a"), f"activity {copy}", EXECUTION_ID)
        bench.send(child_done, f"child {copy}", EXECUTION_ID)
    bench.turn()
    bench.send(bench.done(1, "late"), "activity z").send(child_done, "child z")
    bench.turn(seconds=1)
    bench.reload()
    bench.turn(seconds=1)
    bench.raise_event("end").turn()
    assert bench.output == ["a", "c"]
    for kind in (
        history.TaskCompleted,
        history.SubOrchestrationInstanceCompleted,
        history.TimerFired,
    ):
        assert len(bench.recorded(kind)) == 1


def test_bug_41_derived_child_ids_differ_between_executions() -> None:
    async def eternal(context: Ctx, left: int) -> None:
        await context.call_sub_orchestrator("child", return_type=int)
        if left:
            context.continue_as_new(left - 1)

    bench = Bench(eternal, input_=3)
    for _ in range(4):
        bench.turn()
        bench.child_done(1, 0).turn()
    assert bench.status is RuntimeStatus.COMPLETED
    assert len(bench.starts) == 4


def test_bug_42_a_child_cannot_have_its_parents_id() -> None:
    async def overwrites(context: Ctx) -> None:
        await context.call_sub_orchestrator("child", instance_id=context.instance_id)

    bench = Bench(overwrites).run()
    assert "parent's instance id 'inst'" in bench.failure.message
    assert not bench.starts


@pytest.mark.parametrize("starts_later", [False, True])
def test_bug_45_a_pending_instance_can_be_terminated(starts_later: bool) -> None:
    async def never(context: Ctx) -> None:
        raise AssertionError("it ran")

    start_at = START + timedelta(days=1) if starts_later else None
    bench = Bench(never, scheduled_start_at=start_at)
    bench.terminate("changed my mind").turn()
    assert bench.status is RuntimeStatus.TERMINATED
    assert bench.row.output == '"changed my mind"'


def test_bug_51_the_first_run_sees_what_every_replay_sees() -> None:
    seen: list[Any] = []

    def work(_: Any) -> Any:
        return (1, {2: "two"}, {3})

    async def works(context: Ctx) -> None:
        seen.append(await context.call_activity("work", 0))
        await context.wait_for_external_event("end")

    bench = Bench(works, activities=[work])
    bench.run()
    bench.reload()
    assert seen[0] == seen[1] == [1, {"2": "two"}, [3]]


def test_bug_51_an_input_and_a_childs_result_are_read_back_from_json_too() -> None:
    async def child(context: Ctx, value: Any) -> Any:
        return (value,)

    async def parent(context: Ctx) -> Any:
        result = await context.call_sub_orchestrator("child", (1, 2), return_type=Any)
        return [type(result).__name__, result]

    bench = Bench(parent, child)
    bench.turn()
    (start,) = bench.starts.values()
    kid = Bench(child)
    kid.row = start.instance
    kid.run()
    (envelope,) = kid.messages.values()
    bench.inbox["answer"] = envelope.message
    bench.turn()
    assert bench.output == ["list", [[1, 2]]]


def test_bug_51_the_replay_flag_is_right_at_every_boundary_of_batches() -> None:
    flags: list[bool] = []

    async def steps(context: Ctx) -> None:
        for _ in range(5):
            flags.append(context.is_replaying)
            await context.call_activity("work")
        flags.append(context.is_replaying)

    bench = Bench(steps)
    bench.turn()
    for task_id in range(1, 6):
        flags.clear()
        bench.reload()
        assert flags == [True] * task_id
        bench.turn(bench.done(task_id))
        assert flags == [True] * task_id + [False]


def test_bug_44_a_retried_child_is_a_new_instance_with_no_ties_to_the_old() -> None:
    async def parent(context: Ctx) -> Any:
        try:
            await context.call_sub_orchestrator("child", instance_id="kid")
        except Exception:  # noqa: BLE001 - whatever it was, once more
            return await context.call_sub_orchestrator("child", instance_id="kid")

    bench = Bench(parent)
    bench.turn()
    first = bench.starts.pop("kid").instance
    failed = history.SubOrchestrationInstanceFailed(
        timestamp=bench.now, task_id=1, failure=a_failure()
    )
    bench.inbox["f"] = Message(
        message_id=ids.completion_message_id(first.execution_id),
        event=failed,
        execution_id=EXECUTION_ID,
    )
    bench.turn()
    second = bench.starts["kid"].instance
    assert second.execution_id != first.execution_id
    assert second.parent != first.parent
