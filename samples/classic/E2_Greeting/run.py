"""Greet the city of a message, and save the greeting."""

from collections.abc import Generator
from typing import Any

from funchost import DurableTask, OrchestrationContext


def main(context: OrchestrationContext) -> Generator[DurableTask[Any], Any, Any]:
    greeting = context.get_input()
    text = yield context.call_activity("E1_SayHello", greeting["city"])
    yield context.call_activity("E2_SaveGreeting", {**greeting, "text": text})
    return text
