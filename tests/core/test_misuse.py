"""What Python says of a task or a context that is misused goes on with what to write instead."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from bindings import EntityId, azure_names
from tests.kit.bench import Bench

NOT_AWAITED = "it is a task that was not awaited: write await before it (in a generator, yield)"
NOT_AWAITABLE = "only durable tasks are awaited: set_custom_status, continue_as_new and send_event"


def act(n: int) -> int:
    return n


MISUSES: dict[str, tuple[Callable[[Any], Any], str]] = {
    "sum": (lambda context: context.call_activity(act, 1) + 1, NOT_AWAITED),
    "order": (lambda context: context.call_activity(act, 1) < 1, NOT_AWAITED),
    "item": (lambda context: context.call_activity(act, 1)["a"], NOT_AWAITED),
    "length": (lambda context: len(context.call_activity(act, 1)), NOT_AWAITED),
    "attribute": (lambda context: context.call_activity(act, 1).upper(), NOT_AWAITED),
    "event": (lambda context: context.wait_for_external_event("A")["a"], NOT_AWAITED),
    "timer": (lambda context: context.create_timer(timedelta(1)) + 1, NOT_AWAITED),
    "faulted": (lambda context: context.call_activity(act, 1).is_faulted, "use is_failed"),
    "canceled": (lambda context: context.create_timer(timedelta(1)).is_canceled, "is_cancelled"),
    "property": (lambda context: context.is_replaying(), "is_replaying is a value, no method"),
    "time": (lambda context: context.current_utc_datetime(), "current_utc_datetime is a value"),
    "by name": (lambda context: context.call_activity(act, input=1), "the second argument"),
    "child by name": (
        lambda context: context.call_sub_orchestrator("x", input=1),
        "the second argument",
    ),
    "next by name": (lambda context: context.continue_as_new(input=1), "the first argument"),
    "time-out": (
        lambda context: context.wait_for_external_event("A", int, timedelta(1)),
        "timeout=timedelta(...)",
    ),
}


def message_of(orchestrator: Callable[[Any], Any]) -> str:
    return Bench(orchestrator, activities=(act,)).run().failure.message


@pytest.mark.parametrize("name", MISUSES)
def test_a_misuse_says_what_to_write(name: str) -> None:
    act_on, said = MISUSES[name]

    async def misuses(context: Any) -> Any:
        return act_on(context)

    assert said in message_of(misuses)


class Account:
    """No value that anything asks for."""


DOORS: dict[str, Callable[[Any, Any], Any]] = {
    "entity": lambda context, odd: context.entity(odd, "a"),
    "lock": lambda context, odd: context.lock_entities(odd),
    "locks": lambda context, odd: context.lock_entities([EntityId("Account", "a"), odd]),
    "call": lambda context, odd: context.call_entity(odd, "get"),
    "operation": lambda context, odd: context.call_entity(EntityId("Account", "a"), odd),
    "signal": lambda context, odd: context.signal_entity(odd, "get"),
    "activity": lambda context, odd: context.call_activity(odd),
    "policy": lambda context, odd: context.call_activity(act, 1, retry_policy=odd),
    "child": lambda context, odd: context.call_sub_orchestrator(odd),
    "child id": lambda context, odd: context.call_sub_orchestrator("x", instance_id=odd),
    "timer": lambda context, odd: context.create_timer(odd),
    "event": lambda context, odd: context.wait_for_external_event(odd),
    "sent to": lambda context, odd: context.send_event(odd, "go"),
    "sent": lambda context, odd: context.send_event("x", odd),
    "version": lambda context, odd: context.continue_as_new(version=odd),
    "status": lambda context, odd: context.set_custom_status(odd),
    "http": lambda context, odd: context.call_http("GET", odd),
    "verb": lambda context, odd: context.call_http(odd, "https://example.com"),
    "headers": lambda context, odd: context.call_http("GET", "https://example.com", headers=[odd]),
}


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(
    "odd", [Account(), lambda: 1, [Account()]], ids=["object", "lambda", "list"]
)
def test_no_address_of_an_object_is_said(door: str, odd: Any) -> None:
    async def misuses(context: Any) -> Any:
        return DOORS[door](context, odd)

    message = message_of(misuses)
    assert message
    assert "0x" not in message


def test_yield_from_a_task_says_to_write_yield() -> None:
    def yields(context: Any) -> Any:
        return (yield from context.call_activity(act, 1))

    assert NOT_AWAITED in message_of(yields)


@pytest.mark.parametrize(
    "give",
    [
        lambda _: act(1),
        lambda context: context.set_custom_status("x"),
        lambda context: context.continue_as_new(1),
        lambda context: context.send_event("x", "y"),
    ],
)
def test_awaiting_what_is_no_task_says_what_is_one(give: Callable[[Any], Any]) -> None:
    async def misuses(context: Any) -> Any:
        return await give(context)

    assert NOT_AWAITABLE in message_of(misuses)


@pytest.mark.parametrize("name", azure_names.CONTEXT)
def test_a_name_of_azures_context_says_what_to_write_here(name: str) -> None:
    async def ported(context: Any) -> Any:
        return getattr(context, name)(act, 1)

    said = f"'OrchestrationContext' object has no attribute '{name}': {azure_names.CONTEXT[name]}."
    assert message_of(ported) == said


def test_other_errors_keep_their_text() -> None:
    async def raises(context: Any) -> Any:
        raise TypeError("object int can't be used")

    async def misuses(context: Any) -> Any:
        return context.nonsense

    async def calls(context: Any) -> Any:
        return context.instance_id.upper()()

    assert message_of(raises) == "object int can't be used"
    assert message_of(misuses) == "'OrchestrationContext' object has no attribute 'nonsense'"
    assert message_of(calls) == "'str' object is not callable"
