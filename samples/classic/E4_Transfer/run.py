"""Moves money between two accounts that nobody else uses meanwhile; gives both balances."""

from collections.abc import Generator
from typing import Any

from funchost import EntityId, OrchestrationContext


def main(context: OrchestrationContext) -> Generator[Any, Any, list[int]]:
    order = context.get_input()
    source, target = (
        EntityId("E4_Account", order["source"]),
        EntityId("E4_Account", order["target"]),
    )
    amount = order["amount"]
    if source == target or amount <= 0:
        raise ValueError("A transfer moves more than nothing to another account.")
    with (yield context.lock_entities(source, target)):
        balance = yield context.call_entity(source, "balance")
        if balance < amount:
            raise ValueError(f"{amount} cannot be taken from {balance}.")
        left = yield context.call_entity(source, "add", -amount)
        return [left, (yield context.call_entity(target, "add", amount))]
