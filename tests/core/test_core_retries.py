"""Retries: the policy's arithmetic, and what it makes an orchestration do."""

from asyncio import CancelledError
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from bindings import FailureDetails, OrchestrationContext, RetryPolicy, RuntimeStatus
from bindings.errors import DataMismatchError
from host.core import history
from host.core.failures import failure_of
from host.core.replay.waits import MAX_TIMER, next_delay
from tests.kit.bench import Bench
from tests.kit.history_builder import START, a_failure

Ctx = OrchestrationContext
SECOND = timedelta(seconds=1)


def delays(policy: RetryPolicy, count: int) -> list[float | None]:
    """The pauses after the first attempts, in seconds."""
    failure = a_failure()
    found = [next_delay(policy, n, timedelta(0), failure) for n in range(1, count + 1)]
    return [None if delay is None else delay.total_seconds() for delay in found]


def test_pauses_are_equal_without_a_coefficient() -> None:
    assert delays(RetryPolicy(SECOND, 4), 4) == [1, 1, 1, None]


def test_pauses_grow_by_the_coefficient_up_to_the_cap() -> None:
    policy = RetryPolicy(SECOND, 6, backoff_coefficient=3, max_retry_interval=timedelta(seconds=20))
    assert delays(policy, 6) == [1, 3, 9, 20, 20, None]


def test_one_attempt_means_no_retry() -> None:
    assert delays(RetryPolicy(SECOND, 1), 1) == [None]


@pytest.mark.parametrize("cap", [None, timedelta.max])
def test_growth_beyond_all_numbers_ends_at_the_longest_timer(cap: timedelta | None) -> None:
    policy = RetryPolicy(SECOND, 10**6, backoff_coefficient=10, max_retry_interval=cap)
    assert next_delay(policy, 10**5, timedelta(0), a_failure()) == MAX_TIMER


def test_no_pause_stays_no_pause_however_it_grows() -> None:
    policy = RetryPolicy(timedelta(0), 10**6, backoff_coefficient=2)
    assert next_delay(policy, 10**5, timedelta(0), a_failure()) == timedelta(0)


def test_no_new_attempt_after_the_timeout() -> None:
    policy = RetryPolicy(SECOND, 10, retry_timeout=timedelta(seconds=5))
    assert next_delay(policy, 1, timedelta(seconds=4), a_failure()) == SECOND
    assert next_delay(policy, 1, timedelta(seconds=5), a_failure()) is None


def test_failures_that_are_not_to_be_retried_end_the_attempts() -> None:
    policy = RetryPolicy(SECOND, 10, non_retryable_errors=(KeyError, "MyError"))
    inner = FailureDetails(error_type="Outer", message="", cause=a_failure(error_type="KeyError"))
    for failure in (a_failure(error_type="MyError"), inner):
        assert next_delay(policy, 1, timedelta(0), failure) is None
    assert next_delay(policy, 1, timedelta(0), a_failure()) == SECOND
    final = FailureDetails(error_type="X", message="", is_non_retriable=True)
    assert next_delay(policy, 1, timedelta(0), final) is None


def test_found_c4_derived_errors_are_not_retried_either() -> None:
    policy = RetryPolicy(SECOND, 10, non_retryable_errors=(ConnectionError,))
    refused = failure_of(ConnectionRefusedError("no"))
    assert next_delay(policy, 1, timedelta(0), refused) is None
    assert next_delay(policy, 1, timedelta(0), failure_of(TimeoutError("no"))) == SECOND


def test_found_h13_one_error_may_stand_for_a_tuple_of_one() -> None:
    for error in (KeyError, "KeyError"):
        policy = RetryPolicy(SECOND, 10, non_retryable_errors=error)  # type: ignore[arg-type]
        assert policy.non_retryable_errors == (error,)


async def _always(failure: FailureDetails) -> bool:
    return True


@pytest.mark.parametrize(
    "fields",
    [
        {"handle": _always},
        {"handle": 5},
        {"first_retry_interval": 5},
        {"first_retry_interval": None},
        {"retry_timeout": 5},
        {"max_number_of_attempts": "3"},
        {"max_number_of_attempts": True},
        {"non_retryable_errors": (5,)},
        {"non_retryable_errors": (object,)},
    ],
)
def test_found_h13_wrong_types_are_refused_by_name(fields: dict[str, Any]) -> None:
    given = {"first_retry_interval": SECOND, "max_number_of_attempts": 3, **fields}
    with pytest.raises(TypeError, match=next(iter(fields))):
        RetryPolicy(**given)


def test_handle_decides_with_the_failure_in_hand() -> None:
    policy = RetryPolicy(SECOND, 10, handle=lambda failure: failure.message == "again")
    assert next_delay(policy, 1, timedelta(0), a_failure("again")) == SECOND
    assert next_delay(policy, 1, timedelta(0), a_failure("stop")) is None


@pytest.mark.parametrize(
    "fields",
    [
        {"first_retry_interval": -SECOND},
        {"max_number_of_attempts": 0},
        {"backoff_coefficient": 0.5},
        {"backoff_coefficient": float("nan")},
        {"backoff_coefficient": float("inf")},
        {"max_retry_interval": timedelta(0)},
        {"retry_timeout": -SECOND},
    ],
    ids=str,
)
def test_impossible_policies_are_refused(fields: dict[str, Any]) -> None:
    complete: dict[str, Any] = {"first_retry_interval": SECOND, "max_number_of_attempts": 3}
    with pytest.raises(ValueError, match=next(iter(fields))):
        RetryPolicy(**(complete | fields))


def retrying(policy: RetryPolicy) -> Callable[[Ctx], Any]:
    async def retries(context: Ctx) -> Any:
        return await context.call_activity("work", 1, retry_policy=policy)

    return retries


def test_an_activity_is_tried_again_after_each_pause_until_it_succeeds() -> None:
    bench = Bench(retrying(RetryPolicy(SECOND, 5, backoff_coefficient=2)))
    bench.turn()
    bench.turn(bench.failed(1))
    assert bench.alarm == START + SECOND
    bench.turn(seconds=1)
    bench.turn(bench.failed(3))
    assert bench.snapshot().wake_at == START + 3 * SECOND
    bench.reload()
    bench.turn(seconds=2)
    bench.turn(bench.done(5, "at last"))
    assert bench.output == "at last"
    assert [event.name for event in bench.recorded(history.TaskScheduled)] == ["work"] * 3
    assert {event.input for event in bench.recorded(history.TaskScheduled)} == {"1"}


def test_the_last_failure_is_raised_when_the_attempts_are_used_up() -> None:
    bench = Bench(retrying(RetryPolicy(SECOND, 2)))
    bench.turn()
    bench.turn(bench.failed(1, a_failure("first")))
    bench.turn(seconds=1)
    bench.turn(bench.failed(3, a_failure("second")))
    assert bench.failure.message.endswith("failed: second")


def test_the_timeout_goes_by_the_orchestrations_own_time() -> None:
    bench = Bench(retrying(RetryPolicy(SECOND, 100, retry_timeout=10 * SECOND)))
    bench.turn()
    bench.turn(bench.failed(1), seconds=9)
    bench.turn(seconds=1)
    bench.turn(bench.failed(3))
    assert bench.status is RuntimeStatus.FAILED


@pytest.mark.parametrize("error", [ZeroDivisionError, SystemExit, KeyboardInterrupt])
def test_a_handle_that_raises_ends_the_instance_only(error: type[BaseException]) -> None:
    def handle(_: FailureDetails) -> bool:
        raise error("in handle")

    bench = Bench(retrying(RetryPolicy(SECOND, 3, handle=handle)))
    bench.turn()
    bench.turn(bench.failed(1))
    assert (bench.failure.error_type, bench.failure.message) == (error.__name__, "in handle")


def test_found_h13_what_a_handle_raises_can_be_caught_where_it_is_awaited() -> None:
    def handle(_: FailureDetails) -> bool:
        raise LookupError("in handle")

    async def orchestrator(ctx: Ctx) -> str:
        try:
            await ctx.call_activity("work", retry_policy=RetryPolicy(SECOND, 3, handle=handle))
        except LookupError as error:
            return f"caught {error.args[0]}"
        return "not raised"

    bench = Bench(orchestrator)
    bench.turn()
    bench.turn(bench.failed(1))
    assert bench.output == "caught in handle"


@pytest.mark.parametrize(
    "kind", [SystemExit, KeyboardInterrupt, GeneratorExit, CancelledError, LookupError]
)
def test_found_h13_whatever_a_handle_raises_is_raised_by_the_await(
    kind: type[BaseException],
) -> None:
    def handle(_: FailureDetails) -> bool:
        raise kind("in handle")

    async def orchestrator(ctx: Ctx) -> str:
        try:
            await ctx.call_activity("work", retry_policy=RetryPolicy(SECOND, 3, handle=handle))
        except kind:
            return str(await ctx.call_activity("more"))
        return "not raised"

    bench = Bench(orchestrator)
    bench.turn()
    bench.turn(bench.failed(1))
    bench.turn(bench.done(2, "went on"))
    assert bench.output == "went on"


def test_a_result_that_does_not_fit_is_not_retried() -> None:
    async def typed(context: Ctx) -> Any:
        policy = RetryPolicy(SECOND, 3)
        return await context.call_activity("work", retry_policy=policy, return_type=int)

    bench = Bench(typed)
    bench.turn()
    bench.turn(bench.done(1, "text"))
    assert bench.failure.error_type == DataMismatchError.__name__


def test_each_attempt_of_a_child_is_an_instance_of_its_own() -> None:
    async def retries(context: Ctx) -> Any:
        return await context.call_sub_orchestrator("child", retry_policy=RetryPolicy(SECOND, 3))

    bench = Bench(retries)
    bench.turn()
    failed = history.SubOrchestrationInstanceFailed(
        timestamp=bench.now, task_id=1, failure=a_failure()
    )
    bench.send(failed).turn()
    bench.turn(seconds=1)
    assert len({start.instance.execution_id for start in bench.starts.values()}) == 2
    bench.child_done(3, "ok").turn()
    assert bench.output == "ok"


def test_retries_inside_composites_resolve_them() -> None:
    async def fan(context: Ctx) -> list[Any]:
        policy = RetryPolicy(SECOND, 2)
        tasks = [context.call_activity("work", i, retry_policy=policy) for i in range(2)]
        return await context.task_all(tasks)

    bench = Bench(fan)
    bench.turn()
    bench.turn(bench.failed(1), bench.done(2, "b"))
    bench.turn(seconds=1)
    bench.turn(bench.done(4, "a"))
    assert bench.output == ["a", "b"]
