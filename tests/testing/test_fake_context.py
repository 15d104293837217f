"""One orchestrator, led by answers, without a host."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from unittest.mock import Mock

import pytest

from bindings import (
    Entity,
    EntityId,
    InvalidArgumentError,
    OrchestrationContext,
    TaskFailedError,
)
from bindings.errors import ForeignAwaitError, SerializationError
from funchost.testing import NEVER, FakeContext, MissingAnswerError
from tests.testing.sample_app import Order, approve, buy, by_generator, charge, for_ever, race

BOAT = Order("boat", 5.0)


def test_answers_are_values_errors_and_functions() -> None:
    assert FakeContext(BOAT, {charge: "paid"}).run(buy) == "paid"
    assert FakeContext(BOAT, {"Charge": lambda order: order.item}).run(buy) == "boat"
    with pytest.raises(TaskFailedError, match="failed: no money") as caught:
        FakeContext(BOAT, {charge: ValueError("no money")}).run(buy)
    assert caught.value.details.is_caused_by(ValueError)


def test_retries_wait_on_a_clock_that_needs_no_time() -> None:
    context = FakeContext(BOAT, {charge: Mock(side_effect=[OSError(), OSError(), "paid"])})
    began = context.now
    assert context.run(buy) == "paid"
    assert context.now - began == timedelta(hours=2)
    assert context.called == [("charge", {"item": "boat", "price": 5.0})] * 3


def test_an_event_comes_before_its_deadline_or_not_at_all() -> None:
    context = FakeContext(30, {"ANSWER": "yes"})
    assert context.run(approve) == "yes"
    assert context.custom_status == "waiting"
    assert FakeContext(30).run(approve) == "nobody"


def test_an_activity_that_never_ends_loses_against_a_timer() -> None:
    assert FakeContext(None, {charge: NEVER}).run(race) == "late"
    assert FakeContext(None, {charge: "paid"}).run(race) == "paid"


def test_generators_and_sub_orchestrations_run_too() -> None:
    assert FakeContext(None, {approve: "yes"}).run(by_generator) == "yes"


def test_code_that_asks_for_its_version_is_told_it() -> None:
    async def tells(context: OrchestrationContext) -> str | None:
        return context.version

    assert FakeContext().run(tells) is None
    assert FakeContext(version="2").run(tells) == "2"


def test_operations_of_entities_are_answered_by_id_or_by_function() -> None:
    class Counter(Entity[int]):
        initial_state = 0

        def add(self, number: int) -> str:
            raise AssertionError

    async def counts(context: OrchestrationContext) -> list[Any]:
        context.signal_entity(EntityId("Log", "all"), "note", "begun")
        try:
            await context.call_entity(EntityId("Broken", "k"), "work")
        except TaskFailedError as error:
            context.set_custom_status(str(error))
        by_name = context.call_entity(EntityId("Counter", "a"), "add", 2)
        return [await by_name, await context.entity(Counter, "b").add(2)]

    answers = {
        EntityId("counter", "a"): 7,
        Counter: lambda entity_id, operation, number: f"{entity_id} {operation} {number}",
        "broken": ValueError("it is"),
    }
    context = FakeContext(None, answers)
    assert context.run(counts) == [7, "@counter@b add 2"]
    assert "it is" in context.custom_status
    assert context.signals == [(EntityId("log", "all"), "note", "begun")]
    assert context.operations[1:] == [(EntityId("counter", key), "add", 2) for key in "ab"]
    with pytest.raises(MissingAnswerError, match="calls 'work' of '@broken@k' with nothing"):
        FakeContext().run(counts)


def test_continue_as_new_is_told() -> None:
    context = FakeContext()
    assert context.run(for_ever) is None
    assert context.has_continued
    assert context.next_version is None

    async def moves_on(context: OrchestrationContext) -> None:
        context.continue_as_new(1, version="2")

    context = FakeContext(version="1")
    assert context.run(moves_on) is None
    assert (context.next_input, context.next_version) == (1, "2")


def test_what_has_no_answer_is_named() -> None:
    with pytest.raises(MissingAnswerError, match=r"calls 'charge' with \{.*answers for: x"):
        FakeContext(BOAT, {"x": 1}).run(buy)

    async def waits(context: OrchestrationContext) -> None:
        await context.wait_for_external_event("Go")

    with pytest.raises(MissingAnswerError, match=r"waits for event 'Go'.*answers for: nothing"):
        FakeContext().run(waits)


def test_who_waits_for_ever_is_told_so() -> None:
    async def ticks(context: OrchestrationContext) -> None:
        while True:
            await context.create_timer(timedelta(seconds=1))

    with pytest.raises(MissingAnswerError, match="After 10,000 steps 'ticks' has not ended"):
        FakeContext().run(ticks)


def test_what_an_orchestrator_may_not_do_it_may_not_do_here() -> None:
    async def sleeps(_: OrchestrationContext) -> None:
        await asyncio.sleep(1)

    with pytest.raises(ForeignAwaitError):
        FakeContext().run(sleeps)
    with pytest.raises(SerializationError):
        FakeContext(object()).run(buy)


def test_an_answer_cannot_be_a_coroutine() -> None:
    async def pays(_: Order) -> str:
        return "paid"

    with pytest.raises(InvalidArgumentError, match="takes plain functions"):
        FakeContext(BOAT, {charge: pays}).run(buy)


def test_a_fake_context_that_is_passed_on_is_explained() -> None:
    context: Any = FakeContext(BOAT, {charge: "paid"})
    with pytest.raises(AttributeError, match=r"FakeContext\(input, answers\)\.run\(orchestrator\)"):
        buy(context, BOAT).send(None)
