"""Failures and payloads: errors as data, and values that cannot be stored."""

import dataclasses
import math
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel, field_serializer, field_validator

from bindings import (
    OrchestrationContext,
    PayloadTooLargeError,
    RuntimeStatus,
    SerializationError,
    TaskFailedError,
)
from host.core import history
from host.core.converter import Converter
from host.core.failures import MAX_CAUSES, MAX_MESSAGE_CHARS, MAX_STACK_CHARS, failure_of
from tests.kit.bench import Bench
from tests.kit.history_builder import a_failure

Ctx = OrchestrationContext


def caught(error: BaseException) -> BaseException:
    """The error with the traceback of having been raised."""
    try:
        raise error
    except BaseException as raised:  # noqa: BLE001 - that is the point
        return raised


def test_a_failure_has_type_message_stack_and_cause() -> None:
    error = caught(ValueError("outer"))
    error.__cause__ = caught(KeyError("inner"))
    failure = failure_of(error)
    assert (failure.error_type, failure.message) == ("ValueError", "outer")
    assert "in caught" in failure.stack_trace
    assert failure.cause is not None
    assert (failure.cause.error_type, failure.cause.message) == ("KeyError", "'inner'")
    assert failure.is_caused_by(KeyError)
    assert failure.is_caused_by("ValueError")
    assert not failure.is_caused_by(TypeError)


def test_an_error_raised_while_another_is_handled_has_that_as_its_cause() -> None:
    error = ValueError("second")
    error.__context__ = KeyError("first")
    assert failure_of(error).is_caused_by(KeyError)
    error.__suppress_context__ = True
    assert failure_of(error).cause is None


def test_a_chain_of_causes_is_bounded_also_when_it_is_a_circle() -> None:
    one, two = ValueError("one"), ValueError("two")
    one.__cause__, two.__cause__ = two, one
    depth, failure = 0, failure_of(one).cause
    while failure is not None:
        depth, failure = depth + 1, failure.cause
    assert depth == MAX_CAUSES


def test_long_messages_and_stacks_are_shortened_in_the_middle() -> None:
    message = "a" * 100_000 + "z"
    failure = failure_of(ValueError(message))
    assert len(failure.message) < MAX_MESSAGE_CHARS + 100
    assert failure.message.startswith("a")
    assert failure.message.endswith("z")
    assert "characters left out" in failure.message
    assert len(failure.stack_trace) < MAX_STACK_CHARS + 100


class OddError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


def test_an_error_that_cannot_be_shown_is_still_a_failure() -> None:
    failure = failure_of(OddError())
    assert failure.error_type == "OddError"
    assert "cannot be shown" in failure.message


def test_a_message_with_lone_surrogates_can_be_stored() -> None:
    failure_of(ValueError("\ud800 x")).message.encode()


def test_a_task_failed_error_carries_the_activitys_failure() -> None:
    async def catches(context: Ctx) -> list[str]:
        try:
            await context.call_activity("work")
        except TaskFailedError as error:
            details = error.details
            return [str(error), details.error_type, details.message, details.stack_trace]
        return []

    bench = Bench(catches)
    bench.turn()
    failure = dataclasses.replace(a_failure(), stack_trace="line 1")
    bench.turn(bench.failed(1, failure))
    assert bench.output == [
        "Activity function 'work' failed: boom",
        "ValueError",
        "boom",
        "line 1",
    ]


def test_an_uncaught_task_failure_fails_the_instance_with_its_cause() -> None:
    async def passes_on(context: Ctx) -> None:
        await context.call_activity("work")

    bench = Bench(passes_on)
    bench.turn()
    bench.turn(bench.failed(1, a_failure("deep", "DeepError")))
    assert bench.status is RuntimeStatus.FAILED
    assert bench.failure.error_type == "TaskFailedError"
    assert bench.failure.cause == a_failure("deep", "DeepError")
    assert bench.row.output == (
        "\"Orchestrator function 'passes_on' failed: Activity function 'work' failed: deep\""
    )


def test_an_orchestrator_can_compensate() -> None:
    async def saga(context: Ctx) -> str:
        try:
            await context.call_activity("book")
        except TaskFailedError:
            await context.call_activity("undo")
            return "undone"
        return "booked"

    bench = Bench(saga)
    bench.turn()
    bench.turn(bench.failed(1))
    bench.reload()
    bench.turn(bench.done(2))
    assert bench.output == "undone"


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit()], ids=repr)
def test_errors_that_end_programs_end_the_instance_only(error: BaseException) -> None:
    async def exits(context: Ctx) -> None:
        raise error

    assert Bench(exits).run().failure.error_type == type(error).__name__


def test_endless_recursion_ends_the_instance_only() -> None:
    def deeper(depth: int) -> int:
        return deeper(depth + 1)

    async def recurses(context: Ctx) -> int:
        return deeper(0)

    bench = Bench(recurses).run()
    assert bench.failure.error_type == "RecursionError"
    assert len(bench.failure.stack_trace) < MAX_STACK_CHARS + 100


def test_a_plain_orchestrator_that_raises_fails() -> None:
    def breaks(context: Ctx) -> None:
        raise StopIteration("odd")

    assert Bench(breaks).run().failure.error_type == "StopIteration"


class RudeModel(BaseModel):
    value: int = 1

    @field_serializer("value")
    def rude(self, _: int) -> int:
        raise KeyError("rude")


def _breaking() -> Iterator[int]:
    yield 1
    raise ZeroDivisionError


@pytest.mark.parametrize(
    "value",
    [object(), math.nan, [math.inf], "\ud800", b"\xff", RudeModel(), {"a": {1, object()}}],
    ids=lambda value: type(value).__name__,
)
def test_a_result_that_is_not_json_fails_the_instance_and_is_named(value: Any) -> None:
    async def returns(context: Ctx) -> Any:
        return value

    failure = Bench(returns).run().failure
    assert failure.error_type == "SerializationError"
    assert failure.message.startswith("The result of orchestrator 'returns' cannot be written")
    assert failure.is_non_retriable


def test_a_result_whose_iteration_raises_fails_the_instance() -> None:
    async def returns(context: Ctx) -> Any:
        return _breaking()

    assert Bench(returns).run().failure.error_type == "SerializationError"


def test_the_word_nan_inside_a_text_is_fine() -> None:
    async def returns(context: Ctx) -> str:
        return "NaN and Infinity"

    assert Bench(returns).run().output == "NaN and Infinity"


class Picky(BaseModel):
    value: int

    @field_validator("value")
    @classmethod
    def never(cls, _: int) -> int:
        raise KeyError("author's bug")


def test_a_validator_that_raises_anything_is_an_error_at_the_await() -> None:
    async def catches(context: Ctx) -> str:
        with pytest.raises(SerializationError, match="author's bug"):
            await context.call_activity("work", return_type=Picky)
        return "went on"

    bench = Bench(catches)
    bench.turn()
    bench.turn(bench.done(1, {"value": 1}))
    assert bench.output == "went on"


def test_a_payload_above_the_limit_is_refused_where_it_is_made() -> None:
    async def calls(context: Ctx) -> str:
        with pytest.raises(PayloadTooLargeError, match="is 102 bytes of JSON; the limit is 100"):
            context.call_activity("work", "x" * 100)
        context.call_activity("work", "x" * 98)
        return "went on"

    assert Bench(calls, converter=Converter(max_payload_bytes=100)).run().output == "went on"


def test_a_result_above_the_limit_fails_the_instance() -> None:
    async def returns(context: Ctx) -> str:
        return "x" * 200

    bench = Bench(returns, converter=Converter(max_payload_bytes=100)).run()
    assert bench.failure.error_type == "PayloadTooLargeError"


def test_the_limit_counts_bytes_not_characters() -> None:
    converter = Converter(max_payload_bytes=10)
    assert converter.to_payload("ääää", "x") == '"ääää"'
    with pytest.raises(PayloadTooLargeError):
        converter.to_payload("äääää", "x")


@pytest.mark.parametrize("text", [b"{", b"NaN", b'"\\ud800"', b"\xff", b"[" * 100_000, b"1 2"])
def test_what_comes_from_outside_and_is_not_json_is_refused(text: bytes) -> None:
    with pytest.raises(SerializationError, match="The body"):
        Converter().check_json(text, "The body")


def test_nothing_and_null_from_outside_are_no_value() -> None:
    assert Converter().check_json(b"  ", "x") is None
    assert Converter().check_json(b" null ", "x") is None
    assert Converter().check_json(b'{"a": 1}', "x") == '{"a": 1}'


def test_too_many_actions_in_one_turn_fail_the_instance() -> None:
    async def floods(context: Ctx) -> None:
        while True:
            context.call_activity("work")

    bench = Bench(floods, max_actions=50).run()
    assert "50 things in one turn" in bench.failure.message
    assert len(bench.recorded(history.TaskScheduled)) == 50


def test_the_limit_of_actions_is_per_turn() -> None:
    async def steady(context: Ctx) -> str:
        for _ in range(4):
            await context.task_all([context.call_activity("work") for _ in range(50)])
        return "done"

    def work() -> None: ...

    bench = Bench(steady, activities=[work], max_actions=50)
    bench.step()
    bench.reload()
    assert bench.run().output == "done"
