"""What goes between a host and its worker processes: frames, values and errors."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from threading import Event
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from multidict import CIMultiDict, CIMultiDictProxy

from bindings import (
    BatchFailure,
    FunctionContext,
    HttpRequest,
    InstanceAlreadyExistsError,
    Out,
    RequestBodyError,
)
from bindings.errors import FailureDetails
from host.core.failures import caught
from host.core.records import ActivityKey
from host.workers.errors import FailedInWorkerError
from host.workers.frames import (
    ORDERS,
    CallFunction,
    Cancel,
    Incoming,
    Order,
    RunActivity,
    framed,
    framed_bytes,
)
from host.workers.travelling import pack, pack_failure, unpack, unpack_failure

KEY = ActivityKey(instance_id="i", execution_id="e", task_id=3)


@settings(suppress_health_check=[HealthCheck.too_slow])  # as the first draw is on a busy machine
@given(contents=st.lists(st.binary(max_size=40), max_size=8), size=st.integers(1, 50))
def test_frames_come_out_whole_however_they_come_in(contents: list[bytes], size: int) -> None:
    stream = b"".join(map(framed_bytes, contents))
    incoming = Incoming()
    pieces = [stream[start : start + size] for start in range(0, len(stream), size)]
    assert [content for piece in pieces for content in incoming.feed(piece)] == contents


@pytest.mark.parametrize(
    "order",
    [
        RunActivity(call=1, name="a", key=KEY, payload='{"x": 1}'),
        RunActivity(call=1, name="a", key=KEY, payload=None),
        CallFunction(call=2**40, name="f", arguments=b"\x00\xff"),
        Cancel(call=3),
    ],
)
def test_a_message_is_read_as_it_was_written(order: Order) -> None:
    (content,) = Incoming().feed(framed(order))
    assert ORDERS.decode(content) == order


# ---- values --------------------------------------------------------------------------------------


def test_a_request_and_an_output_travel() -> None:
    headers = CIMultiDictProxy(CIMultiDict({"X-One": "1"}))
    request = HttpRequest(method="GET", url="http://x/y", body=b"z", headers=headers)
    found: dict[str, Any] = unpack(pack({"req": request, "out": Out[str]()}), Event())
    assert found["req"].headers["x-one"] == "1"
    assert found["req"].get_body() == b"z"
    assert found["out"].get() is None


def test_what_says_that_it_is_cancelled_is_the_other_sides_own() -> None:
    context = FunctionContext(function_name="f", invocation_id="1", function_directory="/")
    there = Event()
    found: FunctionContext = unpack(pack(context), there)
    assert found == context
    assert found.cancelled is there


def test_what_cannot_travel_says_so() -> None:
    with pytest.raises(TypeError, match="generator"):
        pack(x for x in "abc")


# ---- errors --------------------------------------------------------------------------------------


class DemandingError(Exception):
    """Takes other arguments than the text that it shows."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")


@dataclass
class Lost:
    """Raises something of a class that nobody could find by its name."""

    def __call__(self) -> None:
        class InnerError(Exception):
            """Found nowhere."""

        raise InnerError("inner")


def fails() -> None:
    raise ValueError("no luck")


def with_a_cause() -> None:
    try:
        fails()
    except ValueError as error:
        error.add_note("a note")
        raise KeyError("outer") from error


def demands() -> None:
    raise DemandingError(1, 2)


def leaves() -> None:
    raise SystemExit(3)


def raised_by(function: Any) -> BaseException:
    try:
        function()
    except BaseException as error:  # noqa: BLE001 - that is what is tested
        return error
    raise AssertionError


@pytest.mark.parametrize("function", [fails, with_a_cause, demands, Lost(), leaves])
def test_what_is_known_of_an_error_is_what_was_known_where_it_was_raised(function: Any) -> None:
    error = raised_by(function)
    there, here = caught(error), unpack_failure(pack_failure(error))
    assert here.details == there.details
    assert isinstance(here.details, FailureDetails)
    assert (here.place, str(here)) == (there.place, str(there))


@pytest.mark.parametrize("function", [fails, with_a_cause, demands, leaves])
def test_an_error_that_can_travel_is_raised_again_with_its_stack(function: Any) -> None:
    error = raised_by(function)
    here = unpack_failure(pack_failure(error))
    assert type(here.error) is type(error)
    assert here.error.args == error.args
    lines = traceback.format_tb(here.error.__traceback__)
    assert f"in {function.__name__}" in lines[-1]
    assert "raise " in lines[-1]
    assert caught(here.error).place == here.place


@pytest.mark.parametrize(
    "error",
    [
        BatchFailure(["1", "7"], "no stock"),
        RequestBodyError("not that", status=415),
        InstanceAlreadyExistsError("one", "Running"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "no start"),
        FileNotFoundError(2, "no such file", "here"),
    ],
)
def test_errors_that_say_more_than_a_text_say_it_there_too(error: Exception) -> None:
    there = unpack_failure(pack_failure(error)).error
    assert (type(there), str(there), vars(there)) == (type(error), str(error), vars(error))


def test_an_error_that_cannot_is_another_one_with_its_text() -> None:
    here = unpack_failure(pack_failure(raised_by(Lost())))
    assert type(here.error) is FailedInWorkerError
    assert str(here.error) == "InnerError: inner"
    assert here.details.error_type == "InnerError"
