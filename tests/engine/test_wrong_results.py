"""A wrong result fails whoever returned it; wrong data is seen by `except TaskFailedError`."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from bindings import (
    DataMismatchError,
    FunctionApp,
    OrchestrationContext,
    RetryPolicy,
    SerializationError,
    TaskFailedError,
)
from tests.kit.hub import Hub

Ctx = OrchestrationContext


@dataclass
class Order:
    id: int
    items: list[str]


class Opaque:
    """Nothing that pydantic could read."""


def returning(annotation: Any, value: Any) -> Callable[[Ctx], Any]:
    async def returns(context: Ctx) -> Any:
        return value

    returns.__annotations__["return"] = annotation
    return returns


WRONG = [
    (int, "text"),
    (str, 5),
    (list[int], ["a"]),
    (Order, {"id": 1}),
    (None, 5),
    (int, None),
    (dict[str, int], []),
]
RIGHT = [
    (int, 5),
    (float, 5),
    (int | None, None),
    (None, None),
    (Order, Order(1, ["a"])),
    (Order, {"id": 1, "items": []}),
    (tuple[int, str], (1, "a")),
    (Any, "text"),
    (Opaque, "text"),
]


@pytest.mark.parametrize(("annotation", "value"), WRONG)
async def test_found_a9_a_wrong_result_of_an_orchestrator_fails_it(
    hub: Hub, annotation: Any, value: Any
) -> None:
    app = FunctionApp()
    orchestrator = app.orchestration_trigger()(returning(annotation, value))
    state = await (await hub.start(app)).run(orchestrator)
    assert state.failure_details is not None
    assert state.failure_details.error_type == "ResultMismatchError"
    message = state.failure_details.message
    assert "orchestrator 'returns' does not fit its return annotation" in message


async def test_found_a9_of_a_generator_its_return_type_counts(hub: Hub) -> None:
    app = FunctionApp()

    @app.orchestration_trigger()
    def returns(context: Ctx) -> Generator[Any, Any, int]:
        yield context.call_activity(work)
        return "text"  # type: ignore[return-value]

    @app.activity_trigger()
    async def work() -> None: ...

    state = await (await hub.start(app)).run(returns)
    assert state.failure_details is not None
    assert state.failure_details.error_type == "ResultMismatchError"


@pytest.mark.parametrize(("annotation", "value"), RIGHT)
async def test_found_a9_a_right_result_of_an_orchestrator_completes_it(
    hub: Hub, annotation: Any, value: Any
) -> None:
    app = FunctionApp()
    orchestrator = app.orchestration_trigger()(returning(annotation, value))
    state = await (await hub.start(app)).run(orchestrator)
    assert state.failure_details is None


@pytest.mark.parametrize("kind", ["thread", "coroutine"])
@pytest.mark.parametrize(("annotation", "value"), WRONG)
async def test_found_a9_a_wrong_result_of_an_activity_fails_the_activity(
    hub: Hub, kind: str, annotation: Any, value: Any
) -> None:
    app = FunctionApp()

    def plain() -> Any:
        return value

    async def coroutine() -> Any:
        return value

    work = plain if kind == "thread" else coroutine
    work.__annotations__["return"] = annotation
    app.activity_trigger()(work)

    @app.orchestration_trigger()
    async def calls(context: Ctx) -> list[str]:
        try:
            await context.call_activity(work)
        except TaskFailedError as error:
            return [error.details.error_type, error.details.message]
        return []

    host = await hub.start(app)
    state = await host.run(calls)
    assert state.output is not None
    assert state.output[0] == "ResultMismatchError"
    assert f"activity '{work.__name__}' does not fit" in state.output[1]
    assert "TaskFailed" in await host.history(state.instance_id)


async def test_found_a9_a_retry_policy_applies_to_wrong_results(hub: Hub) -> None:
    app, values = FunctionApp(), iter(["one", "two", 3])

    @app.activity_trigger()
    def count() -> int:
        return next(values)  # type: ignore[return-value]

    @app.orchestration_trigger()
    async def retries(context: Ctx) -> int:
        policy = RetryPolicy(timedelta(seconds=1), 3)
        return await context.call_activity(count, retry_policy=policy)

    host = await hub.start(app)
    instance_id = await host.begin(retries)
    for _ in range(2):
        await host.rest()
        await hub.clock.advance(timedelta(seconds=1))
    assert (await host.finished(instance_id)).output == 3


async def test_found_a9_a_wrong_result_of_a_child_fails_the_child(hub: Hub) -> None:
    app = FunctionApp()
    child = app.orchestration_trigger()(returning(int, "text"))

    @app.orchestration_trigger()
    async def parent(context: Ctx) -> str:
        try:
            await context.call_sub_orchestrator(child)
        except TaskFailedError as error:
            return error.details.error_type
        return "none"

    assert (await (await hub.start(app)).run(parent)).output == "ResultMismatchError"


BAD_WAITS: dict[str, Callable[[Ctx], Any]] = {
    "event": lambda context: context.wait_for_external_event("e", Order),
    "event in time": lambda context: context.wait_for_external_event(
        "e", Order, timeout=timedelta(hours=1)
    ),
    "activity": lambda context: context.call_activity("text", return_type=Order),
    "retried": lambda context: context.call_activity(
        "text", return_type=Order, retry_policy=RetryPolicy(timedelta(0), 3)
    ),
    "child": lambda context: context.call_sub_orchestrator("child", return_type=Order),
}


@pytest.mark.parametrize("caught", [TaskFailedError, DataMismatchError, SerializationError])
@pytest.mark.parametrize("wait", BAD_WAITS)
async def test_found_a9_data_that_does_not_fit_is_a_failed_task_at_the_wait(
    hub: Hub, wait: str, caught: type[Exception]
) -> None:
    app, runs = FunctionApp(), list[int]()

    @app.activity_trigger()
    async def text() -> str:
        runs.append(1)
        return "no order"

    @app.orchestration_trigger()
    async def child(context: Ctx) -> str:
        return "no order"

    @app.orchestration_trigger()
    async def waits(context: Ctx) -> list[Any]:
        try:
            await BAD_WAITS[wait](context)
        except caught as error:
            assert isinstance(error, TaskFailedError)
            return [type(error).__name__, error.details.error_type, str(error)]
        return []

    host = await hub.start(app)
    instance_id = await host.begin(waits)
    await host.client.raise_event(instance_id, "E", "no order")
    state = await host.finished(instance_id)
    assert state.output is not None
    assert state.output[:2] == ["DataMismatchError"] * 2
    assert "does not fit" in state.output[2]
    assert len(runs) <= 1


async def test_found_a9_the_next_event_may_fit(hub: Hub) -> None:
    app = FunctionApp()

    @app.orchestration_trigger()
    async def asks(context: Ctx) -> int:
        while True:
            try:
                order = await context.wait_for_external_event("order", Order)
            except TaskFailedError:
                continue
            return int(order.id)

    host = await hub.start(app)
    instance_id = await host.begin(asks)
    for data in ({"id": "x"}, None, {"id": 7, "items": []}):
        await host.client.raise_event(instance_id, "order", data)
    assert (await host.finished(instance_id)).output == 7
