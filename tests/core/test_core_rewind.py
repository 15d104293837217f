"""Rewind, by its facts: which turns count no more, and what the next turn takes in again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from bindings import OrchestrationContext, RuntimeStatus, TaskFailedError
from host.core import history
from host.core.records import Commit
from host.core.rewound import counted_history
from tests.kit.bench import Bench
from tests.kit.history_builder import a_failure

FAILED, COMPLETED = RuntimeStatus.FAILED, RuntimeStatus.COMPLETED


def work(name: str) -> str:
    return name


def of(commit: Any, kind: type[Any]) -> list[Any]:
    return [event for event in commit.batch.events if isinstance(event, kind)]


async def gathers(context: OrchestrationContext) -> list[Any]:
    tasks = [context.call_activity(work, name) for name in "abc"]
    results: list[str | None] = []
    for task in tasks:
        try:
            results.append(await task)
        except TaskFailedError:
            results.append(None)
    if None in results:
        raise ValueError("not all")
    return results


def test_turns_without_a_deed_are_taken_back_from_the_first_failure_on() -> None:
    bench = Bench(gathers, activities=[work])
    bench.turn()
    bench.turn(bench.done(1, "a"))
    bench.turn(bench.failed(2, a_failure()))
    bench.turn(bench.done(3, "c"))
    assert bench.row.status is FAILED
    commit = bench.rewind("again")
    (event,) = of(commit, history.ExecutionRewound)
    assert (event.cut, event.again, event.last_task_id) == (2, {2: 4}, 4)
    (asked,) = of(commit, history.TaskScheduled)
    assert (asked.task_id, asked.input) == (4, '"b"')
    assert bench.row.status is RuntimeStatus.RUNNING
    assert bench.row.failure is None
    assert [each.scheduled for each in bench.state.take_undispatched(bench.now)] == [asked]
    again = bench.turn()
    assert [each.task_id for each in of(again, history.TaskCompleted)] == [3]
    bench.turn(bench.done(4, "b"))
    assert bench.row.status is COMPLETED
    assert bench.row.output == '["a","b","c"]'


async def listens(context: OrchestrationContext) -> list[Any]:
    heard = []
    for _ in range(3):
        heard.append(await context.wait_for_external_event("said"))
        if len(heard) == BREAKS_AT[0]:
            raise ValueError("broken")
    return heard


BREAKS_AT = [0]


def test_what_a_turn_left_since_the_code_had_ended_waits_for_the_next_rewind() -> None:
    bench = Bench(listens)
    bench.turn()
    BREAKS_AT[0] = 2
    bench.raise_event("said", 1).turn()
    bench.raise_event("said", 2).turn()
    assert bench.row.status is FAILED
    for _ in range(2):
        bench.rewind()
        bench.turn()
        assert bench.row.status is FAILED
    BREAKS_AT[0] = 0
    bench.rewind()
    bench.turn()
    bench.raise_event("said", 3).turn()
    assert bench.row.output == "[1,2,3]"
    bench.reload()
    assert bench.state.view() == bench.row


def test_a_whole_execution_is_taken_again_with_what_came_before_its_end() -> None:
    async def at_once(context: OrchestrationContext) -> list[Any]:
        if BREAKS_AT[0]:
            raise ValueError("broken")
        return [await context.wait_for_external_event("said")]

    bench = Bench(at_once)
    BREAKS_AT[0] = 1
    bench.turn()
    assert bench.row.status is FAILED
    commit = bench.rewind()
    assert of(commit, history.ExecutionRewound)[0].cut == 0
    assert bench.row.status is RuntimeStatus.RUNNING
    assert bench.row.last_number == 1
    bench.turn()
    assert bench.row.status is FAILED
    BREAKS_AT[0] = 0
    bench.rewind()
    bench.turn()
    bench.raise_event("said", "x").turn()
    assert bench.row.output == '["x"]'
    events = counted_history(bench.snapshot())
    assert sum(isinstance(x, history.ExecutionStarted) for x in events) == 1


def test_a_timer_that_fired_fires_again_before_what_came_after_it() -> None:
    async def waits(context: OrchestrationContext) -> str:
        await context.create_timer(timedelta(seconds=5))
        said = await context.wait_for_external_event("said")
        if BREAKS_AT[0]:
            raise ValueError("broken")
        return str(said)

    bench = Bench(waits)
    BREAKS_AT[0] = 1
    bench.turn()
    bench.now += timedelta(seconds=9)
    bench.raise_event("said", "late").turn()
    assert bench.row.status is FAILED
    BREAKS_AT[0] = 0
    bench.rewind()
    again = bench.turn(seconds=60)
    assert isinstance(again, Commit)
    kinds = [type(x).__name__ for x in again.batch.events]
    assert kinds.index("TimerFired") < kinds.index("EventRaised")
    assert bench.row.output == '"late"'


def test_a_rewound_execution_that_is_terminated_does_not_start_twice() -> None:
    async def at_once(context: OrchestrationContext) -> None:
        raise ValueError("broken")

    bench = Bench(at_once)
    bench.turn()
    bench.rewind()
    bench.terminate().turn()
    assert bench.row.status is RuntimeStatus.TERMINATED
    events = counted_history(bench.snapshot())
    assert sum(isinstance(x, history.ExecutionStarted) for x in events) == 1


def test_one_that_was_terminated_after_its_rewind_takes_no_turn_more_after_a_crash() -> None:
    bench = Bench(listens)
    bench.turn()
    BREAKS_AT[0] = 1
    bench.raise_event("said", 1).turn()
    assert bench.row.status is FAILED
    bench.rewind()
    bench.terminate().turn_without_effects()
    bench.reload()
    assert bench.state.is_finished
    bench.apply(bench.state.redo())
    BREAKS_AT[0] = 0
    assert not isinstance(bench.turn(), Commit)
    assert bench.row.status is RuntimeStatus.TERMINATED


def test_what_waits_for_the_next_rewind_brings_no_turn_about_after_a_crash() -> None:
    bench = Bench(listens)
    bench.turn()
    BREAKS_AT[0] = 2
    bench.raise_event("said", 1).turn()
    bench.raise_event("said", 2).turn()
    BREAKS_AT[0] = 1
    bench.rewind()
    bench.turn_without_effects()
    bench.reload()
    assert bench.state.is_finished
    bench.apply(bench.state.redo())
    assert not isinstance(bench.turn(), Commit)
    assert bench.row.status is FAILED
    BREAKS_AT[0] = 0
    bench.rewind()
    bench.turn()
    bench.raise_event("said", 3).turn()
    assert bench.row.output == "[1,2,3]"


def test_a_rewound_execution_that_continues_as_new_goes_on_after_a_reload() -> None:
    async def rounds(context: OrchestrationContext) -> str:
        if context.get_input() == "next":
            return "done"
        await context.wait_for_external_event("said")
        if BREAKS_AT[0]:
            raise ValueError("broken")
        context.continue_as_new("next")
        return ""

    bench = Bench(rounds)
    bench.turn()
    BREAKS_AT[0] = 1
    bench.raise_event("said", 1).turn()
    BREAKS_AT[0] = 0
    bench.rewind()
    bench.turn()
    assert bench.state.must_continue()
    bench.reload()
    assert bench.state.must_continue()
    bench.turn()
    assert not bench.state.must_continue()
    assert bench.row.output == '"done"'


def test_an_answer_that_was_taken_in_and_is_not_deleted_yet_is_none_after_the_rewind() -> None:
    async def parent(context: OrchestrationContext) -> Any:
        return await context.call_sub_orchestrator("parent")

    bench = Bench(parent)
    bench.turn()
    task_id = bench.recorded(history.SubOrchestrationInstanceCreated)[0].task_id
    failed = history.SubOrchestrationInstanceFailed(
        timestamp=bench.now, task_id=task_id, failure=a_failure()
    )
    bench.send(failed, execution_id=bench.state.execution_id)
    unread = dict(bench.inbox)
    bench.turn()
    assert bench.row.status is FAILED
    bench.inbox = unread
    commit = bench.rewind()
    assert [each.task_id for each in bench.state.unanswered_children()] == [task_id]
    assert commit.effects.consumed == ("m1",)
    assert [each.instance.instance_id for each in commit.effects.starts] == [*bench.starts]
