"""The catalog: how orchestrators and activities are called, and found."""

from __future__ import annotations

import functools
import json
from collections.abc import Awaitable, Callable, Generator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from types import NoneType
from typing import TYPE_CHECKING, Any

import pytest

from bindings import (
    FunctionApp,
    FunctionContext,
    InvalidArgumentError,
    OrchestrationContext,
    SerializationError,
)
from bindings.functions import Binding, Direction, FunctionDeclaration
from bindings.kinds.records import Role
from bindings.tasks import DurableTask
from host.core.converter import Converter
from host.core.failures import Caught
from host.core.functions import ActivityCall
from host.core.records import ActivityKey
from host.functions.catalog import Catalog
from host.functions.model import App, HostFunction

if TYPE_CHECKING:
    from decimal import Decimal  # a name that does not exist when the program runs


@dataclass
class Order:
    id: int
    at: datetime


class InputContext(OrchestrationContext):
    """A context of which only the input is looked at."""

    def __init__(self, payload: str | None) -> None:
        self._payload = payload

    def get_input(self, expected_type: Any = None) -> Any:
        return Converter().from_payload(self._payload, expected_type, "The input")


InputContext.__abstractmethods__ = frozenset()


def context(payload: str | None) -> OrchestrationContext:
    return InputContext(payload)  # type: ignore[abstract]  # see the class


def catalog(app: FunctionApp, *, disabled: str = "") -> Catalog:
    return Catalog(
        App(
            functions=tuple(
                HostFunction(
                    name=each.name,
                    declaration=each,
                    directory=Path("/the/app"),
                    is_disabled=each.name == disabled,
                )
                for each in app.get_functions()
            )
        ),
        Converter(),
    )


def activity_catalog(function: Callable[..., Any]) -> Catalog:
    app = FunctionApp()
    app.function_name("activity")(app.activity_trigger()(function))
    return catalog(app)


async def call(function: Callable[..., Any], value: Any = None) -> Any:
    """Run one function as an activity, the way an engine does."""
    activity = activity_catalog(function).activity("activity")
    assert activity is not None
    payload = None if value is None else json.dumps(value)
    if activity.of_call is not None:
        key = ActivityKey("instance", "execution", 0)
        activity = activity.of_call(ActivityCall(key=key, cancelled=Event()))
    if activity.run is not None:
        assert activity.run_in_thread is None
        given = await activity.run(payload)
        assert not isinstance(given, Caught)
        result = given
    else:
        assert activity.run_in_thread is not None
        result = activity.run_in_thread(payload)
    return None if result is None else json.loads(result)


def start(function: Callable[..., Any], payload: str | None) -> Any:
    app = FunctionApp()
    app.function_name("orchestrator")(app.orchestration_trigger()(function))
    orchestrator = catalog(app).orchestrator("orchestrator")
    assert orchestrator is not None
    return orchestrator.start(context(payload))


def result_type(function: Callable[..., Any]) -> Any:
    activity = activity_catalog(function).activity("activity")
    assert activity is not None
    return activity.result_type


async def test_an_activity_may_take_nothing() -> None:
    def tick() -> str:
        return "tock"

    assert await call(tick) == "tock"
    assert await call(tick, "ignored") == "tock"


async def test_one_value_is_rebuilt_as_its_annotation_says() -> None:
    def tomorrow(order: Order) -> Order:
        assert isinstance(order, Order)
        return Order(id=order.id + 1, at=order.at)

    order = {"id": 1, "at": datetime(2024, 1, 1, tzinfo=UTC).isoformat()}
    assert await call(tomorrow, order) == {"id": 2, "at": "2024-01-01T00:00:00Z"}


async def test_a_value_without_annotation_is_plain_json() -> None:
    def echo(value):  # type: ignore[no-untyped-def]  # the point of the test
        return [value]

    assert await call(echo, {"a": [1, None]}) == [{"a": [1, None]}]
    assert await call(echo) == [None]


async def test_a_value_that_does_not_fit_is_refused() -> None:
    def double(number: int) -> int:
        return number * 2

    with pytest.raises(SerializationError, match="The input of activity 'activity'"):
        await call(double, "many")


async def test_a_result_that_is_no_json_is_refused() -> None:
    def bad() -> object:
        return object()

    with pytest.raises(SerializationError, match="The result of activity 'activity'"):
        await call(bad)


async def test_without_a_value_a_default_holds() -> None:
    def greet(name: str = "you") -> str:
        return name

    assert await call(greet) == "you"
    assert await call(greet, "me") == "me"


async def test_a_keyword_only_parameter_receives_the_value() -> None:
    def greet(*, name: str) -> str:
        return name

    assert await call(greet, "me") == "me"


async def test_an_async_activity_is_awaited() -> None:
    async def greet(name: str) -> str:
        return f"Hello {name}!"

    assert await call(greet, "me") == "Hello me!"


async def test_a_plain_wrapper_around_an_async_activity_is_awaited() -> None:
    def logged(function: Callable[[str], Awaitable[str]]) -> Callable[[str], Awaitable[str]]:
        @functools.wraps(function)
        def wrapper(name: str) -> Awaitable[str]:
            return function(name)

        return wrapper

    @logged
    async def greet(name: str) -> str:
        return name

    assert await call(greet, "me") == "me"


async def test_a_callable_object_can_be_an_activity() -> None:
    class Greeter:
        async def __call__(self, order: Order) -> int:
            return order.id

    assert await call(Greeter(), {"id": 5, "at": "2024-01-01T00:00:00Z"}) == 5


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ([1, "2024-01-01T00:00:00Z"], [1, 2024, "x"]),
        ([1, "2024-01-01T00:00:00Z", "y"], [1, 2024, "y"]),
        ({"at": "2024-01-01T00:00:00Z", "number": 1}, [1, 2024, "x"]),
        ({"at": "2024-01-01T00:00:00Z", "number": 1, "name": "y"}, [1, 2024, "y"]),
    ],
)
async def test_several_parameters_take_a_list_or_an_object(value: Any, expected: Any) -> None:
    def describe(number: int, at: datetime, name: str = "x") -> list[Any]:
        return [number, at.year, name]

    assert await call(describe, value) == expected


async def test_a_single_value_is_the_first_of_several_parameters() -> None:
    def greet(name: str, greeting: str = "Hello") -> str:
        return f"{greeting} {name}"

    assert await call(greet, "me") == "Hello me"


@pytest.mark.parametrize("value", [None, [1], [1, 2, 3], {"a": 1}, {"a": 1, "b": 2, "c": 3}, 5])
async def test_values_that_do_not_fill_the_parameters_are_refused(value: Any) -> None:
    def add(a: int, b: int) -> int:
        return a + b

    with pytest.raises(SerializationError, match="The input of activity 'activity'"):
        await call(add, value)


async def test_variadic_parameters_take_all_there_is() -> None:
    def count(*args: int, **kwargs: int) -> list[int]:
        return [*args, *kwargs.values()]

    assert await call(count, [1, 2, 3]) == [1, 2, 3]
    assert await call(count, {"a": 1, "b": 2}) == [1, 2]


async def test_an_activity_can_ask_for_its_context_anywhere() -> None:
    def where(context: FunctionContext, a: int, b: int = 2) -> list[Any]:
        return [context.function_name, context.function_directory, a, b]

    assert await call(where, [1]) == ["activity", "/the/app", 1, 2]
    assert await call(where, {"a": 3, "b": 4}) == ["activity", "/the/app", 3, 4]


async def test_an_annotation_that_cannot_be_resolved_counts_as_none() -> None:
    def pay(amount: Decimal, currency: str) -> Decimal:
        return amount

    assert await call(pay, ["1.5", "EUR"]) == "1.5"
    assert result_type(pay) is None


def test_the_result_type_is_the_return_annotation() -> None:
    def order() -> Order:
        raise NotImplementedError

    async def orders() -> list[Order]:
        raise NotImplementedError

    def nothing() -> None: ...

    def later() -> Awaitable[int]:
        raise NotImplementedError

    def odd() -> None: ...

    odd.__annotations__["return"] = {"not": "a type"}

    assert result_type(order) is Order
    assert result_type(orders) == list[Order]
    assert result_type(nothing) is NoneType
    assert result_type(later) is int
    assert result_type(odd) is None


def test_the_result_type_of_a_generator_is_its_return_type() -> None:
    app = FunctionApp()

    @app.orchestration_trigger()
    def typed(context: OrchestrationContext) -> Generator[DurableTask[Any], Any, Order]:
        order: Order = yield context.call_activity("order")
        return order

    @app.orchestration_trigger()
    def untyped(context: OrchestrationContext) -> Iterator[Any]:
        yield context.call_activity("order")

    found = catalog(app)
    assert [found.orchestrator(name) is not None for name in ("typed", "untyped")] == [True, True]
    assert getattr(found.orchestrator("typed"), "result_type", "") is Order
    assert getattr(found.orchestrator("untyped"), "result_type", "") is None


def test_an_orchestrator_takes_the_context_alone() -> None:
    def plain(context: OrchestrationContext) -> Any:
        return context.get_input()

    assert start(plain, "[1]") == [1]


def test_an_orchestrator_takes_its_input_as_annotated() -> None:
    def plain(context: OrchestrationContext, order: Order) -> int:
        return order.id

    assert start(plain, '{"id": 7, "at": "2024-01-01T00:00:00Z"}') == 7
    with pytest.raises(SerializationError):
        start(plain, "null")


def test_an_orchestrator_without_input_uses_its_default() -> None:
    def plain(context: OrchestrationContext, cities: list[str] = ["Tokyo"]) -> list[str]:  # noqa: B006
        return cities

    assert start(plain, None) == ["Tokyo"]
    assert start(plain, '["Paris"]') == ["Paris"]


async def test_an_orchestrator_gives_its_coroutine_or_generator() -> None:
    async def coroutine(context: OrchestrationContext, name: str) -> str:
        return name

    def generator(context: OrchestrationContext, name: str) -> Generator[str, None, str]:
        yield name
        return name

    assert await start(coroutine, '"a"') == "a"
    assert list(start(generator, '"a"')) == ["a"]


def test_names_are_found_exactly_then_without_case() -> None:
    app = FunctionApp()

    @app.orchestration_trigger()
    def Zeta(context: OrchestrationContext) -> None: ...  # noqa: N802

    @app.orchestration_trigger()
    def alpha(context: OrchestrationContext) -> None: ...

    @app.activity_trigger()
    def work() -> None: ...

    found = catalog(app)
    assert found.orchestrator("zETA") is found.orchestrator("Zeta") is not None
    assert found.activity("WORK") is found.activity("work") is not None
    assert found.activity("alpha") is None
    assert found.orchestrator("work") is None
    assert found.orchestrator_names() == ["Zeta", "alpha"]


def test_a_function_is_named_by_reference_also_when_it_was_wrapped_later() -> None:
    app = FunctionApp()

    @app.activity_trigger(activity="Work")
    def work() -> None: ...

    @functools.wraps(work)
    def wrapped() -> None:
        work()

    found = catalog(app)
    assert found.name_of(work, Role.ACTIVITY) == found.name_of(wrapped, Role.ACTIVITY) == "Work"
    assert found.name_of("Anything", Role.ACTIVITY) == "Anything"
    with pytest.raises(InvalidArgumentError, match="'call' is not a registered orchestrator"):
        found.name_of(call, Role.ACTIVITY)


def test_a_disabled_function_is_not_found_but_keeps_its_name() -> None:
    app = FunctionApp()

    @app.activity_trigger()
    def work() -> None: ...

    found = catalog(app, disabled="work")
    assert found.activity("work") is None
    assert found.name_of(work, Role.ACTIVITY) == "work"


def test_functions_that_are_neither_are_not_in_the_catalog() -> None:
    def run(data: str) -> None: ...

    trigger = Binding(type="manualTrigger", direction=Direction.IN, name="data")
    declaration = FunctionDeclaration(name="run", function=run, trigger=trigger)
    function = HostFunction(name="run", declaration=declaration, directory=Path("/the/app"))
    found = Catalog(App(functions=(function,)), Converter())
    assert (found.activity("run"), found.orchestrator("run")) == (None, None)
