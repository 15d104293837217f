"""The app that the kit's tests run."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta

from funchost import (
    DurableClient,
    FunctionApp,
    HttpRequest,
    HttpResponse,
    OrchestrationContext,
    RetryPolicy,
    when_any,
)

app = FunctionApp()


@dataclass(frozen=True)
class Order:
    item: str
    price: float


@app.orchestration_trigger()
async def approve(context: OrchestrationContext, days: int) -> str:
    context.set_custom_status("waiting")
    try:
        return await context.wait_for_external_event("Answer", str, timeout=timedelta(days=days))
    except TimeoutError:
        return "nobody"


@app.orchestration_trigger()
async def buy(context: OrchestrationContext, order: Order) -> str:
    policy = RetryPolicy(timedelta(hours=1), max_number_of_attempts=3)
    return await context.call_activity(charge, order, retry_policy=policy)


@app.orchestration_trigger()
async def race(context: OrchestrationContext) -> str:
    paid = context.call_activity(charge, Order("boat", 1.0))
    deadline = context.create_timer(timedelta(hours=2))
    winner = await when_any([paid, deadline])
    return "late" if winner is deadline else paid.result


@app.orchestration_trigger()
def by_generator(context: OrchestrationContext):  # type: ignore[no-untyped-def]
    yield context.create_timer(timedelta(days=1))
    return (yield context.call_sub_orchestrator(approve, 3))


@app.orchestration_trigger()
async def for_ever(context: OrchestrationContext) -> None:
    await context.create_timer(timedelta(minutes=1))
    context.continue_as_new()


@app.orchestration_trigger()
async def hang(context: OrchestrationContext) -> None:
    await context.call_activity(wait_for_ever)


@app.activity_trigger()
def charge(order: Order) -> str:
    return f"charged {order.price:.2f} for a {order.item}"


@app.activity_trigger()
def move(source: str, target: str = "here") -> str:
    return f"{source} to {target}"


@app.orchestration_trigger()
async def move_it(context: OrchestrationContext, arguments: list[str] | dict[str, str]) -> str:
    return await context.call_activity(move, arguments)


@app.activity_trigger()
async def wait_for_ever() -> None:
    await asyncio.Event().wait()


@app.route("orders")
@app.orchestration_client("client")
async def start_order(req: HttpRequest, client: DurableClient) -> HttpResponse:
    instance_id = await client.schedule_new_orchestration(buy, input=req.json())
    return client.create_check_status_response(req, instance_id)
