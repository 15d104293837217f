"""Three greetings, one after the other: an orchestrator in generator form."""

from collections.abc import Generator
from typing import Any

from funchost import DurableTask, OrchestrationContext


def main(context: OrchestrationContext) -> Generator[DurableTask[Any], Any, list[str]]:
    tokyo = yield context.call_activity("E1_SayHello", "Tokyo")
    seattle = yield context.call_activity("E1_SayHello", "Seattle")
    london = yield context.call_activity("E1_SayHello", "London")
    return [tokyo, seattle, london]
