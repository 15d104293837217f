"""Right uses of what authors import, as type checkers must see them. Checked, never run."""

from __future__ import annotations

import logging
from collections.abc import Generator
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Literal, TypedDict, assert_type
from uuid import UUID

from pydantic import Field

from funchost import (
    CancellableTask,
    DurableClient,
    DurableHttpResponse,
    DurableTask,
    FunctionApp,
    FunctionContext,
    OrchestrationContext,
    when_all,
    when_any,
)

app = FunctionApp()


@dataclass
class Order:
    item: str


@dataclass
class Refusal:
    reason: str


@app.activity_trigger()
def price_of(item: str) -> float:
    return float(len(item))


@app.activity_trigger()
async def stock_of(item: str) -> int | None:
    return len(item)


@app.activity_trigger()
def place(order: Order) -> UUID:
    return UUID(int=len(order.item))


@app.activity_trigger()
async def tidy_up() -> list[str]:
    return []


class Point(TypedDict):
    x: float


@app.activity_trigger()
def move(to: Point) -> Point:
    return to


@app.activity_trigger()
async def average(numbers: list[float]) -> float:
    return sum(numbers) / len(numbers)


@app.activity_trigger()
def keys(table: dict[str, object]) -> list[str]:
    return list(table)


@app.activity_trigger()
def look(folder: str | None = None) -> bool:
    return folder is None


@app.activity_trigger()
async def find(word: str | None) -> str:
    return word or ""


@app.activity_trigger()
def who(context: FunctionContext) -> str:
    return context.function_name


@app.activity_trigger()
def note(text: str, *, context: FunctionContext) -> str:
    return text + context.function_name


@app.activity_trigger()
async def copy(source: str, target: str) -> dict[str, int]:
    return {source: len(target)}


@app.activity_trigger()
def total(*prices: float) -> float:
    return sum(prices)


@app.orchestration_trigger()
async def child(context: OrchestrationContext, order: Order) -> int:
    return len(order.item)


@app.orchestration_trigger()
def generator(context: OrchestrationContext, size: float) -> Generator[Any, Any, str]:
    yield context.create_timer(timedelta(seconds=size))
    return ""


@app.orchestration_trigger()
async def walk(context: OrchestrationContext, points: list[Point]) -> float:
    return sum(point["x"] for point in points)


@app.orchestration_trigger()
async def reads_input_itself(context: OrchestrationContext) -> bool:
    return assert_type(context.get_input(Order | None), Order | None) is None


@app.orchestration_trigger()
async def takes_nothing(context: OrchestrationContext, order: Order | None) -> None:
    return None


async def activities(context: OrchestrationContext) -> None:
    assert_type(await context.call_activity(price_of, "tea"), float)
    assert_type(await context.call_activity(stock_of, "tea"), int | None)
    assert_type(await context.call_activity(place, Order("tea")), UUID)
    assert_type(await context.call_activity(tidy_up), list[str])
    assert_type(await context.call_activity(look), bool)
    assert_type(await context.call_activity(look, "here"), bool)
    assert_type(await context.call_activity(find), str)
    assert_type(await context.call_activity(find, None), str)
    assert_type(await context.call_activity(find, "tea"), str)
    assert_type(await context.call_activity(who), str)
    assert_type(await context.call_activity(note, "tea"), str)
    assert_type(await context.call_activity(copy, ["a", "b"]), dict[str, int])
    assert_type(await context.call_activity(copy, {"source": "a", "target": "b"}), dict[str, int])
    assert_type(await context.call_activity(total, [1.5, 2.5]), float)


async def requests(context: OrchestrationContext) -> None:
    response = await context.call_http("GET", "https://example.com/", headers={"A": "b"})
    assert_type(response, DurableHttpResponse)
    assert_type(response.status_code, int)
    assert_type(response.content, str)


async def literals(context: OrchestrationContext, client: DurableClient) -> None:
    assert_type(await context.call_activity(move, {"x": 1.5}), Point)
    assert_type(await context.call_activity(average, [1, 2]), float)
    assert_type(await context.call_activity(average, []), float)
    assert_type(await context.call_activity(keys, {"a": 1, "b": [2]}), list[str])
    assert_type(await context.call_sub_orchestrator(walk, [{"x": 1}]), float)
    await client.schedule_new_orchestration(walk, input=[{"x": 1}, {"x": 2.5}])


async def names(context: OrchestrationContext) -> None:
    assert_type(await context.call_activity("price_of", 1), Any)
    assert_type(await context.call_activity("price_of", 1, return_type=float), float)
    assert_type(await context.call_activity("stock_of", return_type=int | None), int | None)
    assert_type(
        await context.call_activity("stock_of", return_type=Annotated[int, Field(gt=0)]), int
    )
    assert_type(await context.call_sub_orchestrator("child", return_type=list[int]), list[int])
    assert_type(
        await context.call_sub_orchestrator("child", return_type=Order | Refusal), Order | Refusal
    )
    assert_type(await context.call_sub_orchestrator("child"), Any)


async def inputs_and_events(context: OrchestrationContext) -> None:
    assert_type(context.get_input(), Any)
    assert_type(context.get_input(Order), Order)
    assert_type(context.get_input(Literal["a", "b"]), Literal["a", "b"])
    assert_type(context.get_input(Annotated[Order | Refusal, Field()]), Order | Refusal)
    assert_type(context.wait_for_external_event("Go"), CancellableTask[Any])
    assert_type(context.wait_for_external_event("Go", Order), CancellableTask[Order])
    answer = await context.wait_for_external_event("Go", Order | Refusal, timeout=timedelta(1))
    assert_type(answer, Order | Refusal)
    assert_type(await context.wait_for_external_event("Go", dict[str, int]), dict[str, int])


async def children(context: OrchestrationContext) -> None:
    assert_type(await context.call_sub_orchestrator(child, Order("tea")), int)
    assert_type(await context.call_sub_orchestrator(generator, 1.5), str)
    assert_type(await context.call_sub_orchestrator(generator, 1, instance_id="g"), str)
    assert_type(await context.call_sub_orchestrator(reads_input_itself, Order("tea")), bool)
    assert_type(await context.call_sub_orchestrator(reads_input_itself), bool)
    await context.call_sub_orchestrator(takes_nothing)


async def many(context: OrchestrationContext, items: list[str]) -> None:
    prices = [context.call_activity(price_of, item) for item in items]
    assert_type(await when_all(prices), list[float])
    assert_type(await when_all(context.call_activity(find, item) for item in items), list[str])
    assert_type(await when_any(prices), DurableTask[float])
    price, stock = context.call_activity(price_of, "tea"), context.call_activity(stock_of, "tea")
    pause = context.create_timer(timedelta(seconds=1))
    assert_type(await when_all((price, stock)), tuple[float, int | None])
    assert_type(await context.task_all((price, stock)), tuple[float, int | None])
    assert_type(
        await when_all((price, stock, price, stock, pause, price)),
        tuple[float, int | None, float, int | None, None, float],
    )
    assert_type(
        await when_any((price, stock, pause)),
        DurableTask[float] | DurableTask[int | None] | CancellableTask[None],
    )
    assert_type(await context.task_any(prices), DurableTask[float])


class OtherLogger:
    def info(self, message: str, **values: Any) -> None: ...
    def error(self, message: str, **values: Any) -> None: ...


async def loggers(context: OrchestrationContext) -> None:
    adapter = context.create_replay_safe_logger(logging.getLogger("app"))
    assert_type(adapter, logging.LoggerAdapter[Any])
    assert_type(context.create_replay_safe_logger(adapter), logging.LoggerAdapter[Any])
    assert_type(context.create_replay_safe_logger(OtherLogger()), OtherLogger)


async def clients(client: DurableClient, body: Any) -> None:
    assert_type(await client.schedule_new_orchestration(child, input=body), str)
    await client.schedule_new_orchestration(child, input=Order("tea"), instance_id="a")
    await client.schedule_new_orchestration(generator, input=1.5)
    await client.schedule_new_orchestration(takes_nothing)
    await client.schedule_new_orchestration(reads_input_itself, input={"item": "tea"})
    await client.schedule_new_orchestration("child", input={"item": "tea"})
