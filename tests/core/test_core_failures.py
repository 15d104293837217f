"""Failures and payloads: errors as data, and values that cannot be stored."""

import dataclasses
import json
import math
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import BaseModel, field_serializer, field_validator

from bindings import (
    FailureDetails,
    OrchestrationContext,
    PayloadTooLargeError,
    RuntimeStatus,
    SerializationError,
    TaskFailedError,
)
from host.core import codec, failures, history, history_json
from host.core.converter import Converter
from host.core.failures import (
    MAX_CAUSES,
    MAX_CHARS,
    MAX_MESSAGE_CHARS,
    MAX_STACK_CHARS,
    failure_of,
    misfit,
)
from host.core.records import Message
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


def test_a_cause_that_says_the_same_again_is_left_out() -> None:
    inner = caught(KeyError("inner"))
    twin = ValueError("same")
    twin.__cause__ = inner
    error = caught(ValueError("same"))
    error.__cause__ = twin
    assert failure_of(error) == dataclasses.replace(failure_of(error), cause=failure_of(inner))
    error.__cause__ = caught(ValueError("same"))  # it says where that was
    assert failure_of(error).cause is not None
    misfitting = misfit(SerializationError("The data do not fit."))
    assert failure_of(misfitting).cause is None
    assert failure_of(misfitting).is_non_retriable


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


class HostileName(type):
    @property
    def __name__(cls) -> str:  # type: ignore[override,unused-ignore]
        raise SystemExit("no name")


class HostileError(Exception):
    """Whatever one asks it, it raises."""

    def __str__(self) -> str:
        raise SystemExit(3)

    def __repr__(self) -> str:
        raise KeyboardInterrupt

    @property
    def __notes__(self) -> list[str]:  # type: ignore[override]
        raise RecursionError

    @property
    def __cause__(self) -> BaseException:  # type: ignore[override]
        raise SystemExit(4)

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        raise SystemExit(5)


class HostileText(str):
    __slots__ = ()

    def encode(self, *_: Any) -> bytes:
        raise SystemExit(6)

    def __len__(self) -> int:
        raise SystemExit(7)


class DerivedTextError(Exception):
    def __str__(self) -> str:
        return HostileText("derived")


class HiddenPlaceError(Exception):
    @property
    def __traceback__(self) -> Any:  # type: ignore[override]
        raise SystemExit(8)


def refers_to_itself() -> BaseException:
    error = ValueError()
    error.args = (error,)
    return error


def in_a_circle() -> BaseException:
    one, two = KeyError("one"), KeyError("two")
    one.__context__, two.__context__ = two, one
    one.args = (two, one)
    return one


def grouped(depth: int, width: int = 1) -> BaseException:
    error: Exception = ValueError("innermost")
    for _ in range(depth):
        error = ExceptionGroup("group", [error] * width)
    return error


HOSTILE: dict[str, BaseException] = {
    "refers to itself": refers_to_itself(),
    "in a circle": in_a_circle(),
    "raises whatever it is asked": HostileError(),
    "has no class name": HostileName("NameError_", (Exception,), {})(),
    "a derived text": DerivedTextError(),
    "its traceback raises": caught(HiddenPlaceError("hidden")),
    "deep groups": grouped(3_000),
    "wide and deep groups": grouped(12, width=40),
    "a megabyte": ValueError("m" * 1_000_000),
    "a million notes": caught(ValueError("noted")),
    "a task's failure that is none": TaskFailedError("odd", "not details"),  # type: ignore[arg-type]
    "a task's failure of odd parts": TaskFailedError(
        "odd",
        FailureDetails(error_type="X", message=5),  # type: ignore[arg-type]
    ),
}
vars(HOSTILE["a million notes"])["__notes__"] = ["n" * 5_000, 5, None, *["x"] * 1_000_000]


@pytest.mark.parametrize("name", HOSTILE)
def test_found_h2_any_error_becomes_a_failure_that_can_be_stored(name: str) -> None:
    failure = failure_of(HOSTILE[name])
    message = Message(
        message_id="m",
        execution_id="e",
        event=history.TaskFailed(timestamp=datetime.now(UTC), task_id=1, failure=failure),
    )
    stored = codec.encode(message)
    assert len(stored) < 2 * MAX_CHARS
    assert codec.decode_message(stored) == message
    assert len(str(failures.caught(HOSTILE[name]))) < 2_000
    assert failures.in_words(HOSTILE[name])


def test_found_h2_what_is_cut_is_the_middle_and_the_rest_is_told() -> None:
    assert failure_of(refers_to_itself()).error_type == "ValueError"
    assert "RecursionError" in failure_of(refers_to_itself()).message
    assert "SystemExit" in failure_of(HostileError()).message
    assert failure_of(DerivedTextError()).message == "derived"
    assert failure_of(HostileName("Nameless", (Exception,), {})()).error_type == "Nameless"


def test_found_c5_notes_and_the_exceptions_of_a_group_are_recorded() -> None:
    error = BaseExceptionGroup("two went wrong", [ValueError("a"), caught(KeyError("b"))])
    error.add_note("while paying")
    error.exceptions[0].add_note("of the first")
    failure = failure_of(error)
    assert failure.message == "two went wrong (2 sub-exceptions)"
    assert failure.notes == ("while paying",)
    first, second = failure.sub_failures
    assert (first.error_type, first.notes) == ("ValueError", ("of the first",))
    assert "in caught" in second.stack_trace
    assert failure.is_caused_by(KeyError)
    shown = history_json.failure_to_json(failure)
    assert shown is not None
    assert shown["Notes"] == ["while paying"]
    assert [each["ErrorType"] for each in shown["SubFailures"]] == ["ValueError", "KeyError"]


def test_found_c5_sub_failures_survive_any_number_of_sub_orchestrations() -> None:
    failure = failure_of(ExceptionGroup("g", [ValueError("a"), KeyError("b")]))
    for _ in range(30):
        failure = failure_of(ExceptionGroup("g", [TaskFailedError("failed", failure)] * 3))
    assert failure.is_caused_by("ExceptionGroup")
    assert len(codec.encode(_completed(failure))) < 2 * MAX_CHARS


def _completed(failure: FailureDetails) -> Message:
    event = history.TaskFailed(timestamp=datetime.now(UTC), task_id=1, failure=failure)
    return Message(message_id="m", execution_id="e", event=event)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (LookupError(), "LookupError"),
        (KeyError("nope"), "KeyError: 'nope'"),
        (ValueError(" "), "ValueError"),
        (ValueError("x" * 1_000_000), "ValueError: x"),
    ],
    ids=["nothing to say", "a key", "a blank", "a megabyte"],
)
def test_found_c5_an_error_in_words_names_its_type_and_is_short(
    error: BaseException, words: str
) -> None:
    assert failures.in_words(error).startswith(words)
    assert len(failures.in_words(error)) < 600
    told = str(failures.caught(caught(error)))
    assert told.startswith(words)
    assert f"at {__file__}:" in told
    assert told.endswith("in caught")


def test_found_c5_the_stack_ends_with_the_authors_line_and_has_no_frame_of_the_host() -> None:
    async def passes_on(context: Ctx) -> None:
        await context.call_activity("work")  # the last line

    bench = Bench(passes_on)
    bench.turn()
    bench.turn(bench.failed(1))
    stack = bench.failure.stack_trace
    assert stack.count("File ") == 1
    assert stack.splitlines()[1].strip() == 'await context.call_activity("work")  # the last line'


def test_found_c5_the_place_of_an_error_from_a_library_is_the_authors_line() -> None:
    async def parses(context: Ctx) -> None:
        json.loads("{")

    failure = Bench(parses).run().failure
    assert "json/decoder.py" in failure.stack_trace
    try:
        json.loads("{")
    except ValueError as error:
        assert failures.caught(error).place.startswith(f"{__file__}:")


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


class PaymentError(Exception):
    pass


class CardError(PaymentError):
    pass


@pytest.mark.parametrize(
    ("error", "kind", "expected"),
    [
        (ConnectionRefusedError("no"), ConnectionError, True),
        (ConnectionRefusedError("no"), OSError, True),
        (CardError("no"), PaymentError, True),
        (CardError("no"), "PaymentError", True),
        (CardError("no"), Exception, True),
        (KeyError("no"), LookupError, True),
        (PaymentError("no"), CardError, False),
        (CardError("no"), OSError, False),
        (CardError("no"), object, False),
    ],
)
def test_found_c4_a_failure_is_of_its_base_classes_as_in_except(
    error: Exception, kind: type[BaseException] | str, expected: bool
) -> None:
    assert failure_of(error).is_caused_by(kind) is expected


def test_found_c4_causes_and_parts_are_of_their_base_classes_too() -> None:
    try:
        try:
            raise ConnectionResetError("gone")
        except OSError as cause:
            raise ExceptionGroup("all", [CardError("no")]) from cause
    except ExceptionGroup as error:
        failure = failure_of(error)
    assert failure.is_caused_by(ConnectionError)
    assert failure.is_caused_by(PaymentError)
