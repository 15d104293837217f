"""Non-determinism: code that on replay does not do what its history records."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from bindings import FailureDetails, NonDeterminismError, OrchestrationContext, RuntimeStatus
from host.core.records import Commit
from tests.kit.bench import Bench
from tests.kit.history_builder import HistoryBuilder, pending

Ctx = OrchestrationContext
HOUR = timedelta(hours=1)


def recorded() -> HistoryBuilder:
    return HistoryBuilder(pending("changed"))


def replayed(history: HistoryBuilder, code: Callable[[Ctx], Any]) -> Bench:
    """A bench with this history, after a turn with the code as it is now."""
    code.__name__ = "changed"
    bench = Bench.of(history, code)
    bench.turn()
    return bench


def mismatch(history: HistoryBuilder, code: Callable[[Ctx], Any]) -> FailureDetails:
    bench = replayed(history, code)
    assert bench.status is RuntimeStatus.FAILED
    assert bench.failure.error_type == NonDeterminismError.__name__
    assert bench.failure.message.startswith("Non-deterministic orchestrator 'changed'")
    return bench.failure


async def calls_b(context: Ctx) -> None:
    await context.call_activity("b")


def test_another_name_is_a_mismatch_that_says_both_and_where() -> None:
    failure = mismatch(recorded().scheduled("a"), calls_b)
    assert "records #1 a call of activity 'a' here" in failure.message
    assert "is #1 a call of activity 'b'" in failure.message
    assert f"{__file__}:" in failure.message
    assert '`await context.call_activity("b")`' in failure.message


def test_found_c6_the_same_name_in_another_case_is_the_same_function() -> None:
    async def calls(context: Ctx) -> None:
        await context.call_activity("SayHello")
        await context.call_sub_orchestrator("CHILD", instance_id="x")

    history = recorded().scheduled("sayhello")
    history.turn().completed(1).child("Child", "x")
    assert replayed(history, calls).status is not RuntimeStatus.FAILED


def test_another_kind_is_a_mismatch() -> None:
    failure = mismatch(recorded().timer(HOUR), calls_b)
    assert "records #1 a timer here" in failure.message
    assert "is #1 a call of activity 'b'" in failure.message


def test_another_child_is_a_mismatch() -> None:
    async def calls(context: Ctx) -> None:
        await context.call_sub_orchestrator("child", instance_id="new")

    failure = mismatch(recorded().child("child", "old"), calls)
    assert "sub-orchestrator 'child' ('old')" in failure.message
    assert "sub-orchestrator 'child' ('new')" in failure.message


def test_another_addressee_is_a_mismatch() -> None:
    async def sends(context: Ctx) -> None:
        context.send_event("new", "ping")
        await context.call_activity("b")

    failure = mismatch(recorded().sent("old", "ping"), sends)
    assert "sending event 'ping' to 'old'" in failure.message
    assert "sending event 'ping' to 'new'" in failure.message


def test_a_missing_deed_is_a_mismatch() -> None:
    async def waits(context: Ctx) -> None:
        await context.wait_for_external_event("e")

    failure = mismatch(recorded().scheduled("a"), waits)
    assert "records #1 a call of activity 'a' here" in failure.message
    assert "is nothing" in failure.message


def test_an_extra_deed_is_a_mismatch() -> None:
    async def more(context: Ctx) -> None:
        context.call_activity("a")
        await context.call_activity("b")

    failure = mismatch(recorded().scheduled("a"), more)
    assert "records nothing more here" in failure.message
    assert "is #2 a call of activity 'b'" in failure.message


def test_an_extra_deed_in_an_earlier_turn_is_found_at_the_end_of_that_turn() -> None:
    async def more(context: Ctx) -> None:
        first = context.call_activity("a")
        context.create_timer(HOUR)
        await first
        await context.call_activity("b")

    history = recorded().scheduled("a").turn().completed(1).scheduled("b")
    failure = mismatch(history, more)
    assert "is #2 a timer" in failure.message


def test_code_that_returns_earlier_is_a_mismatch() -> None:
    async def returns(context: Ctx) -> str:
        await context.call_activity("a")
        return "early"

    history = recorded().scheduled("a").turn().completed(1).scheduled("b")
    failure = mismatch(history, returns)
    assert "records #2 a call of activity 'b' here" in failure.message
    assert "is to return" in failure.message


def test_code_that_returns_where_the_history_waits_is_a_mismatch() -> None:
    async def returns(context: Ctx) -> str:
        await context.wait_for_external_event("e")
        return "early"

    failure = mismatch(recorded().turn().raised("e"), returns)
    assert "records nothing more here" in failure.message
    assert "is to return" in failure.message


def test_code_that_raises_on_replay_is_a_mismatch_that_says_what_it_raised() -> None:
    async def raises(context: Ctx) -> None:
        raise ValueError("new bug")

    failure = mismatch(recorded().scheduled("a"), raises)
    assert "is to fail with ValueError: new bug" in failure.message


def test_code_that_continues_as_new_on_replay_is_a_mismatch() -> None:
    async def again(context: Ctx) -> None:
        await context.wait_for_external_event("e")
        context.continue_as_new()

    failure = mismatch(recorded().turn().raised("e"), again)
    assert "is to continue as new" in failure.message


def test_the_order_of_different_deeds_matters() -> None:
    async def swapped(context: Ctx) -> None:
        await context.task_all([context.call_activity("b"), context.call_activity("a")])

    failure = mismatch(recorded().scheduled("a").scheduled("b"), swapped)
    assert "is #1 a call of activity 'b'" in failure.message


def test_changed_data_and_delays_are_no_mismatch() -> None:
    async def corrected(context: Ctx) -> str:
        await context.call_activity("a", "new input")
        await context.create_timer(timedelta(minutes=1))
        await context.wait_for_external_event("e")
        return "fine"

    history = recorded().scheduled("a", "old input").turn().completed(1).timer(HOUR)
    bench = replayed(history, corrected)
    bench.turn(seconds=60)
    bench.raise_event("e").turn()
    assert bench.output == "fine"


def test_the_verdict_is_one_batch_and_nothing_else_of_the_turn_is_taken_in() -> None:
    bench = Bench.of(recorded().scheduled("a"), calls_named("b"))
    bench.raise_event("e")
    commit = bench.turn()
    assert isinstance(commit, Commit)
    assert commit.batch.consumed == ()
    assert [type(x).__name__ for x in commit.batch.events] == [
        "OrchestratorStarted",
        "ExecutionCompleted",
    ]
    assert not commit.effects.messages


def test_a_diverged_suspended_instance_fails_too() -> None:
    async def first(context: Ctx) -> None:
        await context.call_activity("a")

    first.__name__ = "changed"
    bench = Bench(first)
    bench.turn()
    bench.suspend().turn()
    other = Bench(calls_named("b"))
    other.batches, other.row = bench.batches, bench.row
    other.turn()
    assert other.status is RuntimeStatus.FAILED


def test_a_diverged_instance_can_still_be_terminated() -> None:
    bench = Bench.of(recorded().scheduled("a"), calls_named("b"))
    bench.terminate().turn()
    assert bench.status is RuntimeStatus.TERMINATED


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_faithful_code_replays_without_a_trace(turns: int) -> None:
    async def faithful(context: Ctx) -> None:
        await context.call_activity("a")
        await context.create_timer(timedelta(seconds=1))
        context.send_event("other", "ping")
        await context.call_sub_orchestrator("child")

    bench = Bench(faithful)
    bench.turn()
    if turns > 1:
        bench.turn(bench.done(1))
    if turns > 2:
        bench.turn(seconds=1)
    bench.reload()
    assert bench.turn() is None


def calls_named(name: str) -> Callable[[Ctx], Any]:
    async def changed(context: Ctx) -> None:
        await context.call_activity(name)

    return changed


@pytest.mark.parametrize("cause", ["clock", "random", "uuid4", "environ", "code changed", "check"])
def test_found_b6_a_mismatch_names_what_may_have_caused_it(cause: str) -> None:
    assert cause in mismatch(recorded().scheduled("a"), calls_b).message


def other_data(history: HistoryBuilder, code: Callable[[Ctx], Any]) -> str | None:
    bench = replayed(history, code)
    assert not bench.state.is_finished
    return bench.live.other_data


async def calls_a_twice(context: Ctx) -> None:
    context.call_activity("A", {"n": 1})
    await context.call_activity("a", {"n": 2})


def test_found_b6_another_input_on_replay_names_the_first_deed_it_is_of() -> None:
    history = recorded().scheduled("a", {"n": 1}).scheduled("a", {"n": 3})
    assert other_data(history, calls_a_twice) == "#2 a call of activity 'a'"
    history = recorded().scheduled("a", {"n": 0}).scheduled("a", {"n": 3})
    assert other_data(history, calls_a_twice) == "#1 a call of activity 'a'"


def test_found_b6_the_same_inputs_on_replay_are_nothing_to_tell() -> None:
    history = recorded().scheduled("a", {"n": 1}).scheduled("a", {"n": 2})
    assert other_data(history, calls_a_twice) is None


def test_found_b6_another_input_of_a_child_or_event_or_another_time_is_told() -> None:
    async def calls(context: Ctx) -> None:
        await context.call_sub_orchestrator("child", 5, instance_id="c")

    async def sends(context: Ctx) -> None:
        context.send_event("c", "ping", 5)
        await context.wait_for_external_event("e")

    async def waits(context: Ctx) -> None:
        await context.create_timer(2 * HOUR)

    child = other_data(recorded().child("child", "c"), calls)
    assert child == "#1 a call of sub-orchestrator 'child' ('c')"
    assert other_data(recorded().sent("c", "ping"), sends) == "#1 sending event 'ping' to 'c'"
    assert other_data(recorded().timer(HOUR), waits) == "#1 a timer"
