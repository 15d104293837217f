"""Code of an author that fails, in whatever way, fails its own task: the host tells and goes on."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from bindings import FunctionApp, OrchestrationContext, RetryPolicy, RuntimeStatus, TaskFailedError
from tests.kit.hub import Hub


class RudeError(Exception):
    """Whatever shows it meets the error that it was made with."""

    def __init__(self, rudeness: BaseException) -> None:
        self._rudeness = rudeness

    def __str__(self) -> str:
        raise self._rudeness

    def __repr__(self) -> str:
        raise self._rudeness


class HiddenPlaceError(ValueError):
    """Whatever asks where it was raised fails."""

    @property
    def __traceback__(self) -> Any:  # type: ignore[override]
        raise RuntimeError("no place")


def raise_without_place() -> None:
    raise HiddenPlaceError


def raise_itself() -> None:
    error = ValueError()
    error.args = (error,)
    raise error


def raise_in_a_circle() -> None:
    one, two = ValueError("one"), ValueError("two")
    two.__cause__ = one
    raise one from two


def raise_deep_groups() -> None:
    error: Exception = ValueError("innermost")
    for _ in range(2_000):
        error = ExceptionGroup("g", [error])
    raise error


def raise_rudely(rudeness: BaseException) -> Callable[[], None]:
    def raise_it() -> None:
        raise RudeError(rudeness)

    return raise_it


def raise_a_megabyte() -> None:
    raise ValueError("m" * 1_000_000)


WAYS: dict[str, Callable[[], None]] = {
    "refers to itself": raise_itself,
    "in a circle": raise_in_a_circle,
    "its traceback raises": raise_without_place,
    "deep groups": raise_deep_groups,
    "a megabyte": raise_a_megabyte,
    **{
        f"its text raises {type(error).__name__}": raise_rudely(error)
        for error in (ValueError(), SystemExit(3), KeyboardInterrupt(), RecursionError())
    },
}


@pytest.mark.parametrize("is_async", [True, False], ids=["coroutine", "plain"])
@pytest.mark.parametrize("way", WAYS)
async def test_found_h2_an_activity_fails_whatever_its_error_does(
    hub: Hub, way: str, *, is_async: bool
) -> None:
    app = FunctionApp()

    async def fails_on_the_loop() -> None:
        WAYS[way]()

    def fails_in_a_thread() -> None:
        WAYS[way]()

    fails: Callable[..., Any] = fails_on_the_loop if is_async else fails_in_a_thread
    app.activity_trigger()(fails)

    @app.orchestration_trigger()
    async def catches(context: OrchestrationContext) -> str:
        try:
            await context.call_activity(fails)
        except TaskFailedError as error:
            return error.details.error_type
        return "nothing"

    host = await hub.start(app, max_concurrent_activities=1)
    for _ in range(2):  # the place in the pool is free again
        assert (await host.run(catches)).output in {
            "ValueError",
            "RudeError",
            "ExceptionGroup",
            "HiddenPlaceError",
        }


@pytest.mark.parametrize("way", WAYS)
async def test_found_h2_an_orchestration_fails_whatever_its_error_does(hub: Hub, way: str) -> None:
    app = FunctionApp()

    @app.orchestration_trigger()
    async def fails(context: OrchestrationContext) -> None:
        WAYS[way]()

    host = await hub.start(app)
    state = await host.run(fails)
    assert state.runtime_status is RuntimeStatus.FAILED


class Refusing(logging.Filter):
    """An app's filter that has a mistake in it."""

    def filter(self, record: logging.LogRecord) -> bool:
        raise LookupError(record.name)


class Failing(logging.Handler):
    """An app's handler that cannot reach its server, and says so by leaving the process."""

    def emit(self, record: logging.LogRecord) -> None:
        raise SystemExit(record.name)


def odd_factory(*_: Any, **__: Any) -> logging.LogRecord:
    raise LookupError("no record")


@pytest.fixture(params=["a filter", "a handler", "a record factory", "the logger's own filter"])
def broken_logging(request: pytest.FixtureRequest) -> Iterator[None]:
    root, logger = logging.getLogger(), logging.getLogger("funchost.engine")
    factory, handler, refusing = logging.getLogRecordFactory(), Failing(), Refusing()
    match request.param:
        case "a filter":
            handler = Failing()
            handler.addFilter(refusing)
            root.addHandler(handler)
        case "a handler":
            root.addHandler(handler)
        case "a record factory":
            logging.setLogRecordFactory(odd_factory)
        case _:
            logger.addFilter(refusing)
    yield
    root.removeHandler(handler)
    logger.removeFilter(refusing)
    logging.setLogRecordFactory(factory)


@pytest.mark.usefixtures("broken_logging")
async def test_found_h1_logging_that_raises_harms_no_activity_and_no_start(hub: Hub) -> None:
    app = FunctionApp()

    @app.activity_trigger()
    async def fails() -> None:
        raise ValueError("no")

    @app.activity_trigger()
    def fails_too() -> None:
        raise ValueError("no")

    @app.orchestration_trigger()
    async def calls(context: OrchestrationContext) -> None:
        try:
            await context.call_activity(fails)
        except TaskFailedError:
            await context.call_activity(fails_too)

    host = await hub.start(app, max_concurrent_activities=1)
    assert (await host.run(calls)).runtime_status is RuntimeStatus.FAILED
    await host.stop()
    again = await hub.start(app)
    assert (await again.run(calls)).runtime_status is RuntimeStatus.FAILED


def attributes(record: logging.LogRecord) -> tuple[Any, ...]:
    return tuple(vars(record)[name] for name in ("instance_id", "function", "attempt"))


async def test_found_h8_failures_are_logged_with_their_error_and_by_whether_they_stand(
    hub: Hub, caplog: pytest.LogCaptureFixture
) -> None:
    app = FunctionApp()

    @app.activity_trigger()
    def fails() -> None:
        raise LookupError  # here

    @app.orchestration_trigger()
    async def calls(context: OrchestrationContext) -> None:
        once_more = RetryPolicy(timedelta(0), max_number_of_attempts=2)
        await context.call_activity(fails, retry_policy=once_more)

    host = await hub.start(app)
    await host.run(calls, instance_id="order-7")

    first, second, third = (each for each in caplog.records if each.exc_info)
    levels = [each.levelno for each in (first, second, third)]
    assert levels == [logging.WARNING, logging.ERROR, logging.ERROR]
    assert attributes(first) == ("order-7", "fails", 1)
    assert attributes(second) == ("order-7", "fails", 2)
    assert attributes(third) == ("order-7", "calls", 1)
    place = f"{__file__}:{fails.__code__.co_firstlineno + 2} in {fails.__qualname__}"
    told = f"Activity 'fails' of 'order-7' failed on attempt 1 of 2: LookupError, at {place}"
    assert first.getMessage() == told
    assert third.getMessage().startswith(
        "Orchestrator 'calls' of 'order-7' failed: TaskFailedError: Activity function 'fails' "
    )
    assert first.exc_info is not None
    assert isinstance(first.exc_info[1], LookupError)
    formatted = logging.Formatter().formatException(first.exc_info)
    assert formatted.count("File ") == 1
    assert "raise LookupError  # here" in formatted


async def test_found_h8_what_is_not_tried_again_is_an_error(
    hub: Hub, caplog: pytest.LogCaptureFixture
) -> None:
    app = FunctionApp()

    @app.activity_trigger()
    def returns_nonsense() -> object:
        return object()

    @app.orchestration_trigger()
    async def calls(context: OrchestrationContext) -> None:
        often = RetryPolicy(timedelta(0), max_number_of_attempts=9)
        await context.call_activity(returns_nonsense, retry_policy=often)

    await (await hub.start(app)).run(calls)
    levels = [each.levelno for each in caplog.records if "returns_nonsense" in each.getMessage()]
    assert levels == [logging.ERROR, logging.ERROR]


async def test_found_c5_a_log_line_is_short_however_long_the_message_is(
    hub: Hub, caplog: pytest.LogCaptureFixture
) -> None:
    app = FunctionApp()

    @app.activity_trigger()
    def fails() -> None:
        raise ValueError("m" * 1_000_000)

    @app.orchestration_trigger()
    async def calls(context: OrchestrationContext) -> None:
        await context.call_activity(fails)

    await (await hub.start(app)).run(calls)
    assert max(len(each.getMessage()) for each in caplog.records) < 2_000
