"""Continue-as-new: what the next execution gets, keeps and forgets."""

from collections.abc import Callable
from typing import Any

import pytest

from bindings import OrchestrationContext, RuntimeStatus
from host.core import history, ids
from host.core.chain import current_history
from host.core.ledger import RECENT_MESSAGES, RECENT_REQUESTS
from host.core.records import Commit
from tests.kit.bench import Bench
from tests.kit.history_builder import EXECUTION_ID

Ctx = OrchestrationContext
SECOND = ids.next_execution_id(EXECUTION_ID)


async def count(context: Ctx, number: int) -> int:
    if number < 3:
        context.continue_as_new(number + 1)
        return -1
    return number


async def collect(context: Ctx, seen: list[Any]) -> list[Any]:
    """Takes one event an execution, until it has seen three."""
    seen.append(await context.wait_for_external_event("e"))
    if len(seen) < 3:
        context.continue_as_new(seen)
    return seen


def test_the_next_execution_starts_with_the_new_input_and_an_empty_history() -> None:
    bench = Bench(count, input_=1).run()
    assert bench.output == 3
    assert bench.row.generation == 2
    assert bench.row.input == "3"
    assert {stored.execution_id for stored in bench.batches} == {bench.row.execution_id}
    assert bench.kinds() == ["OrchestratorStarted", "ExecutionStarted", "ExecutionCompleted"]


def test_the_status_is_running_between_executions() -> None:
    bench = Bench(count, input_=1)
    bench.turn()
    assert bench.status is RuntimeStatus.RUNNING
    assert bench.state.must_continue()
    assert not bench.state.is_finished


def test_identity_version_tags_and_parent_stay() -> None:
    parent = history.ParentInstance(instance_id="p", execution_id="pe", task_id=7)
    bench = Bench(count, input_=1, version="v2", tags={"team": "a"}, parent=parent).run()
    (started,) = bench.recorded(history.ExecutionStarted)
    assert (started.version, started.tags, started.parent) == ("v2", {"team": "a"}, parent)
    (answer,) = bench.messages.values()
    assert answer.message.execution_id == "pe"


def test_events_not_waited_for_go_over_in_order_of_arrival() -> None:
    bench = Bench(collect, input_=[])
    bench.turn()
    bench.raise_event("e", 1).raise_event("x", "other").raise_event("e", 2).raise_event("e", 3)
    bench.run()
    assert bench.output == [1, 2, 3]


def test_events_of_several_names_keep_their_order_when_carried_over() -> None:
    async def first(context: Ctx, again: bool) -> list[Any]:
        if not again:
            await context.wait_for_external_event("go")
            context.continue_as_new(input_=True)
        return []

    bench = Bench(first, input_=False)
    bench.turn()
    for name in ("b", "a", "b", "c", "a"):
        bench.raise_event(name).turn()
    bench.raise_event("go").turn()
    (end,) = bench.recorded(history.ContinueAsNew)
    assert [event.name for event in end.carryover] == ["b", "a", "b", "c", "a"]


def test_save_events_false_drops_what_was_received_and_not_waited_for() -> None:
    async def drops(context: Ctx, again: bool) -> Any:
        if not again:
            await context.wait_for_external_event("go")
            context.continue_as_new(input_=True, save_events=False)
            return None
        return await context.wait_for_external_event("e")

    bench = Bench(drops, input_=False)
    bench.turn()
    bench.raise_event("e", "old").raise_event("go").turn()
    bench.run()
    assert not bench.row.is_finished
    bench.raise_event("e", "new").run()
    assert bench.output == "new"


def test_messages_after_the_end_of_an_execution_stay_in_the_inbox_for_the_next() -> None:
    bench = Bench(collect, input_=[])
    bench.turn()
    bench.raise_event("e", 1, "one").raise_event("e", 2, "two")
    commit = bench.turn()
    assert isinstance(commit, Commit)
    assert commit.batch.consumed == ("one",)
    assert list(bench.inbox) == ["two"]
    bench.raise_event("e", 3)
    bench.run()
    assert bench.output == [1, 2, 3]


def test_a_result_of_the_old_execution_means_nothing_to_the_next() -> None:
    async def leaves_work(context: Ctx, again: bool) -> Any:
        task = context.call_activity("work")
        if not again:
            context.continue_as_new(input_=True)
            return None
        return await task

    bench = Bench(leaves_work, input_=False)
    bench.turn()
    bench.turn()
    bench.send(bench.done(1, "old"), "answer", EXECUTION_ID)
    bench.turn()
    assert not bench.inbox
    assert not bench.recorded(history.TaskCompleted)
    bench.send(bench.done(1, "new"), "answer2", SECOND).turn()
    assert bench.output == "new"


def test_a_late_copy_of_another_orchestrations_message_is_recognised() -> None:
    bench = Bench(collect, input_=[])
    bench.turn()
    sent = ids.task_message_id("sender", 4)
    bench.raise_event("e", 1, sent).run()
    assert bench.row.generation == 1
    bench.raise_event("e", 1, sent).run()
    assert not bench.inbox
    bench.raise_event("e", 2, "c2").run()
    bench.reload()
    bench.raise_event("e", 1, sent).run()
    assert not bench.row.is_finished
    bench.raise_event("e", 3, "c3").run()
    assert bench.output == [1, 2, 3]


def test_a_clients_event_that_lands_again_is_not_heard_by_the_next_executions() -> None:
    bench = Bench(collect, input_=[])
    bench.turn()
    bench.raise_event("e", 1, "c1").run()
    bench.raise_event("e", 1, "c1").run()
    assert not bench.inbox
    bench.raise_event("e", 2, "c2").run()
    bench.reload()
    bench.raise_event("e", 1, "c1").run()
    assert not bench.row.is_finished
    bench.raise_event("e", 3, "c3").run()
    assert bench.output == [1, 2, 3]


@pytest.mark.parametrize(
    ("message_id", "bound"),
    [
        (lambda number: ids.task_message_id("sender", number), RECENT_MESSAGES),
        (lambda number: f"client{number}", RECENT_REQUESTS),
    ],
)
def test_the_memory_of_messages_is_bounded(message_id: Callable[[int], str], bound: int) -> None:
    async def eats(context: Ctx, left: int) -> None:
        await context.wait_for_external_event("e")
        if left:
            context.continue_as_new(left - 1)

    bench = Bench(eats, input_=300)
    bench.turn()
    for number in range(200):
        bench.raise_event("e", number, message_id(number))
        bench.run()
    assert len(bench.state.ledger.recent) == bound
    assert all(len(x.batch.consumed) <= bound + 1 for x in bench.commits)
    ends = [x.batch.events[-1] for x in bench.commits]
    recent = [x.recent for x in ends if isinstance(x, history.ContinueAsNew)]
    assert max(map(len, recent)) == bound


@pytest.mark.parametrize("reload_first", [False, True])
def test_a_message_consumed_by_the_last_turn_is_not_taken_again_if_it_was_not_deleted(
    reload_first: bool,
) -> None:
    bench = Bench(collect, input_=[])
    bench.turn()
    bench.raise_event("e", 1, "client").turn_without_effects()
    if reload_first:
        bench.reload()
    bench.turn()
    assert not bench.inbox
    assert bench.state.row.input == "[1]"
    assert "EventRaised" not in bench.kinds()


def test_the_effects_of_an_execution_that_continued_are_done_again_after_a_crash() -> None:
    async def leaves(context: Ctx, again: bool) -> None:
        if not again:
            context.send_event("other", "ping")
            context.call_sub_orchestrator("child", instance_id="kid")
            context.set_custom_status("left")
            context.continue_as_new(input_=True)

    bench = Bench(leaves, input_=False)
    bench.turn_without_effects()
    bench.reload()
    bench.apply(bench.state.redo())
    assert [x.instance_id for x in bench.messages.values()] == ["other"]
    assert list(bench.starts) == ["kid"]
    assert bench.row.custom_status == '"left"'
    bench.run()
    assert bench.status is RuntimeStatus.COMPLETED


def test_a_crash_after_the_first_batch_of_an_execution_leaves_no_old_batches_behind() -> None:
    bench = Bench(collect, input_=[])
    bench.turn()
    bench.raise_event("e", 1).turn()
    bench.turn_without_effects()
    bench.reload()
    assert bench.row.execution_id == EXECUTION_ID
    bench.apply(bench.state.redo())
    assert bench.row.execution_id == SECOND
    assert {stored.execution_id for stored in bench.batches} == {SECOND}
    bench.raise_event("e", 2).raise_event("e", 3).run()
    assert bench.output == [1, 2, 3]


def test_the_current_history_is_that_of_the_latest_execution() -> None:
    bench = Bench(collect, input_=[])
    bench.turn()
    bench.raise_event("e", 1).turn()
    assert isinstance(current_history(bench.snapshot())[-1], history.ContinueAsNew)
    bench.turn_without_effects()
    first = current_history(bench.snapshot())[1]
    assert isinstance(first, history.ExecutionStarted)
    assert first.execution_id == SECOND


def test_an_error_after_continue_as_new_was_called_fails_the_instance() -> None:
    async def breaks(context: Ctx) -> None:
        context.continue_as_new()
        raise ValueError("after all")

    assert Bench(breaks).run().failure.message == "after all"


def test_the_last_call_of_continue_as_new_counts() -> None:
    async def twice(context: Ctx, number: int) -> int:
        if number == 0:
            context.continue_as_new(1)
            context.continue_as_new(2)
        return number

    assert Bench(twice, input_=0).run().output == 2


@pytest.mark.parametrize("end", ["terminate", "suspend"])
def test_control_messages_after_the_end_reach_the_next_execution(end: str) -> None:
    bench = Bench(collect, input_=[])
    bench.turn()
    bench.raise_event("e", 1).turn()
    control: Callable[[], Bench] = getattr(bench, end)
    control()
    bench.run()
    expected = {"terminate": RuntimeStatus.TERMINATED, "suspend": RuntimeStatus.SUSPENDED}
    assert bench.status is expected[end]
    assert bench.row.execution_id == SECOND


def test_two_thousand_generations_leave_one_batch() -> None:
    async def spins(context: Ctx, left: int) -> str:
        if left:
            context.continue_as_new(left - 1)
        return "done"

    bench = Bench(spins, input_=2_000).run(max_turns=2_100)
    assert bench.output == "done"
    assert len(bench.batches) == 1
