"""What came first by time wins, also when nobody looked until much later."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from bindings import OrchestrationContext, when_any
from host.core import history
from host.core.history import InboxEvent
from host.core.records import Commit
from tests.kit.bench import Bench
from tests.kit.history_builder import START, a_failure, dumps

Ctx = OrchestrationContext
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


async def waits(context: Ctx) -> Any:
    try:
        return await context.wait_for_external_event("e", timeout=HOUR)
    except TimeoutError:
        return "too late"


async def races(context: Ctx) -> str:
    """An activity, a child and an event against a deadline."""
    tasks = [
        context.call_activity("work"),
        context.call_sub_orchestrator("child"),
        context.wait_for_external_event("e"),
    ]
    deadline = context.create_timer(HOUR)
    winner = await when_any([deadline, *tasks])
    if winner is deadline:
        return "too late"
    deadline.cancel()
    await context.wait_for_external_event("end")
    return "in time"


def raised(after: timedelta, name: str = "e", data: object = None) -> InboxEvent:
    return history.EventRaised(timestamp=START + after, name=name, input=dumps(data))


def outcome(bench: Bench) -> Any:
    """Its output, the same when a host loads it from what is recorded."""
    for _ in range(10):
        bench.turn()
        bench.reload()
    return bench.output


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (HOUR / 2, "came"),
        (HOUR - timedelta(microseconds=1), "came"),
        (HOUR, "too late"),
        (HOUR + MINUTE, "too late"),
    ],
    ids=str,
)
@pytest.mark.parametrize("is_loaded", [False, True], ids=["in memory", "loaded"])
def test_found_a2_an_event_before_the_deadline_wins_when_no_host_was_there(
    after: timedelta, expected: str, is_loaded: bool
) -> None:
    bench = Bench(waits)
    bench.turn()
    bench.send(raised(after, data="came"))
    bench.now = START + 2.5 * HOUR
    if is_loaded:
        bench.reload()
    assert outcome(bench) == expected


def _activity(at: timedelta) -> InboxEvent:
    return history.TaskCompleted(timestamp=START + at, task_id=1)


def _failed_activity(at: timedelta) -> InboxEvent:
    return history.TaskFailed(timestamp=START + at, task_id=1, failure=a_failure())


def _child(at: timedelta) -> InboxEvent:
    return history.SubOrchestrationInstanceCompleted(timestamp=START + at, task_id=2)


def _failed_child(at: timedelta) -> InboxEvent:
    return history.SubOrchestrationInstanceFailed(
        timestamp=START + at, task_id=2, failure=a_failure()
    )


@pytest.mark.parametrize("event", [_activity, _failed_activity, _child, _failed_child, raised])
@pytest.mark.parametrize(("at", "expected"), [(HOUR / 2, "in time"), (2 * HOUR, "too late")])
def test_found_a2_answers_of_all_kinds_are_judged_by_their_time(
    event: Callable[[timedelta], InboxEvent], at: timedelta, expected: str
) -> None:
    bench = Bench(races)
    bench.turn()
    bench.now = START + 3 * HOUR
    bench.send(event(at))
    bench.send(raised(2.5 * HOUR, "end"))
    assert outcome(bench) == expected
    fired = [each.task_id for each in bench.recorded(history.TimerFired)]
    assert fired == ([] if expected == "in time" else [3])


def test_found_a2_a_result_of_this_session_is_judged_by_its_time() -> None:
    bench = Bench(races)
    bench.turn()
    result = bench.done(1)
    bench.turn(result, seconds=5 * 3600)
    bench.raise_event("end").turn()
    assert bench.output == "in time"


def test_found_a2_what_came_first_wins_between_a_result_and_an_event() -> None:
    async def first(context: Ctx) -> bool:
        event = context.wait_for_external_event("e")
        return await when_any([context.call_activity("work"), event]) is event

    bench = Bench(first)
    bench.turn()
    bench.send(raised(MINUTE))
    bench.now = START + 2 * MINUTE
    bench.turn(bench.done(1))
    assert bench.output is True


def test_found_a2_messages_keep_their_order_among_each_other() -> None:
    async def hears(context: Ctx) -> list[Any]:
        timer = context.create_timer(HOUR)
        heard = []
        while not timer.is_completed:
            wait = context.wait_for_external_event("e")
            if await when_any([wait, timer]) is wait:
                heard.append(wait.result)
        return heard

    bench = Bench(hears)
    bench.turn()
    # The first sender's clock is ahead: it arrived before one that came in time, so it did, too.
    for number, at in enumerate([90 * MINUTE, 30 * MINUTE, 80 * MINUTE]):
        bench.send(raised(at, data=number))
    bench.now = START + 3 * HOUR
    assert outcome(bench) == [0, 1]


def test_found_a2_timers_fire_between_events_in_the_order_of_all_their_times() -> None:
    async def logs(context: Ctx) -> list[Any]:
        pending = {context.create_timer(n * HOUR): f"timer {n}" for n in (3, 1, 2)}
        log: list[Any] = []
        event = context.wait_for_external_event("e")
        while pending:
            winner: Any = await when_any([event, *pending])
            if winner is event:
                log.append(event.result)
                event = context.wait_for_external_event("e")
            else:
                log.append(pending.pop(winner))
        return log

    bench = Bench(logs)
    bench.turn()
    for half in (0.5, 1.5, 2.5, 3.5):
        bench.send(raised(half * HOUR, data=half))
    bench.now = START + 5 * HOUR
    assert outcome(bench) == [0.5, "timer 1", 1.5, "timer 2", 2.5, "timer 3"]


def test_found_a2_it_is_so_also_when_the_instance_is_suspended_meanwhile() -> None:
    bench = Bench(waits)
    bench.turn()
    bench.send(history.ExecutionSuspended(timestamp=START + MINUTE))
    bench.send(raised(30 * MINUTE, data="came"))
    bench.send(history.ExecutionResumed(timestamp=START + 2 * HOUR))
    bench.now = START + 2.5 * HOUR
    assert outcome(bench) == "came"


def test_found_a2_it_is_so_also_when_both_are_held_by_a_suspension() -> None:
    bench = Bench(waits)
    bench.turn()
    bench.suspend().turn()
    bench.send(raised(30 * MINUTE, data="came"))
    bench.now = START + 2.5 * HOUR
    bench.turn()
    bench.reload()
    assert [type(x).__name__ for x in bench.events[-2:]] == ["EventRaised", "TimerFired"]
    bench.resume()
    assert outcome(bench) == "came"


@pytest.mark.parametrize(("at", "expected"), [(HOUR / 2, "came"), (1.5 * HOUR, "too late")])
def test_found_a2_a_timer_made_in_this_very_turn_that_is_due_already_keeps_its_place(
    at: timedelta, expected: str
) -> None:
    async def late(context: Ctx) -> Any:
        await context.call_activity("prepare")
        event = context.wait_for_external_event("e")
        deadline = context.create_timer(START + HOUR)
        return event.result if await when_any([event, deadline]) is event else "too late"

    bench = Bench(late)
    bench.turn()
    bench.send(history.TaskCompleted(timestamp=START + MINUTE, task_id=1))
    bench.send(raised(at, data="came"))
    bench.now = START + 2 * HOUR
    commit = bench.turn()
    assert isinstance(commit, Commit)
    if expected == "too late":
        assert bench.state.must_continue()
        assert len(bench.inbox) == 1
    assert outcome(bench) == expected
    made, fired = (bench.kinds().index(x) for x in ("TimerCreated", "ExecutionCompleted"))
    assert made < fired


def test_found_a2_a_loop_of_timers_that_are_due_at_once_does_not_hold_messages_up() -> None:
    async def ticks(context: Ctx) -> int:
        event = context.wait_for_external_event("e")
        count = 0
        while not event.is_completed:
            await when_any([event, context.create_timer(timedelta(0))])
            count += 1
        return count

    bench = Bench(ticks)
    bench.turn()
    bench.turn()
    bench.raise_event("e")
    assert outcome(bench) <= 3


def test_found_a2_a_timer_that_an_earlier_one_cancels_does_not_fire() -> None:
    async def cancels(context: Ctx) -> str:
        first, second = context.create_timer(HOUR), context.create_timer(2 * HOUR)
        await first
        second.cancel()
        await context.wait_for_external_event("end")
        return "done"

    bench = Bench(cancels)
    bench.turn()
    bench.turn(seconds=3 * 3600)
    assert [each.task_id for each in bench.recorded(history.TimerFired)] == [1]
    bench.raise_event("end")
    assert outcome(bench) == "done"


def test_found_a2_the_recorded_order_is_the_truth_on_replay() -> None:
    async def pair(context: Ctx) -> bool:
        event = context.wait_for_external_event("e")
        timer = context.create_timer(HOUR)
        won = await when_any([event, timer]) is event
        await context.wait_for_external_event("end")
        return won

    bench = Bench(pair)
    bench.turn()
    bench.turn(seconds=3600)  # the event from before was not there yet
    bench.send(raised(MINUTE)).turn()
    bench.reload()
    bench.raise_event("end")
    assert outcome(bench) is False
