"""Wrong uses, each marked: there a type checker must find an error. Checked, never run."""

from __future__ import annotations

from datetime import timedelta

from funchost import DurableClient, OrchestrationContext, when_all, when_any
from tests.unit.typed_uses.right import (
    Order,
    Refusal,
    average,
    child,
    copy,
    find,
    generator,
    keys,
    look,
    move,
    note,
    place,
    price_of,
    stock_of,
    takes_nothing,
    tidy_up,
    walk,
)


async def activities(context: OrchestrationContext) -> None:
    context.call_activity(price_of, 3)  # wrong
    context.call_activity(price_of, None)  # wrong
    context.call_activity(price_of)  # wrong
    context.call_activity(stock_of, ["tea"])  # wrong
    context.call_activity(stock_of)  # wrong
    context.call_activity(place, Refusal("no"))  # wrong
    context.call_activity(place, {"item": "tea"})  # wrong
    context.call_activity(tidy_up, "now")  # wrong
    context.call_activity(look, 3)  # wrong
    context.call_activity(find, 3)  # wrong
    context.call_activity(note, 3)  # wrong
    context.call_activity(7, "tea")  # wrong
    context.call_activity(average, ["tea"])  # wrong
    context.call_activity(average, {"tea": 1})  # wrong
    context.call_activity(move, {"y": 1})  # wrong
    context.call_activity(keys, {1: 2})  # wrong
    _text: str = await context.call_activity(price_of, "tea")  # wrong
    _table: list[int] = await context.call_activity(copy, ["a", "b"])  # wrong


async def types(context: OrchestrationContext) -> None:
    context.call_activity("price_of", return_type=3)  # wrong
    context.call_activity(price_of, "tea", return_type=str)  # wrong
    context.call_sub_orchestrator("child", return_type=3)  # wrong
    context.get_input(3)  # wrong
    context.get_input(Order("tea"))  # wrong
    context.wait_for_external_event("Go", 3)  # wrong
    _number: int = context.get_input(str)  # wrong
    _word: str = await context.wait_for_external_event("Go", str | None)  # wrong


async def children(context: OrchestrationContext) -> None:
    context.call_sub_orchestrator(child, "tea")  # wrong
    context.call_sub_orchestrator(child)  # wrong
    context.call_sub_orchestrator(generator, "long")  # wrong
    context.call_sub_orchestrator(takes_nothing, 3)  # wrong
    context.call_sub_orchestrator(walk, [1])  # wrong
    context.call_sub_orchestrator(child, Order("tea"), instance_id=3)  # wrong
    _text: str = await context.call_sub_orchestrator(child, Order("tea"))  # wrong


async def many(context: OrchestrationContext) -> None:
    price, stock = context.call_activity(price_of, "tea"), context.call_activity(stock_of, "tea")
    when_all([price, 3])  # wrong
    when_all(price)  # wrong
    when_any([timedelta(1)])  # wrong
    _one, _two, _three = await when_all((price, stock))  # wrong
    _text: str = (await when_all((price, stock)))[0]  # wrong


async def clients(client: DurableClient) -> None:
    await client.schedule_new_orchestration(child, input="tea")  # wrong
    await client.schedule_new_orchestration(child)  # wrong
    await client.schedule_new_orchestration(generator, input="long")  # wrong
    await client.schedule_new_orchestration(takes_nothing, input=3)  # wrong
    await client.schedule_new_orchestration(price_of, input="tea")  # wrong
