"""Activities and composites: what an orchestrator schedules, awaits and gets."""

import sys
from collections.abc import Generator
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

import pytest

from bindings import (
    DurableTask,
    InvalidArgumentError,
    OrchestrationContext,
    SerializationError,
    TaskFailedError,
    when_all,
    when_any,
)
from host.core import history
from host.core.records import Commit
from tests.kit.bench import Bench

Ctx = OrchestrationContext


@dataclass
class Parcel:
    weight: int
    sent_at: datetime


class Colour(Enum):
    RED = "red"


def say(city: str) -> str:
    return f"Hello {city}!"


def weigh(weight: int) -> Parcel:
    return Parcel(weight=weight, sent_at=datetime(2026, 1, 1))


def paint() -> Colour:
    return Colour.RED


def fail(what: str) -> None:
    raise ValueError(f"no {what}")


ACTIVITIES = (say, weigh, paint, fail)


def test_an_async_orchestrator_awaits_activities_one_after_the_other() -> None:
    async def hello(context: Ctx) -> list[str]:
        return [await context.call_activity(say, city) for city in ("Rome", "Oslo")]

    bench = Bench(hello, activities=ACTIVITIES).run()
    assert bench.output == ["Hello Rome!", "Hello Oslo!"]
    assert bench.executed == [("say", "Rome"), ("say", "Oslo")]


def test_a_generator_orchestrator_yields_the_same_tasks() -> None:
    def hello(context: Ctx) -> Generator[DurableTask[Any], Any, list[str]]:
        first = yield context.call_activity(say, "Rome")
        second = yield context.call_activity("say", "Oslo")
        return [first, second]

    assert Bench(hello, activities=ACTIVITIES).run().output == ["Hello Rome!", "Hello Oslo!"]


def test_a_generator_can_delegate_to_another_generator() -> None:
    def part(context: Ctx, city: str) -> Generator[DurableTask[Any], Any, Any]:
        return (yield context.call_activity(say, city))

    def whole(context: Ctx) -> Generator[DurableTask[Any], Any, Any]:
        return (yield from part(context, "Rome"))

    assert Bench(whole, activities=ACTIVITIES).run().output == "Hello Rome!"


def test_a_plain_orchestrator_completes_in_its_first_turn() -> None:
    def plain(context: Ctx, value: int) -> int:
        return value + 1

    bench = Bench(plain, input_=41)
    assert isinstance(bench.turn(), Commit)
    assert bench.output == 42
    assert bench.kinds() == ["OrchestratorStarted", "ExecutionStarted", "ExecutionCompleted"]


def test_an_activity_named_by_reference_and_by_name_is_recorded_alike() -> None:
    async def both(context: Ctx) -> None:
        await when_all([context.call_activity(say, "x"), context.call_activity("say", "x")])

    bench = Bench(both, activities=ACTIVITIES)
    bench.turn()
    assert [(each.name, each.input) for each in bench.recorded(history.TaskScheduled)] == [
        ("say", '"x"'),
        ("say", '"x"'),
    ]


def test_a_function_that_is_not_registered_is_refused_where_it_is_called() -> None:
    def stranger() -> None: ...

    async def calls(context: Ctx) -> str:
        with pytest.raises(InvalidArgumentError):
            context.call_activity(stranger)
        return "went on"

    assert Bench(calls).run().output == "went on"


@pytest.mark.parametrize("name", ["", "\ud800"])
def test_a_name_that_the_history_cannot_hold_is_refused(name: str) -> None:
    async def calls(context: Ctx) -> str:
        with pytest.raises(InvalidArgumentError):
            context.call_activity(name)
        return "went on"

    assert Bench(calls).run().output == "went on"


def test_an_unknown_activity_name_is_scheduled_for_hosts_that_know_it() -> None:
    async def calls(context: Ctx) -> Any:
        return await context.call_activity("elsewhere", 1)

    bench = Bench(calls)
    bench.turn()
    bench.turn(bench.done(1, {"a": [1]}))
    assert bench.output == {"a": [1]}


def test_results_are_rebuilt_as_the_return_annotation_says() -> None:
    async def typed(context: Ctx) -> list[str]:
        parcel = await context.call_activity(weigh, 3)
        colour = await context.call_activity(paint)
        return [type(parcel).__name__, type(parcel.sent_at).__name__, type(colour).__name__]

    bench = Bench(typed, activities=ACTIVITIES).run()
    assert bench.output == ["Parcel", "datetime", "Colour"]


def test_return_type_wins_over_the_annotation() -> None:
    async def typed(context: Ctx) -> str:
        parcel = await context.call_activity("weigh", 3, return_type=dict[str, Any])
        return type(parcel).__name__

    assert Bench(typed, activities=ACTIVITIES).run().output == "dict"


def test_a_result_that_does_not_fit_the_annotation_is_raised_at_the_await() -> None:
    async def typed(context: Ctx) -> str:
        with pytest.raises(SerializationError, match="The result of Activity function 'say'"):
            await context.call_activity("say", return_type=int)
        return "went on"

    bench = Bench(typed)
    bench.turn()
    bench.turn(bench.done(1, "text"))
    assert bench.output == "went on"


def test_one_result_can_be_awaited_twice() -> None:
    async def twice(context: Ctx) -> list[str]:
        task = context.call_activity(say, "Rome")
        return [await task, await task, task.result, task.get_result()]

    assert Bench(twice, activities=ACTIVITIES).run().output == ["Hello Rome!"] * 4


def test_one_failure_can_be_awaited_twice() -> None:
    async def twice(context: Ctx) -> int:
        task = context.call_activity(fail, "luck")
        failures = 0
        for _ in range(2):
            try:
                await task
            except TaskFailedError:
                failures += 1
        assert task.is_failed
        return failures

    assert Bench(twice, activities=ACTIVITIES).run().output == 2


def test_reading_the_result_of_a_pending_task_says_to_await_it() -> None:
    async def early(context: Ctx) -> None:
        context.call_activity(say, "x").get_result()

    failure = Bench(early, activities=ACTIVITIES).run().failure
    assert "await it" in failure.message


def test_when_all_gives_all_results_in_the_order_of_the_tasks() -> None:
    async def fan(context: Ctx) -> list[int]:
        return await when_all([context.call_activity(str(i), return_type=int) for i in range(3)])

    bench = Bench(fan)
    bench.turn()
    for task_id in (3, 1, 2):
        bench.turn(bench.done(task_id, task_id * 10))
    assert bench.output == [10, 20, 30]


def test_when_all_waits_for_all_and_then_raises_the_first_failure() -> None:
    async def fan(context: Ctx) -> str:
        try:
            await when_all([context.call_activity(str(i)) for i in range(3)])
        except TaskFailedError as error:
            return error.details.message
        return "nothing raised"

    bench = Bench(fan)
    bench.turn()
    bench.turn(bench.failed(3))
    bench.turn(bench.failed(1))
    assert not bench.row.is_finished
    bench.turn(bench.done(2))
    assert bench.output == "boom"
    assert bench.state.is_finished


def test_when_all_of_nothing_is_an_empty_list() -> None:
    async def fan(context: Ctx) -> list[int]:
        nothing: list[DurableTask[int]] = []
        return await when_all(nothing)

    assert Bench(fan).run().output == []


def test_when_any_gives_the_winner_also_in_failure() -> None:
    async def race(context: Ctx) -> list[Any]:
        tasks = [context.call_activity(str(i)) for i in range(2)]
        winner = await when_any(tasks)
        return [winner is tasks[1], winner.is_failed, tasks[0].is_completed]

    bench = Bench(race)
    bench.turn()
    bench.turn(bench.failed(2))
    assert bench.output == [True, True, False]


def test_when_any_of_nothing_is_refused() -> None:
    async def race(context: Ctx) -> None:
        nothing: list[DurableTask[int]] = []
        await when_any(nothing)

    assert Bench(race).run().failure.error_type == "ValueError"


def test_composites_take_durable_tasks_only() -> None:
    async def mixed(context: Ctx) -> None:
        await when_all([7])  # type: ignore[arg-type] # the mistake under test

    failure = Bench(mixed).run().failure
    assert failure.error_type == "TypeError"
    assert "durable tasks" in failure.message


def test_the_names_of_the_first_sdk_work_on_the_context() -> None:
    def old(context: Ctx) -> Generator[DurableTask[Any], Any, Any]:
        results = yield context.task_all([context.call_activity(say, "a")])
        winner = yield context.task_any([context.call_activity(say, "b")])
        return [*results, winner.result]

    assert Bench(old, activities=ACTIVITIES).run().output == ["Hello a!", "Hello b!"]


def test_composites_nest_3000_deep_without_recursion() -> None:
    depth = 3_000
    assert depth > sys.getrecursionlimit()

    async def deep(context: Ctx) -> str:
        task: DurableTask[Any] = context.call_activity(say, "x")
        for number in range(depth):
            task = when_all([task]) if number % 2 else when_any([task])
        await task
        return "out again"

    assert Bench(deep, activities=ACTIVITIES).run().output == "out again"


def test_a_fan_out_of_5000_is_one_turn_out_and_one_turn_in() -> None:
    async def fan(context: Ctx) -> int:
        tasks = [context.call_activity("add", i, return_type=int) for i in range(5_000)]
        return sum(await when_all(tasks))

    def add(value: int) -> int:
        return value + 1

    bench = Bench(fan, activities=[add]).run()
    assert bench.output == sum(range(1, 5_001))
    assert len(bench.commits) == 2


def test_activities_that_nobody_awaits_do_not_hold_up_the_end() -> None:
    async def forgets(context: Ctx) -> str:
        context.call_activity(say, "nobody")
        return "done"

    bench = Bench(forgets, activities=ACTIVITIES)
    commit = bench.turn()
    assert bench.output == "done"
    assert isinstance(commit, Commit)
    assert commit.open_activities == 0
